/* test_report.c - heartbeats, notices and dead letters against the mock cluster, read back by a plain consumer. */
#include "common/report.h"

#include "common/build.h"
#include "common/clock.h"
#include "tests/unit/common/kafka_mock.h"

enum { WAIT_MS = 20000 };

/* A reporter with all it needs. */
struct fixture {
	struct mock m;
	struct metrics *metrics;
	struct admin *admin;
	struct report *report;
	struct arena arena;
};

static void setup_cluster(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	mock_init(&f->m);
	mock_topic(&f->m, "millrace.heartbeats", 1);
	mock_topic(&f->m, "millrace.notices", 1);
	mock_topic(&f->m, "millrace.deadletter", 1);
}

static void setup_report(struct fixture *f, const char *cell)
{
	struct err err = ERR_INIT;

	f->metrics = metrics_new("millrace-test");
	f->admin = admin_new("", f->metrics, &err);
	ck_assert_msg(f->metrics && f->admin, "%s", err.msg);
	f->report = report_new(&f->m.program, f->admin, cell, &err);
	ck_assert_msg(f->report != NULL, "%s", err.msg);
}

static void setup(struct fixture *f, const char *cell)
{
	setup_cluster(f);
	setup_report(f, cell);
}

static void teardown(struct fixture *f)
{
	report_free(f->report, 5000);
	arena_fini(&f->arena);
	admin_free(f->admin);
	metrics_free(f->metrics);
	mock_fini(&f->m);
}

/* A plain consumer at the beginning of a topic's partition 0. */
struct reader {
	rd_kafka_t *rk;
	rd_kafka_topic_t *topic;
};

static void reader_open(struct reader *rd, const struct mock *m, const char *topic)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(m->cluster), NULL, 0);
	rd->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	ck_assert_ptr_nonnull(rd->rk);
	rd->topic = rd_kafka_topic_new(rd->rk, topic, NULL);
	ck_assert_int_eq(rd_kafka_consume_start(rd->topic, 0, RD_KAFKA_OFFSET_BEGINNING), 0);
}

static void reader_close(struct reader *rd)
{
	rd_kafka_consume_stop(rd->topic, 0);
	rd_kafka_topic_destroy(rd->topic);
	rd_kafka_destroy(rd->rk);
}

/* The next record, while f's reporter is polled; NULL after wait_ms without one. */
static rd_kafka_message_t *reader_next(struct reader *rd, struct fixture *f, int wait_ms)
{
	for (int64_t until = clock_mono_ms() + wait_ms; clock_mono_ms() < until;) {
		rd_kafka_message_t *message;

		if (f->report)
			report_poll(f->report, NULL, 0);
		message = rd_kafka_consume(rd->topic, 0, 20);
		if (message && !message->err)
			return message;
		if (message)
			rd_kafka_message_destroy(message);
	}
	return NULL;
}

static struct str value_of(const rd_kafka_message_t *message)
{
	return (struct str){message->payload, message->len};
}

static void assert_str(struct str got, const char *expected)
{
	ck_assert_msg(str_eq(got, str_from(expected)), "'" STR_FMT "' is not '%s'", STR_ARG(got), expected);
}

/* Takes the next heartbeat of the topic. */
static void next_beat(struct reader *rd, struct fixture *f, struct heartbeat *beat, rd_kafka_message_t **message)
{
	struct err err = ERR_INIT;

	*message = reader_next(rd, f, WAIT_MS);
	ck_assert_ptr_nonnull(*message);
	ck_assert_msg(heartbeat_decode(value_of(*message), &f->arena, beat, &err) == 0, "%s", err.msg);
}

