/* test_intake.c - where the reading of alerts begins, what of it may be committed, and what holds it up: on the mock cluster. */
#include "sink/notify/intake.h"

#include <poll.h>

#include "common/clock.h"
#include "common/events.h"
#include "tests/unit/common/kafka_mock.h"

#define ALERTS "millrace.c.main.alerts"

enum { EPOCH = -77, PARTITIONS = 2, WAIT_MS = 20000, HOLD_MS = 300 };

static const struct { const char *text; int rc; int64_t epoch; } epochs[] = {
	{"", 0, 0}, {"v1 epoch=5", 1, 5}, {"v1 epoch=-77", 1, -77}, {"v1 epoch=9223372036854775807", 1, INT64_MAX},
	{"v1 epoch=", -1, 0}, {"v1 epoch=5 ", -1, 0}, {"v1 epoch=5 id=7", -1, 0}, {"v2 epoch=5", -1, 0}, {"v1 epoch=x", -1, 0},
	{"epoch=5", -1, 0}, {"v1", -1, 0}, {"v1 epoch=92233720368547758080", -1, 0},
};

START_TEST(epoch_of_a_commit)
{
	int64_t epoch = 0;

	ck_assert_int_eq(intake_parse_epoch(str_from(epochs[_i].text), &epoch), epochs[_i].rc);
	ck_assert_int_eq(epoch, epochs[_i].epoch);
}
END_TEST

struct bench {
	struct mock mock;
	char cell[8];
	struct intake *intake;
	int wake_fd;
};

static void bench_init(struct bench *b)
{
	struct err err = ERR_INIT;

	memset(b, 0, sizeof(*b));
	mock_init(&b->mock);
	snprintf(b->cell, sizeof(b->cell), "main");
	b->mock.program.common.cell = b->cell;
	b->mock.program.common.memory_budget_bytes = 64 << 20;
	mock_topic(&b->mock, ALERTS, PARTITIONS);
	b->wake_fd = events_wake_fd(&err);
	for (int i = 0; i < 4; i++)
		mock_produce(&b->mock, ALERTS, "k", (const char *[]){"r0", "r1", "r2", "r3"}[i]);
}

/* Begins: partition 0 at offset with metadata, partition 1 with nothing. */
static void begin(struct bench *b, int64_t offset, const char *metadata)
{
	const struct intake_spec spec = {&b->mock.program, NULL, EPOCH, PARTITIONS, b->wake_fd};
	struct err err = ERR_INIT;
	rd_kafka_topic_partition_list_t *list;

	b->intake = intake_new(&spec, &err);
	ck_assert_msg(b->intake != NULL, "%s", err.msg);
	list = intake_list(b->intake);
	ck_assert_int_eq(list->cnt, PARTITIONS);
	for (int i = 0; i < list->cnt; i++)
		list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
	list->elems[0].offset = offset;
	list->elems[0].metadata = metadata ? strdup(metadata) : NULL;
	list->elems[0].metadata_size = metadata ? strlen(metadata) : 0;
	ck_assert_int_eq(intake_begin(b->intake, list, &err), 0);
	rd_kafka_topic_partition_list_destroy(list);
}

static void bench_fini(struct bench *b)
{
	ck_assert(intake_free(b->intake));
	close(b->wake_fd);
	mock_fini(&b->mock);
}

/* The next record, awaited; its text is checked. */
static rd_kafka_message_t *must_come(struct bench *b, const char *text)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	rd_kafka_message_t *m = NULL;
	struct err err = ERR_INIT;

	while (!m && clock_mono_ms() < until) {
		ck_assert_int_eq(intake_turn(b->intake, &err), 0);
		m = intake_next(b->intake, &err);
		ck_assert_msg(!err.kind, "%s", err.msg);
		if (!m)
			poll(NULL, 0, 5);
	}
	ck_assert_msg(m != NULL, "%s did not come", text);
	ck_assert_msg(m->len == strlen(text) && memcmp(m->payload, text, m->len) == 0, "%.*s came, not %s", (int)m->len, (char *)m->payload, text);
	return m;
}

