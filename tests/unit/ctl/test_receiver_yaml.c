/* test_receiver_yaml.c - receivers out of YAML: what each key means, what is refused and in which line, and that what is written as JSON reads back. */
#include "deploy/ctl/receiver_yaml.h"

#include <string.h>

#include "common/receiver.h"
#include "deploy/ctl/diff.h"
#include "deploy/ctl/rule_json.h"
#include "tests/unit/ctl/random_rules.h"

/* Reads a file of one receiver, whose map is the whole. */
static bool read_one(struct yaml_file *f, const char *text, struct receiver *r)
{
	yaml_parse(f, str_from(text));
	return f->root && receiver_yaml_read(f, f->root, r);
}

START_TEST(webhook_in_full)
{
	struct yaml_file f;
	struct receiver r;

	ck_assert(read_one(&f,
			   "id: ops\nwebhook: {url: \"https://hooks.example/x\", secret_file: ops.key, bearer_file: ops.token}\nsites: [shop, blog]\n"
			   "severities: [critical, info]\nonly_named: true\ngroup_wait: 10s\ngroup_interval: 90s\nrepeat: 0s\nresolve: false\n"
			   "escalate_to: boss\nescalate_after: 15m\n", &r));
	ck_assert(str_eq(r.id, STR("ops")) && r.has_webhook && !r.has_mail && str_eq(r.webhook.url, STR("https://hooks.example/x")));
	ck_assert(str_eq(r.webhook.secret_file, STR("ops.key")) && str_eq(r.webhook.bearer_file, STR("ops.token")));
	ck_assert(r.sites_len == 2 && str_eq(r.sites[1], STR("blog")) && r.severities_len == 2);
	ck_assert(r.severities[0] == ALERT_SEVERITY_CRITICAL && r.severities[1] == ALERT_SEVERITY_INFO);
	ck_assert(r.only_named && !r.resolve && r.group_wait_ms == 10000 && r.group_interval_ms == 90000 && r.repeat_ms == 0);
	ck_assert(str_eq(r.escalate_to, STR("boss")) && r.escalate_after_ms == 15 * 60000);
	yaml_fini(&f);
}
END_TEST

START_TEST(mail_and_defaults)
{
	struct yaml_file f;
	struct receiver r;

	ck_assert(read_one(&f, "{id: m, mail: {server: \"smtp://h:587\", from: a@b, to: c@d}, author: x, updated_at: 1}", &r));
	ck_assert(r.has_mail && !r.has_webhook && str_eq(r.mail.server, STR("smtp://h:587")) && str_eq(r.mail.from, STR("a@b")));
	ck_assert(r.mail.to_len == 1 && str_eq(r.mail.to[0], STR("c@d")) && r.mail.require_tls && !r.mail.user.len && !r.mail.password_file.len);
	ck_assert(!r.sites_len && !r.severities_len && !r.only_named && r.resolve && !r.escalate_to.len && r.escalate_after_ms == 0);
	ck_assert(r.group_wait_ms == 30000 && r.group_interval_ms == 300000 && r.repeat_ms == 4 * 3600000 && !r.author.len && r.updated_at == 0);
	yaml_fini(&f);
	ck_assert(read_one(&f, "{id: m, mail: {server: \"smtp://h\", from: a@b, to: [c@d, e@f], user: u, password_file: p, require_tls: false}}", &r));
	ck_assert(r.mail.to_len == 2 && !r.mail.require_tls && str_eq(r.mail.user, STR("u")) && str_eq(r.mail.password_file, STR("p")));
	yaml_fini(&f);
}
END_TEST

#define HEAD "id: a\nwebhook:\n  url: https://h/\n" /* three lines */