START_TEST(heartbeat_says_who_and_how)
{
	const struct figure figures[] = {{STR("inflight_bytes"), 12.5}, {STR("lag_records"), 0}};
	rd_kafka_message_t *message;
	struct heartbeat beat;
	struct fixture f;
	struct reader rd;

	setup(&f, "eu-1");
	f.m.program.clock = (struct clock){.test = true, .start_ms = 5000000, .real_ms = clock_wall_ms(), .speed = 1};
	f.m.program.common.memory_budget_bytes = 123456789;
	reader_open(&rd, &f.m, "millrace.heartbeats");
	report_poll(f.report, figures, NR(figures));
	next_beat(&rd, &f, &beat, &message);
	assert_str((struct str){message->key, message->key_len}, "millrace-test/one");
	assert_str(beat.program, "millrace-test");
	assert_str(beat.instance, "one");
	assert_str(beat.host, "host-1");
	assert_str(beat.build, build_version());
	assert_str(beat.admin, "");
	ck_assert(beat.has_cell);
	assert_str(beat.cell, "eu-1");
	ck_assert_int_eq(beat.started_at, f.m.program.started_ms);
	ck_assert(beat.sent_at >= 5000000 && beat.sent_at < 5000000 + WAIT_MS);
	ck_assert_int_eq(beat.interval_ms, 60000);
	ck_assert(!beat.ready);
	ck_assert_uint_eq(beat.figures_len, 4);
	assert_str(beat.figures[0].key, "inflight_bytes");
	ck_assert_double_eq(beat.figures[0].value, 12.5);
	assert_str(beat.figures[1].key, "lag_records");
	assert_str(beat.figures[2].key, "memory_bytes");
	ck_assert(beat.figures[2].value > 1e6 && beat.figures[2].value < 1e12);
	assert_str(beat.figures[3].key, "memory_budget_bytes");
	ck_assert_double_eq(beat.figures[3].value, 123456789);
	rd_kafka_message_destroy(message);
	ck_assert_ptr_null(reader_next(&rd, &f, 300)); /* none before it is due */
	reader_close(&rd);
	ck_assert_uint_eq(report_unsent(f.report), 0);
	teardown(&f);
}
END_TEST

/* One beat an interval, with the readiness of its moment; the last one, sent at the end, is never ready. */
START_TEST(heartbeats_follow_readiness)
{
	rd_kafka_message_t *message;
	struct heartbeat beat;
	struct fixture f;
	struct reader rd;
	int64_t begun;

	setup(&f, NULL);
	f.m.program.common.heartbeat_interval_ms = 250;
	admin_set_ready(f.admin, true, NULL);
	reader_open(&rd, &f.m, "millrace.heartbeats");
	begun = clock_mono_ms();
	for (int i = 0; i < 3; i++) {
		next_beat(&rd, &f, &beat, &message);
		ck_assert(beat.ready);
		ck_assert(!beat.has_cell);
		rd_kafka_message_destroy(message);
	}
	ck_assert_int_ge(clock_mono_ms() - begun, 500);
	report_free(f.report, 5000);
	f.report = NULL;
	do {
		next_beat(&rd, &f, &beat, &message);
		rd_kafka_message_destroy(message);
	} while (beat.ready);
	ck_assert_ptr_null(reader_next(&rd, &f, 200));
	reader_close(&rd);
	teardown(&f);
}
END_TEST

/* A change of the controls does not wait for the interval, and what the caller held is copied. */
START_TEST(heartbeats_acknowledge_controls)
{
	char first[] = "ingest/close", second[] = "ingest/close/site=\xff";
	const struct str ids[] = {str_from(first), str_from(second)};
	rd_kafka_message_t *message;
	struct err err = ERR_INIT;
	struct heartbeat beat;
	struct fixture f;
	struct reader rd;

	setup(&f, NULL); /* an interval of a minute */
	reader_open(&rd, &f.m, "millrace.heartbeats");
	next_beat(&rd, &f, &beat, &message);
	ck_assert_uint_eq(beat.controls_len, 0);
	rd_kafka_message_destroy(message);
	ck_assert_msg(report_set_controls(f.report, ids, NR(ids), &err) == 0, "%s", err.msg);
	first[0] = second[0] = 'X';
	next_beat(&rd, &f, &beat, &message);
	ck_assert_uint_eq(beat.controls_len, 2);
	assert_str(beat.controls[0], "ingest/close");
	assert_str(beat.controls[1], "ingest/close/site=?");
	rd_kafka_message_destroy(message);
	ck_assert_ptr_null(reader_next(&rd, &f, 300));
	ck_assert_int_eq(report_set_controls(f.report, ids, NR(ids), &err), 0); /* set again, for longer perhaps */
	next_beat(&rd, &f, &beat, &message);
	assert_str(beat.controls[0], "Xngest/close");
	rd_kafka_message_destroy(message);
	ck_assert_int_eq(report_set_controls(f.report, NULL, 0, &err), 0);
	next_beat(&rd, &f, &beat, &message);
	ck_assert_uint_eq(beat.controls_len, 0);
	rd_kafka_message_destroy(message);
	reader_close(&rd);
	teardown(&f);
}
END_TEST

