/* test_connections.c - each phase has its deadline, from its beginning on, and the longest idle connection makes room. */
#include "ingest/connections.h"
#include "tests/unit/unit.h"

enum { NR_CONNECTIONS = 50 };

struct ended {
	struct connection *last;
	enum connection_phase was;
	int nr;
};

static void on_end(void *ctx, struct connection *c, enum connection_phase was)
{
	struct ended *e = ctx;

	ck_assert_int_eq(c->phase, CONNECTION_EXPIRED);
	*e = (struct ended){c, was, e->nr + 1};
}

static struct connections make(size_t max)
{
	return (struct connections){.max = max,
				    .timeout_ms = {[CONNECTION_IDLE] = 60, [CONNECTION_HEADERS] = 10, [CONNECTION_BODY] = 30,
						   [CONNECTION_ANSWERING] = 60}};
}

static const struct {
	enum connection_phase phase;
	int64_t ends_ms; /* 0: never */
} deadlines[] = {
	{CONNECTION_IDLE, 60}, {CONNECTION_HEADERS, 10}, {CONNECTION_BODY, 30}, {CONNECTION_ANSWERING, 60}, {CONNECTION_WAITING, 0}};

START_TEST(each_phase_ends_in_its_time)
{
	struct connections all = make(10);
	struct connection c = {0};
	struct ended e = {0};

	connections_add(&all, &c, 500);
	connections_enter(&all, &c, deadlines[_i].phase, 1000);
	connections_expire(&all, deadlines[_i].ends_ms ? 999 + deadlines[_i].ends_ms : INT64_MAX - 1, on_end, &e);
	ck_assert_int_eq(e.nr, 0);
	if (!deadlines[_i].ends_ms)
		return;
	connections_expire(&all, 1000 + deadlines[_i].ends_ms, on_end, &e);
	ck_assert(e.nr == 1 && e.last == &c && e.was == deadlines[_i].phase);
	ck_assert_uint_eq(all.len, 0);
	connections_enter(&all, &c, CONNECTION_BODY, 5000); /* too late */
	ck_assert_int_eq(c.phase, CONNECTION_EXPIRED);
	connections_expire(&all, 1000000, on_end, &e);
	ck_assert_int_eq(e.nr, 1);
	connections_remove(&all, &c);
	ck_assert_uint_eq(all.len, 0);
}
END_TEST

START_TEST(the_longest_idle_makes_room)
{
	struct connections all = make(3);
	struct connection c[6] = {0};
	struct ended e = {0};

	for (int i = 0; i < 3; i++)
		connections_add(&all, &c[i], i);
	connections_enter(&all, &c[0], CONNECTION_BODY, 10);
	connections_enter(&all, &c[0], CONNECTION_IDLE, 11); /* a request came and went: now the youngest */
	connections_add(&all, &c[3], 12);
	ck_assert(connections_make_room(&all, on_end, &e));
	ck_assert(e.nr == 1 && e.last == &c[1]);
	for (int i = 2; i < 4; i++)
		connections_enter(&all, &c[i], CONNECTION_WAITING, 13);
	connections_enter(&all, &c[0], CONNECTION_HEADERS, 13);
	connections_add(&all, &c[4], 14);
	connections_enter(&all, &c[4], CONNECTION_BODY, 14);
	ck_assert(connections_make_room(&all, on_end, &e)); /* none is idle: the one that only has begun */
	ck_assert(e.nr == 2 && e.last == &c[0] && e.was == CONNECTION_HEADERS);
	connections_add(&all, &c[5], 15);
	connections_enter(&all, &c[5], CONNECTION_BODY, 15);
	ck_assert(!connections_make_room(&all, on_end, &e)); /* all are at work */
	ck_assert_int_eq(e.nr, 2);
}
END_TEST

static void mark(struct connection *c)
{
	c->deadline_mono_ms = -7;
}

START_TEST(a_walk_meets_all)
{
	struct connections all = make(10);
	struct connection c[NR_CONNECTION_PHASES] = {0};

	for (int i = 0; i < NR_CONNECTION_PHASES; i++) {
		connections_add(&all, &c[i], i);
		connections_enter(&all, &c[i], (enum connection_phase)i, i);
	}
	connections_walk(&all, mark);
	for (int i = 0; i < NR_CONNECTION_PHASES; i++)
		ck_assert_int_eq(c[i].deadline_mono_ms, -7);
}
END_TEST

/* Random lives, against a plain array of deadlines: exactly those whose time has come have been ended. */
START_TEST(random_lives)
{
	struct unit_random r = unit_random_new("random_lives");
	struct connections all = make(NR_CONNECTIONS);
	struct connection c[NR_CONNECTIONS] = {0};
	int64_t due[NR_CONNECTIONS] = {0}, now = 1;
	struct ended e = {0};

	for (int i = 0; i < 6000; i++) {
		size_t n = unit_random_below(&r, NR_CONNECTIONS);
		enum connection_phase phase = (enum connection_phase)unit_random_below(&r, CONNECTION_EXPIRED);

		now += (int64_t)unit_random_below(&r, 3);
		connections_expire(&all, now, on_end, &e);
		for (size_t k = 0; k < NR_CONNECTIONS; k++)
			ck_assert_int_eq(due[k] && due[k] <= now, due[k] && c[k].phase == CONNECTION_EXPIRED);
		if (due[n] && unit_random_below(&r, 4) == 0) {
			connections_remove(&all, &c[n]);
			due[n] = 0;
		} else if (!due[n]) {
			connections_add(&all, &c[n], now);
			due[n] = now + all.timeout_ms[CONNECTION_IDLE];
		} else if (c[n].phase != CONNECTION_EXPIRED) {
			connections_enter(&all, &c[n], phase, now);
			due[n] = all.timeout_ms[phase] ? now + all.timeout_ms[phase] : INT64_MAX;
		}
	}
	ck_assert_int_gt(e.nr, 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connections");
	TCase *tc = tcase_create("connections");

	tcase_add_loop_test(tc, each_phase_ends_in_its_time, 0, (int)NR(deadlines));
	tcase_add_test(tc, the_longest_idle_makes_room);
	tcase_add_test(tc, a_walk_meets_all);
	tcase_add_test(tc, random_lives);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
