/* test_aimd.c - limits against a simulated database: a fixed latency, and a bandwidth that all inserts share, first come, first served.
 *
 * Writers always have more to send, in documents of some hundred bytes, and send what the limits allow. The oracle is the database's own
 * arithmetic: what an insert of the floor's size takes alone is known exactly, and so is the bandwidth. */
#include "sink/mongo/aimd.h"

#include <math.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { WRITERS_MAX = 8, MAX_BYTES = 1 << 20, TIMEOUT_MS = 8000, RETRY_MS = 500, DOCUMENT = 350, FOREVER = 1 << 30 };

struct insert {
	bool busy, lost;
	struct aimd_insert in;
	size_t bytes;
	double end_ms;
};

struct world {
	struct aimd aimd;
	double now_ms;
	double latency_ms, bytes_per_ms; /* of the database now */
	double jitter;                   /* latency varies by up to this share */
	double free_ms;                  /* when the database has taken all that was sent */
	double locked_until_ms;          /* what is sent before is not answered */
	size_t documents_max;            /* of an insert */
	struct insert inserts[WRITERS_MAX];
	size_t nr_writers;
	struct unit_random random;
	/* Since look(): */
	double since_ms, worst_ms, sum_ms;
	size_t nr, bytes;
};

static void world_init(struct world *w, double latency_ms, double bytes_per_ms, size_t writers)
{
	const struct aimd_conf conf = {MAX_BYTES, writers, 200};

	*w = (struct world){.latency_ms = latency_ms, .bytes_per_ms = bytes_per_ms, .nr_writers = writers, .documents_max = FOREVER};
	w->random.state = 1;
	aimd_init(&w->aimd, &conf);
}

/* What a lone insert takes. */
static double alone_ms(const struct world *w, size_t bytes)
{
	return w->latency_ms + (double)bytes / w->bytes_per_ms;
}

static void begin(struct world *w, struct insert *i)
{
	double latency = w->latency_ms * (1 + w->jitter * (unit_random_unit(&w->random) - 0.5));
	size_t documents = (aimd_batch_bytes(&w->aimd) + DOCUMENT - 1) / DOCUMENT;

	*i = (struct insert){.busy = true, .bytes = (documents < w->documents_max ? documents : w->documents_max) * DOCUMENT};
	aimd_begin(&w->aimd, (int64_t)w->now_ms, &i->in);
	if (w->now_ms < w->locked_until_ms) {
		i->lost = w->now_ms + TIMEOUT_MS < w->locked_until_ms;
		i->end_ms = i->lost ? w->now_ms + TIMEOUT_MS : w->locked_until_ms + latency;
		return;
	}
	w->free_ms = fmax(w->free_ms, w->now_ms) + (double)i->bytes / w->bytes_per_ms;
	i->end_ms = w->free_ms + latency;
}

static void end(struct world *w, struct insert *i)
{
	double ms = w->now_ms - (double)i->in.begun_ms;

	i->busy = false;
	aimd_end(&w->aimd, (int64_t)w->now_ms, &i->in, i->bytes, i->bytes >= w->documents_max * DOCUMENT, i->lost ? AIMD_LOST : AIMD_WELL);
	if (i->lost)
		return;
	w->nr++;
	w->bytes += i->bytes;
	w->sum_ms += ms;
	w->worst_ms = fmax(w->worst_ms, ms);
}

static void check_limits(const struct world *w)
{
	ck_assert_uint_ge(aimd_batch_bytes(&w->aimd), AIMD_FLOOR_BYTES);
	ck_assert_uint_le(aimd_batch_bytes(&w->aimd), MAX_BYTES);
	ck_assert_uint_ge(aimd_writers(&w->aimd), 1);
	ck_assert_uint_le(aimd_writers(&w->aimd), w->nr_writers);
}

/* The next event: one insert comes back, and all writers that may send again. */
static void step(struct world *w)
{
	struct insert *next = NULL;

	for (size_t k = 0; k < w->nr_writers; k++)
		if (!w->inserts[k].busy && w->aimd.inflight < aimd_writers(&w->aimd))
			begin(w, &w->inserts[k]);
	for (size_t k = 0; k < w->nr_writers; k++)
		if (w->inserts[k].busy && (!next || w->inserts[k].end_ms < next->end_ms))
			next = &w->inserts[k];
	ck_assert_ptr_nonnull(next); /* never starved: somebody may always send */
	w->now_ms = fmax(w->now_ms, next->end_ms);
	end(w, next);
	check_limits(w);
}

