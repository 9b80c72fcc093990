/* test_table.c - compacted tables against the mock cluster: to the end, then on, through what brokers do. */
#include "common/table.h"

#include <limits.h>
#include <poll.h>

#include "common/clock.h"
#include "common/events.h"
#include "tests/unit/common/kafka_mock.h"

enum { SEEN_MAX = 64, WAIT_MS = 20000 };

/* What a table was handed, in order. */
struct seen {
	struct {
		char key[32], value[32];
		bool deleted;
		int64_t timestamp_ms, offset;
	} row[SEEN_MAX];
	int nr;
	const char *refuse; /* key of rows to refuse */
};

static int on_row(void *ctx, const struct table_row *row, struct err *err)
{
	struct seen *s = ctx;

	if (s->refuse && str_eq(row->key, STR("fatal")))
		return err_set(err, ERR_FATAL, "cannot go on");
	if (s->refuse && str_eq(row->key, str_from(s->refuse)))
		return err_set(err, ERR_REJECT, "will not have " STR_FMT, STR_ARG(row->key));
	ck_assert_int_lt(s->nr, SEEN_MAX);
	snprintf(s->row[s->nr].key, sizeof(s->row[0].key), STR_FMT, STR_ARG(row->key));
	snprintf(s->row[s->nr].value, sizeof(s->row[0].value), STR_FMT, (int)row->value.len, row->value.p ? row->value.p : "");
	s->row[s->nr].deleted = row->value.p == NULL;
	s->row[s->nr].timestamp_ms = row->timestamp_ms;
	s->row[s->nr].offset = row->offset;
	s->nr++;
	return 0;
}

/* The tables, which must come about. */
static struct tables *must_open(const struct mock *m, const struct table_spec *specs, size_t nr)
{
	struct err err = ERR_INIT;
	struct tables *t = tables_new(&m->program, specs, nr, &err);

	ck_assert_msg(t != NULL && tables_open(t, WAIT_MS, &err) == 0, "%s", err.msg);
	return t;
}

static void must_load(struct tables *t)
{
	struct err err = ERR_INIT;

	ck_assert_msg(tables_load(t, WAIT_MS, &err) == 0, "%s", err.msg);
	ck_assert(tables_loaded(t));
}

/* Polls until s has nr rows; errors of brokers that are away are passed over. */
static void poll_until(struct tables *t, const struct seen *s, int nr)
{
	struct err err = ERR_INIT;

	for (int64_t until = clock_mono_ms() + WAIT_MS; s->nr < nr && clock_mono_ms() < until;)
		if (tables_poll(t, 100, INT_MAX, &err) < 0)
			ck_assert_msg(err.kind == ERR_RETRY, "%s", err.msg);
	ck_assert_int_eq(s->nr, nr);
}

START_TEST(reads_to_the_end)
{
	struct seen cells = {0}, sites = {0};
	struct table_spec specs[] = {{"cells", on_row, &cells}, {"empty", on_row, &cells}, {"sites", on_row, &sites}};
	struct mock m;
	struct tables *t;

	mock_init(&m);
	m.program.clock = (struct clock){.test = true, .start_ms = 1000000, .real_ms = MOCK_TIMESTAMP_MS - 500, .speed = 60};
	mock_topic(&m, "cells", 1);
	mock_topic(&m, "empty", 1);
	mock_topic(&m, "sites", 1);
	mock_produce(&m, "cells", "main", "first");
	mock_produce(&m, "sites", "s1", "site 1");
	mock_produce(&m, "sites", "s1", "site 1, again");
	t = must_open(&m, specs, NR(specs));
	memset(specs, 0, sizeof(specs)); /* they were copied */
	ck_assert(!tables_loaded(t));
	must_load(t);
	ck_assert_int_eq(cells.nr, 1);
	ck_assert_str_eq(cells.row[0].key, "main");
	ck_assert_str_eq(cells.row[0].value, "first");
	ck_assert_int_eq(cells.row[0].timestamp_ms, 1000000 + 500 * 60);
	ck_assert_int_eq(sites.nr, 2);
	ck_assert_str_eq(sites.row[0].value, "site 1");
	ck_assert_str_eq(sites.row[1].value, "site 1, again");
	ck_assert_int_eq(sites.row[1].offset, 1);
	ck_assert_uint_eq(tables_refused(t), 0);
	tables_free(t);
	mock_fini(&m);
}
END_TEST

