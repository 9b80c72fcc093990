/* test_trigger_yaml.c - triggers out of YAML: what each key means, what is refused and in which line, and that what is written as JSON reads back. */
#include "deploy/ctl/trigger_yaml.h"

#include <string.h>
#include <unistd.h>

#include "common/trigger.h"
#include "deploy/ctl/diff.h"
#include "deploy/ctl/rule_file.h"
#include "deploy/ctl/rule_json.h"
#include "deploy/ctl/yaml_value.h"
#include "tests/unit/ctl/random_rules.h"

/* Reads a file of one trigger, whose map is the whole. */
static bool read_one(struct yaml_file *f, const char *text, struct trigger *t)
{
	yaml_parse(f, str_from(text));
	return f->root && trigger_yaml_read(f, f->root, t);
}

START_TEST(threshold_in_full)
{
	static const enum selector_op ops[] = {SELECTOR_OP_PRESENT, SELECTOR_OP_GLOB, SELECTOR_OP_ONE_OF, SELECTOR_OP_EXACT, SELECTOR_OP_ABSENT};
	static const char *const keys[] = {"host", "path", "region", "route", "zone"};
	struct yaml_file f;
	struct trigger t;

	ck_assert(read_one(&f,
			   "id: slow\nsite: shop\ndescription: Checkout is slow\nseverity: critical\nmetric: http.duration\nkind: distribution\n"
			   "tags: {route: /checkout, region: [eu, us], host: {present: true}, zone: {present: false}, path: {glob: \"/api/*\"}}\n"
			   "field: p95\ncompare: \">\"\nthreshold: 500\nwarm_up_minutes: 3\ncooldown_minutes: 5\nreceivers: [ops, boss]\n", &t));
	ck_assert(str_eq(t.id, STR("slow")) && str_eq(t.site, STR("shop")) && str_eq(t.description, STR("Checkout is slow")));
	ck_assert(str_eq(t.metric, STR("http.duration")) && t.has_kind && t.kind == SERIES_KIND_DISTRIBUTION && t.severity == ALERT_SEVERITY_CRITICAL);
	ck_assert(t.has_threshold && !t.has_absent_minutes && !t.has_check_in);
	ck_assert(t.threshold.field == TRIGGER_FIELD_P95 && t.threshold.comparison == TRIGGER_COMPARISON_GT && t.threshold.threshold == 500);
	ck_assert(t.warm_up_minutes == 3 && t.cooldown_minutes == 5 && t.receivers_len == 2 && str_eq(t.receivers[1], STR("boss")));
	ck_assert_uint_eq(t.tags_len, 5);
	for (size_t i = 0; i < NR(keys); i++)
		ck_assert_msg(str_eq(t.tags[i].key, str_from(keys[i])) && t.tags[i].op == ops[i], "%zu", i);
	ck_assert(t.tags[1].values_len == 1 && str_eq(t.tags[1].values[0], STR("/api/*")));
	ck_assert(t.tags[2].values_len == 2 && str_eq(t.tags[2].values[1], STR("us")));
	ck_assert(t.tags[3].values_len == 1 && str_eq(t.tags[3].values[0], STR("/checkout")) && t.tags[4].values_len == 0);
	yaml_fini(&f);
}
END_TEST

START_TEST(defaults)
{
	struct yaml_file f;
	struct trigger t;

	ck_assert(read_one(&f, "{id: silent, site: shop, metric: app.requests, absent_minutes: 10, author: x, updated_at: 5}", &t));
	ck_assert(t.has_absent_minutes && t.absent_minutes == 10 && t.severity == ALERT_SEVERITY_WARNING && t.warm_up_minutes == 1 && t.cooldown_minutes == 1);
	ck_assert(!t.has_kind && !t.tags_len && !t.receivers_len && !t.description.len && !t.author.len && t.updated_at == 0);
	yaml_fini(&f);
}
END_TEST

