/* test_story.c - the timeline, letter by letter: what is taken, in which order it stands, and what foreign text may do in it. */
#include "deploy/ctl/story.h"

#include <string.h>

#include "tests/unit/unit.h"

#define FROM INT64_C(1795698000000) /* 2026-11-26T13:00:00Z */
#define MIN INT64_C(60000)

static struct notice line(int64_t at, const char *event, const char *text)
{
	return (struct notice){.at = at, .program = STR("millrace-sink"), .instance = STR("a1"), .event = str_from(event), .text = str_from(text)};
}

static void by(struct notice *n, const char *author, const char *cell, const char *site)
{
	n->program = author ? STR("millrace-ctl") : n->program;
	n->has_author = author != NULL;
	n->author = str_from(author);
	n->has_cell = cell != NULL;
	n->cell = str_from(cell);
	n->has_site = site != NULL;
	n->site = str_from(site);
}

static void take(struct story *s, struct notice n)
{
	ck_assert_int_eq(story_take_notice(s, &n, NULL), 0);
}

static struct incident incident(uint8_t id, const char *trigger, int64_t opened, int64_t resolved)
{
	return (struct incident){.id = {id, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66}, .cell = STR("main"), .site = STR("shop"), .trigger = str_from(trigger),
				 .severity = ALERT_SEVERITY_CRITICAL, .condition = STR("p95 of http.duration{route=\"/a*\"} > 500"), .opened_at = opened,
				 .has_resolved_at = resolved >= 0, .resolved_at = resolved, .alerts_total = 3,
				 .state = resolved >= 0 ? INCIDENT_STATE_RESOLVED : INCIDENT_STATE_OPEN};
}

/* Printed, and compared as a whole. */
static void expect(struct story *s, const char *text)
{
	struct buf out = BUF_INIT;

	ck_assert_int_eq(story_print(s, &out, NULL), 0);
	buf_add(&out, "", 1);
	ck_assert_str_eq((const char *)out.p, text);
	buf_fini(&out);
}

START_TEST(a_whole_one)
{
	struct story s = {.from_ms = FROM, .to_ms = FROM + 120 * MIN, .cells = "eu, main"};
	struct incident slow = incident(0xa0, "slow-checkout", FROM + 2 * MIN, FROM + 61 * MIN);
	struct incident before = incident(0xb1, "silent", FROM - 25 * 60 * MIN, -1), gone = incident(0xc2, "gone", FROM - 9 * MIN, FROM - 1);
	struct notice n;

	slow.has_acked_by = true;
	slow.acked_by = STR("alice");
	ck_assert_int_eq(story_take_incident(&s, &slow, NULL), 0);
	ck_assert_int_eq(story_take_incident(&s, &before, NULL), 0);
	ck_assert_int_eq(story_take_incident(&s, &gone, NULL), 0);
	n = line(FROM + 61 * MIN, "breaker_open", "the database does not take documents; records wait in Kafka");
	n.severity = SEVERITY_WARNING;
	by(&n, NULL, "main", NULL);
	take(&s, n);
	n = line(FROM + 5 * MIN + 12000, "note", "restarted *all* of [them](http://x) <b>now</b>");
	by(&n, "alice", NULL, "shop");
	take(&s, n);
	n = line(FROM, "control_set", "control ingest/close/site=shop set until 14:00: floods us");
	by(&n, "bob", NULL, "shop");
	n.severity = SEVERITY_ALARM;
	take(&s, n);
	n.at += 300; /* the same, by one of those that obey */
	n.program = STR("millrace-ingest");
	n.text = STR("control ingest/close/site=shop is in force");
	take(&s, n);
	take(&s, line(FROM - 1, "before", "x"));
	take(&s, line(FROM + 120 * MIN, "after", "x"));
	expect(&s, "# What happened from 2026-11-26 13:00 to 2026-11-26 15:00 UTC\n"
		   "\n"
		   "- From: 2026-11-26T13:00:00.000Z\n"
		   "- To: 2026-11-26T15:00:00.000Z\n"
		   "- Cells: eu, main\n"
		   "- Site: all\n"
		   "- Incidents: 2, of which 1 is still open\n"
		   "\n"
		   "## Incidents\n"
		   "\n"
		   "| Incident | Site | Trigger | Severity | Opened | Resolved | Alerts | Taken care of by |\n"
		   "|---|---|---|---|---|---|---:|---|\n"
		   "| b11122334455 | shop | silent | critical | 2026-11-25 12:00 | open | 3 | - |\n"
		   "| a01122334455 | shop | slow-checkout | critical | 2026-11-26 13:02 | 2026-11-26 14:01 | 3 | alice |\n"
		   "\n"
		   "## Timeline\n"
		   "\n"
		   "### 2026-11-26 13:00\n"
		   "\n"
		   "- 13:00:00 **control set** (alarm) by bob, site shop: control ingest/close/site=shop set until 14:00: floods us\n"
		   "- 13:00:00 **control set** (alarm) by bob, told by millrace-ingest a1, site shop: control ingest/close/site=shop is in force\n"
		   "- 13:02:00 **incident opened** a01122334455 (critical), cell main, site shop, trigger slow-checkout: "
		   "p95 of http.duration{route=\"/a\\*\"} \\> 500\n"
		   "- 13:05:12 **note** by alice, site shop: restarted \\*all\\* of \\[them\\](http://x) \\<b\\>now\\</b\\>\n"
		   "\n"
		   "### 2026-11-26 14:00\n"
		   "\n"
		   "- 14:01:00 **incident resolved** a01122334455, trigger slow-checkout: after 59 m 0 s, 3 alerts\n"
		   "- 14:01:00 **breaker open** (warning) of millrace-sink a1, cell main: the database does not take documents; records wait in Kafka\n"
		   "\n"
		   "## Summary\n"
		   "\n"
		   "## Impact\n"
		   "\n"
		   "## Root cause\n"
		   "\n"
		   "## Actions\n");
	story_fini(&s);
}
END_TEST

