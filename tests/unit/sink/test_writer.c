/* test_writer.c - writers against a server that misbehaves: whatever it does, each document ends up stored once, and the batch says so.
 *
 * Runs under SAN=thread too: batches cross threads by queues alone. */
#include "sink/mongo/writer.h"

#include "common/clock.h"
#include "common/events.h"
#include "tests/unit/sink/fake_server.h"

enum { DOCUMENTS = 40, STEPS = 16 };

struct bench {
	struct fake server;
	struct sink_conf conf;
	struct log log;
	struct metrics *metrics;
	struct meters meters;
	struct database *db;
	struct writers *writers;
	int wake_fd;
	char uri[128];
};

static void bench_init(struct bench *b, const struct fake *server, int writers)
{
	static char database[] = "test";
	struct err err = ERR_INIT;

	*b = (struct bench){.server = *server};
	fake_start(&b->server);
	snprintf(b->uri, sizeof(b->uri), "mongodb://127.0.0.1:%d/?retryWrites=false&socketTimeoutMS=2000", b->server.port);
	b->conf = (struct sink_conf){.mongo_uri = b->uri, .mongo_database = database, .wtimeout_ms = 1000, .writers = writers,
				     .batch_documents = 1000, .batch_bytes = 1 << 20, .latency_target_ms = 200,
				     .retention_ms = {86400000, 86400000}};
	b->log = (struct log){.fd = 2, .level = LOG_LEVEL_ERROR, .program = "test"};
	b->metrics = metrics_new("test");
	meters_init(&b->meters, b->metrics, "test");
	b->wake_fd = events_wake_fd(&err);
	b->db = database_new(&b->conf, &b->log, &err);
	ck_assert_msg(b->db != NULL, "%s", err.msg);
	b->writers = writers_new(b->db, &b->conf, &b->log, &b->meters, b->wake_fd, &err);
	ck_assert_msg(b->writers != NULL, "%s", err.msg);
}

static void bench_fini(struct bench *b)
{
	struct batch *left;

	ck_assert(writers_stop(b->writers, 10000));
	while ((left = writers_take(b->writers, 0)) != NULL)
		batch_free(left);
	writers_free(b->writers);
	database_free(b->db);
	metrics_free(b->metrics);
	fake_stop(&b->server);
	close(b->wake_fd);
}

/* A batch of nr documents, each with so many bytes beside its _id. */
static struct batch *make_large(int first_id, int nr, size_t bytes)
{
	static const uint8_t filling[8192];
	struct err err = ERR_INIT;
	struct batch *batch = batch_new(SINK_IN_MINUTELY, 1, &err);
	struct batch_span span = {.partition = 0};

	ck_assert_int_eq(batch_add_span(batch, &span, &err), 0);
	for (int i = 0; i < nr; i++) {
		bson_t doc = BSON_INITIALIZER;

		BSON_APPEND_INT32(&doc, "_id", first_id + i);
		if (bytes)
			BSON_APPEND_BINARY(&doc, "filling", BSON_SUBTYPE_BINARY, filling, (uint32_t)bytes);
		ck_assert_int_eq(batch_add(batch, 0, NULL, (struct str){(const char *)bson_get_data(&doc), doc.len}, &err), i);
		bson_destroy(&doc);
	}
	return batch;
}

static void give_large(struct bench *b, int first_id, int nr, size_t bytes)
{
	writers_give(b->writers, make_large(first_id, nr, bytes));
}

static void give(struct bench *b, int first_id)
{
	give_large(b, first_id, DOCUMENTS, 0);
}

static struct batch *take(struct bench *b)
{
	struct batch *batch = writers_take(b->writers, 30000);

	ck_assert_msg(batch != NULL, "the batch did not come back");
	ck_assert_uint_eq(batch->pending, 0);
	return batch;
}