static const struct { const char *text; int line; const char *says; } refused[] = {
	{"- a\n", 1, "must be a map of id, .."},
	{"webhook: {url: \"https://h\"}\n", 1, "id is missing"},
	{"\n\nid: A\nwebhook: {url: \"https://h\"}\n", 3, "id: \"A\": 1 to 64 characters"},
	{"id: a\n", 1, "a receiver has exactly one of webhook and mail"},
	{HEAD "mail: {server: \"smtp://h\", from: a@b, to: c@d}\n", 1, "a receiver has exactly one of webhook and mail"},
	{"id: a\nwebhook: https://h/\n", 2, "webhook: must be a map of url, .."},
	{"id: a\nwebhook:\n  secret_file: x\n", 3, "url is missing"},
	{"id: a\nwebhook:\n  secret_file: x\n  url: https://u:p@h/\n", 4, "webhook.url: may hold no user and password: they belong into files"},
	{"id: a\nwebhook:\n  url: https://h/\n  secret: x\n", 4, "unknown key secret"},
	{"id: a\nwebhook:\n  url: https://h/\n  secretfile: x\n", 4, "unknown key secretfile: did you mean secret_file?"},
	{"id: a\nwebhook:\n  url: https://h/\n  bearer_file: ../x\n", 4, "webhook.bearer_file: may not lead upwards (..)"},
	{"id: a\nmail:\n  server: h:25\n  from: a@b\n  to: c@d\n", 3, "mail.server: must begin with smtp:// or smtps://"},
	{"id: a\nmail:\n  server: smtp://h\n  from: me\n  to: c@d\n", 4, "mail.from: an address has 2 bytes: 3 to 254 are allowed"},
	{"id: a\nmail:\n  server: smtp://h\n  from: a@b\n  to: [c@d, \"x y@z\"]\n", 5, "mail.to: \"x y@z\" is no address"},
	{"id: a\nmail:\n  server: smtp://h\n  from: a@b\n  to: []\n", 5, "mail.to: 0 addresses: 1 to 50 are allowed"},
	{"id: a\nmail:\n  server: smtp://h\n  from: a@b\n", 3, "to is missing"},
	{"id: a\nmail:\n  server: smtp://h\n  from: a@b\n  to: c@d\n  user: u\n", 6, "mail.user: user and password_file go together"},
	{"id: a\nmail:\n  server: smtp://h\n  from: a@b\n  to: c@d\n  require_tls: 1\n", 6, "require_tls: must be true or false"},
	{HEAD "sites: [Shop]\n", 4, "sites: \"Shop\" is no site's id"},
	{HEAD "severities:\n- critical\n- high\n", 6, "high is none of info, warning, critical"},
	{HEAD "severities: high\n", 4, "severities: high is none of info, warning, critical"},
	{HEAD "only_named: yes\n", 4, "only_named: must be true or false"},
	{HEAD "group_wait: 30\n", 4, "group_wait: 30 has no unit: 30s, 5m, 4h, 2d"},
	{HEAD "group_interval: 31d\n", 4, "group_interval: 31d is out of range 0ms..30d"},
	{HEAD "repeat: -1s\n", 4, "repeat: -1s "},
	{HEAD "repeat: never\n", 4, "repeat: never "},
	{HEAD "resolved: true\n", 4, "unknown key resolved: did you mean resolve?"},
	{HEAD "escalate_to: b\n", 4, "escalate_to: escalate_after is missing"},
	{HEAD "escalate_after: 5m\n", 4, "escalate_after: escalate_to is missing"},
	{HEAD "escalate_after: 5m\nescalate_to: a\n", 5, "escalate_to: is itself"},
	{HEAD "escalate_after: 5m\nescalate_to: The Boss\n", 5, "escalate_to: \"The Boss\" is no receiver's id"},
};

/* Exactly one fault each. */
START_TEST(refused_with_its_line)
{
	struct yaml_file f;
	struct receiver r = {.updated_at = 77};

	ck_assert_msg(!read_one(&f, refused[_i].text, &r), "%s", refused[_i].text);
	ck_assert_msg(strncmp(f.faults[0].text, refused[_i].says, strlen(refused[_i].says)) == 0, "\"%s\" does not say \"%s\"", f.faults[0].text,
		      refused[_i].says);
	ck_assert_int_eq(f.faults[0].line, refused[_i].line);
	ck_assert_msg(f.nr_faults == 1, "%zu faults, the second %d: %s", f.nr_faults, f.faults[1].line, f.faults[1].text);
	ck_assert_int_eq(r.updated_at, 77);
	yaml_fini(&f);
}
END_TEST

