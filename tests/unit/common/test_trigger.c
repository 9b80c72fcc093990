/* test_trigger.c - which records are triggers, what they are about, what they see of a minute, how people read them, and what makes two of them the same. */
#include "common/trigger.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>

#include "tests/unit/unit.h"

/* A good trigger and room for what cases put into it. */
struct sample {
	struct trigger t;
	struct tag_selector tags[TRIGGER_SELECTORS_MAX + 1];
	struct str values[TRIGGER_VALUES_MAX + 1], receivers[TRIGGER_RECEIVERS_MAX + 1];
	char text[9000];
};

static void add_tag(struct sample *s, const char *key, enum selector_op op, size_t first, size_t nr)
{
	s->tags[s->t.tags_len++] = (struct tag_selector){.key = str_from(key), .op = op, .values = s->values + first, .values_len = nr};
}

/* A threshold on http.duration{host, path~.., region=(..), route=.., !zone}. */
static void begin(struct sample *s)
{
	*s = (struct sample){.values = {STR("/api*"), STR("eu"), STR("us"), STR("/a")}, .receivers = {STR("ops"), STR("boss")}};
	s->t = (struct trigger){
		.id = STR("slow-checkout"), .site = STR("shop"), .description = STR("Checkout is slow"), .severity = ALERT_SEVERITY_WARNING,
		.metric = STR("http.duration"), .has_kind = true, .kind = SERIES_KIND_DISTRIBUTION, .tags = s->tags, .has_threshold = true,
		.threshold = {TRIGGER_FIELD_P95, TRIGGER_COMPARISON_GT, 500}, .warm_up_minutes = 3, .cooldown_minutes = 5, .receivers = s->receivers,
		.receivers_len = 2, .author = STR("ann"), .updated_at = 1};
	add_tag(s, "host", SELECTOR_OP_PRESENT, 0, 0);
	add_tag(s, "path", SELECTOR_OP_GLOB, 0, 1);
	add_tag(s, "region", SELECTOR_OP_ONE_OF, 1, 2);
	add_tag(s, "route", SELECTOR_OP_EXACT, 3, 1);
	add_tag(s, "zone", SELECTOR_OP_ABSENT, 0, 0);
}

static void absent(struct sample *s)
{
	s->t.has_threshold = false;
	s->t.has_absent_minutes = true;
	s->t.absent_minutes = 10;
}

/* A check-in, by cron or, where that is empty, each so many minutes. */
static void check_in(struct sample *s, const char *cron, int32_t every)
{
	s->t.has_threshold = s->t.has_kind = false;
	s->t.metric = STR("");
	s->t.tags_len = 0;
	s->t.has_check_in = true;
	s->t.check_in = (struct check_in_rule){.name = STR("nightly"), .cron = str_from(cron), .every_minutes = every, .grace_minutes = 15};
}

static struct str filled(struct sample *s, size_t len)
{
	memset(s->text, 'a', len);
	return (struct str){s->text, len};
}