/* A batch through every misbehaviour, one after the other: sizes says how many documents each insert had to carry. */
static const struct {
	enum step steps[STEPS];
	size_t nr;
	int poison_rest;
	size_t sizes[STEPS];
	size_t nr_sizes, stored, already, condemned;
	enum verdict_reason retried;
} stories[] = {
	{{WELL}, 1, -1, {40}, 1, 40, 0, 0, VERDICT_REASON_NONE},
	{{CLOSE}, 1, -1, {40, 40}, 2, 40, 0, 0, VERDICT_REASON_NETWORK},
	/* Stored before, but nobody heard of it. */
	{{LOSE_REPLY}, 1, -1, {40, 40}, 2, 0, 40, 0, VERDICT_REASON_NETWORK},
	{{HALF_REPLY}, 1, -1, {40, 40}, 2, 0, 40, 0, VERDICT_REASON_NETWORK},
	{{GARBAGE, WELL_OLD}, 2, -1, {40, 40}, 2, 0, 40, 0, VERDICT_REASON_NETWORK},
	{{EMPTY}, 1, -1, {40, 40}, 2, 40, 0, 0, VERDICT_REASON_NETWORK},
	{{NOT_PRIMARY, NOT_PRIMARY}, 2, -1, {40, 40, 40}, 3, 40, 0, 0, VERDICT_REASON_NOT_PRIMARY},
	/* Not replicated, twice: the second reply is all E11000, and proves nothing either. */
	{{NOT_REPLICATED, NOT_REPLICATED}, 2, -1, {40, 40, 40}, 3, 0, 40, 0, VERDICT_REASON_WRITE_CONCERN},
	/* Ids 3, 13, 23, 33 are refused for good: in one reply with the stored ones, or before a repetition of the others. */
	{{WELL}, 1, 3, {40}, 1, 36, 0, 4, VERDICT_REASON_NONE},
	{{NOT_REPLICATED}, 1, 3, {40, 36}, 2, 0, 36, 4, VERDICT_REASON_WRITE_CONCERN},
	/* Only what is not settled is sent again. */
	{{OTHER_INDEX}, 1, -1, {40, 1}, 2, 40, 0, 0, VERDICT_REASON_OTHER_INDEX},
};

static size_t count(const struct batch *batch, enum batch_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < batch->len; i++)
		n += batch->entries[i].state == state;
	return n;
}