/* A field that a notice has a place of its own for goes there, before what the reporter knows of itself. */
START_TEST(notices_of_somebody)
{
	const struct tag fields[] = {{STR("author"), STR("ann")}, {STR("cell"), STR("eu")}, {STR("site"), STR("")}};
	rd_kafka_message_t *message;
	struct err err = ERR_INIT;
	struct notice notice;
	struct fixture f;
	struct reader rd;

	setup(&f, "main");
	reader_open(&rd, &f.m, "millrace.notices");
	report_notice(f.report, SEVERITY_WARNING, "control_set", "closed", fields, NR(fields));
	message = reader_next(&rd, &f, WAIT_MS);
	ck_assert_ptr_nonnull(message);
	ck_assert_msg(notice_decode(value_of(message), &f.arena, &notice, &err) == 0, "%s", err.msg);
	ck_assert(notice.has_author && notice.has_cell && !notice.has_site);
	assert_str(notice.author, "ann");
	assert_str(notice.cell, "eu");
	ck_assert_uint_eq(notice.fields_len, 3);
	rd_kafka_message_destroy(message);
	reader_close(&rd);
	teardown(&f);
}
END_TEST

START_TEST(notices)
{
	const struct tag fields[] = {{STR("site"), STR("s-17")}, {STR("dropped"), {"caf\xc3", 4}}};
	rd_kafka_message_t *message;
	struct err err = ERR_INIT;
	struct notice notice;
	struct fixture f;
	struct reader rd;

	setup(&f, "main");
	reader_open(&rd, &f.m, "millrace.notices");
	report_notice(f.report, SEVERITY_ALARM, "series_overflow", "too many s\xc3\xa9ries", fields, NR(fields));
	report_notice(f.report, SEVERITY_INFO, "cut", "cut inside a letter: \xc3", NULL, 0);
	message = reader_next(&rd, &f, WAIT_MS);
	ck_assert_ptr_nonnull(message);
	ck_assert_msg(notice_decode(value_of(message), &f.arena, &notice, &err) == 0, "%s", err.msg);
	assert_str(notice.program, "millrace-test");
	assert_str(notice.instance, "one");
	ck_assert_int_eq(notice.severity, SEVERITY_ALARM);
	assert_str(notice.event, "series_overflow");
	assert_str(notice.text, "too many s\xc3\xa9ries");
	assert_str(notice.cell, "main");
	ck_assert(notice.has_site && !notice.has_author);
	assert_str(notice.site, "s-17");
	ck_assert_uint_eq(notice.fields_len, 2);
	assert_str(notice.fields[1].value, "caf?");
	ck_assert(llabs(notice.at - clock_wall_ms()) < WAIT_MS);
	rd_kafka_message_destroy(message);
	message = reader_next(&rd, &f, WAIT_MS);
	ck_assert_ptr_nonnull(message);
	ck_assert_msg(notice_decode(value_of(message), &f.arena, &notice, &err) == 0, "%s", err.msg);
	assert_str(notice.text, "cut inside a letter: ?");
	ck_assert(!notice.has_site);
	rd_kafka_message_destroy(message);
	reader_close(&rd);
	teardown(&f);
}
END_TEST

/* What became of dead letters. */
struct outcome {
	int ok, failed;
	char error[128];
};

static void on_done(void *ctx, bool ok, const char *error)
{
	struct outcome *o = ctx;

	*(ok ? &o->ok : &o->failed) += 1;
	snprintf(o->error, sizeof(o->error), "%s", error);
}

