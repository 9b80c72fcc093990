/* test_recovery.c - how long until a queue has drained: queues simulated tenth of a second by tenth, whose end is known by going on. */
#include "sink/status/recovery.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

#define STEP_MS 100

/* A queue that somebody fills and somebody drains; rates in records a second. */
struct shape {
	double backlog, in_rate, out_rate;
	int64_t burst_ms;  /* what arrives comes together, so often; 0: evenly */
	int64_t commit_ms; /* likewise, what is drained is committed */
	int64_t survey_ms;
	double noise;      /* by how much the drain of a second differs from the mean: 0.5: half of it to one and a half */
	double later_rate; /* of the drain, from half of the backlog on; 0: as before */
};

struct queue {
	const struct shape *shape;
	int64_t at_ms;
	double arrived, visible; /* that are there; that have come with a burst */
	double drained, committed;
	double factor;           /* of this second's drain */
	struct unit_random random;
};

static void go_on(struct queue *q)
{
	const struct shape *s = q->shape;
	double rate = s->later_rate > 0 && q->drained > s->backlog / 2 ? s->later_rate : s->out_rate;

	q->at_ms += STEP_MS;
	if (q->at_ms % 1000 == 0)
		q->factor = 1 + s->noise * (2 * unit_random_unit(&q->random) - 1);
	q->arrived += s->in_rate * STEP_MS / 1000;
	if (!s->burst_ms || q->at_ms % s->burst_ms == 0)
		q->visible = q->arrived;
	q->drained += rate * q->factor * STEP_MS / 1000;
	if (q->drained > q->visible)
		q->drained = q->visible;
	if (!s->commit_ms || q->at_ms % s->commit_ms == 0)
		q->committed = q->drained;
}

static bool is_empty(const struct queue *q)
{
	return q->drained >= q->visible;
}

static struct queue begin(const struct shape *shape)
{
	struct unit_random random = unit_random_new("recovery");

	return (struct queue){.shape = shape, .arrived = shape->backlog, .visible = shape->backlog, .factor = 1, .random = random};
}

/* Goes on until the next survey, and gives what that sees. */
static struct recovery_sample survey(struct queue *q)
{
	struct recovery_sample s;

	do
		go_on(q);
	while (q->at_ms % q->shape->survey_ms);
	s = (struct recovery_sample){.at_ms = q->at_ms, .committed = (int64_t)q->committed, .end = (int64_t)q->visible};
	s.waiting = s.end - s.committed;
	return s;
}

/* Until it will be empty, by going on with a copy. */
static int64_t truth(struct queue q)
{
	int64_t begun_ms = q.at_ms;

	while (!is_empty(&q))
		go_on(&q);
	return q.at_ms - begun_ms;
}

/* Surveys are odd, so that they meet commits at all phases. */
static const struct shape shapes[] = {
	{.backlog = 100000, .in_rate = 100, .out_rate = 1000, .survey_ms = 5000},
	{.backlog = 100000, .in_rate = 100, .out_rate = 1000, .survey_ms = 5300, .noise = 0.9},
	{.backlog = 1000000, .in_rate = 0, .out_rate = 5000, .survey_ms = 5300, .noise = 0.5},
	{.backlog = 50000, .in_rate = 800, .out_rate = 1000, .survey_ms = 5300, .commit_ms = 1000},
	{.backlog = 600000, .in_rate = 100, .out_rate = 1000, .survey_ms = 5300, .commit_ms = 5000, .noise = 0.5},
	{.backlog = 600000, .in_rate = 100, .out_rate = 1000, .survey_ms = 5300, .commit_ms = 30000},
	{.backlog = 600000, .in_rate = 100, .out_rate = 1000, .survey_ms = 5300, .commit_ms = 30000, .burst_ms = 60000, .noise = 0.5},
	{.backlog = 600000, .in_rate = 600, .out_rate = 1000, .survey_ms = 5300, .commit_ms = 1000, .burst_ms = 60000},
	{.backlog = 600000, .in_rate = 500, .out_rate = 1000, .survey_ms = 5300, .commit_ms = 5000, .burst_ms = 60000, .noise = 0.2},
	{.backlog = 600000, .in_rate = 100, .out_rate = 2000, .survey_ms = 24000, .commit_ms = 24000, .noise = 0.3}, /* as on a fast clock */
	{.backlog = 2000000, .in_rate = 100, .out_rate = 2000, .survey_ms = 7200, .commit_ms = 60000},
};

/* What is said of a queue by the survey that it is in now; -2: it is over. */
static int64_t say(struct queue *q, struct recovery *r)
{
	struct recovery_sample s = survey(q);

	if (is_empty(q))
		return -2;
	recovery_take(r, &s);
	return recovery_ms(r);
}