/* Each changes a good trigger, and says whether it still is one and which word the refusal has. */
#define CASES(X) \
	X(NULL, (void)s) \
	X(NULL, absent(s)) \
	X(NULL, check_in(s, "0 3 * * *", 0); s->t.check_in.runtime_minutes = 1440) \
	X(NULL, check_in(s, "", 1)) \
	X(NULL, check_in(s, "", 1440); s->t.check_in.grace_minutes = 1440) \
	X(NULL, s->t.has_kind = false) \
	X(NULL, s->t.tags_len = 0; s->t.receivers_len = 0; s->t.description = s->t.author = STR("")) \
	X(NULL, s->t.id = filled(s, 64)) \
	X("id:", s->t.id = filled(s, 65)) \
	X("id:", s->t.id = STR("")) \
	X("id:", s->t.id = STR("Slow")) \
	X("id:", s->t.id = STR("a/b")) \
	X("site:", s->t.site = STR("a b")) \
	X("site:", s->t.site = STR("")) \
	X(NULL, s->t.description = filled(s, 1000)) \
	X("description:", s->t.description = filled(s, 1001)) \
	X("description:", s->t.description = STR("two\nlines")) \
	X("description:", s->t.description = STR("\xc2\x85")) \
	X("description:", s->t.description = STR("\xff")) \
	X("author:", s->t.author = filled(s, 128)) \
	X("author:", s->t.author = STR("a\r")) \
	X("severity:", s->t.severity = (enum alert_severity)3) \
	X("exactly one", s->t.has_threshold = false) \
	X("exactly one", s->t.has_absent_minutes = true; s->t.absent_minutes = 1) \
	X("exactly one", check_in(s, "", 1); s->t.has_threshold = true) \
	X("metric:", s->t.metric = STR("")) \
	X("metric:", s->t.metric = STR("a b")) \
	X("metric:", s->t.metric = filled(s, 256)) \
	X(NULL, s->t.metric = filled(s, 255)) \
	X("kind:", s->t.kind = (enum series_kind)3) \
	X("field", s->t.threshold.field = (enum trigger_field)12) \
	X("comparison", s->t.threshold.comparison = (enum trigger_comparison)6) \
	X("finite", s->t.threshold.threshold = NAN) \
	X("finite", s->t.threshold.threshold = INFINITY) \
	X(NULL, s->t.threshold.threshold = -1e308) \
	X("p95 is of distributions", s->t.kind = SERIES_KIND_GAUGE) \
	X(NULL, s->t.kind = SERIES_KIND_GAUGE; s->t.threshold.field = TRIGGER_FIELD_LAST) \
	X("absent_minutes:", absent(s); s->t.absent_minutes = 0) \
	X("absent_minutes:", absent(s); s->t.absent_minutes = 1441) \
	X(NULL, absent(s); s->t.absent_minutes = 1440) \
	X("warm_up_minutes:", s->t.warm_up_minutes = -1) \
	X("warm_up_minutes:", s->t.warm_up_minutes = 1441) \
	X("cooldown_minutes:", s->t.cooldown_minutes = -1) \
	X("cooldown_minutes:", s->t.cooldown_minutes = 1441) \
	X(NULL, s->t.warm_up_minutes = 0; s->t.cooldown_minutes = 1440) \
	X("sorted", s->tags[1].key = STR("a")) \
	X("twice", s->tags[1].key = STR("host")) \
	X("key", s->tags[0].key = STR("")) \
	X("key", s->tags[0].key = STR("a=b")) \
	X("no op", s->tags[0].op = (enum selector_op)5) \
	X("has 1 values", s->tags[0].values_len = 1) \
	X("has 1 values", s->tags[4].values_len = 1) \
	X("has 0 values", s->tags[1].values_len = 0) \
	X("has 2 values", s->tags[1].values_len = 2) \
	X("has 0 values", s->tags[2].values_len = 0) \
	X("has 2 values", s->tags[3].values_len = 2; s->tags[3].values = s->values) \
	X("same value twice", s->values[2] = STR("eu")) \
	X(NULL, s->values[2] = STR("")) \
	X("a value:", s->values[2] = STR("a\tb")) \
	X("a value:", s->values[2] = STR("\xed\xa0\x80")) \
	X("a value:", s->values[2] = filled(s, 256)) \
	X(NULL, s->values[2] = filled(s, 255)) \
	X(NULL, many_values(s, 100, 3)) \
	X("values", many_values(s, 101, 3)) \
	X(NULL, many_values(s, 64, 128)) \
	X("8193 bytes", many_values(s, 64, 128); s->values[0].len++) \
	X(NULL, many_tags(s, 32)) \
	X("tags: there are 33", many_tags(s, 33)) \
	X(NULL, many_receivers(s, 16)) \
	X("receivers: there are 17", many_receivers(s, 17)) \
	X("receivers:", s->receivers[1] = STR("ops")) \
	X("receivers:", s->receivers[1] = STR("")) \
	X("no metric", check_in(s, "", 5); s->t.metric = STR("m")) \
	X("no metric", check_in(s, "", 5); s->t.has_kind = true) \
	X("no metric", check_in(s, "", 5); s->t.tags_len = 1) \
	X("name", check_in(s, "", 5); s->t.check_in.name = STR("")) \
	X("name", check_in(s, "", 5); s->t.check_in.name = STR("a\nb")) \
	X("name", check_in(s, "", 5); s->t.check_in.name = filled(s, 256)) \
	X(NULL, check_in(s, "", 5); s->t.check_in.name = filled(s, 255)) \
	X("not both", check_in(s, "* * * * *", 5)) \
	X("neither", check_in(s, "", 0)) \
	X("every_minutes", check_in(s, "", -1)) \
	X("every_minutes", check_in(s, "", 1441)) \
	X("grace_minutes", check_in(s, "", 1); s->t.check_in.grace_minutes = -1) \
	X("grace_minutes", check_in(s, "", 1); s->t.check_in.grace_minutes = 1441) \
	X("runtime_minutes", check_in(s, "", 1); s->t.check_in.runtime_minutes = 1) \
	X("runtime_minutes", check_in(s, "0 3 * * *", 0); s->t.check_in.runtime_minutes = 1441) \
	X("runtime_minutes", check_in(s, "0 3 * * *", 0); s->t.check_in.runtime_minutes = -1) \
	X("cron", check_in(s, "0 25 * * *", 0)) \
	X("cron", check_in(s, "0\t3 * * *", 0)) /* one line, which a tab is not for us */