/* Polls until n letters have ended. */
static void poll_until_done(struct fixture *f, const struct outcome *o, int n)
{
	for (int64_t until = clock_mono_ms() + WAIT_MS; o->ok + o->failed < n && clock_mono_ms() < until; usleep(5000))
		report_poll(f->report, NULL, 0);
	ck_assert_int_eq(o->ok + o->failed, n);
}

/* A record of the mock cluster with two headers, as a consumer sees it. */
static rd_kafka_message_t *poison(struct fixture *f, struct reader *rd, const char *key, const char *value)
{
	rd_kafka_message_t *message;
	rd_kafka_resp_err_t code;

	mock_topic(&f->m, "source", 1);
	code = rd_kafka_producev(f->m.rk, RD_KAFKA_V_TOPIC("source"), RD_KAFKA_V_PARTITION(0),
				 RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
				 RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value ? strlen(value) : 0), RD_KAFKA_V_HEADER("h1", "v1", 2),
				 RD_KAFKA_V_HEADER("h\xff", NULL, 0), RD_KAFKA_V_END);
	ck_assert_int_eq(code, 0);
	mock_flush(&f->m);
	reader_open(rd, &f->m, "source");
	message = reader_next(rd, f, WAIT_MS);
	ck_assert_ptr_nonnull(message);
	return message;
}

START_TEST(deadletter_holds_the_record)
{
	rd_kafka_message_t *message, *stored;
	struct outcome outcome = {0};
	struct dead_letter letter;
	struct err err = ERR_INIT;
	struct reader source, rd;
	struct fixture f;

	setup(&f, "main");
	message = poison(&f, &source, "k\xff", "\x01\xfe value");
	ck_assert_int_eq(report_deadletter_fill(&f.m.program, message, -77, "bad_record", "byte \xfe", &f.arena, &letter, &err), 0);
	ck_assert_msg(report_deadletter(f.report, &letter, on_done, &outcome, &err) == 0, "%s", err.msg);
	memset(&letter, 0xaa, sizeof(letter)); /* it was copied */
	rd_kafka_message_destroy(message);
	reader_close(&source);
	ck_assert_int_eq(outcome.ok + outcome.failed, 0); /* only ever from report_poll() */
	poll_until_done(&f, &outcome, 1);
	ck_assert_int_eq(outcome.ok, 1);
	ck_assert_str_eq(outcome.error, "");

	reader_open(&rd, &f.m, "millrace.deadletter");
	stored = reader_next(&rd, &f, WAIT_MS);
	ck_assert_ptr_nonnull(stored);
	ck_assert_msg(dead_letter_decode(value_of(stored), &f.arena, &letter, &err) == 0, "%s", err.msg);
	assert_str(letter.topic, "source");
	ck_assert_int_eq(letter.epoch, -77);
	ck_assert_int_eq(letter.partition, 0);
	ck_assert_int_eq(letter.offset, 0);
	assert_str(letter.code, "bad_record");
	assert_str(letter.reason, "byte ?");
	assert_str(letter.program, "millrace-test");
	assert_str(letter.build, build_version());
	ck_assert(letter.has_key && letter.has_value);
	assert_str(letter.key, "k\xff");
	assert_str(letter.value, "\x01\xfe value");
	ck_assert_uint_eq(letter.headers_len, 2);
	assert_str(letter.headers[0].name, "h1");
	assert_str(letter.headers[0].value, "v1");
	assert_str(letter.headers[1].name, "h?");
	ck_assert(letter.headers[0].has_value && !letter.headers[1].has_value);
	rd_kafka_message_destroy(stored);
	reader_close(&rd);
	teardown(&f);
}
END_TEST