static void must_take(struct bench *b, const char *text)
{
	rd_kafka_message_t *m = must_come(b, text);

	intake_took(b->intake, m);
	rd_kafka_message_destroy(m);
}

/* Polls until all is taken; no record may come. */
static void must_be_level(struct bench *b)
{
	struct err err = ERR_INIT;

	for (int64_t until = clock_mono_ms() + WAIT_MS; intake_behind(b->intake) && clock_mono_ms() < until; poll(NULL, 0, 5)) {
		rd_kafka_message_t *m = intake_next(b->intake, &err);

		ck_assert_msg(!m, "%.*s came", m ? (int)m->len : 0, m ? (char *)m->payload : "");
	}
	ck_assert(!intake_behind(b->intake));
}

/* What would be committed for a partition; -1: nothing. */
static int64_t offset_of(struct bench *b, int32_t partition)
{
	rd_kafka_topic_partition_list_t *list = intake_offsets(b->intake);
	const rd_kafka_topic_partition_t *tp = rd_kafka_topic_partition_list_find(list, ALERTS, partition);
	int64_t offset = tp ? tp->offset : -1;

	if (tp) {
		ck_assert_uint_eq(tp->metadata_size, strlen("v1 epoch=-77"));
		ck_assert_int_eq(memcmp(tp->metadata, "v1 epoch=-77", tp->metadata_size), 0);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return offset;
}

static const struct { int64_t offset; const char *metadata; int first; bool told; } places[] = {
	{RD_KAFKA_OFFSET_INVALID, NULL, 0, false}, {2, "v1 epoch=-77", 2, false}, {4, "v1 epoch=-77", 4, false}, {0, "v1 epoch=-77", 0, false},
	{2, "v1 epoch=78", 0, true}, {2, NULL, 0, true}, {2, "v2 epoch=-77", 0, true},
	{9, "v1 epoch=-77", 0, true}, /* behind the end: the topic has lost it */
};

START_TEST(begins_where_the_group_left_off_in_this_epoch)
{
	static const char *const texts[] = {"r0", "r1", "r2", "r3"};
	char log[8192];
	struct bench b;

	bench_init(&b);
	begin(&b, places[_i].offset, places[_i].metadata);
	for (int i = places[_i].first; i < 4; i++)
		must_take(&b, texts[i]);
	must_be_level(&b);
	ck_assert_int_eq(offset_of(&b, 0), 4);
	ck_assert_int_eq(offset_of(&b, 1), 0); /* an empty one has a place, too */
	ck_assert_int_eq(intake_lag(b.intake), 0);
	program_log(&b.mock.program, log, sizeof(log));
	ck_assert_msg((strstr(log, "alerts_from_the_beginning") || strstr(log, "alerts_cut_off")) == places[_i].told, "%s", log);
	bench_fini(&b);
}
END_TEST

START_TEST(moves_only_by_what_was_taken)
{
	rd_kafka_message_t *m;
	struct bench b;

	bench_init(&b);
	begin(&b, 1, "v1 epoch=-77");
	ck_assert(intake_behind(b.intake));
	ck_assert_int_eq(offset_of(&b, 0), 1);
	ck_assert_int_eq(offset_of(&b, 1), -1); /* its place is not known yet */
	m = must_come(&b, "r1");
	ck_assert_int_eq(offset_of(&b, 0), 1); /* handed over is not taken */
	intake_took(b.intake, m);
	rd_kafka_message_destroy(m);
	ck_assert_int_eq(offset_of(&b, 0), 2);
	ck_assert(intake_moved(b.intake) && !intake_caught_up(b.intake));
	must_take(&b, "r2");
	intake_committed(b.intake); /* what offset_of() saw: 2 */
	ck_assert(intake_moved(b.intake));
	must_take(&b, "r3");
	must_be_level(&b);
	offset_of(&b, 0);
	intake_committed(b.intake);
	ck_assert(!intake_moved(b.intake));
	mock_produce(&b.mock, ALERTS, "k", "r4");
	must_take(&b, "r4");
	ck_assert(intake_moved(b.intake) && intake_behind(b.intake));
	ck_assert(intake_caught_up(b.intake)); /* once is for good */
	bench_fini(&b);
}
END_TEST

/* A record that only a newer version knows is not passed, and comes again. */
START_TEST(a_held_partition_waits_and_comes_again)
{
	char log[8192];
	rd_kafka_message_t *m;
	struct bench b;

	bench_init(&b);
	begin(&b, 0, "v1 epoch=-77");
	must_take(&b, "r0");
	m = must_come(&b, "r1");
	ck_assert(intake_hold(b.intake, m, HOLD_MS));
	rd_kafka_message_destroy(m);
	ck_assert_int_eq(offset_of(&b, 0), 1);
	ck_assert_int_eq(intake_held(b.intake), 1);
	must_be_level(&b); /* the other partition's end is seen meanwhile */
	m = must_come(&b, "r1");
	ck_assert(!intake_hold(b.intake, m, HOLD_MS)); /* told of once */
	rd_kafka_message_destroy(m);
	must_take(&b, "r1");
	ck_assert_int_eq(intake_held(b.intake), 0);
	must_take(&b, "r2");
	ck_assert_int_eq(count_of(program_log(&b.mock.program, log, sizeof(log)), "schema_unknown"), 1);
	bench_fini(&b);
}
END_TEST

/* How old what waits is: known of a held record, bounded of one that was not handed over. */
START_TEST(age_of_what_waits)
{
	int64_t age_ms;
	rd_kafka_message_t *m;
	struct bench b;

	bench_init(&b);
	age_ms = clock_now_ms(&b.mock.program.clock) - MOCK_TIMESTAMP_MS;
	ck_assert_int_gt(age_ms, WAIT_MS); /* or nothing here could fail */
	begin(&b, 0, "v1 epoch=-77");
	ck_assert_int_eq(intake_lag_ms(b.intake), 0); /* nobody knows of any, which is not to say that there is none */
	m = must_come(&b, "r0");
	ck_assert_int_eq(intake_lag(b.intake), 4);
	ck_assert(intake_hold(b.intake, m, HOLD_MS));
	rd_kafka_message_destroy(m);
	ck_assert_int_ge(intake_lag_ms(b.intake), age_ms);
	must_take(&b, "r0");
	ck_assert_int_ge(intake_lag_ms(b.intake), age_ms - WAIT_MS); /* in a backlog: as old as the one before */
	for (int i = 1; i < 4; i++)
		must_take(&b, (const char *[]){"", "r1", "r2", "r3"}[i]);
	must_be_level(&b);
	ck_assert_int_eq(intake_lag_ms(b.intake), 0);
	bench_fini(&b);
}
END_TEST

/* It begins with records waiting, which were there at the first look: they are as old as the last one taken says. */
START_TEST(age_without_a_look_at_the_end)
{
	struct bench b;

	bench_init(&b);
	begin(&b, 0, "v1 epoch=-77");
	must_take(&b, "r0");
	ck_assert_int_eq(intake_lag(b.intake), 3);
	ck_assert_int_ge(intake_lag_ms(b.intake), clock_now_ms(&b.mock.program.clock) - MOCK_TIMESTAMP_MS - WAIT_MS);
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("intake");
	TCase *tc = tcase_create("intake");

	tcase_add_loop_test(tc, epoch_of_a_commit, 0, NR(epochs));
	tcase_add_loop_test(tc, begins_where_the_group_left_off_in_this_epoch, 0, NR(places));
	tcase_add_test(tc, moves_only_by_what_was_taken);
	tcase_add_test(tc, a_held_partition_waits_and_comes_again);
	tcase_add_test(tc, age_of_what_waits);
	tcase_add_test(tc, age_without_a_look_at_the_end);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