/* From when a quarter has drained on, within a factor of two; at the very end what is waited for is a burst or a commit, and not the drain. */
START_TEST(within_a_factor_of_two)
{
	const struct shape *shape = &shapes[_i];
	int64_t tail_ms = 3 * shape->burst_ms + 2 * shape->commit_ms + 2 * shape->survey_ms + 30000;
	struct queue q = begin(shape);
	struct recovery r = {0};
	int64_t expected;
	int told = 0;

	while ((expected = say(&q, &r)) != -2) {
		int64_t real_ms = truth(q);

		ck_assert_int_ge(expected, -1);
		if (q.drained < shape->backlog / 4 || real_ms < tail_ms)
			continue;
		told++;
		ck_assert_msg(expected >= real_ms / 2 && expected <= real_ms * 2, "after %lld ms: expected %lld, real %lld", (long long)q.at_ms, (long long)expected,
			      (long long)real_ms);
		ck_assert(recovery_is_draining(&r));
		ck_assert_int_le(recovery_still_ms(&r), shape->commit_ms + shape->survey_ms);
	}
	ck_assert_int_gt(told, 3);
}
END_TEST

/* Half as fast, or twice, from the middle on: a dozen commits later that is what counts. */
static const struct shape changes[] = {
	{.backlog = 600000, .in_rate = 100, .out_rate = 2000, .later_rate = 700, .survey_ms = 5300, .commit_ms = 1000},
	{.backlog = 600000, .in_rate = 100, .out_rate = 500, .later_rate = 2000, .survey_ms = 5300, .commit_ms = 5000, .noise = 0.3},
};

START_TEST(another_rate)
{
	const struct shape *shape = &changes[_i];
	struct queue q = begin(shape);
	struct recovery r = {0};
	int64_t expected, changed_ms = 0;
	int told = 0;

	while ((expected = say(&q, &r)) != -2) {
		int64_t real_ms = truth(q);

		changed_ms = changed_ms || q.drained < shape->backlog / 2 ? changed_ms : q.at_ms;
		ck_assert_int_ge(expected, -1);
		if (!changed_ms || q.at_ms - changed_ms < 12 * shape->survey_ms || real_ms < 60000)
			continue;
		told++;
		ck_assert_msg(expected >= real_ms / 2 && expected <= real_ms * 2, "expected %lld, real %lld", (long long)expected, (long long)real_ms);
	}
	ck_assert_int_gt(told, 3);
}
END_TEST

/* Queues of any shape: nothing absurd is said, and what is said of a queue that drains evenly is right. */
START_TEST(any_shape)
{
	struct unit_random random = unit_random_new("recovery shapes");

	for (int n = 0; n < 60; n++) {
		double in_rate = (double)unit_random_below(&random, 1000), surplus = 1.5 + 5 * unit_random_unit(&random);
		struct shape shape = {.backlog = 100000 + (double)unit_random_below(&random, 400000), .in_rate = in_rate, .out_rate = 100 + in_rate * surplus,
				      .survey_ms = 1000 + 100 * (int64_t)unit_random_below(&random, 90),
				      .commit_ms = 500 * (int64_t)unit_random_below(&random, 60), .noise = 0.4 * unit_random_unit(&random)};
		struct queue q = begin(&shape);
		struct recovery r = {0};
		int64_t expected;

		while ((expected = say(&q, &r)) != -2) {
			double real_ms = (q.visible - q.drained) / (shape.out_rate - shape.in_rate) * 1000;

			ck_assert_int_ge(expected, -1);
			if (q.drained < shape.backlog / 4 || q.at_ms < 90000 || real_ms < 120000)
				continue;
			ck_assert_msg((double)expected >= real_ms / 2 && (double)expected <= real_ms * 2,
				      "in %g out %g commit %lld survey %lld noise %g: expected %lld, real %g", shape.in_rate, shape.out_rate, (long long)shape.commit_ms,
				      (long long)shape.survey_ms, shape.noise, (long long)expected, real_ms);
		}
	}
}
END_TEST

/* Nothing is promised while it grows, or stands, or too little is known. */
START_TEST(no_promise)
{
	const struct shape grows = {.backlog = 1000, .in_rate = 1000, .out_rate = 900, .survey_ms = 5000};
	const struct shape stands = {.backlog = 1000, .in_rate = 100, .survey_ms = 5000};
	struct queue q = begin(&grows);
	struct recovery r = {0};

	ck_assert_int_eq(recovery_ms(&r), -1);
	ck_assert(!recovery_is_draining(&r));
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(say(&q, &r), -1);
		ck_assert(!recovery_is_draining(&r));
		ck_assert_int_eq(recovery_still_ms(&r), 0);
	}
	r = (struct recovery){0};
	q = begin(&stands);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(say(&q, &r), -1);
		ck_assert_int_eq(recovery_still_ms(&r), (int64_t)i * 5000);
	}
}
END_TEST