START_TEST(deadletter_of_little)
{
	rd_kafka_message_t *message;
	struct dead_letter letter;
	struct err err = ERR_INIT;
	struct reader source;
	struct fixture f;

	setup(&f, "main");
	message = poison(&f, &source, NULL, NULL);
	ck_assert_int_eq(report_deadletter_fill(&f.m.program, message, 1, "c", "r", &f.arena, &letter, &err), 0);
	ck_assert(!letter.has_key && !letter.has_value);
	f.arena.limit_bytes = 1; /* memory is short */
	letter.offset = 4711;
	ck_assert_int_eq(report_deadletter_fill(&f.m.program, message, 1, "c", "r", &f.arena, &letter, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FATAL);
	ck_assert_int_eq(letter.offset, 4711); /* results only on success */
	rd_kafka_message_destroy(message);
	reader_close(&source);
	teardown(&f);
}
END_TEST

static const struct dead_letter small_letter = {
	.topic = {"t", 1}, .code = {"c", 1}, .reason = {"r", 1}, .program = {"p", 1}, .build = {"b", 1},
};

/* Passing errors are retried below us; a refusal ends the letter, and the program goes on. */
START_TEST(deadletter_errors)
{
	struct outcome outcome = {0};
	struct err err = ERR_INIT;
	struct fixture f;

	setup(&f, "main");
	report_poll(f.report, NULL, 0);
	rd_kafka_mock_push_request_errors(f.m.cluster, API_PRODUCE, 2, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
					  RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(report_deadletter(f.report, &small_letter, on_done, &outcome, &err), 0);
	poll_until_done(&f, &outcome, 1);
	ck_assert_int_eq(outcome.ok, 1);
	rd_kafka_mock_push_request_errors(f.m.cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_int_eq(report_deadletter(f.report, &small_letter, on_done, &outcome, &err), 0);
	poll_until_done(&f, &outcome, 2);
	ck_assert_int_eq(outcome.failed, 1);
	ck_assert_msg(strstr(outcome.error, "authorization") != NULL, "%s", outcome.error);
	ck_assert_uint_eq(report_unsent(f.report), 1);
	teardown(&f);
}
END_TEST

/* Compressed, a record of any size goes through a topic; its letter is cut rather than refused, or its partition would wait for ever. */
START_TEST(deadletter_too_large)
{
	struct dead_letter large = small_letter, got;
	struct outcome outcome = {0};
	struct header headers[2] = {{.name = {"h", 1}}, {.name = {"big", 3}, .has_value = true}};
	rd_kafka_message_t *stored;
	struct err err = ERR_INIT;
	struct reader rd;
	struct fixture f;
	size_t len = 5 << 20;
	char *bytes = calloc(1, len);

	setup(&f, "main");
	ck_assert_ptr_nonnull(bytes);
	bytes[0] = 'x';
	large.has_key = large.has_value = true;
	large.value = large.key = headers[1].value = (struct str){bytes, len};
	large.headers = headers;
	large.headers_len = 2;
	ck_assert_msg(report_deadletter(f.report, &large, on_done, &outcome, &err) == 0, "%s", err.msg);
	large.value.len = 1000000; /* as large as a record may be: it fits with all that is added */
	large.key.len = headers[1].value.len = 400000;
	ck_assert_msg(report_deadletter(f.report, &large, on_done, &outcome, &err) == 0, "%s", err.msg);
	poll_until_done(&f, &outcome, 2);
	ck_assert_int_eq(outcome.ok, 2);
	reader_open(&rd, &f.m, "millrace.deadletter");
	for (int i = 0; i < 2; i++) {
		stored = reader_next(&rd, &f, WAIT_MS);
		ck_assert_ptr_nonnull(stored);
		ck_assert_msg(dead_letter_decode(value_of(stored), &f.arena, &got, &err) == 0, "%s", err.msg);
		assert_str(got.code, i == 0 ? REPORT_CUT_CODE : "c");
		assert_str(got.reason, i == 0 ? "c: r (its 5242880 bytes are cut, its headers left out)" : "r");
		ck_assert_uint_eq(got.headers_len, i == 0 ? 0 : 2);
		ck_assert(got.value.len == 1000000 && got.value.p[0] == 'x' && got.key.len == (i == 0 ? 500000 : 400000));
		rd_kafka_message_destroy(stored);
	}
	reader_close(&rd);
	free(bytes);
	teardown(&f);
}
END_TEST

/* With nobody there the queue fills, says so, and at the end every letter that was taken is given back once: soon, however long the
 * end may take, and without a warning of librdkafka about what was left in the queue. */
START_TEST(deadletters_with_nobody_there)
{
	struct outcome outcome = {0};
	struct err err = ERR_INIT;
	char log[8192];
	int64_t begun;
	int taken = 0;
	struct fixture f;

	setup(&f, "main");
	report_poll(f.report, NULL, 0);
	rd_kafka_mock_broker_set_down(f.m.cluster, 1);
	while (taken < 100000 && report_deadletter(f.report, &small_letter, on_done, &outcome, &err) == 0)
		taken++;
	ck_assert_int_ge(taken, 900);
	ck_assert_int_le(taken, 1000);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_msg(strstr(err.msg, "millrace.deadletter") != NULL, "%s", err.msg);
	report_notice(f.report, SEVERITY_INFO, "lost", "nobody will read this", NULL, 0);
	ck_assert_uint_eq(report_unsent(f.report), 1);
	ck_assert_int_eq(outcome.ok + outcome.failed, 0);
	begun = clock_mono_ms();
	report_free(f.report, WAIT_MS);
	f.report = NULL;
	ck_assert_int_lt(clock_mono_ms() - begun, 2000);
	ck_assert_int_eq(outcome.ok, 0);
	ck_assert_int_eq(outcome.failed, taken);
	ck_assert_str_eq(outcome.error, "the program ends");
	ck_assert_int_eq(count_of(program_log(&f.m.program, log, sizeof(log)), "TERMINATE"), 0);
	teardown(&f);
}
END_TEST

/* A client that broke for good is replaced: the letter in it is given back, the next one goes out. */
START_TEST(broken_client_is_replaced)
{
	struct outcome outcome = {0};
	struct err err = ERR_INIT;
	struct fixture f;

	setup_cluster(&f); /* the error must wait there before the client asks for its id */
	rd_kafka_mock_push_request_errors(f.m.cluster, API_INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
	rd_kafka_mock_broker_set_rtt(f.m.cluster, 1, 500); /* and comes back only when the letter is in the client */
	setup_report(&f, "main");
	ck_assert_int_eq(report_deadletter(f.report, &small_letter, on_done, &outcome, &err), 0);
	rd_kafka_mock_broker_set_rtt(f.m.cluster, 1, 0);
	poll_until_done(&f, &outcome, 1);
	ck_assert_int_eq(outcome.failed, 1);
	ck_assert_msg(report_deadletter(f.report, &small_letter, on_done, &outcome, &err) == 0, "%s", err.msg);
	poll_until_done(&f, &outcome, 2);
	ck_assert_int_eq(outcome.ok, 1);
	teardown(&f);
}
END_TEST

/* The user's sizes are for the data's producer; what makes a dead letter safe cannot be changed. */
START_TEST(settings)
{
	struct metrics *metrics = metrics_new("millrace-test");
	struct err err = ERR_INIT;
	struct admin *admin = admin_new("", metrics, &err);
	struct program p;
	struct report *r;

	program_make(&p, (const char *const[]){"kafka.bootstrap.servers=127.0.0.1:1", "kafka.acks=1", NULL});
	ck_assert_ptr_null(report_new(&p, admin, NULL, &err));
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, "kafka.acks") != NULL, "%s", err.msg);
	program_unmake(&p);
	program_make(&p, (const char *const[]){"kafka.bootstrap.servers=127.0.0.1:1", "kafka.message.timeout.ms=5000", NULL});
	r = report_new(&p, admin, NULL, &err);
	ck_assert_msg(r != NULL, "%s", err.msg);
	report_free(r, 0);
	report_free(NULL, 0);
	program_unmake(&p);
	admin_free(admin);
	metrics_free(metrics);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report");
	TCase *tc = tcase_create("report");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, heartbeat_says_who_and_how);
	tcase_add_test(tc, heartbeats_follow_readiness);
	tcase_add_test(tc, heartbeats_acknowledge_controls);
	tcase_add_test(tc, notices);
	tcase_add_test(tc, notices_of_somebody);
	tcase_add_test(tc, deadletter_holds_the_record);
	tcase_add_test(tc, deadletter_of_little);
	tcase_add_test(tc, deadletter_errors);
	tcase_add_test(tc, deadletter_too_large);
	tcase_add_test(tc, deadletters_with_nobody_there);
	tcase_add_test(tc, broken_client_is_replaced);
	tcase_add_test(tc, settings);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