/* Lets so much time pass, and begins to look. */
static void run(struct world *w, double ms)
{
	w->since_ms = w->now_ms;
	w->worst_ms = w->sum_ms = 0;
	w->nr = w->bytes = 0;
	while (w->now_ms < w->since_ms + ms)
		step(w);
}

static double throughput(const struct world *w)
{
	return (double)w->bytes / (w->now_ms - w->since_ms);
}

/* The case: 200 ms and 1 MB/s. From the first insert on none takes twice what a lone small one takes, and half the bandwidth
 * that this leaves is used. Many writers that have come to send one behind the other may meet once in a while. */
START_TEST(slow_set_is_drained_within_twice_a_lone_insert)
{
	static const size_t writers[] = {1, 2, 4, 8};
	struct world w;
	double limit;

	world_init(&w, 200, 1000, writers[_i]);
	limit = (writers[_i] > 2 ? 2.25 : 2) * alone_ms(&w, 35000);
	run(&w, 5000);
	ck_assert_msg(w.worst_ms <= limit, "%zu writers: %f ms at the start", writers[_i], w.worst_ms);
	run(&w, 60000);
	ck_assert_msg(w.worst_ms <= limit, "%zu writers: %f ms", writers[_i], w.worst_ms);
	/* In flight for the allowed time: (limit - latency) x bandwidth, once a round of the allowed time. */
	ck_assert_msg(throughput(&w) > (limit - 200) * 1000 / limit * 0.5, "%zu writers: %f bytes/ms", writers[_i], throughput(&w));
}
END_TEST

/* A database on a busy machine: the same small insert takes 70 ms now and 330 ms then, and ten times as much takes hardly longer. Limits that took the
 * noise for their own doing would stay at the floor, 320 bytes/ms at best, and a backlog would hardly ever end. */
START_TEST(noise_is_not_congestion)
{
	static const size_t writers[] = {1, 2, 4};
	struct world w;

	world_init(&w, 200, 10000, writers[_i]);
	w.jitter = 1.3;
	w.random = unit_random_new("noise_is_not_congestion");
	run(&w, 60000);
	run(&w, 60000);
	ck_assert_msg(throughput(&w) > 500, "%zu writers: %f bytes/ms", writers[_i], throughput(&w));
	ck_assert_msg(w.worst_ms < 3.5 * 330, "%zu writers: %f ms", writers[_i], w.worst_ms);
}
END_TEST

/* A fast set is at full batches and all writers within a second, and stays there. */
START_TEST(fast_set_gets_everything_within_a_second)
{
	struct world w;

	world_init(&w, 1, 50000, 4);
	run(&w, 1000);
	ck_assert_uint_eq(aimd_batch_bytes(&w.aimd), MAX_BYTES);
	ck_assert_uint_eq(aimd_writers(&w.aimd), 4);
	for (int k = 0; k < 100; k++) {
		run(&w, 100);
		ck_assert_uint_eq(aimd_batch_bytes(&w.aimd), MAX_BYTES);
		ck_assert_uint_eq(aimd_writers(&w.aimd), 4);
	}
	ck_assert_double_gt(throughput(&w), 0.9 * 50000);
}
END_TEST

/* Batches that are full by documents open the limits all the same. */
START_TEST(full_by_documents_is_full)
{
	struct world w;

	world_init(&w, 1, 50000, 2);
	w.documents_max = 1000;
	run(&w, 1000);
	ck_assert_uint_eq(aimd_batch_bytes(&w.aimd), MAX_BYTES);
}
END_TEST

/* Nobody asked for more: the limits stay. */
START_TEST(small_inserts_open_nothing)
{
	const struct aimd_conf conf = {MAX_BYTES, 4, 200};
	struct aimd_insert in;
	struct aimd a;

	aimd_init(&a, &conf);
	for (int64_t t = 0; t < 100000; t += 100) {
		aimd_begin(&a, t, &in);
		aimd_end(&a, t + 1, &in, AIMD_FLOOR_BYTES / 2, false, AIMD_WELL);
	}
	ck_assert_uint_eq(aimd_batch_bytes(&a), AIMD_FLOOR_BYTES);
	ck_assert_uint_eq(aimd_writers(&a), 1);
}
END_TEST