/* One selector with so many values of len bytes, all different. */
static void many_values(struct sample *s, size_t nr, size_t len)
{
	static char texts[TRIGGER_VALUES_MAX + 1][SERIES_STRING_MAX];

	s->t.tags_len = 0;
	for (size_t i = 0; i < nr; i++) {
		memset(texts[i], 'v', sizeof(texts[i]));
		texts[i][0] = (char)('!' + i % 10);
		texts[i][1] = (char)('!' + i / 10);
		s->values[i] = (struct str){texts[i], len};
	}
	add_tag(s, "k", SELECTOR_OP_ONE_OF, 0, nr);
}

static void many_tags(struct sample *s, size_t nr)
{
	static const char keys[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi";

	s->t.tags_len = 0;
	for (size_t i = 0; i < nr; i++) {
		add_tag(s, "", SELECTOR_OP_PRESENT, 0, 0);
		s->tags[i].key = (struct str){keys + i, 1};
	}
}

static void many_receivers(struct sample *s, size_t nr)
{
	static const char ids[] = "abcdefghijklmnopqrstuvwxyz";

	s->t.receivers_len = nr;
	for (size_t i = 0; i < nr; i++)
		s->receivers[i] = (struct str){ids + i, 1};
}

/* Makes the change of a case; returns its word. */
static const char *change(struct sample *s, int at)
{
	int i = 0;

#define X(error, ...) \
	if (i++ == at) { \
		__VA_ARGS__; \
		return error; \
	}
	CASES(X)
#undef X
	return "none";
}

enum {
	NR_CASES = 0
#define X(error, ...) + 1
	CASES(X)
#undef X
};

START_TEST(records_are_triggers_or_not)
{
	struct err err = ERR_INIT;
	struct sample s;
	const char *error;
	int rc;

	begin(&s);
	error = change(&s, _i);
	rc = trigger_check(&s.t, &err);
	ck_assert_msg(rc == (error ? -1 : 0), "case %d (%s): %d, %s", _i, error ? error : "good", rc, err.msg);
	if (error)
		ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, error), "case %d: \"%s\" has no \"%s\"", _i, err.msg, error);
}
END_TEST

START_TEST(globs_are_those_of_fnmatch)
{
	static const char letters[] = "aab*?*/.";
	struct unit_random random = unit_random_new("glob");
	int matched = 0;

	for (int round = 0; round < 300000; round++) {
		char pattern[12], text[12];
		size_t p = unit_random_below(&random, NR(pattern)), t = unit_random_below(&random, NR(text));
		bool got;

		for (size_t i = 0; i < p; i++)
			pattern[i] = letters[unit_random_below(&random, 8)];
		for (size_t i = 0; i < t; i++)
			text[i] = "aab/."[unit_random_below(&random, 5)];
		pattern[p] = text[t] = '\0';
		got = trigger_glob(str_from(pattern), str_from(text));
		ck_assert_msg(got == (fnmatch(pattern, text, FNM_NOESCAPE) == 0), "\"%s\" and \"%s\": %d", pattern, text, got);
		matched += got;
	}
	ck_assert_int_gt(matched, 10000);
}
END_TEST

