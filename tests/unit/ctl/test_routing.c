/* test_routing.c - what may be added to a routing history, when, and what may be taken back. Times are minutes and milliseconds from NOW. */
#include "deploy/ctl/routing.h"

#include <string.h>

#include "common/clock.h"
#include "tests/unit/unit.h"

#define MINUTE CLOCK_MINUTE_MS
#define NOW (INT64_C(29928270) * MINUTE) /* a full minute: 2026-11-26T12:30Z */
#define NEVER INT64_MIN

enum { ROUTES_MAX = 300 };

struct fixture {
	struct route routes[ROUTES_MAX];
	struct site live;
	struct arena arena;
};

/* A site in main with 2 shards since ever; announced_ms: with 3 shards of eu from then on. */
static void setup(struct fixture *f, int64_t announced_ms)
{
	*f = (struct fixture){.routes = {{0, STR("main"), 2}, {announced_ms, STR("eu"), 3}}};
	f->live = (struct site){.id = STR("shop"), .name = STR("S"), .routes = f->routes, .routes_len = announced_ms == NEVER ? 1 : 2};
}

/* When one more takes effect, as the rule says it: not computed as the product does. */
static int64_t first_minute_by_search(int64_t now_ms)
{
	int64_t t = now_ms + 15 * MINUTE;

	while (t % MINUTE)
		t++;
	return t;
}

/* now_ms is NOW + late_ms; announced, wanted and got are counted from NOW; got NEVER: refused with that text, 1: nothing to do. */
static const struct {
	int64_t announced, late_ms;
	struct routing_wish wish;
	int rc;
	int64_t got;
	const char *cell;
	int shards;
	const char *says;
} appends[] = {
	{NEVER, 0, {.shards = 4}, 0, 15 * MINUTE, "main", 4, NULL},
	{NEVER, 1, {.shards = 4}, 0, 16 * MINUTE, "main", 4, NULL},
	{NEVER, 59999, {.shards = 4}, 0, 16 * MINUTE, "main", 4, NULL},
	{NEVER, 0, {.cell = {"eu", 2}}, 0, 15 * MINUTE, "eu", 2, NULL},
	{NEVER, 0, {.cell = {"eu", 2}, .shards = 1}, 0, 15 * MINUTE, "eu", 1, NULL},
	{NEVER, 0, {.shards = 2}, 1, 0, NULL, 0, NULL},
	{NEVER, 0, {.cell = {"main", 4}}, 1, 0, NULL, 0, NULL},
	{NEVER, 0, {.cell = {"main", 4}, .at = "1h"}, 1, 0, NULL, 0, NULL},
	{NEVER, 0, {.shards = 4, .at = "2026-11-26T12:45:00Z"}, 0, 15 * MINUTE, "main", 4, NULL},
	{NEVER, 1, {.shards = 4, .at = "2026-11-26T12:45:00Z"}, -1, 0, NULL, 0, "the first time that may be is 2026-11-26T12:46:00.000Z"},
	{NEVER, 0, {.shards = 4, .at = "2026-11-26T12:44:00Z"}, -1, 0, NULL, 0, "the first time that may be is 2026-11-26T12:45:00.000Z"},
	{NEVER, 0, {.shards = 4, .at = "2026-11-26T12:50:01Z"}, -1, 0, NULL, 0, "12:50:01Z is no full minute: a window"},
	{NEVER, 30000, {.shards = 4, .at = "15m"}, 0, 16 * MINUTE, "main", 4, NULL},
	{NEVER, 0, {.shards = 4, .at = "14m"}, -1, 0, NULL, 0, "--at 14m is too early"},
	{NEVER, 0, {.shards = 4, .at = "noon"}, -1, 0, NULL, 0, "--at: \"noon\" is no time"},
	{10 * MINUTE, 0, {.shards = 4}, 0, 15 * MINUTE, "eu", 4, NULL}, /* comes soon, and is led on from */
	{10 * MINUTE, 0, {.cell = {"main", 4}}, 0, 15 * MINUTE, "main", 3, NULL},
	{15 * MINUTE, 0, {.shards = 4}, -1, 0, NULL, 0, "cell eu, 3 shards is announced from 2026-11-26T12:45:00.000Z on"},
	{60 * MINUTE, 0, {.shards = 4}, -1, 0, NULL, 0, "millrace-ctl site stay shop"},
	{60 * MINUTE, 0, {.shards = 4, .at = "1h"}, -1, 0, NULL, 0, "is announced"},
	{60 * MINUTE, 0, {.shards = 4, .at = "61m"}, 0, 61 * MINUTE, "eu", 4, NULL},
	{60 * MINUTE, 0, {.shards = 3}, 1, 0, NULL, 0, NULL}, /* announced already */
	{60 * MINUTE, 0, {.cell = {"eu", 2}, .shards = 3, .at = "2026-11-26T13:30:00Z"}, 1, 0, NULL, 0, NULL},
	{60 * MINUTE, 50 * MINUTE, {.cell = {"eu", 2}, .shards = 3, .at = "2026-11-26T13:30:00Z"}, 1, 0, NULL, 0, NULL}, /* said again */
	{60 * MINUTE, 0, {.shards = 3, .at = "30m"}, -1, 0, NULL, 0, "is announced"}, /* the same, but sooner */
	{60 * MINUTE, 0, {.shards = 2}, -1, 0, NULL, 0, "is announced"}, /* what is in force now is not what will be */
	{NEVER, 0, {.shards = 1025}, -1, 0, NULL, 0, "1025 shards: 1 to 1024"},
	{NEVER, 0, {.cell = {"E U", 3}}, -1, 0, NULL, 0, "only a-z"},
};