/* Locked for a minute: what comes after begins small, within the bound, and is at full speed soon. */
START_TEST(locked_for_a_minute)
{
	struct world w;

	world_init(&w, 2, 50000, 4);
	run(&w, 5000);
	w.locked_until_ms = w.now_ms + 60000;
	run(&w, 50000);
	ck_assert_uint_eq(aimd_batch_bytes(&w.aimd), AIMD_FLOOR_BYTES);
	ck_assert_uint_eq(aimd_writers(&w.aimd), 1);
	while (w.now_ms < w.locked_until_ms + 10)
		step(&w);
	run(&w, 1500);
	ck_assert_double_le(w.worst_ms, 400);
	run(&w, 1000);
	ck_assert_uint_eq(aimd_batch_bytes(&w.aimd), MAX_BYTES);
	ck_assert_uint_eq(aimd_writers(&w.aimd), 4);
}
END_TEST

/* It becomes slow while in full flow, stays so, and becomes fast again: down within a few inserts, no starving, and back. */
START_TEST(slow_for_a_while)
{
	struct world w;
	double limit;

	world_init(&w, 1, 50000, 4);
	run(&w, 5000);
	w.latency_ms = 200;
	w.bytes_per_ms = 1000;
	run(&w, 20000); /* some of this was sent before anyone could know */
	limit = 2.25 * alone_ms(&w, 35000);
	run(&w, 60000);
	ck_assert_msg(w.worst_ms <= limit, "%f ms", w.worst_ms);
	ck_assert_msg(throughput(&w) > (limit - 200) * 1000 / limit * 0.5, "%f bytes/ms", throughput(&w));
	w.latency_ms = 1;
	w.bytes_per_ms = 50000;
	run(&w, 3500);
	run(&w, 100);
	ck_assert_uint_eq(aimd_batch_bytes(&w.aimd), MAX_BYTES);
	ck_assert_uint_eq(aimd_writers(&w.aimd), 4);
}
END_TEST

/* The batch goes first, down to the floor, then the writers; back the other way round. */
START_TEST(batch_shrinks_first_and_writers_come_back_first)
{
	const struct aimd_conf conf = {MAX_BYTES, 4, 200};
	struct aimd_insert in;
	size_t bytes, writers;
	struct aimd a;
	int64_t t = 0;

	aimd_init(&a, &conf);
	for (int k = 0; k < 100; k++, t += 10) {
		aimd_begin(&a, t, &in);
		aimd_end(&a, t + 5, &in, aimd_batch_bytes(&a), true, AIMD_WELL);
	}
	ck_assert_uint_eq(aimd_batch_bytes(&a), MAX_BYTES);
	for (int k = 0; k < 20; k++) {
		bytes = aimd_batch_bytes(&a);
		writers = aimd_writers(&a);
		aimd_begin(&a, t, &in);
		aimd_end(&a, t, &in, bytes, true, AIMD_FAILED);
		ck_assert(bytes > AIMD_FLOOR_BYTES ? aimd_batch_bytes(&a) <= (bytes + 1) / 2 || aimd_batch_bytes(&a) == AIMD_FLOOR_BYTES
						   : aimd_writers(&a) <= (writers + 1) / 2);
		ck_assert(bytes == AIMD_FLOOR_BYTES || aimd_writers(&a) == writers);
	}
	ck_assert_uint_eq(aimd_writers(&a), 1);
	for (int k = 0; aimd_batch_bytes(&a) == AIMD_FLOOR_BYTES; k++, t += 10) {
		ck_assert_int_lt(k, 20);
		writers = aimd_writers(&a);
		aimd_begin(&a, t, &in);
		aimd_end(&a, t + 5, &in, aimd_batch_bytes(&a), true, AIMD_WELL);
		ck_assert(aimd_writers(&a) == 4 || aimd_batch_bytes(&a) == AIMD_FLOOR_BYTES);
	}
	ck_assert_uint_eq(writers, 4);
}
END_TEST

/* Eight inserts that fail at once are one trouble, not eight. */
START_TEST(one_cut_a_round)
{
	const struct aimd_conf conf = {MAX_BYTES, 8, 200};
	struct aimd_insert in[8];
	struct aimd a;

	aimd_init(&a, &conf);
	for (int k = 0; k < 100; k++) {
		aimd_begin(&a, 0, in);
		aimd_end(&a, 5, in, aimd_batch_bytes(&a), true, AIMD_WELL);
	}
	for (int k = 0; k < 8; k++)
		aimd_begin(&a, 0, &in[k]);
	for (int k = 0; k < 8; k++)
		aimd_end(&a, 5, &in[k], MAX_BYTES, true, AIMD_FAILED);
	ck_assert_uint_eq(aimd_batch_bytes(&a), MAX_BYTES / 2);
	ck_assert_uint_eq(aimd_writers(&a), 8);
}
END_TEST