/* Where fnmatch would have escapes and classes, and what would take for ever with a search that goes back. */
START_TEST(globs_have_two_signs_alone)
{
	char pattern[SERIES_STRING_MAX], text[SERIES_STRING_MAX];

	ck_assert(trigger_glob(STR("[a]\\*"), STR("[a]\\b")) && !trigger_glob(STR("[a]"), STR("a")) && !trigger_glob(STR("\\*"), STR("*")));
	ck_assert(trigger_glob(STR("?"), STR("\xff")) && !trigger_glob(STR("?"), STR("\xc3\xa9")) && trigger_glob(STR("*"), STR("")));
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 ? '*' : 'a';
	pattern[sizeof(pattern) - 1] = 'b';
	ck_assert(!trigger_glob((struct str){pattern, sizeof(pattern)}, (struct str){text, sizeof(text)}));
}
END_TEST

/* Tags as "host=a route=/a"; what the sample's selectors, site, name and kind say. */
static const struct {
	const char *tags, *site, *name;
	uint8_t kind;
	bool matches;
} series[] = {
	{"host=x path=/api/1 region=eu route=/a", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, true},
	{"a=b host= path=/api region=us route=/a zzz=1", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, true},
	{"host=x path=/api/1 region=eu route=/a", "shop2", "http.duration", SERIES_KIND_DISTRIBUTION, false},
	{"host=x path=/api/1 region=eu route=/a", "shop", "http.durations", SERIES_KIND_DISTRIBUTION, false},
	{"host=x path=/api/1 region=eu route=/a", "shop", "http.duration", SERIES_KIND_GAUGE, false},
	{"path=/api/1 region=eu route=/a", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, false},
	{"host=x path=/ap region=eu route=/a", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, false},
	{"host=x region=eu route=/a", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, false},
	{"host=x path=/api/1 region=asia route=/a", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, false},
	{"host=x path=/api/1 route=/a", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, false},
	{"host=x path=/api/1 region=eu route=/ab", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, false},
	{"host=x path=/api/1 region=eu", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, false},
	{"host=x path=/api/1 region=eu route=/a zone=", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, false},
	{"", "shop", "http.duration", SERIES_KIND_DISTRIBUTION, false},
};

static size_t split(const char *text, struct tag *tags)
{
	size_t nr = 0;

	while (*text) {
		size_t key = strcspn(text, "="), value = strcspn(text + key + 1, " ");

		tags[nr++] = (struct tag){{text, key}, {text + key + 1, value}};
		text += key + 1 + value;
		text += *text == ' ';
	}
	return nr;
}

START_TEST(triggers_are_about_series)
{
	struct tag tags[8];
	struct series_id id = {str_from(series[_i].site), series[_i].kind, str_from(series[_i].name), tags, split(series[_i].tags, tags)};
	struct sample s;

	begin(&s);
	ck_assert_int_eq(trigger_matches(&s.t, &id), series[_i].matches);
	s.t.has_kind = false;
	id.kind = SERIES_KIND_COUNTER;
	ck_assert_int_eq(trigger_matches(&s.t, &id), series[_i].matches || series[_i].kind == SERIES_KIND_GAUGE);
	s.t.has_check_in = true;
	ck_assert(!trigger_matches(&s.t, &id));
}
END_TEST

/* Two windows, one full, and a minute without one: a counter of 3 with sum 30, a distribution of 1, 2, .. 100 with 5 errors. */
#define NONE NAN
static const struct {
	enum trigger_field field;
	double counter, distribution, empty, nothing, edge;
} values[] = {
	{TRIGGER_FIELD_COUNT, 3, 100, 0, 0, 0},
	{TRIGGER_FIELD_SUM, 30, 5050, 0, 0, 0},
	{TRIGGER_FIELD_MEAN, 10, 50.5, NONE, NONE, 0},
	{TRIGGER_FIELD_MIN, NONE, 1, NONE, NONE, 0},
	{TRIGGER_FIELD_MAX, NONE, 100, NONE, NONE, 0},
	{TRIGGER_FIELD_LAST, NONE, 77, NONE, NONE, 0},
	{TRIGGER_FIELD_P50, NONE, 50, NONE, NONE, 0.011},
	{TRIGGER_FIELD_P90, NONE, 90, NONE, NONE, 0.011},
	{TRIGGER_FIELD_P95, NONE, 95, NONE, NONE, 0.011},
	{TRIGGER_FIELD_P99, NONE, 99, NONE, NONE, 0.011},
	{TRIGGER_FIELD_RATE, 0.5, 100 / 60.0, 0, 0, 0},
	{TRIGGER_FIELD_ERROR_RATE, 0, 0.05, NONE, NONE, 0},
};