START_TEST(check_ins)
{
	struct yaml_file f;
	struct trigger t;

	ck_assert(read_one(&f, "{id: a, site: s, check_in: {name: nightly, cron: \"0 3 * * *\", grace_minutes: 15, runtime_minutes: 60}}", &t));
	ck_assert(t.has_check_in && str_eq(t.check_in.name, STR("nightly")) && str_eq(t.check_in.cron, STR("0 3 * * *")));
	ck_assert(t.check_in.grace_minutes == 15 && t.check_in.runtime_minutes == 60 && t.check_in.every_minutes == 0);
	yaml_fini(&f);
	ck_assert(read_one(&f, "{id: a, site: s, check_in: {name: w, every_minutes: 5}}", &t));
	ck_assert(t.check_in.every_minutes == 5 && !t.check_in.cron.len && t.check_in.grace_minutes == 0);
	yaml_fini(&f);
}
END_TEST

#define HEAD "id: a\nsite: s\nmetric: m\n" /* three lines */
#define RULE "field: mean\ncompare: \">=\"\nthreshold: 1\n"

static const struct { const char *text; int line; const char *says; } refused[] = {
	{"[a]", 1, "must be a map of id, .."},
	{"site: s\nmetric: m\nabsent_minutes: 1\n", 1, "id is missing"},
	{"id: a\nmetric: m\nabsent_minutes: 1\n", 1, "site is missing"},
	{"id: a\nsite: s\nabsent_minutes: 1\n", 1, "metric is missing"},
	{"id: A\nsite: s\nmetric: m\nabsent_minutes: 1\n", 1, "id: 1 to 64 of a-z, 0-9 and - are allowed"},
	{"id: a\nsite: \"s/t\"\nmetric: m\nabsent_minutes: 1\n", 2, "site: 1 to 64 of a-z, 0-9 and - are allowed"},
	{"id: a\nsite: s\nmetric: \"m n\"\nabsent_minutes: 1\n", 3, "metric: 1 to 255 of [A-Za-z0-9_.:/-] are allowed"},
	{HEAD, 1, "needs one of threshold (with field and compare), absent_minutes and check_in"},
	{HEAD RULE "absent_minutes: 1\n", 1, "needs one of threshold (with field and compare), absent_minutes and check_in"},
	{HEAD "field: mean\nthreshold: 1\n", 1, "compare is missing"},
	{HEAD "field: mean\ncompare: \">\"\n", 1, "threshold is missing"},
	{HEAD "compare: \">\"\nthreshold: 1\n", 1, "field is missing"},
	{HEAD "field: mean\ncompare: >\nthreshold: 1\n", 5, "compare: must be in quotes: \">\""},
	{HEAD "field: mean\ncompare: gt\nthreshold: 1\n", 5, "compare: gt is none of >, >=, <, <=, ==, !="},
	{HEAD "field: p96\ncompare: \">\"\nthreshold: 1\n", 4, "field: p96 is none of count, sum, mean, min, max, last, p50, p90, p95, p99, rate, error_rate"},
	{HEAD "field: mean\ncompare: \">\"\nthreshold: .inf\n", 6, "threshold: .inf is no number"},
	{HEAD "field: p95\ncompare: \">\"\nthreshold: 1\nkind: gauge\n", 6, "threshold: p95 is of distributions, and kind is gauge"},
	{HEAD RULE "severity: fatal\n", 7, "severity: fatal is none of info, warning, critical"},
	{HEAD RULE "kind: histogram\n", 7, "kind: histogram is none of counter, gauge, distribution"},
	{HEAD RULE "warm_up_minutes: 1441\n", 7, "warm_up_minutes: 1441 is out of range 0..1440"},
	{HEAD RULE "cooldown_minutes: 5m\n", 7, "cooldown_minutes: 5m is no whole number"},
	{HEAD RULE "cool_down_minutes: 5\n", 7, "unknown key cool_down_minutes: did you mean cooldown_minutes?"},
	{HEAD "absent_minutes: 0\n", 4, "absent_minutes: 0 is out of range 1..1440"},
	{HEAD RULE "receivers: [ops, ops]\n", 7, "ops stands there twice"},
	{HEAD RULE "receivers: [Ops]\n", 7, "receivers: 1 to 64 of a-z, 0-9 and - are allowed"},
	{HEAD RULE "description: |\n  two\n  lines\n", 7, "description: it must be one line of UTF-8, without control characters"},
	{HEAD RULE "tags: [a]\n", 7, "tags: must be a map of tags to what they must be"},
	{HEAD RULE "tags:\n  a: {present: yes}\n", 8, "present: must be true or false"},
	{HEAD RULE "tags:\n  a: {presnt: true}\n", 8, "unknown key presnt: did you mean present?"},
	{HEAD RULE "tags:\n  a: {}\n", 8, "a: must be one of {present: true}, {present: false} and {glob: TEXT}"},
	{HEAD RULE "tags:\n  a: {present: true, glob: x}\n", 8, "a: must be one of {present: true}, {present: false} and {glob: TEXT}"},
	{HEAD RULE "tags:\n  b: 1\n  a:\n", 9, "a: has no value"},
	{HEAD RULE "tags:\n  b: []\n", 8, "tags: \"b\" has 0 values: one_of takes 1 to 100"},
	{HEAD RULE "tags:\n  \"a b\": 1\n", 8, "tags: a key consists of 1 to 255 of [A-Za-z0-9_.:/-]"},
	{"id: a\nsite: s\ncheck_in:\n  name: n\n", 4, "check_in: needs one of cron and every_minutes"},
	{"id: a\nsite: s\ncheck_in:\n  name: n\n  cron: \"0 3 * * *\"\n  every_minutes: 5\n", 4, "check_in: needs one of cron and every_minutes"},
	{"id: a\nsite: s\ncheck_in:\n  every_minutes: 5\n", 4, "name is missing"},
	{"id: a\nsite: s\ncheck_in:\n  name: n\n  cron: 61 * * * *\n", 5, "cron: "},
	{"id: a\nsite: s\ncheck_in:\n  name: n\n  cron: \"* * * *\"\n", 5, "cron: there is no day of week"},
	{"id: a\nsite: s\ncheck_in:\n  name: n\n  every_minutes: 5\n  runtime_minutes: 5\n", 6, "runtime_minutes: goes with cron: a heartbeat has no end"},
	{"id: a\nsite: s\ncheck_in:\n  name: n\n  every_minutes: 5\nmetric: m\n", 6, "metric: does not go with check_in"},
	{"id: a\nsite: s\ncheck_in:\n  name: n\n  every_minutes: 5\ntags: {a: b}\n", 4, "check_in: such a trigger has no metric, kind or tags"},
	{"id: a\nsite: s\ncheck_in:\n  name: \"a\\nb\"\n  every_minutes: 5\n", 4, "check_in: name: it must be one line of UTF-8"},
};