START_TEST(an_empty_one)
{
	struct story s = {.from_ms = FROM, .to_ms = FROM + MIN, .cells = "main", .cell = "eu", .site = "shop"};

	expect(&s, "# What happened from 2026-11-26 13:00 to 2026-11-26 13:01 UTC\n\n- From: 2026-11-26T13:00:00.000Z\n- To: 2026-11-26T13:01:00.000Z\n"
		   "- Cells: eu\n- Site: shop\n- Incidents: 0, of which 0 are still open\n\n## Incidents\n\nNone was open.\n\n## Timeline\n\n"
		   "Nothing was written down.\n\n## Summary\n\n## Impact\n\n## Root cause\n\n## Actions\n");
	story_fini(&s);
}
END_TEST

/* What is wanted, what a notice belongs to, and whether it stands there. */
static const struct { const char *want_cell, *want_site, *cell, *site; int taken; } scopes[] = {
	{NULL, NULL, NULL, NULL, 1}, {NULL, NULL, "eu", "shop", 1}, {"eu", NULL, "eu", NULL, 1}, {"eu", NULL, "main", NULL, 0},
	{"eu", NULL, NULL, NULL, 1}, {NULL, "shop", NULL, "shop", 1}, {NULL, "shop", NULL, "other", 0}, {NULL, "shop", "eu", NULL, 1},
	{"eu", "shop", "eu", "other", 0}, {"eu", "shop", "main", "shop", 0}, {"eu", "shop", NULL, NULL, 1}, {"eu", NULL, "e", NULL, 0},
};

START_TEST(scope_of_a_notice)
{
	struct story s = {.from_ms = FROM, .to_ms = FROM + MIN, .cell = scopes[_i].want_cell, .site = scopes[_i].want_site};
	struct notice n = line(FROM, "x", "x");

	by(&n, NULL, scopes[_i].cell, scopes[_i].site);
	take(&s, n);
	ck_assert_int_eq((int)s.nr_lines, scopes[_i].taken);
	story_fini(&s);
}
END_TEST

/* Opened and resolved, in minutes from the beginning of an hour; whether it has a row, and how many lines. */
static const struct { int64_t opened, resolved; int rows, lines; } times[] = {
	{-10, -1, 0, 0}, {-10, 0, 1, 1}, {-10, 59, 1, 1}, {-10, 60, 1, 0}, {-10, -1000, 1, 0}, {0, 5, 1, 2}, {59, -1000, 1, 1}, {60, -1000, 0, 0},
	{59, 60, 1, 1},
};