/* Inside the target nothing is late, but a database at many times its usual latency per byte has something. */
START_TEST(surge_inside_the_target)
{
	struct world w;

	world_init(&w, 1, 100000, 2);
	run(&w, 5000);
	ck_assert_uint_eq(aimd_batch_bytes(&w.aimd), MAX_BYTES);
	w.bytes_per_ms /= 16;
	w.worst_ms = 0;
	for (int k = 0; k < 12 && aimd_batch_bytes(&w.aimd) == MAX_BYTES; k++)
		step(&w);
	ck_assert_uint_lt(aimd_batch_bytes(&w.aimd), MAX_BYTES);
	ck_assert_uint_eq(aimd_writers(&w.aimd), 2);
}
END_TEST

/* The first insert over a new connection took five times as long: the reference must not be it. */
START_TEST(connecting_is_no_reference)
{
	const struct aimd_conf conf = {MAX_BYTES, 2, 200};
	struct aimd_insert in;
	struct aimd a;

	aimd_init(&a, &conf);
	aimd_begin(&a, 0, &in);
	aimd_end(&a, 1200, &in, AIMD_FLOOR_BYTES, false, AIMD_CONNECTED);
	ck_assert_double_eq(aimd_bound_ms(&a), 0);
	aimd_begin(&a, 1200, &in);
	aimd_end(&a, 1440, &in, AIMD_FLOOR_BYTES, false, AIMD_WELL);
	ck_assert_double_lt(aimd_bound_ms(&a), 480);
}
END_TEST

/* It was far away and is nearer now: what fills the old allowance is a queue, so that latency never shows it. */
START_TEST(reference_is_renewed)
{
	struct world w;
	double limit;

	world_init(&w, 600, 1000, 2);
	run(&w, 20000);
	w.latency_ms = 200;
	run(&w, 60000);
	limit = 2 * alone_ms(&w, 35000);
	run(&w, 20000);
	ck_assert_msg(w.worst_ms <= limit, "%f ms", w.worst_ms);
}
END_TEST

/* Any database: in the long run inserts keep within the bound (with room for jitter), at a fair part of the bandwidth. */
START_TEST(any_database)
{
	struct unit_random r = unit_random_new("any_database");

	for (int round = 0; round < 100; round++) {
		size_t writers = 1 + unit_random_below(&r, WRITERS_MAX);
		double latency = pow(10, unit_random_unit(&r) * 2.7), bandwidth = pow(10, 2.5 + unit_random_unit(&r) * 2.5);
		double reference, bound, fair;
		struct world w;

		world_init(&w, latency, bandwidth, writers);
		w.random.state = unit_random_next(&r) | 1;
		w.jitter = unit_random_unit(&r) * 0.2;
		run(&w, 100 * alone_ms(&w, AIMD_FLOOR_BYTES) + 10000);
		run(&w, 100 * alone_ms(&w, AIMD_FLOOR_BYTES) + 20000);
		reference = alone_ms(&w, AIMD_FLOOR_BYTES);
		bound = fmax(200, 1.5 * reference);
		/* One insert at a time, as large as takes the bound: what is not latency is transfer. */
		fair = fmin(1, fmin((bound - latency) * bandwidth, MAX_BYTES) / bandwidth / bound) * bandwidth;
		ck_assert_msg(w.sum_ms / (double)w.nr <= 1.15 * bound, "%zu writers, %f ms, %f bytes/ms: %f ms, bound %f", writers, latency, bandwidth,
			      w.sum_ms / (double)w.nr, bound);
		ck_assert_msg(throughput(&w) >= 0.4 * fair, "%zu writers, %f ms, %f bytes/ms: %f bytes/ms, fair %f", writers, latency,
			      bandwidth, throughput(&w), fair);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aimd");
	TCase *tc = tcase_create("aimd");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, slow_set_is_drained_within_twice_a_lone_insert, 0, 4);
	tcase_add_loop_test(tc, noise_is_not_congestion, 0, 3);
	tcase_add_test(tc, fast_set_gets_everything_within_a_second);
	tcase_add_test(tc, full_by_documents_is_full);
	tcase_add_test(tc, small_inserts_open_nothing);
	tcase_add_test(tc, locked_for_a_minute);
	tcase_add_test(tc, slow_for_a_while);
	tcase_add_test(tc, batch_shrinks_first_and_writers_come_back_first);
	tcase_add_test(tc, one_cut_a_round);
	tcase_add_test(tc, surge_inside_the_target);
	tcase_add_test(tc, connecting_is_no_reference);
	tcase_add_test(tc, reference_is_renewed);
	tcase_add_test(tc, any_database);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