/* Exactly one fault each: one mistake is told once. */
START_TEST(refused_with_its_line)
{
	struct yaml_file f;
	struct trigger t = {.updated_at = 77};

	ck_assert_msg(!read_one(&f, refused[_i].text, &t), "%s", refused[_i].text);
	ck_assert_msg(strncmp(f.faults[0].text, refused[_i].says, strlen(refused[_i].says)) == 0, "\"%s\" does not say \"%s\"", f.faults[0].text,
		      refused[_i].says);
	ck_assert_int_eq(f.faults[0].line, refused[_i].line);
	ck_assert_msg(f.nr_faults == 1, "%zu faults, the second %d: %s", f.nr_faults, f.faults[1].line, f.faults[1].text);
	ck_assert_int_eq(t.updated_at, 77);
	yaml_fini(&f);
}
END_TEST

/* Three mistakes in three entries, and an id that stands there twice. */
START_TEST(all_of_a_file)
{
	static const char text[] = "triggers:\n"
				   "- {id: a, site: s, metric: m, absent_minutes: 0}\n"
				   "- {id: b, site: s, metric: m, absent_minutes: 1}\n"
				   "- {id: b, site: s, metric: m, absent_minutes: 2}\n"
				   "- {id: c, site: s, absent_minutes: 1}\n"
				   "recievers: []\n";
	static const int lines[] = {2, 4, 5, 6};
	char path[] = "/tmp/test_trigger_yaml.XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w"), *out = fopen("/dev/null", "w");
	struct store s = STORE_INIT;
	struct rule_file f;
	struct err err = ERR_INIT;

	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(rule_file_read(&f, path, &s, &err), 0);
	ck_assert_uint_eq(f.yaml.nr_faults, NR(lines));
	for (size_t i = 0; i < NR(lines); i++)
		ck_assert_int_eq(f.yaml.faults[i].line, lines[i]);
	ck_assert(f.has_triggers && !f.has_receivers && store_trigger(&s, STR("b"))->absent_minutes == 1 && !store_trigger(&s, STR("a")));
	ck_assert_int_eq(rule_file_entry(&f, STORE_TRIGGERS, STR("c"))->line, 5);
	ck_assert_int_eq(rule_file_end(&f, out, &err), -1);
	ck_assert(err.kind == ERR_REJECT && strstr(err.msg, "has 4 errors: nothing is changed"));
	store_fini(&s);
	rule_file_fini(&f);
	fclose(out);
	unlink(path);
}
END_TEST