START_TEST(times_of_an_incident)
{
	struct story s = {.from_ms = FROM, .to_ms = FROM + 60 * MIN};
	struct incident i = incident(1, "t", FROM + times[_i].opened * MIN, FROM + times[_i].resolved * MIN);

	i.has_resolved_at = times[_i].resolved != -1000;
	ck_assert_int_eq(story_take_incident(&s, &i, NULL), 0);
	ck_assert_int_eq((int)s.nr_incidents, times[_i].rows);
	ck_assert_int_eq((int)s.nr_lines, times[_i].lines);
	ck_assert_int_eq((int)s.nr_open, times[_i].rows && !i.has_resolved_at);
	story_fini(&s);
}
END_TEST

START_TEST(incident_of_others)
{
	struct story s = {.from_ms = FROM, .to_ms = FROM + 60 * MIN, .site = "other"};
	struct incident i = incident(1, "t", FROM, -1);

	ck_assert(story_take_incident(&s, &i, NULL) == 0 && s.nr_incidents == 0 && s.nr_lines == 0);
	s.site = NULL;
	s.cell = "eu";
	ck_assert(story_take_incident(&s, &i, NULL) == 0 && s.nr_incidents == 0 && s.nr_lines == 0);
	story_fini(&s);
}
END_TEST

/* More than are kept, in random order: the newest stay, and equal times stay in the order of taking. */
START_TEST(the_newest_stay)
{
	enum { ALL = 3 * STORY_LINES_MAX + 7 };
	struct unit_random r = unit_random_new("story");
	struct story s = {.from_ms = 0, .to_ms = INT64_MAX, .cells = ""};
	int64_t *times_of = calloc(ALL, sizeof(*times_of));
	struct buf out = BUF_INIT;
	size_t newer = 0, lines = 0;
	char want[64];
	int oldest = 0;

	for (int i = 0; i < ALL; i++) {
		char text[16];

		times_of[i] = (int64_t)(unit_random_next(&r) >> 20);
		snprintf(text, sizeof(text), "no%d.", i);
		take(&s, line(times_of[i], "x", text));
	}
	ck_assert_int_eq(story_print(&s, &out, NULL), 0);
	buf_add(&out, "", 1);
	for (const char *at = (const char *)out.p; (at = strstr(at, " **x** of millrace-sink a1: no")) != NULL; at++)
		lines++;
	ck_assert_uint_eq(lines, STORY_LINES_MAX);
	ck_assert_uint_eq(s.left_out, ALL - STORY_LINES_MAX);
	ck_assert(strstr((const char *)out.p, "10007 lines are left out: there is room for 5000, the newest.\n"));
	for (int i = 0; i < ALL; i += 97) { /* a sample: each stands there exactly if fewer than so many are newer */
		newer = 0;
		for (int k = 0; k < ALL; k++)
			newer += times_of[k] > times_of[i];
		snprintf(want, sizeof(want), ": no%d.\n", i);
		ck_assert_int_eq(strstr((const char *)out.p, want) != NULL, newer < STORY_LINES_MAX);
		oldest += newer >= STORY_LINES_MAX;
	}
	ck_assert_int_gt(oldest, 0);
	buf_fini(&out);
	free(times_of);
	story_fini(&s);
}
END_TEST

static const struct { const char *text, *shown; } escapes[] = {
	{"plain text, 100 %: a/b.c-d(e)", "plain text, 100 %: a/b.c-d(e)"},
	{"snake_case_word", "snake_case_word"},
	{"_a_ b_ _c a__b", "\\_a\\_ b\\_ \\_c a\\_\\_b"},
	{"*b* `c` [d] <e> f|g ~h~ \\i &lt;", "\\*b\\* \\`c\\` \\[d\\] \\<e\\> f\\|g \\~h\\~ \\\\i \\&lt;"},
	{"a\nb\tc\rd\x1b[31m\x7f", "a b c?d?\\[31m?"},
	{"é \xc2\x9b" "1m x_é_y", "é ?1m x_é_y"},
};

START_TEST(escaping)
{
	struct buf out = BUF_INIT;

	story_escape(str_from(escapes[_i].text), &out);
	buf_add(&out, "", 1);
	ck_assert_str_eq((const char *)out.p, escapes[_i].shown);
	buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("story");
	TCase *tc = tcase_create("story");

	tcase_add_test(tc, a_whole_one);
	tcase_add_test(tc, an_empty_one);
	tcase_add_loop_test(tc, scope_of_a_notice, 0, (int)NR(scopes));
	tcase_add_loop_test(tc, times_of_an_incident, 0, (int)NR(times));
	tcase_add_test(tc, incident_of_others);
	tcase_add_test(tc, the_newest_stay);
	tcase_add_loop_test(tc, escaping, 0, (int)NR(escapes));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