/* All topics count, each once: one that comes to its end again and again does not stand for one without a leader. */
START_TEST(one_topic_is_late)
{
	struct seen cells = {0}, sites = {0};
	const struct table_spec specs[] = {{"cells", on_row, &cells}, {"sites", on_row, &sites}};
	struct err err = ERR_INIT;
	struct mock m;
	struct tables *t;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	mock_topic(&m, "sites", 1);
	mock_produce(&m, "sites", "s", "1");
	rd_kafka_mock_partition_set_leader(m.cluster, "sites", 0, -1);
	t = must_open(&m, specs, NR(specs));
	for (int i = 1; i <= 3; i++) {
		mock_produce(&m, "cells", "c", "1");
		poll_until(t, &cells, i);
		ck_assert_int_eq(tables_load(t, 300, &err), -1); /* long enough to come to the end of cells */
		ck_assert(!tables_loaded(t));
	}
	rd_kafka_mock_partition_set_leader(m.cluster, "sites", 0, 1);
	must_load(t);
	ck_assert_int_eq(sites.nr, 1);
	tables_free(t);
	mock_fini(&m);
}
END_TEST

START_TEST(no_tables_are_loaded)
{
	struct mock m;
	struct tables *t;

	mock_init(&m);
	t = must_open(&m, NULL, 0);
	ck_assert(tables_loaded(t));
	must_load(t);
	tables_free(t);
	tables_free(NULL);
	mock_fini(&m);
}
END_TEST

/* A deletion has no value; an empty value is one, and so is an empty key. */
START_TEST(deletions)
{
	struct seen s = {0};
	const struct table_spec spec = {"cells", on_row, &s};
	struct mock m;
	struct tables *t;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	mock_produce(&m, "cells", "a", "x");
	mock_produce(&m, "cells", "a", NULL);
	mock_produce(&m, "cells", "b", "");
	mock_produce(&m, "cells", NULL, "keyless");
	t = must_open(&m, &spec, 1);
	must_load(t);
	ck_assert_int_eq(s.nr, 4);
	ck_assert(!s.row[0].deleted);
	ck_assert_str_eq(s.row[1].key, "a");
	ck_assert(s.row[1].deleted);
	ck_assert_str_eq(s.row[2].key, "b");
	ck_assert(!s.row[2].deleted);
	ck_assert_str_eq(s.row[3].key, "");
	ck_assert_str_eq(s.row[3].value, "keyless");
	tables_free(t);
	mock_fini(&m);
}
END_TEST

/* One bad row is told, by its place, and costs no other row. */
START_TEST(refused_rows)
{
	struct seen s = {.refuse = "bad"};
	const struct table_spec spec = {"cells", on_row, &s};
	struct err err = ERR_INIT;
	struct mock m;
	struct tables *t;
	bool told = false;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	mock_produce(&m, "cells", "good", "1");
	mock_produce(&m, "cells", "bad", "2");
	mock_produce(&m, "cells", "good", "3");
	t = must_open(&m, &spec, 1);
	for (int64_t until = clock_mono_ms() + WAIT_MS; !tables_loaded(t) && clock_mono_ms() < until;)
		told |= tables_poll(t, 100, INT_MAX, &err) < 0;
	ck_assert(told);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_str_eq(err.msg, "cells offset 1: will not have bad");
	ck_assert_int_eq(s.nr, 2);
	ck_assert_str_eq(s.row[1].value, "3");
	ck_assert_uint_eq(tables_refused(t), 1);
	tables_free(t);
	t = must_open(&m, &spec, 1);
	must_load(t); /* goes on over it */
	ck_assert_int_eq(s.nr, 4);
	ck_assert_uint_eq(tables_refused(t), 1);
	tables_free(t);
	mock_fini(&m);
}
END_TEST