static void expect(enum trigger_field field, const struct trigger_point *p, double wanted, double edge)
{
	double got = -7;
	bool has = trigger_value(field, p, &got);

	ck_assert_msg(has == !isnan(wanted), "%s: %d", trigger_field_name(field), has);
	if (has)
		ck_assert_msg(fabs(got - wanted) <= edge * fabs(wanted), "%s: %g, wanted %g", trigger_field_name(field), got, wanted);
	else
		ck_assert(got == -7);
}

START_TEST(fields_have_values)
{
	struct hist hist = HIST_INIT, none = HIST_INIT;
	const struct trigger_point counter = {.kind = SERIES_KIND_COUNTER, .count = 3, .sum = 30};
	struct trigger_point distribution = {.kind = SERIES_KIND_DISTRIBUTION, .has_min = true, .has_max = true, .has_last = true, .count = 100, .errors = 5,
					     .sum = 5050, .min = 1, .max = 100, .last = 77, .hist = &hist};
	const struct trigger_point empty = {.kind = SERIES_KIND_DISTRIBUTION, .hist = &none};

	for (int i = 1; i <= 100; i++)
		ck_assert_int_eq(hist_add(&hist, i, 1), 0);
	expect(values[_i].field, &counter, values[_i].counter, 0);
	expect(values[_i].field, &distribution, values[_i].distribution, values[_i].edge);
	expect(values[_i].field, &empty, values[_i].empty, 0);
	expect(values[_i].field, NULL, values[_i].nothing, 0);
	if (values[_i].edge) { /* clamped to an end that is known, and only to that */
		distribution.max = 10;
		expect(values[_i].field, &distribution, 10, 0);
		distribution.has_max = false;
		expect(values[_i].field, &distribution, values[_i].distribution, values[_i].edge);
		distribution.min = 99.5;
		expect(values[_i].field, &distribution, 99.5, 0.004);
		distribution.has_min = false;
		expect(values[_i].field, &distribution, values[_i].distribution, values[_i].edge);
	}
	hist_fini(&hist);
}
END_TEST

START_TEST(sums_without_a_number_have_no_value)
{
	const struct trigger_point p = {.count = 1, .sum = NAN};

	expect(TRIGGER_FIELD_SUM, &p, NONE, 0);
	expect(TRIGGER_FIELD_COUNT, &p, 1, 0);
}
END_TEST

/* Of values below, at and above 5, and of none: which hold. */
static const struct {
	enum trigger_comparison comparison;
	const char *sign;
	bool below, at, above;
} comparisons[] = {
	{TRIGGER_COMPARISON_GT, ">", false, false, true}, {TRIGGER_COMPARISON_GE, ">=", false, true, true}, {TRIGGER_COMPARISON_LT, "<", true, false, false},
	{TRIGGER_COMPARISON_LE, "<=", true, true, false}, {TRIGGER_COMPARISON_EQ, "==", false, true, false}, {TRIGGER_COMPARISON_NE, "!=", true, false, true},
};

START_TEST(values_compare)
{
	const struct threshold_rule rule = {TRIGGER_FIELD_SUM, comparisons[_i].comparison, 5};

	ck_assert_int_eq(trigger_compares(&rule, nextafter(5, 0)), comparisons[_i].below);
	ck_assert_int_eq(trigger_compares(&rule, 5), comparisons[_i].at);
	ck_assert_int_eq(trigger_compares(&rule, nextafter(5, 6)), comparisons[_i].above);
	ck_assert(!trigger_compares(&rule, NAN));
	ck_assert_str_eq(trigger_comparison_sign(rule.comparison), comparisons[_i].sign);
}
END_TEST