/* A drain that freezes: the promise goes within some commits, and when it goes on neither the zeros nor the rates of before count. */
START_TEST(frozen_and_thawed)
{
	struct shape shape = {.backlog = 400000, .in_rate = 100, .out_rate = 1000, .survey_ms = 5000, .commit_ms = 1000};
	struct queue q = begin(&shape);
	struct recovery r = {0};
	int64_t last_ms = 0;

	for (int i = 0; i < 20; i++)
		last_ms = say(&q, &r);
	ck_assert_int_gt(last_ms, 0);
	shape.out_rate = 0;
	for (int i = 0; i < 40; i++) {
		int64_t expected = say(&q, &r);

		ck_assert_int_eq(recovery_still_ms(&r), (int64_t)(i + 1) * 5000);
		ck_assert_msg(i < 4 ? expected == -1 || expected >= last_ms : expected == -1, "turn %d: %lld after %lld", i, (long long)expected, (long long)last_ms);
	}
	shape.out_rate = 300;
	ck_assert_int_eq(say(&q, &r), -1);
	ck_assert_int_eq(recovery_still_ms(&r), 0);
	for (int i = 0; i < 10; i++) {
		int64_t expected = say(&q, &r), real_ms = truth(q);

		ck_assert_msg(expected >= real_ms / 2 && expected <= real_ms * 2, "expected %lld, real %lld", (long long)expected, (long long)real_ms);
	}
}
END_TEST

START_TEST(nothing_waits)
{
	struct recovery r = {0};
	const struct recovery_sample s[] = {{1000, 10, 10, 0}, {2000, 10, 10, 0}, {3000, 10, 30, 20}, {4000, 10, 30, 20}, {5000, 30, 30, 0}};
	static const int64_t still[] = {0, 0, 1000, 2000, 0};

	for (size_t i = 0; i < NR(s); i++) {
		recovery_take(&r, &s[i]);
		ck_assert_int_eq(recovery_still_ms(&r), still[i]);
		ck_assert_int_eq(recovery_ms(&r), s[i].waiting ? -1 : 0);
	}
}
END_TEST

/* What an idle queue drained is what came; a backlog that begins behind it is measured by itself. */
START_TEST(idle_before)
{
	struct recovery r = {0};

	for (int64_t i = 1; i <= 30; i++)
		recovery_take(&r, &(struct recovery_sample){i * 5000, i * 10, i * 10, 0});
	recovery_take(&r, &(struct recovery_sample){155000, 310, 100310, 100000});
	recovery_take(&r, &(struct recovery_sample){160000, 10310, 100320, 90010});
	recovery_take(&r, &(struct recovery_sample){165000, 20310, 100330, 80020});
	ck_assert_int_eq(recovery_is_draining(&r), true);
	ck_assert_int_le(recovery_ms(&r), 80000);
	ck_assert_int_ge(recovery_ms(&r), 40000);
}
END_TEST

/* An operator sets a group back; topics are made again; the same survey comes twice. */
START_TEST(backwards)
{
	const struct shape shape = {.backlog = 100000, .in_rate = 0, .out_rate = 1000, .survey_ms = 5000};
	struct queue q = begin(&shape);
	struct recovery r = {0}, before;
	struct recovery_sample s = {0};

	for (int i = 0; i < 10; i++) {
		s = survey(&q);
		recovery_take(&r, &s);
	}
	ck_assert_int_eq(recovery_ms(&r), 50000);
	before = r;
	recovery_take(&r, &s); /* not later: passed over */
	ck_assert_mem_eq(&r, &before, sizeof(r));
	s.at_ms += 5000;
	s.committed = 0;
	s.waiting = s.end;
	recovery_take(&r, &s);
	ck_assert_int_eq(recovery_ms(&r), -1);
	ck_assert_int_eq(recovery_still_ms(&r), 0);
	s.at_ms += 5000;
	s.end = s.waiting = 5;
	recovery_take(&r, &s);
	ck_assert_int_eq(recovery_ms(&r), -1);
	ck_assert_int_eq(recovery_still_ms(&r), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("recovery");
	TCase *tc = tcase_create("recovery");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, within_a_factor_of_two, 0, NR(shapes));
	tcase_add_loop_test(tc, another_rate, 0, NR(changes));
	tcase_add_test(tc, any_shape);
	tcase_add_test(tc, no_promise);
	tcase_add_test(tc, frozen_and_thawed);
	tcase_add_test(tc, nothing_waits);
	tcase_add_test(tc, idle_before);
	tcase_add_test(tc, backwards);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
