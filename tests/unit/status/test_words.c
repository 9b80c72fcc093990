/* test_words.c - what the page says by itself, word for word: a reader at night has nothing else. */
#include "sink/status/words.h"

#include <string.h>

#include "tests/unit/unit.h"

#define NOW INT64_C(1795735740000) /* 2026-11-26T23:29:00Z */
#define MINUTE INT64_C(60000)
#define D COMPONENT_STATE_DEGRADED
#define MAJOR COMPONENT_STATE_MAJOR_OUTAGE
#define WELL COMPONENT_STATE_OPERATIONAL

static struct status_component component(const char *id, enum component_state state, const char *detail, int64_t waiting, int64_t recovery_ms)
{
	return (struct status_component){.id = str_from(id), .title = str_from(id), .state = state, .detail = str_from(detail), .waiting_records = waiting,
					 .recovery_ms = recovery_ms, .left_ms = -1, .share = -1};
}

/* What words() appended must be text. */
static void must_say(struct buf *said, const char *text)
{
	ck_assert(!buf_failed(said));
	ck_assert_uint_eq(said->len, strlen(text)); /* before the bytes, as buf has no end of its own */
	ck_assert_msg(memcmp(said->p, text, said->len) == 0, "\"%.*s\", not \"%s\"", (int)said->len, (const char *)said->p, text);
	buf_fini(said);
}

static const struct {
	const char *id, *title;
	enum component_state state;
	const char *says;
} titles[] = {
	{"storage/main", "Storage, Europe", D, "Storing data in Europe is delayed"},
	{"storage/main", "main", MAJOR, "Storing data in main is delayed"},
	{"push", "Push API", D, "The Push API takes only a part of the data"},
	{"push", "Push API", COMPONENT_STATE_PARTIAL_OUTAGE, "The Push API takes only a part of the data"},
	{"push", "Push API", MAJOR, "The Push API does not take data"},
	{"processing", "Processing", D, "Processing is delayed"},
	{"alerts", "Alerts", D, "Alerts are delayed"},
	{"notifications", "Notifications", D, "Notifications are delayed"},
};

START_TEST(a_title)
{
	struct status_component c = component(titles[_i].id, titles[_i].state, "", 0, -1);
	struct buf said = BUF_INIT;

	c.title = str_from(titles[_i].title);
	words_title(&said, &c);
	must_say(&said, titles[_i].says);
}
END_TEST

/* Of two components; state WELL: that one is well. */
static const struct {
	struct { enum component_state state; const char *detail; int64_t waiting, recovery_ms; } c[2];
	int64_t recovery_at;
	const char *says; /* behind the details */
} expected[] = {
	{{{D, "A.", 5, 12 * MINUTE}, {WELL, "", 0, -1}}, NOW + 12 * MINUTE, "A. It is expected to be over at about 23:41 UTC, in 12 min."},
	{{{D, "A.", 5, 12 * MINUTE}, {D, "B.", 5, 20 * MINUTE}}, NOW + 20 * MINUTE, "A. B. It is expected to be over at about 23:49 UTC, in 20 min."},
	{{{D, "A.", 5, 20 * MINUTE}, {D, "B.", 5, 12 * MINUTE}}, NOW + 20 * MINUTE, "A. B. It is expected to be over at about 23:49 UTC, in 20 min."},
	{{{D, "A.", 5, -1}, {D, "B.", 5, 12 * MINUTE}}, 0, "A. B. When it will be over is not known yet."},
	{{{D, "A.", 5, 12 * MINUTE}, {D, "B.", 5, -1}}, 0, "A. B. When it will be over is not known yet."},
	{{{D, "A.", 0, -1}, {D, "B.", 5, 12 * MINUTE}}, NOW + 12 * MINUTE, "A. B. It is expected to be over at about 23:41 UTC, in 12 min."},
	{{{D, "A.", -1, -1}, {WELL, "", 0, -1}}, 0, "A. When it will be over is not known yet."},
	{{{D, "A.", 5, 4000}, {WELL, "", 0, -1}}, NOW + 4000, "A. It is expected to be over at about 23:29 UTC, in 60 s."},
	{{{D, "A.", 5, 31 * MINUTE}, {WELL, "", 0, -1}}, NOW + 31 * MINUTE, "A. It is expected to be over at about 00:00 UTC on 27 November, in 31 min."},
	{{{D, "A.", 5, 5 * 24 * 60 * MINUTE}, {WELL, "", 0, -1}}, NOW + 5 * 24 * 60 * MINUTE,
	 "A. It is expected to be over at about 23:29 UTC on 1 December, in 5 days."},
	{{{COMPONENT_STATE_MAINTENANCE, "M.", 5, -1}, {D, "B.", 5, 12 * MINUTE}}, NOW + 12 * MINUTE, "B. It is expected to be over at about 23:41 UTC, in 12 min."},
	{{{WELL, "Still read.", 5, -1}, {D, "", 5, 12 * MINUTE}}, NOW + 12 * MINUTE, " It is expected to be over at about 23:41 UTC, in 12 min."},
};

START_TEST(what_is_expected)
{
	struct status_component c[2];
	const struct status_component *all[2] = {&c[0], &c[1]};
	struct buf said = BUF_INIT;
	char text[400];

	for (int k = 0; k < 2; k++)
		c[k] = component(k ? "alerts" : "processing", expected[_i].c[k].state, expected[_i].c[k].detail, expected[_i].c[k].waiting, expected[_i].c[k].recovery_ms);
	ck_assert_int_eq(words_recovery_at(all, 2, NOW), expected[_i].recovery_at);
	words_trouble(&said, all, 2, NOW, false);
	must_say(&said, expected[_i].says);
	words_trouble(&said, all, 2, NOW, true);
	snprintf(text, sizeof(text), "It goes on. %s", expected[_i].says);
	must_say(&said, text);
	words_recovering(&said, all, 2, NOW);
	snprintf(text, sizeof(text), "It is becoming less. %s", expected[_i].says);
	must_say(&said, text);
}
END_TEST

static const struct {
	const char *first, *second;
	int64_t lost[2];
	const char *says;
} ends[] = {
	{"storage/main", "push", {0, 0}, "It has been over since 23:29 UTC. All that waited has been taken, and nothing was lost."},
	{"storage/main", "push", {1, 0}, "It has been over since 23:29 UTC. 1 record expired before it was read."},
	{"processing", "alerts", {2, 3}, "It has been over since 23:29 UTC. 5 records expired before they were read."},
	{"push", "push", {0, 0}, "It has been over since 23:29 UTC. What agents have kept meanwhile comes in now."},
};

START_TEST(an_end)
{
	struct status_component c[2] = {component(ends[_i].first, WELL, "", 0, -1), component(ends[_i].second, WELL, "", 0, -1)};
	const struct status_component *all[2] = {&c[0], &c[1]};
	struct buf said = BUF_INIT;

	for (int k = 0; k < 2; k++)
		c[k].lost_records = ends[_i].lost[k];
	words_over(&said, all, 2, NOW);
	must_say(&said, ends[_i].says);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("words");
	TCase *tc = tcase_create("words");

	tcase_add_loop_test(tc, a_title, 0, NR(titles));
	tcase_add_loop_test(tc, what_is_expected, 0, NR(expected));
	tcase_add_loop_test(tc, an_end, 0, NR(ends));
	suite_add_tcase(s, tc);
	return unit_main(s);
}