START_TEST(conditions_are_read_by_people)
{
	char out[TRIGGER_CONDITION_SIZE];
	struct sample s;

	begin(&s);
	ck_assert_str_eq(trigger_condition(&s.t, out), "p95 of http.duration{host, path~\"/api*\", region=(\"eu\",\"us\"), route=\"/a\", !zone} > 500");
	s.values[3] = STR("say \"\\\" \xc3\xa9");
	s.tags[0] = s.tags[3];
	s.t.tags_len = 1;
	s.t.threshold = (struct threshold_rule){TRIGGER_FIELD_ERROR_RATE, TRIGGER_COMPARISON_LE, 0.1};
	ck_assert_str_eq(trigger_condition(&s.t, out), "error_rate of http.duration{route=\"say \\\"\\\\\\\" \xc3\xa9\"} <= 0.1");
	s.values[3] = STR("\xff\n\xc3\xa9");
	s.t.threshold.threshold = 0.1 + 0.2;
	ck_assert_str_eq(trigger_condition(&s.t, out), "error_rate of http.duration{route=\"?" "?" "?" "?\"} <= 0.30000000000000004");
	s.t.tags_len = 0;
	absent(&s);
	ck_assert_str_eq(trigger_condition(&s.t, out), "http.duration absent for 10 minutes");
	s.t.absent_minutes = 1;
	ck_assert_str_eq(trigger_condition(&s.t, out), "http.duration absent for 1 minute");
	check_in(&s, "0 3 * * *", 0);
	ck_assert_str_eq(trigger_condition(&s.t, out), "check-in nightly missed (cron 0 3 * * *)");
	check_in(&s, "", 5);
	ck_assert_str_eq(trigger_condition(&s.t, out), "check-in nightly missed (every 5 minutes)");
}
END_TEST

/* Whatever the length, what is cut ends in three dots between two characters, and what fits does not. */
START_TEST(conditions_have_an_end)
{
	char out[TRIGGER_CONDITION_SIZE + 1], full[2000];
	struct sample s;

	for (size_t len = 0; len < 255 * 3; len++) {
		begin(&s);
		s.t.tags_len = 0;
		add_tag(&s, "k", SELECTOR_OP_ONE_OF, 0, 3);
		for (size_t i = 0; i < 255 * 3; i++)
			s.text[i] = "\xe2\x82\xac"[(i + 1) % 3]; /* out of step with the cut */
		s.text[0] = s.text[1] = 'x';
		for (size_t i = 0, left = len; i < 3; left -= s.values[i++].len)
			s.values[i] = str_cut_utf8((struct str){s.text, left < 254 ? left : 254}, 254);
		out[TRIGGER_CONDITION_SIZE] = 'Z';
		snprintf(full, sizeof(full), "p95 of http.duration{k=(\"" STR_FMT "\",\"" STR_FMT "\",\"" STR_FMT "\")} > 500", STR_ARG(s.values[0]),
			 STR_ARG(s.values[1]), STR_ARG(s.values[2]));
		if (!str_is_line(str_from(full)))
			continue;
		trigger_condition(&s.t, out);
		ck_assert(out[TRIGGER_CONDITION_SIZE] == 'Z' && str_is_line(str_from(out)));
		if (strlen(full) < TRIGGER_CONDITION_SIZE) {
			ck_assert_str_eq(out, full);
			continue;
		}
		ck_assert_msg(strlen(out) >= TRIGGER_CONDITION_SIZE - 4 && strcmp(out + strlen(out) - 3, "...") == 0, "%s", out);
		ck_assert_int_eq(strncmp(out, full, strlen(out) - 3), 0);
	}
	ck_assert_uint_gt(strlen(full), TRIGGER_CONDITION_SIZE);
}
END_TEST

/* What changes the revision, and what does not. */
#define REVISIONS(X) \
	X(false, s->t.description = STR("x"); s->t.author = STR("x"); s->t.updated_at = 5; s->t.severity = ALERT_SEVERITY_INFO; s->t.receivers_len = 1) \
	X(false, s->t.id = STR("x"); s->t.site = STR("x")) \
	X(true, s->t.metric = STR("http.duratio")) \
	X(true, s->t.has_kind = false) \
	X(true, s->t.kind = SERIES_KIND_COUNTER) \
	X(true, s->t.tags_len = 4) \
	X(true, s->tags[0].key = STR("hos")) \
	X(true, s->tags[0].op = SELECTOR_OP_ABSENT) \
	X(true, s->values[3] = STR("/b")) \
	X(true, s->tags[2].values_len = 1) \
	X(true, s->values[1] = STR("euu"); s->values[2] = STR("s")) \
	X(true, s->t.threshold.field = TRIGGER_FIELD_P99) \
	X(true, s->t.threshold.comparison = TRIGGER_COMPARISON_GE) \
	X(true, s->t.threshold.threshold = 500.5) \
	X(true, s->t.warm_up_minutes = 2) \
	X(true, s->t.cooldown_minutes = 2) \
	X(true, absent(s)) \
	X(true, absent(s); s->t.absent_minutes = 11) \
	X(true, check_in(s, "", 5)) \
	X(true, check_in(s, "", 6)) \
	X(true, check_in(s, "* * * * *", 0)) \
	X(true, check_in(s, "* * * * 1", 0)) \
	X(true, check_in(s, "* * * * *", 0); s->t.check_in.name = STR("x")) \
	X(true, check_in(s, "* * * * *", 0); s->t.check_in.grace_minutes = 1) \
	X(true, check_in(s, "* * * * *", 0); s->t.check_in.runtime_minutes = 1)