/* What ends the program is not hidden behind what comes after it in the same poll. */
START_TEST(fatal_comes_through)
{
	struct seen s = {.refuse = "bad"};
	const struct table_spec spec = {"cells", on_row, &s};
	struct err err = ERR_INIT;
	struct mock m;
	struct tables *t;
	int rc = 0;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	mock_produce(&m, "cells", "fatal", "1");
	mock_produce(&m, "cells", "bad", "2");
	t = must_open(&m, &spec, 1);
	for (int64_t until = clock_mono_ms() + WAIT_MS; rc >= 0 && clock_mono_ms() < until;)
		rc = tables_poll(t, 100, INT_MAX, &err);
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(err.kind, ERR_FATAL);
	tables_free(t);
	mock_fini(&m);
}
END_TEST

START_TEST(topic_is_missing)
{
	struct seen s = {0};
	const struct table_spec specs[] = {{"cells", on_row, &s}, {"sites", on_row, &s}};
	struct err err = ERR_INIT;
	struct tables *t;
	struct mock m;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	mock_topic(&m, "sites", 1);
	rd_kafka_mock_topic_set_error(m.cluster, "sites", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	t = tables_new(&m.program, specs, 2, &err);
	ck_assert_msg(t != NULL, "%s", err.msg);
	ck_assert_int_eq(tables_load(t, WAIT_MS, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_str_eq(err.msg, "topic sites does not exist: run millrace-ctl topics apply");
	rd_kafka_mock_topic_set_error(m.cluster, "sites", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_int_eq(tables_open(t, WAIT_MS, &err), -1);
	ck_assert_msg(strstr(err.msg, "sites: ") && strstr(err.msg, "authorization"), "%s", err.msg);
	ck_assert(!tables_opened(t));
	rd_kafka_mock_topic_set_error(m.cluster, "sites", RD_KAFKA_RESP_ERR_NO_ERROR);
	must_load(t); /* the same reader, once the topic is there */
	ck_assert(tables_opened(t));
	tables_free(t);
	mock_fini(&m);
}
END_TEST

START_TEST(topic_has_partitions)
{
	struct seen s = {0};
	const struct table_spec spec = {"cells", on_row, &s};
	struct err err = ERR_INIT;
	struct tables *t;
	struct mock m;

	mock_init(&m);
	mock_topic(&m, "cells", 3);
	t = tables_new(&m.program, &spec, 1, &err);
	ck_assert_msg(t != NULL, "%s", err.msg);
	ck_assert_int_eq(tables_open(t, WAIT_MS, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_str_eq(err.msg, "topic cells has 3 partitions, not 1");
	tables_free(t);
	mock_fini(&m);
}
END_TEST

/* No attempt takes longer than it may, all of them together log what one client has to say, and the end comes at once. No tables are
 * loaded either, as long as they are not open. */
START_TEST(nobody_there)
{
	struct seen s = {0};
	const struct table_spec spec = {"cells", on_row, &s};
	int64_t begun = clock_mono_ms();
	struct err err = ERR_INIT;
	char log[8192];
	struct program p;
	struct tables *t;

	program_make(&p, (const char *const[]){"kafka.bootstrap.servers=127.0.0.1:1", NULL});
	t = tables_new(&p, &spec, _i == 0 ? 1 : 0, &err);
	ck_assert_msg(t != NULL, "%s", err.msg);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(tables_open(t, 200, &err), -1);
		ck_assert_int_eq(err.kind, ERR_RETRY);
		ck_assert_msg(strstr(err.msg, "127.0.0.1:1") != NULL, "%s", err.msg);
		ck_assert_int_eq(tables_poll(t, 1000, INT_MAX, &err), 0);
		ck_assert(!tables_opened(t) && !tables_loaded(t));
		ck_assert_int_eq(tables_contact_mono_ms(t), 0);
	}
	tables_free(t);
	ck_assert_int_lt(clock_mono_ms() - begun, 10 * 200 + 1500);
	program_log(&p, log, sizeof(log));
	ck_assert_int_ge(count_of(log, "event=kafka_client"), 1);
	ck_assert_int_le(count_of(log, "event=kafka_client"), 2);
	program_unmake(&p);
	program_make(&p, (const char *const[]){NULL});
	ck_assert_ptr_null(tables_new(&p, &spec, 1, &err));
	ck_assert_int_eq(err.kind, ERR_REJECT);
	program_unmake(&p);
}
END_TEST

/* The time that tables_load() has is kept, and the reason told, when a topic cannot be read. */
START_TEST(load_has_a_deadline)
{
	struct seen s = {0};
	const struct table_spec spec = {"cells", on_row, &s};
	struct err err = ERR_INIT;
	struct mock m;
	struct tables *t;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	t = must_open(&m, &spec, 1);
	rd_kafka_mock_broker_set_down(m.cluster, 1);
	ck_assert_int_eq(tables_load(t, 300, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_msg(strncmp(err.msg, "1 of 1 tables not read to their end within 300 ms", 49) == 0, "%s", err.msg);
	rd_kafka_mock_broker_set_up(m.cluster, 1);
	must_load(t);
	tables_free(t);
	mock_fini(&m);
}
END_TEST

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

/* A program that polls only when it is woken misses nothing: not what came before it asked to be woken, nor when it takes one row at a
 * time. */
START_TEST(wakes_its_program)
{
	struct seen s = {0};
	const struct table_spec spec = {"cells", on_row, &s};
	struct err err = ERR_INIT;
	int fd = events_wake_fd(&err);
	struct mock m;
	struct tables *t;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	for (int i = 0; i < 5; i++)
		mock_queue(&m, "cells", "before", "0");
	mock_flush(&m);
	t = must_open(&m, &spec, 1);
	while (s.nr < 1)
		ck_assert_msg(tables_poll(t, 100, 1, &err) >= 0, "%s", err.msg);
	tables_wake_on(t, fd);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 5 && round > 0; i++)
			mock_produce(&m, "cells", "k", "v");
		while (s.nr < 5 + 5 * round) {
			ck_assert_msg(readable(fd, WAIT_MS), "asleep with %d rows in round %d", s.nr, round);
			events_read(fd);
			ck_assert_msg(tables_poll(t, 0, 1, &err) >= 0, "%s", err.msg);
		}
	}
	tables_wake_on(t, -1);
	tables_free(t);
	close(fd);
	mock_fini(&m);
}
END_TEST

/* Errors that pass: the table is read all the same, and no row twice. */
START_TEST(survives_request_errors)
{
	static const rd_kafka_resp_err_t passing[] = {
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
		RD_KAFKA_RESP_ERR__TRANSPORT, /* the broker hangs up */
	};
	struct seen s = {0};
	const struct table_spec spec = {"cells", on_row, &s};
	struct mock m;
	struct tables *t;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	mock_produce(&m, "cells", "a", "1");
	rd_kafka_mock_push_request_errors(m.cluster, API_LIST_OFFSETS, 2, passing[_i], passing[_i]);
	rd_kafka_mock_push_request_errors(m.cluster, API_FETCH, 2, passing[_i], passing[_i]);
	t = must_open(&m, &spec, 1);
	must_load(t);
	ck_assert_int_eq(s.nr, 1);
	rd_kafka_mock_push_request_errors(m.cluster, API_FETCH, 2, passing[_i], passing[_i]);
	mock_produce(&m, "cells", "b", "2");
	poll_until(t, &s, 2);
	ck_assert_int_eq(s.row[1].offset, 1);
	tables_free(t);
	mock_fini(&m);
}
END_TEST

/* A topic that lost its rows, or was made again, is not silently read from somewhere else. */
START_TEST(lost_rows_are_fatal)
{
	struct seen s = {0};
	const struct table_spec spec = {"cells", on_row, &s};
	struct err err = ERR_INIT;
	int rc = 0;
	struct mock m;
	struct tables *t;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	t = must_open(&m, &spec, 1);
	must_load(t);
	rd_kafka_mock_push_request_errors(m.cluster, API_FETCH, 1, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
	for (int64_t until = clock_mono_ms() + WAIT_MS; rc >= 0 && clock_mono_ms() < until;)
		rc = tables_poll(t, 100, INT_MAX, &err);
	ck_assert_int_eq(rc, -1);
	ck_assert_msg(err.kind == ERR_FATAL && strstr(err.msg, "topic cells was cut off or made again"), "%s", err.msg);
	tables_free(t);
	mock_fini(&m);
}
END_TEST

/* Contact moves while a broker answers, without any row; stands still while none does; and comes back with it. */
START_TEST(contact)
{
	struct seen s = {0};
	const struct table_spec spec = {"cells", on_row, &s};
	int64_t begun, at, down_at;
	struct err err = ERR_INIT;
	struct mock m;
	struct tables *t;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	begun = clock_mono_ms();
	t = must_open(&m, &spec, 1);
	must_load(t);
	at = tables_contact_mono_ms(t);
	ck_assert_int_ge(at, begun);
	ck_assert_int_le(at, clock_mono_ms());
	while (tables_contact_mono_ms(t) < at + 1500 && clock_mono_ms() < at + WAIT_MS)
		tables_poll(t, 100, INT_MAX, &err);
	ck_assert_int_ge(tables_contact_mono_ms(t), at + 1500);

	rd_kafka_mock_broker_set_down(m.cluster, 1);
	down_at = clock_mono_ms();
	while (clock_mono_ms() < down_at + 3000)
		tables_poll(t, 100, INT_MAX, &err);
	ck_assert_int_le(tables_contact_mono_ms(t), down_at + 1500); /* the last answers are counted within a second */

	rd_kafka_mock_broker_set_up(m.cluster, 1);
	while (tables_contact_mono_ms(t) < down_at + 3000 && clock_mono_ms() < down_at + WAIT_MS)
		tables_poll(t, 100, INT_MAX, &err);
	ck_assert_int_ge(tables_contact_mono_ms(t), down_at + 3000);
	mock_produce(&m, "cells", "back", "1");
	poll_until(t, &s, 1);
	tables_free(t);
	mock_fini(&m);
}
END_TEST

/* A table as a program keeps one: the last value of each key. */
enum { MODEL_KEYS = 40, MODEL_STEPS = 1500 };

struct model {
	int value[MODEL_KEYS]; /* 0: not there */
};

static int on_model_row(void *ctx, const struct table_row *row, struct err *err)
{
	struct model *model = ctx;
	char text[16];

	(void)err;
	snprintf(text, sizeof(text), STR_FMT, STR_ARG(row->key));
	int key = (int)strtol(text, NULL, 10);

	snprintf(text, sizeof(text), STR_FMT, (int)row->value.len, row->value.p ? row->value.p : "");
	model->value[key] = row->value.p ? (int)strtol(text, NULL, 10) : 0;
	return 0;
}

/* Random writes and deletions, half before the start and half after it, end in the table that was written. */
START_TEST(random_table)
{
	struct unit_random r = unit_random_new("random_table");
	struct model expected = {{0}}, got = {{0}};
	const struct table_spec spec = {"cells", on_model_row, &got};
	struct err err = ERR_INIT;
	struct tables *t = NULL;
	struct mock m;

	mock_init(&m);
	mock_topic(&m, "cells", 1);
	for (int step = 1; step <= MODEL_STEPS; step++) {
		int key = (int)unit_random_below(&r, MODEL_KEYS);
		bool deletion = unit_random_below(&r, 4) == 0;
		char k[16], v[16];

		snprintf(k, sizeof(k), "%d", key);
		snprintf(v, sizeof(v), "%d", step);
		mock_queue(&m, "cells", k, deletion ? NULL : v);
		expected.value[key] = deletion ? 0 : step;
		if (step == MODEL_STEPS / 2) {
			mock_flush(&m);
			t = must_open(&m, &spec, 1);
			must_load(t);
			ck_assert_mem_eq(&got, &expected, sizeof(got));
		}
	}
	for (int64_t until = clock_mono_ms() + WAIT_MS; memcmp(&got, &expected, sizeof(got)) != 0 && clock_mono_ms() < until;)
		tables_poll(t, 100, 7, &err);
	ck_assert_mem_eq(&got, &expected, sizeof(got));
	tables_free(t);
	mock_fini(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, reads_to_the_end);
	tcase_add_test(tc, one_topic_is_late);
	tcase_add_test(tc, no_tables_are_loaded);
	tcase_add_test(tc, deletions);
	tcase_add_test(tc, refused_rows);
	tcase_add_test(tc, fatal_comes_through);
	tcase_add_test(tc, topic_is_missing);
	tcase_add_test(tc, topic_has_partitions);
	tcase_add_loop_test(tc, nobody_there, 0, 2);
	tcase_add_test(tc, load_has_a_deadline);
	tcase_add_test(tc, wakes_its_program);
	tcase_add_loop_test(tc, survives_request_errors, 0, 3);
	tcase_add_test(tc, lost_rows_are_fatal);
	tcase_add_test(tc, contact);
	tcase_add_test(tc, random_table);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