START_TEST(what_may_be_added)
{
	int64_t now_ms = NOW + appends[_i].late_ms;
	struct err err = ERR_INIT;
	struct fixture f;
	struct site out;
	int rc;

	setup(&f, appends[_i].announced == NEVER ? NEVER : NOW + appends[_i].announced);
	rc = routing_append(&f.live, &appends[_i].wish, now_ms, &f.arena, &out, &err);
	ck_assert_msg(rc == appends[_i].rc, "case %d: %d, %s", _i, rc, err.msg);
	if (rc < 0) {
		ck_assert_int_eq(err.kind, ERR_REJECT);
		ck_assert_msg(strstr(err.msg, appends[_i].says) != NULL, "case %d: %s", _i, err.msg);
	} else if (rc == 1) {
		ck_assert(out.routes == f.live.routes && out.routes_len == f.live.routes_len);
	} else {
		const struct route *last = &out.routes[out.routes_len - 1];

		ck_assert_uint_eq(out.routes_len, f.live.routes_len + 1);
		for (size_t i = 0; i < f.live.routes_len; i++)
			ck_assert(out.routes[i].effective_from == f.routes[i].effective_from && out.routes[i].shards == f.routes[i].shards &&
				  str_eq(out.routes[i].cell, f.routes[i].cell));
		ck_assert_msg(last->effective_from == NOW + appends[_i].got && last->shards == appends[_i].shards &&
			      str_eq(last->cell, str_from(appends[_i].cell)), "case %d: %lld ms", _i, (long long)(last->effective_from - NOW));
	}
	arena_fini(&f.arena);
}
END_TEST

START_TEST(the_first_time_that_may_be)
{
	struct unit_random r = unit_random_new("routing");

	for (int i = 0; i < 2000; i++) {
		int64_t now_ms = NOW + (int64_t)unit_random_below(&r, 100 * (uint64_t)MINUTE) - (i % 3 == 0 ? 0 : 1);

		ck_assert_int_eq(routing_earliest(now_ms), first_minute_by_search(now_ms));
	}
}
END_TEST

/* 256 routes are the most; the oldest is not given up for a new one. */
START_TEST(a_full_history)
{
	struct routing_wish wish = {.shards = 4};
	struct err err = ERR_INIT;
	struct fixture f;
	struct site out;

	setup(&f, NEVER);
	for (int i = 1; i < 256; i++)
		f.routes[i] = (struct route){i * MINUTE, STR("main"), 2 + i % 2};
	f.live.routes_len = 255;
	ck_assert_int_eq(routing_append(&f.live, &wish, NOW, &f.arena, &out, &err), 0);
	f.live.routes_len = 256;
	ck_assert_int_eq(routing_append(&f.live, &wish, NOW, &f.arena, &out, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "257 routes"));
	arena_fini(&f.arena);
}
END_TEST

static const struct { int64_t announced; int rc; } takes_back[] = {
	{NEVER, 1}, {-MINUTE, 1}, {0, 1}, {MINUTE, -1}, {14 * MINUTE, -1}, {15 * MINUTE, 0}, {60 * MINUTE, 0},
};

START_TEST(what_may_be_taken_back)
{
	struct err err = ERR_INIT;
	struct fixture f;
	struct site out;

	setup(&f, takes_back[_i].announced == NEVER ? NEVER : NOW + takes_back[_i].announced);
	ck_assert_int_eq(routing_take_back(&f.live, NOW, &out, &err), takes_back[_i].rc);
	if (takes_back[_i].rc == 0)
		ck_assert(out.routes_len == 1 && str_eq(out.routes[0].cell, STR("main")));
	if (takes_back[_i].rc < 0)
		ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, "too late to take it back"), "%s", err.msg);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("routing");
	TCase *tc = tcase_create("routing");

	tcase_add_loop_test(tc, what_may_be_added, 0, (int)NR(appends));
	tcase_add_test(tc, the_first_time_that_may_be);
	tcase_add_test(tc, a_full_history);
	tcase_add_loop_test(tc, what_may_be_taken_back, 0, (int)NR(takes_back));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
