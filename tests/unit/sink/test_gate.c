/* test_gate.c - turns, limits and probes, by writers that are threads of the test.
 *
 * The monotonic clock runs ahead by what a test says (the linker wraps it), so that no minute has to be waited for. */
#include "sink/mongo/gate.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/clock.h"
#include "tests/unit/unit.h"

enum { WRITERS = 4 };

int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);

/* style: the wrapped clock has no other place */
static _Atomic int64_t ahead_ms;

int64_t __wrap_clock_mono_ms(void)
{
	return __real_clock_mono_ms() + atomic_load(&ahead_ms);
}

static struct gate *new_gate(int writers)
{
	const struct sink_conf conf = {.writers = writers, .batch_documents = 1000, .batch_bytes = 1 << 20, .latency_target_ms = 200};
	struct err err = ERR_INIT;
	struct gate *g = gate_new(&conf, &err);

	ck_assert_msg(g != NULL, "%s", err.msg);
	return g;
}

static bool leave(struct gate *g, const struct gate_permit *permit, struct verdict v, size_t bytes)
{
	const struct gate_news news = {.verdict = &v, .bytes = bytes};

	return gate_leave(g, permit, &news);
}

static const struct verdict well = {.stored = 10};

static struct verdict failed(enum verdict_reason reason)
{
	return (struct verdict){.retry = 10, .reason = reason};
}

/* Opens the limits to all writers. */
static void warm_up(struct gate *g, size_t writers)
{
	struct gate_view view;
	struct gate_permit permit;

	for (int k = 0; k < 100; k++) {
		ck_assert(gate_enter(g, &permit));
		leave(g, &permit, well, permit.bytes);
	}
	gate_look(g, &view);
	ck_assert_uint_eq(view.writers, writers);
	ck_assert_uint_eq(view.batch_bytes, 1 << 20);
	ck_assert_uint_eq(gate_batch_bytes(g), 1 << 20);
}

/* A writer that came in, or was turned away. */
struct visitor {
	struct gate *gate;
	pthread_t thread;
	struct gate_permit permit;
	atomic_int came; /* 0: waits; 1: is in; 2: turned away */
	atomic_int *order;
	int place; /* among those who came in */
};

static void *visit(void *ctx)
{
	struct visitor *v = ctx;
	bool in = gate_enter(v->gate, &v->permit);

	if (in)
		v->place = atomic_fetch_add(v->order, 1);
	atomic_store(&v->came, in ? 1 : 2);
	return NULL;
}

static void come(struct visitor *v, struct gate *g, atomic_int *order)
{
	v->gate = g;
	v->order = order;
	pthread_create(&v->thread, NULL, visit, v);
}

static void wait_came(const struct visitor *v, int what)
{
	int64_t deadline = clock_mono_ms() + 20000;

	while (atomic_load(&v->came) != what && clock_mono_ms() < deadline)
		poll(NULL, 0, 1);
	ck_assert_int_eq(atomic_load(&v->came), what);
}

/* Who waits longest goes first, before one who was just inside and comes again. */
START_TEST(first_come_first_served)
{
	struct gate *g = new_gate(1);
	struct visitor visitors[5] = {0};
	struct gate_permit permit;
	atomic_int order = 0;

	warm_up(g, 1);
	ck_assert(gate_enter(g, &permit));
	for (int k = 0; k < 5; k++) {
		come(&visitors[k], g, &order);
		poll(NULL, 0, 50); /* a thread that waits for its turn tells nobody */
	}
	leave(g, &permit, well, permit.bytes);
	for (int k = 0; k < 5; k++) {
		wait_came(&visitors[k], 1);
		ck_assert_int_eq(visitors[k].place, k);
		for (int later = k + 1; later < 5; later++)
			ck_assert_int_eq(atomic_load(&visitors[later].came), 0);
		leave(g, &visitors[k].permit, well, permit.bytes);
		pthread_join(visitors[k].thread, NULL);
	}
	gate_free(g);
}
END_TEST

/* As many as the limit says, and no more; closing turns the others away. */
START_TEST(no_more_than_the_limit)
{
	struct gate *g = new_gate(WRITERS);
	struct visitor visitors[WRITERS + 2] = {0};
	atomic_int order = 0;

	warm_up(g, WRITERS);
	for (int k = 0; k < WRITERS + 2; k++)
		come(&visitors[k], g, &order);
	while (atomic_load(&order) < WRITERS)
		poll(NULL, 0, 1);
	poll(NULL, 0, 50);
	ck_assert_int_eq(atomic_load(&order), WRITERS);
	gate_close(g);
	for (int k = 0; k < WRITERS + 2; k++)
		pthread_join(visitors[k].thread, NULL);
	ck_assert_int_eq(atomic_load(&order), WRITERS);
	gate_free(g);
}
END_TEST

static const struct {
	enum verdict_reason reason;
	int failures;
} troubles[] = {{VERDICT_REASON_NETWORK, 3}, {VERDICT_REASON_SERVER, 3}, {VERDICT_REASON_SPACE, 1}};