START_TEST(story)
{
	struct bench b;
	struct batch *batch;

	bench_init(&b, &(struct fake){.steps = stories[_i].steps, .nr_steps = stories[_i].nr, .poison_rest = stories[_i].poison_rest}, 1);
	give(&b, 0);
	batch = take(&b);
	ck_assert_uint_eq(inserts(&b.server), stories[_i].nr_sizes);
	for (size_t i = 0; i < stories[_i].nr_sizes; i++)
		ck_assert_uint_eq(b.server.sizes[i], stories[_i].sizes[i]);
	ck_assert_uint_eq(count(batch, BATCH_STORED), stories[_i].stored);
	ck_assert_uint_eq(count(batch, BATCH_ALREADY), stories[_i].already);
	ck_assert_uint_eq(count(batch, BATCH_CONDEMNED), stories[_i].condemned);
	ck_assert_uint_eq(batch->condemned, stories[_i].condemned);
	for (int i = 0; i < DOCUMENTS; i++) {
		bool poison = batch->entries[i].state == BATCH_CONDEMNED;

		ck_assert(poison == (stories[_i].poison_rest >= 0 && i % 10 == stories[_i].poison_rest));
		ck_assert(b.server.stored[i] == !poison);
		if (poison)
			ck_assert_msg(strstr(batch->entries[i].reason, "121") != NULL, "%s", batch->entries[i].reason);
	}
	for (int r = 1; r < NR_VERDICT_REASONS; r++) {
		uint64_t retries = (uint64_t)metric_value(b.meters.retries[r]);

		/* Right after a broken connection an attempt may not reach the server at all. */
		ck_assert_uint_ge(retries, r == (int)stories[_i].retried ? stories[_i].nr_sizes - 1 : 0);
		ck_assert(r == VERDICT_REASON_NETWORK || retries < stories[_i].nr_sizes);
	}
	ck_assert_int_eq(poll(&(struct pollfd){.fd = b.wake_fd, .events = POLLIN}, 1, 10000), 1);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

/* Many batches by many writers, every other insert going wrong. */
START_TEST(writers_side_by_side)
{
	static const enum step steps[] = {WELL, LOSE_REPLY, NOT_REPLICATED, CLOSE, WELL, GARBAGE};
	struct bench b;

	bench_init(&b, &(struct fake){.steps = steps, .nr_steps = NR(steps), .poison_rest = -1}, 3);
	for (int i = 0; i < 6; i++)
		give(&b, i * DOCUMENTS);
	for (int i = 0; i < 6; i++)
		batch_free(take(&b));
	for (int i = 0; i < 6 * DOCUMENTS; i++)
		ck_assert(b.server.stored[i]);
	bench_fini(&b);
}
END_TEST

/* A stopping sink waits for no pause between attempts; the batch comes back as far as it got. */
START_TEST(stop_cuts_a_pause_short)
{
	static const enum step steps[] = {NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY, NOT_PRIMARY};
	struct bench b;
	struct batch *batch;
	int64_t begun;

	bench_init(&b, &(struct fake){.steps = steps, .nr_steps = NR(steps), .poison_rest = -1}, 1);
	give(&b, 0);
	while (inserts(&b.server) < 4)
		poll(NULL, 0, 5);
	begun = clock_mono_ms();
	ck_assert(writers_stop(b.writers, 10000));
	ck_assert_int_lt(clock_mono_ms() - begun, 2000);
	batch = writers_take(b.writers, 0);
	ck_assert_ptr_nonnull(batch);
	ck_assert_uint_eq(batch->pending, DOCUMENTS);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

static bool one(int id)
{
	return id == 17;
}

static bool two(int id)
{
	return id == 0 || id == 39;
}

static bool third(int id)
{
	return id % 3 == 1;
}

static bool every(int id)
{
	(void)id;
	return true;
}

static const struct {
	bool (*unreadable)(int id);
	size_t most; /* inserts: about 3 log2 40 for each of a few, 2 each of many */
} bisections[] = {{one, 18}, {two, 30}, {third, 88}, {every, 88}};

/* A command refused as a whole: who is at fault is found out, and nobody else is condemned. */
START_TEST(bisecting)
{
	struct batch *batch;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .unreadable = bisections[_i].unreadable}, 1);
	give(&b, 0);
	batch = take(&b);
	for (int i = 0; i < DOCUMENTS; i++) {
		bool guilty = bisections[_i].unreadable(i);

		ck_assert_int_eq(batch->entries[i].state, guilty ? BATCH_CONDEMNED : BATCH_STORED);
		ck_assert(b.server.stored[i] == !guilty);
		if (guilty)
			ck_assert_msg(strstr(batch->entries[i].reason, "code 22") != NULL, "%s", batch->entries[i].reason);
	}
	ck_assert_uint_le(inserts(&b.server), bisections[_i].most);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

static void wait_breaker(struct bench *b, enum breaker_state state, int reason)
{
	int64_t deadline = clock_mono_ms() + 20000;
	struct gate_view view;

	do {
		writers_look(b->writers, &view);
		poll(NULL, 0, 2);
	} while ((view.state != state || view.reason != reason) && clock_mono_ms() < deadline);
	ck_assert_int_eq(view.state, state);
	ck_assert_int_eq(view.reason, reason);
}

/* A batch that was filled when the database was fast goes in parts when it is not; the parts grow as it shows to be. */
START_TEST(large_batch_goes_in_parts)
{
	struct batch *batch;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1}, 1);
	give_large(&b, 0, 900, 1000);
	batch = take(&b);
	ck_assert_uint_eq(count(batch, BATCH_STORED), 900);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_lt(b.server.sizes[i] * 1000, AIMD_FLOOR_BYTES * 3 / 2 + 1100);
	ck_assert_uint_gt(b.server.sizes[inserts(&b.server) - 1], b.server.sizes[0]);
	ck_assert_uint_lt(inserts(&b.server), 20);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

/* No more writers at once than the limit, whatever waits: one at the start, and all of them in the end. */
START_TEST(writers_join_one_by_one)
{
	struct gate_view view;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .pause_ms = 20}, 4);
	for (int i = 0; i < 20; i++)
		give_large(&b, i * 30, 30, 1000);
	for (int i = 0; i < 20; i++) {
		batch_free(take(&b));
		if (i == 2)
			ck_assert_uint_eq(b.server.most_under_way, 1);
	}
	ck_assert_uint_gt(b.server.most_under_way, 1);
	writers_look(b.writers, &view);
	ck_assert_uint_ge(view.writers, b.server.most_under_way);
	bench_fini(&b);
}
END_TEST

