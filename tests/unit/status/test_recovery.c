/* test_recovery.c - how long until a queue has drained: simulated queues whose end is known. */
#include "sink/status/recovery.h"

#include "tests/unit/unit.h"

#define STEP_MS 5000

/* A queue that is filled at one rate and drained at another, records a second, from a backlog; commits come in steps. */
struct queue {
	double arrived, drained, in_rate, out_rate;
	double commit_every; /* records; 0: all */
	int64_t at_ms;
};

static struct recovery_sample step(struct queue *q, double noise)
{
	struct recovery_sample s;
	double committed;

	q->at_ms += STEP_MS;
	q->arrived += q->in_rate * STEP_MS / 1000 * (1 + noise);
	q->drained += q->out_rate * STEP_MS / 1000 * (1 + noise);
	q->drained = q->drained > q->arrived ? q->arrived : q->drained;
	committed = q->commit_every > 0 ? q->drained - (double)((int64_t)q->drained % (int64_t)q->commit_every) : q->drained;
	s = (struct recovery_sample){q->at_ms, (int64_t)committed, (int64_t)q->arrived, 0};
	s.waiting = s.end - s.committed;
	return s;
}

/* Until it has drained, by going on with a copy. */
static int64_t truth(struct queue q)
{
	int64_t begun_ms = q.at_ms;

	for (int i = 0; i < 1000000 && q.drained < q.arrived - 1; i++)
		step(&q, 0);
	return q.at_ms - begun_ms;
}

static const struct { double backlog, in_rate, out_rate, commit_every, noise; } queues[] = {
	{100000, 100, 1000, 0, 0},     {100000, 100, 1000, 0, 0.3},  {1000000, 0, 5000, 0, 0.5},     {50000, 900, 1000, 0, 0},
	{200000, 100, 1000, 4000, 0},  {200000, 10, 700, 2500, 0.3}, {10000000, 1000, 50000, 0, 0.2},
};

/* From when a quarter has drained on, within a factor of two. */
START_TEST(within_a_factor_of_two)
{
	struct unit_random random = unit_random_new("recovery");
	struct queue q = {.arrived = queues[_i].backlog, .in_rate = queues[_i].in_rate, .out_rate = queues[_i].out_rate, .commit_every = queues[_i].commit_every};
	struct recovery r = {.nr = 0};
	int64_t whole = truth(q), told = 0;

	while (q.drained < q.arrived - 1) {
		struct recovery_sample s = step(&q, queues[_i].noise * (unit_random_unit(&random) - 0.5));
		int64_t real = truth(q), expected;

		recovery_take(&r, &s);
		expected = recovery_ms(&r);
		ck_assert_int_ge(expected, -1);
		if (q.at_ms < whole / 4 || real < 12 * STEP_MS)
			continue;
		told++;
		ck_assert_msg(expected >= real / 2 && expected <= real * 2, "after %ld ms: expected %ld, real %ld", (long)q.at_ms, (long)expected, (long)real);
		ck_assert(recovery_is_draining(&r));
		ck_assert_int_eq(recovery_still_ms(&r), 0);
	}
	ck_assert_int_gt(told, 3);
}
END_TEST

/* Nothing is promised while it grows, or stands, or too little is known. */
START_TEST(no_promise)
{
	struct queue grows = {.arrived = 1000, .in_rate = 1000, .out_rate = 900}, stands = {.arrived = 1000, .in_rate = 100};
	struct recovery r = {.nr = 0};

	ck_assert_int_eq(recovery_ms(&r), -1);
	for (int i = 0; i < 100; i++) {
		struct recovery_sample s = step(&grows, 0);

		recovery_take(&r, &s);
		ck_assert_int_eq(recovery_ms(&r), -1);
		ck_assert(!recovery_is_draining(&r));
		ck_assert_int_eq(recovery_still_ms(&r), 0);
	}
	r = (struct recovery){.nr = 0};
	for (int i = 0; i < 100; i++) {
		struct recovery_sample s = step(&stands, 0);

		recovery_take(&r, &s);
		ck_assert_int_eq(recovery_ms(&r), -1);
		ck_assert_int_eq(recovery_still_ms(&r), (int64_t)i * STEP_MS);
	}
	stands.out_rate = 2000; /* and the zeros of the standstill do not count */
	for (int i = 0; i < 4; i++) {
		struct recovery_sample s = step(&stands, 0);

		recovery_take(&r, &s);
		if (i < 1 || s.waiting == 0)
			continue;
		ck_assert_int_gt(recovery_ms(&r), 0);
		ck_assert_int_le(recovery_ms(&r), 2 * truth(stands) + STEP_MS);
	}
	ck_assert_int_eq(recovery_still_ms(&r), 0);
}
END_TEST

START_TEST(nothing_waits)
{
	struct recovery r = {.nr = 0};
	const struct recovery_sample s[] = {{1000, 10, 10, 0}, {2000, 10, 10, 0}, {3000, 10, 30, 20}, {4000, 10, 30, 20}, {5000, 30, 30, 0}};
	static const int64_t still[] = {0, 0, 1000, 2000, 0};

	for (size_t i = 0; i < NR(s); i++) {
		recovery_take(&r, &s[i]);
		ck_assert_int_eq(recovery_still_ms(&r), still[i]);
		ck_assert_int_eq(recovery_ms(&r), s[i].waiting ? -1 : 0);
	}
}
END_TEST

/* An operator sets a group back; topics are made again; the same survey comes twice. */
START_TEST(backwards)
{
	struct recovery r = {.nr = 0};
	struct queue q = {.arrived = 100000, .in_rate = 0, .out_rate = 1000};
	struct recovery_sample s = {0};

	for (int i = 0; i < 10; i++) {
		s = step(&q, 0);
		recovery_take(&r, &s);
	}
	ck_assert_int_gt(recovery_ms(&r), 0);
	recovery_take(&r, &s); /* not later: passed over */
	ck_assert_int_gt(recovery_ms(&r), 0);
	s.at_ms += STEP_MS;
	s.committed = 0;
	s.waiting = s.end;
	recovery_take(&r, &s);
	ck_assert_int_eq(recovery_ms(&r), -1);
	ck_assert_int_eq(recovery_still_ms(&r), 0);
	s.at_ms += STEP_MS;
	s.end = s.waiting = 5;
	recovery_take(&r, &s);
	ck_assert_int_eq(recovery_ms(&r), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("recovery");
	TCase *tc = tcase_create("recovery");

	tcase_add_loop_test(tc, within_a_factor_of_two, 0, NR(queues));
	tcase_add_test(tc, no_promise);
	tcase_add_test(tc, nothing_waits);
	tcase_add_test(tc, backwards);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