static bool revise(struct sample *s, int at)
{
	int i = 0;

#define X(changes, ...) \
	if (i++ == at) { \
		__VA_ARGS__; \
		return changes; \
	}
	REVISIONS(X)
#undef X
	return false;
}

enum {
	NR_REVISIONS = 0
#define X(changes, ...) + 1
	REVISIONS(X)
#undef X
};

START_TEST(revisions_name_what_is_judged)
{
	uint64_t seen[NR_REVISIONS + 1];
	struct sample s;

	begin(&s);
	seen[0] = trigger_revision(&s.t);
	for (int i = 0; i < NR_REVISIONS; i++) {
		bool changes;

		begin(&s);
		changes = revise(&s, i);
		seen[i + 1] = trigger_revision(&s.t);
		for (int j = 0; changes && j <= i; j++)
			ck_assert_msg(seen[j] != seen[i + 1], "%d and %d", j - 1, i);
		if (!changes)
			ck_assert_msg(seen[i + 1] == seen[0], "%d", i);
	}
}
END_TEST

START_TEST(revisions_are_the_same_for_the_same)
{
	struct sample s;
	uint64_t one;

	begin(&s);
	s.t.warm_up_minutes = s.t.cooldown_minutes = 1;
	s.t.threshold.threshold = 0;
	one = trigger_revision(&s.t);
	s.t.warm_up_minutes = s.t.cooldown_minutes = 0;
	ck_assert_uint_eq(trigger_revision(&s.t), one);
	s.t.threshold.threshold = -0.0;
	ck_assert_uint_eq(trigger_revision(&s.t), one);
}
END_TEST

/* A snapshot says which revision an alert is of, so that it must not change from one build to the next. In Python: n = lambda x: struct.pack("<Q", x);
 * s = lambda t: n(len(t)) + t; xxhash.xxh3_64_hexdigest(s(b"m") + n(0) + n(1) + s(b"k") + n(0) + n(1) + s(b"v") + n(1) + n(0) + n(0) + struct.pack("<d", 1.5)
 * + n(1) + n(2)) */
START_TEST(revisions_are_what_others_compute)
{
	struct str value = STR("v");
	struct tag_selector tag = {.key = STR("k"), .op = SELECTOR_OP_EXACT, .values = &value, .values_len = 1};
	const struct trigger t = {.metric = STR("m"), .tags = &tag, .tags_len = 1, .has_threshold = true,
				  .threshold = {TRIGGER_FIELD_COUNT, TRIGGER_COMPARISON_GT, 1.5}, .cooldown_minutes = 2};

	ck_assert_uint_eq(trigger_revision(&t), UINT64_C(0xea1b99e65729b08f));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trigger");
	TCase *tc = tcase_create("trigger");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, records_are_triggers_or_not, 0, NR_CASES);
	tcase_add_test(tc, globs_are_those_of_fnmatch);
	tcase_add_test(tc, globs_have_two_signs_alone);
	tcase_add_loop_test(tc, triggers_are_about_series, 0, NR(series));
	tcase_add_loop_test(tc, fields_have_values, 0, NR(values));
	tcase_add_test(tc, sums_without_a_number_have_no_value);
	tcase_add_loop_test(tc, values_compare, 0, NR(comparisons));
	tcase_add_test(tc, conditions_are_read_by_people);
	tcase_add_test(tc, conditions_have_an_end);
	tcase_add_test(tc, revisions_name_what_is_judged);
	tcase_add_test(tc, revisions_are_the_same_for_the_same);
	tcase_add_test(tc, revisions_are_what_others_compute);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