/* A dead set: one small probe gets in, the others wait for its news; when it went well all may come, but small. */
START_TEST(one_probe_then_all)
{
	struct gate *g = new_gate(WRITERS);
	struct visitor visitors[2] = {0};
	struct gate_permit permit;
	struct gate_view view;
	atomic_int order = 0;
	int first;

	warm_up(g, WRITERS);
	for (int k = 1; k <= troubles[_i].failures; k++) {
		ck_assert(gate_enter(g, &permit));
		/* The writer pauses by itself as long as the breaker does not say when to come again. */
		ck_assert(leave(g, &permit, failed(troubles[_i].reason), permit.bytes) == (k < troubles[_i].failures));
	}
	ck_assert(!gate_is_open_to_all(g));
	ck_assert(!gate_unread(g));
	come(&visitors[0], g, &order);
	come(&visitors[1], g, &order);
	while (atomic_load(&order) < 1)
		poll(NULL, 0, 1);
	poll(NULL, 0, 1100); /* the next probe would be due */
	ck_assert_int_eq(atomic_load(&order), 1);
	gate_look(g, &view);
	ck_assert_int_eq(view.state, BREAKER_HALF_OPEN);
	ck_assert_uint_eq(view.openings, 1);
	ck_assert_int_eq(view.reason, (int)troubles[_i].reason);
	first = atomic_load(&visitors[0].came) ? 0 : 1;
	for (int k = 0; k < 2; k++) {
		struct visitor *v = &visitors[k == 0 ? first : 1 - first];

		wait_came(v, 1);
		ck_assert(v->permit.probe == (k == 0));
		ck_assert_uint_eq(v->permit.bytes, AIMD_FLOOR_BYTES);
		leave(g, &v->permit, well, AIMD_FLOOR_BYTES);
		pthread_join(v->thread, NULL);
	}
	ck_assert(gate_is_open_to_all(g));
	gate_free(g);
}
END_TEST

static void refuse_all(struct gate *g)
{
	struct gate_permit permit;

	ck_assert(gate_enter(g, &permit));
	for (int k = 0; k < BREAKER_LETTERS_A_MINUTE; k++)
		ck_assert(gate_letter(g, &permit));
	ck_assert(!gate_letter(g, &permit));
	ck_assert(!permit.letter);
	leave(g, &permit, (struct verdict){.poison = 101}, permit.bytes);
}

/* After too many dead letters one document is tried in a minute; refused, it may go and the breaker stays open; stored, it closes it. */
START_TEST(probe_of_one_document)
{
	struct gate *g = new_gate(WRITERS);
	struct gate_permit permit, next;
	struct gate_view view;

	warm_up(g, WRITERS);
	refuse_all(g);
	for (int k = 0; k < 2; k++) {
		gate_look(g, &view);
		ck_assert_int_eq(view.state, BREAKER_OPEN);
		ck_assert_int_eq(view.reason, BREAKER_LETTERS);
		ck_assert(gate_unread(g));
		atomic_fetch_add(&ahead_ms, 61000);
		ck_assert(!gate_unread(g));
		ck_assert(gate_enter(g, &permit));
		ck_assert(permit.probe);
		ck_assert_uint_eq(permit.documents, 1);
		ck_assert(gate_unread(g));
		if (k == 0) {
			/* Its news are told: leaving late must not end the next probe. */
			ck_assert(gate_letter(g, &permit));
			atomic_fetch_add(&ahead_ms, 61000);
			ck_assert(gate_enter(g, &next));
			leave(g, &permit, (struct verdict){.poison = 1}, 100);
			ck_assert(!gate_is_open_to_all(g));
			ck_assert(gate_letter(g, &next));
			leave(g, &next, (struct verdict){.poison = 1}, 100);
		} else {
			leave(g, &permit, (struct verdict){.stored = 1}, 100);
		}
	}
	ck_assert(gate_is_open_to_all(g));
	ck_assert(!gate_unread(g));
	gate_free(g);
}
END_TEST

/* What is said of single documents, and what is bisected, is no failure of the database's. */
START_TEST(well_enough)
{
	static const struct verdict verdicts[] = {
		{.stored = 5, .poison = 5},
		{.retry = 10, .reason = VERDICT_REASON_CONTENT, .bisect = true},
		{.retry = 10, .reason = VERDICT_REASON_OTHER_INDEX},
		{.stored = 9, .retry = 1, .reason = VERDICT_REASON_SERVER},
	};
	struct gate *g = new_gate(1);
	struct gate_permit permit;

	for (size_t i = 0; i < NR(verdicts); i++)
		for (int k = 0; k < 10; k++) {
			ck_assert(gate_enter(g, &permit));
			ck_assert(leave(g, &permit, verdicts[i], permit.bytes) == (i >= 2));
			ck_assert(gate_is_open_to_all(g));
		}
	gate_free(g);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tc = tcase_create("gate");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, first_come_first_served);
	tcase_add_test(tc, no_more_than_the_limit);
	tcase_add_loop_test(tc, one_probe_then_all, 0, NR(troubles));
	tcase_add_test(tc, well_enough);
	tcase_add_test(tc, probe_of_one_document); /* the last: the clock stays ahead */
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