START_TEST(example_file)
{
	struct store s = STORE_INIT;
	struct rule_file f;
	struct err err = ERR_INIT;
	char condition[TRIGGER_CONDITION_SIZE];

	ck_assert_msg(rule_file_read(&f, "deploy/triggers.example.yml", &s, &err) == 0 && rule_file_end(&f, stderr, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(s.index[STORE_TRIGGERS].len, 4);
	ck_assert_uint_eq(s.index[STORE_RECEIVERS].len, 2);
	ck_assert_str_eq(trigger_condition(store_trigger(&s, STR("nightly-backup")), condition), "check-in nightly-backup missed (cron 0 3 * * *)");
	ck_assert_int_eq(store_receiver(&s, STR("ops"))->escalate_after_ms, 15 * 60 * 1000);
	store_fini(&s);
	rule_file_fini(&f);
}
END_TEST

static void encode(const struct trigger *t, struct buf *out)
{
	buf_clear(out);
	ck_assert_int_eq(trigger_encode(t, out, NULL), 0);
}

/* Written as JSON and read as YAML, and as JSON: the same bytes. */
START_TEST(what_is_written_reads_back)
{
	struct unit_random r = unit_random_new("trigger_yaml");
	struct buf want = BUF_INIT, got = BUF_INIT, text = BUF_INIT;

	for (int round = 0; round < 3000; round++) {
		struct arena arena = ARENA_INIT;
		struct trigger t = random_trigger(&r, &arena), back;
		struct json_writer w;
		struct json *tree;
		struct yaml_file f;
		struct err err = ERR_INIT;

		ck_assert_msg(trigger_check(&t, &err) == 0, "%s", err.msg);
		buf_clear(&text);
		json_write_begin_line(&w);
		rule_json_write(&w, NULL, STORE_TRIGGERS, &t);
		ck_assert_int_eq(json_write_line_end(&w, &text, &err), 0);
		encode(&t, &want);
		yaml_parse(&f, buf_str(&text));
		ck_assert_msg(f.root && trigger_yaml_read(&f, f.root, &back), "%s in " STR_FMT, f.faults[0].text, STR_ARG(buf_str(&text)));
		encode(&back, &got);
		ck_assert_msg(str_eq(buf_str(&want), buf_str(&got)), STR_FMT, STR_ARG(buf_str(&text)));
		yaml_fini(&f);
		ck_assert_int_eq(json_parse(buf_str(&text), &arena, &tree, &err), 0);
		yaml_from_json(&f, tree);
		ck_assert_msg(trigger_yaml_read(&f, f.root, &back), "%s in " STR_FMT, f.faults[0].text, STR_ARG(buf_str(&text)));
		encode(&back, &got);
		ck_assert_msg(str_eq(buf_str(&want), buf_str(&got)), STR_FMT, STR_ARG(buf_str(&text)));
		yaml_fini(&f);
		arena_fini(&arena);
	}
	buf_fini(&want);
	buf_fini(&got);
	buf_fini(&text);
}
END_TEST

/* There is something to say exactly when the bytes differ. */
START_TEST(words_iff_different)
{
	struct unit_random r = unit_random_new("trigger words");
	struct buf left = BUF_INIT, right = BUF_INIT, words = BUF_INIT;
	int same = 0;

	for (int round = 0; round < 3000; round++) {
		struct arena arena = ARENA_INIT;
		struct unit_random again = r;
		struct trigger a = random_trigger(&r, &arena), b = random_trigger(&again, &arena);

		switch (unit_random_below(&r, 8)) {
		case 0: b.site = STR("other"); break;
		case 1: b.description = STR("other"); break;
		case 2: b.severity = (enum alert_severity)unit_random_below(&r, 3); break;
		case 3: b.warm_up_minutes = 7; break;
		case 4: if (b.has_threshold) b.threshold.comparison = TRIGGER_COMPARISON_NE; break;
		case 5: if (b.has_check_in) b.check_in.grace_minutes++; break;
		case 6: if (b.tags_len) b.tags_len--; break;
		default: b.receivers_len = 0;
		}
		encode(&a, &left);
		encode(&b, &right);
		buf_clear(&words);
		b.author = STR("somebody else");
		b.updated_at = 5;
		diff_rule(STORE_TRIGGERS, &a, &b, &words);
		ck_assert_msg(!words.len == str_eq(buf_str(&left), buf_str(&right)), STR_FMT, STR_ARG(buf_str(&words)));
		same += !words.len;
		arena_fini(&arena);
	}
	ck_assert_int_gt(same, 100);
	buf_fini(&left);
	buf_fini(&right);
	buf_fini(&words);
}
END_TEST

START_TEST(words)
{
	struct trigger a = {.id = STR("x"), .site = STR("shop"), .metric = STR("m"), .has_threshold = true, .threshold = {.threshold = 1}}, b = a;
	struct buf out = BUF_INIT;

	b.threshold.threshold = 2.5;
	b.severity = ALERT_SEVERITY_CRITICAL;
	b.description = STR("slow");
	diff_rule(STORE_TRIGGERS, &a, &b, &out);
	buf_add(&out, "", 1);
	ck_assert_str_eq((char *)out.p, "description none -> \"slow\", severity \"info\" -> \"critical\", threshold 1 -> 2.5");
	buf_fini(&out);
}
END_TEST

/* A line of `apply`, which a name with an escape sequence in it cannot break. */
START_TEST(lines_of_a_change)
{
	struct store_item live = {.key = STR("x\x1b"), .v.trigger = {.site = STR("shop"), .metric = STR("m"), .has_absent_minutes = true, .absent_minutes = 5}};
	struct store_item wanted = live;
	const struct { struct diff_change change; const char *says; } lines[] = {
		{{DIFF_ADD, STORE_TRIGGERS, NULL, &wanted}, "+ trigger x?: site shop, warning, m absent for 6 minutes\n"},
		{{DIFF_CHANGE, STORE_TRIGGERS, &live, &wanted}, "~ trigger x?: severity \"info\" -> \"warning\", absent_minutes 5 -> 6\n"},
		{{DIFF_REMOVE, STORE_TRIGGERS, &live, NULL}, "- trigger x?: site shop, info, m absent for 5 minutes\n"},
	};

	wanted.v.trigger.absent_minutes = 6;
	wanted.v.trigger.severity = ALERT_SEVERITY_WARNING;
	for (size_t i = 0; i < NR(lines); i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		diff_print(&lines[i].change, out);
		fclose(out);
		ck_assert_str_eq(text, lines[i].says);
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trigger_yaml");
	TCase *tc = tcase_create("triggers");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, threshold_in_full);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, check_ins);
	tcase_add_loop_test(tc, refused_with_its_line, 0, NR(refused));
	tcase_add_test(tc, all_of_a_file);
	tcase_add_test(tc, example_file);
	tcase_add_test(tc, what_is_written_reads_back);
	tcase_add_test(tc, words_iff_different);
	tcase_add_test(tc, words);
	tcase_add_test(tc, lines_of_a_change);
	return unit_main(suite);
}