static void encode(const struct receiver *r, struct buf *out)
{
	buf_clear(out);
	ck_assert_int_eq(receiver_encode(r, out, NULL), 0);
}

START_TEST(what_is_written_reads_back)
{
	struct unit_random random = unit_random_new("receiver_yaml");
	struct buf want = BUF_INIT, got = BUF_INIT, text = BUF_INIT;

	for (int round = 0; round < 3000; round++) {
		struct arena arena = ARENA_INIT;
		struct receiver r = random_receiver(&random, &arena), back;
		struct json_writer w;
		struct yaml_file f;
		struct err err = ERR_INIT;

		ck_assert_msg(receiver_check(&r, &err) == 0, "%s", err.msg);
		buf_clear(&text);
		json_write_begin_line(&w);
		rule_json_write(&w, NULL, STORE_RECEIVERS, &r);
		ck_assert_int_eq(json_write_line_end(&w, &text, &err), 0);
		yaml_parse(&f, buf_str(&text));
		ck_assert_msg(f.root && receiver_yaml_read(&f, f.root, &back), "%s in " STR_FMT, f.faults[0].text, STR_ARG(buf_str(&text)));
		encode(&r, &want);
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
	struct unit_random random = unit_random_new("receiver words");
	struct buf left = BUF_INIT, right = BUF_INIT, words = BUF_INIT;
	int same = 0;

	for (int round = 0; round < 3000; round++) {
		struct arena arena = ARENA_INIT;
		struct unit_random again = random;
		struct receiver a = random_receiver(&random, &arena), b = random_receiver(&again, &arena);

		switch (unit_random_below(&random, 9)) {
		case 0: if (b.has_webhook) b.webhook.bearer_file = STR("other"); break;
		case 1: if (b.has_mail) b.mail.require_tls = false; break;
		case 2: b.sites_len = 0; break;
		case 3: b.severities_len = 0; break;
		case 4: b.only_named = true; break;
		case 5: b.group_wait_ms = 1000; break;
		case 6: b.resolve = false; break;
		case 7: if (b.escalate_to.len) b.escalate_after_ms++; break;
		default: b.repeat_ms = 0;
		}
		encode(&a, &left);
		encode(&b, &right);
		buf_clear(&words);
		b.author = STR("somebody else");
		b.updated_at = 5;
		diff_rule(STORE_RECEIVERS, &a, &b, &words);
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

/* In the largest unit that says it exactly. */
START_TEST(durations_are_written_short)
{
	static const struct { int64_t ms; const char *text; } durations[] = {
		{0, "\"0s\""}, {1, "\"1ms\""}, {1500, "\"1500ms\""}, {30000, "\"30s\""}, {90000, "\"90s\""}, {300000, "\"5m\""}, {14400000, "\"4h\""}, {INT64_C(2592000000), "\"30d\""}};

	for (size_t i = 0; i < NR(durations); i++) {
		struct receiver r = {.group_wait_ms = durations[i].ms};
		struct buf text = BUF_INIT;
		struct json_writer w;
		const struct rule_field *f = rule_json_fields(STORE_RECEIVERS);

		while (strcmp(f->name, "group_wait") != 0)
			f++;
		json_write_begin_line(&w);
		f->write(&w, NULL, &r);
		ck_assert_int_eq(json_write_line_end(&w, &text, NULL), 0);
		ck_assert(str_eq(buf_str(&text), str_from(durations[i].text)));
		buf_fini(&text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("receiver_yaml");
	TCase *tc = tcase_create("receivers");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, webhook_in_full);
	tcase_add_test(tc, mail_and_defaults);
	tcase_add_loop_test(tc, refused_with_its_line, 0, NR(refused));
	tcase_add_test(tc, what_is_written_reads_back);
	tcase_add_test(tc, words_iff_different);
	tcase_add_test(tc, durations_are_written_short);
	return unit_main(suite);
}