static void go_well(struct bench *b)
{
	pthread_mutex_lock(&b->server.lock);
	b->server.later = WELL;
	pthread_mutex_unlock(&b->server.lock);
}

static const struct {
	enum step step;
	int reason;
} deaths[] = {
	{CLOSE, VERDICT_REASON_NETWORK}, {NOT_PRIMARY, VERDICT_REASON_NOT_PRIMARY}, {NO_SPACE, VERDICT_REASON_SPACE},
	{UNKNOWN, VERDICT_REASON_SERVER}, {NOT_REPLICATED, VERDICT_REASON_WRITE_CONCERN}, {GARBAGE, VERDICT_REASON_NETWORK},
};

/* Dead, whatever that means: the breaker opens, probes are few, small and alone; when it is back, all arrives. */
START_TEST(dead_and_back)
{
	size_t before, after;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .later = deaths[_i].step}, 3);
	for (int i = 0; i < 6; i++)
		give_large(&b, i * 100, 100, 1000);
	wait_breaker(&b, BREAKER_OPEN, deaths[_i].reason);
	pthread_mutex_lock(&b.server.lock);
	before = b.server.inserts;
	b.server.most_under_way = b.server.most_bytes = 0;
	pthread_mutex_unlock(&b.server.lock);
	poll(NULL, 0, 1500); /* no event tells that nothing is sent */
	after = inserts(&b.server);
	ck_assert_uint_le(after - before, 4);
	ck_assert_uint_le(b.server.most_under_way, 1);
	ck_assert_uint_le(b.server.most_bytes, AIMD_FLOOR_BYTES * 3 / 2 + 1100);
	go_well(&b);
	for (int i = 0; i < 6; i++) {
		struct batch *batch = take(&b);

		ck_assert_uint_eq(batch->condemned, 0);
		batch_free(batch);
	}
	wait_breaker(&b, BREAKER_CLOSED, deaths[_i].reason);
	for (int i = 0; i < 600; i++)
		ck_assert(b.server.stored[i]);
	bench_fini(&b);
}
END_TEST

/* A validator that refuses everything: a hundred documents are given up and come back at once, for their letters' sake, with what is pending in
 * their batches; stopping returns the others. */
START_TEST(not_a_whole_topic)
{
	struct batch *batch;
	size_t condemned = 0, pending = 0;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .unreadable = every}, 2);
	for (int i = 0; i < 4; i++)
		give(&b, i * DOCUMENTS);
	wait_breaker(&b, BREAKER_OPEN, BREAKER_LETTERS);
	ck_assert(writers_unread(b.writers));
	while (condemned < BREAKER_LETTERS_A_MINUTE) {
		batch = writers_take(b.writers, 30000);
		ck_assert_msg(batch != NULL, "%zu of a hundred came back", condemned);
		ck_assert_uint_gt(batch->condemned, 0);
		condemned += count(batch, BATCH_CONDEMNED);
		pending += count(batch, BATCH_PENDING);
		batch_free(batch);
	}
	ck_assert_uint_eq(condemned, BREAKER_LETTERS_A_MINUTE);
	ck_assert(writers_stop(b.writers, 10000));
	while ((batch = writers_take(b.writers, 0)) != NULL) {
		ck_assert_uint_eq(batch->condemned, 0);
		pending += count(batch, BATCH_PENDING);
		batch_free(batch);
	}
	ck_assert_uint_eq(pending, 4 * DOCUMENTS - BREAKER_LETTERS_A_MINUTE);
	bench_fini(&b);
}
END_TEST

/* Stopping waits for no probe. */
START_TEST(stop_before_an_open_breaker)
{
	size_t pending = 0;
	struct batch *batch;
	struct bench b;
	int64_t begun;

	bench_init(&b, &(struct fake){.poison_rest = -1, .later = NO_SPACE}, 3);
	for (int i = 0; i < 6; i++)
		give(&b, i * DOCUMENTS);
	wait_breaker(&b, BREAKER_OPEN, VERDICT_REASON_SPACE);
	begun = clock_mono_ms();
	ck_assert(writers_stop(b.writers, 10000));
	ck_assert_int_lt(clock_mono_ms() - begun, 2000);
	while ((batch = writers_take(b.writers, 0)) != NULL) {
		pending += batch->pending;
		batch_free(batch);
	}
	ck_assert_uint_eq(pending, 6 * DOCUMENTS);
	bench_fini(&b);
}
END_TEST

/* An answer after the driver's patience is no answer: found stored the next time. */
START_TEST(late_answer)
{
	struct batch *batch;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .pause_ms = 2500}, 1);
	give(&b, 0);
	while (inserts(&b.server) < 1)
		poll(NULL, 0, 5);
	pthread_mutex_lock(&b.server.lock);
	b.server.pause_ms = 0;
	pthread_mutex_unlock(&b.server.lock);
	batch = take(&b);
	ck_assert_uint_eq(count(batch, BATCH_ALREADY), DOCUMENTS);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

/* A record that became a dead letter when it was gathered stands in a batch that a writer has, and Kafka may acknowledge the letter at any
 * time: the poll thread notes that in the entry, at which the writer therefore never looks. Told by SAN=thread alone. */
START_TEST(letter_is_acknowledged_beside_a_writer)
{
	static const enum step steps[] = {CLOSE, CLOSE};
	struct err err = ERR_INIT;
	struct batch *batch;
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .steps = steps, .nr_steps = NR(steps), .pause_ms = 50}, 1);
	batch = make_large(0, DOCUMENTS, 0);
	ck_assert_int_eq(batch_add(batch, 0, NULL, STR(""), &err), DOCUMENTS);
	batch_condemn(batch, DOCUMENTS, "undecodable", "told so");
	writers_give(b.writers, batch);
	while (inserts(&b.server) < 1)
		poll(NULL, 0, 5);
	batch_settle(batch, DOCUMENTS, BATCH_DEAD);
	ck_assert_ptr_eq(take(&b), batch);
	ck_assert(batch_done(batch));
	ck_assert_uint_eq(count(batch, BATCH_STORED), DOCUMENTS);
	batch_free(batch);
	bench_fini(&b);
}
END_TEST

static void wait_indexes(struct bench *b, enum writers_indexes wanted)
{
	int64_t deadline = clock_mono_ms() + 20000;

	while (writers_indexes(b->writers) != wanted && clock_mono_ms() < deadline)
		poll(NULL, 0, 5);
	ck_assert_int_eq(writers_indexes(b->writers), wanted);
}

START_TEST(indexes_are_made_at_the_start)
{
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1}, 2);
	wait_indexes(&b, WRITERS_INDEXES_READY);
	ck_assert_uint_eq(b.server.index_calls, NR_SINK_COLLECTIONS);
	bench_fini(&b);
}
END_TEST

/* An index of other options is the operator's affair; documents go on. */
START_TEST(conflicting_index_stops_no_document)
{
	struct bench b;

	bench_init(&b, &(struct fake){.poison_rest = -1, .index_code = 85}, 1);
	wait_indexes(&b, WRITERS_INDEXES_CONFLICT);
	give(&b, 0);
	batch_free(take(&b));
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("writer");
	TCase *tc = tcase_create("writer");

	tcase_set_timeout(tc, 90);
	tcase_add_loop_test(tc, story, 0, NR(stories));
	tcase_add_test(tc, writers_side_by_side);
	tcase_add_test(tc, stop_cuts_a_pause_short);
	tcase_add_loop_test(tc, bisecting, 0, NR(bisections));
	tcase_add_test(tc, large_batch_goes_in_parts);
	tcase_add_test(tc, writers_join_one_by_one);
	tcase_add_loop_test(tc, dead_and_back, 0, NR(deaths));
	tcase_add_test(tc, not_a_whole_topic);
	tcase_add_test(tc, stop_before_an_open_breaker);
	tcase_add_test(tc, late_answer);
	tcase_add_test(tc, letter_is_acknowledged_beside_a_writer);
	tcase_add_test(tc, indexes_are_made_at_the_start);
	tcase_add_test(tc, conflicting_index_stops_no_document);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
