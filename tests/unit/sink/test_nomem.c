/* test_nomem.c - the sink when memory is short in the middle: ERR_FATAL, since what is counted in a ledger must be counted whole, no dead letter of a good
 * record, and every message given back to Kafka's client, which does not end otherwise. Each operation is walked (tests/unit/fail_alloc.h). */
#include "sink/mongo/reader.h"

#include "common/events.h"
#include "sink/mongo/alert_document.h"
#include "sink/mongo/exemplar_document.h"
#include "sink/mongo/incident_document.h"
#include "sink/mongo/letters.h"
#include "tests/unit/common/kafka_mock.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/sink/alerts.h"

#define TOPIC "millrace.c.main.minutely"

enum { RECORDS = 400, PATIENCE_MS = 20000 };

static struct aggregate sample(void)
{
	static struct tag tags[] = {{{"route", 5}, {"/a", 2}}};
	static int64_t counts[100];
	struct aggregate a = {.epoch = 7, .site = STR("shop"), .kind = SERIES_KIND_DISTRIBUTION, .name = STR("m"), .tags = tags, .tags_len = 1,
			      .window_start = 1795372020000, .window_ms = 60000, .count = NR(counts), .sum = 300, .has_min = true, .min = 1,
			      .has_max = true, .max = 12, .has_last = true, .last = 1, .last_at = 1795372020001, .has_histogram = true};

	for (size_t i = 0; i < NR(counts); i++)
		counts[i] = 1;
	a.histogram = (struct histogram){.scale = 5, .offset = 0, .counts = counts, .counts_len = NR(counts)};
	return a;
}

START_TEST(a_document_is_whole_or_not_there)
{
	static const struct document_origin origin = {7, 1, 9};
	const struct aggregate a = sample();

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct document_maker m;
		struct err err = ERR_INIT;
		const bson_t *doc;
		bool failed;

		fail_walk_begin(&w);
		document_maker_init(&m);
		doc = document_build(&m, &a, 60000, &origin, &err);
		failed = fail_walk_end(&w);
		ck_assert_int_eq(doc == NULL, failed);
		ck_assert(doc || err.kind == ERR_FATAL);
		ck_assert_msg(!failed || !m.doc || document_build(&m, &a, 60000, &origin, &err), "%s", err.msg); /* the next one */
		document_maker_fini(&m);
	}
}
END_TEST

START_TEST(an_exemplar_likewise)
{
	static const struct document_origin origin = {7, 1, 9};
	struct unit_random random = unit_random_new("an_exemplar_likewise");
	struct arena arena = ARENA_INIT;
	struct exemplar x = exemplar_random(&random, &arena, (unsigned)_i);
	struct tag odd[] = {{STR("$a"), STR("1")}, {STR("b\0"), STR("2")}};

	x.event.error.params = odd; /* keys that are not written as they are */
	x.event.error.params_len = NR(odd);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct document_maker m;
		struct err err = ERR_INIT;
		const bson_t *doc;
		bool failed;

		fail_walk_begin(&w);
		document_maker_init(&m);
		doc = exemplar_document_build(&m, &x, &origin, &err);
		failed = fail_walk_end(&w);
		ck_assert_int_eq(doc == NULL, failed);
		ck_assert(doc || err.kind == ERR_FATAL);
		document_maker_fini(&m);
	}
	arena_fini(&arena);
}
END_TEST

/* [0] an alert, [1] an incident. */
START_TEST(alerts_likewise)
{
	static const struct document_origin origin = {7, 1, 9};
	struct unit_random random = unit_random_new("alerts_likewise");
	struct arena arena = ARENA_INIT;
	struct alert_event e = alerts_event(&random, &arena);
	struct incident n = alerts_incident(&random, &arena);

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct document_maker m;
		struct err err = ERR_INIT;
		const bson_t *doc;
		bool failed;

		fail_walk_begin(&w);
		document_maker_init(&m);
		doc = _i ? incident_document_build(&m, &n, &origin, &err) : alert_document_build(&m, &e, &origin, &err);
		failed = fail_walk_end(&w);
		ck_assert_int_eq(doc == NULL, failed);
		ck_assert(doc || err.kind == ERR_FATAL);
		document_maker_fini(&m);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(a_batch_keeps_what_it_has)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct batch *b;
		struct err err = ERR_INIT;
		size_t added = 0, spans = 0;
		bool failed;

		fail_walk_begin(&w);
		b = batch_new(SINK_IN_MINUTELY, 1, &err);
		for (int i = 0; b && i < 30; i++)
			spans += batch_add_span(b, &(struct batch_span){.partition = i}, &err) >= 0;
		for (int i = 0; spans && i < 300; i++)
			added += batch_add(b, 0, NULL, STR("document"), &err) >= 0;
		if (added)
			batch_condemn(b, 0, "code", "why");
		failed = fail_walk_end(&w);
		ck_assert(failed ? !b || added < 300 || spans < 30 || b->entries[0].reason[0] == '\0' : added == 300 && spans == 30);
		if (b) {
			ck_assert(b->len == added && b->nr_spans == spans && b->pending == added - (added ? 1 : 0));
			for (size_t i = 0; i < added; i++)
				ck_assert_mem_eq(b->documents.p + b->entries[i].doc_at, "document", 8);
		}
		batch_free(b);
	}
}
END_TEST

START_TEST(tables_and_ledgers)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct partitions *parts = calloc(1, sizeof(*parts));
		struct partition *part;
		struct err err = ERR_INIT;
		uint64_t id;
		bool done = false, failed;

		fail_walk_begin(&w);
		part = partitions_get(parts, SINK_HOURLY, 3, &err);
		if (part) {
			partition_assign(part);
			partition_begin(part, 5);
			done = ledger_open(&part->ledger, &id, &err) == 0;
		}
		failed = fail_walk_end(&w);
		ck_assert(done == !failed && (done || err.kind == ERR_FATAL));
		ck_assert(partitions_get(parts, SINK_HOURLY, 3, &err) && (!part || ledger_balanced(&part->ledger)));
		partitions_fini(parts);
		free(parts);
	}
}
END_TEST

/* style: the function that is replaced takes no context */
static unsigned destroyed;

void __real_rd_kafka_message_destroy(rd_kafka_message_t *m);
void __wrap_rd_kafka_message_destroy(rd_kafka_message_t *m);
void __wrap_rd_kafka_message_destroy(rd_kafka_message_t *m)
{
	destroyed++;
	__real_rd_kafka_message_destroy(m);
}

/* A reader with all it needs, and a consumer of its own of real messages. No database is there: writers keep what they are given. */
struct room {
	struct mock mock;
	struct clock clock;
	struct sink_conf conf;
	struct metrics *metrics;
	struct meters meters;
	struct admin *admin;
	struct controls *controls;
	struct database *db;
	rd_kafka_t *consumer;
	rd_kafka_topic_t *topic;
	int wake_fd;
};

static void room_init(struct room *r)
{
	static char uri[] = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100", name[] = "test";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	struct err err = ERR_INIT;

	*r = (struct room){.conf = {.mongo_uri = uri, .mongo_database = name, .wtimeout_ms = 100, .writers = 1, .batch_documents = 1000,
				    .batch_bytes = 1 << 20, .batch_age_ms = 60000, .latency_target_ms = 200, .inflight_bytes = 1 << 20,
				    .retention_ms = {86400000, 86400000}}};
	mock_init(&r->mock);
	r->mock.program.log.level = LOG_LEVEL_ERROR;
	mock_topic(&r->mock, TOPIC, 1);
	mock_topic(&r->mock, "millrace.deadletter", 1);
	mock_topic(&r->mock, "millrace.notices", 1);
	mock_topic(&r->mock, "millrace.heartbeats", 1);
	r->metrics = metrics_new("test");
	meters_init(&r->meters, r->metrics, "main");
	r->admin = admin_new("", r->metrics, &err);
	r->controls = controls_new(&r->clock, CONTROL_PROGRAM_SINK, &err);
	r->wake_fd = events_wake_fd(&err);
	r->db = database_new(&r->conf, &r->mock.program.log, &err);
	ck_assert_msg(r->db != NULL, "%s", err.msg);
	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(r->mock.cluster), NULL, 0);
	r->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	r->topic = rd_kafka_topic_new(r->consumer, TOPIC, NULL);
	ck_assert_int_eq(rd_kafka_consume_start(r->topic, 0, RD_KAFKA_OFFSET_BEGINNING), 0);
}

static void room_fini(struct room *r)
{
	rd_kafka_consume_stop(r->topic, 0);
	rd_kafka_topic_destroy(r->topic);
	rd_kafka_destroy(r->consumer);
	database_free(r->db);
	controls_free(r->controls);
	admin_free(r->admin);
	metrics_free(r->metrics);
	close(r->wake_fd);
	mock_fini(&r->mock);
}

/* Good records, such as cannot be decoded, exemplars, alerts, or incidents. */
static void fill_topic(struct room *r, int way)
{
	struct unit_random random = unit_random_new("fill_topic");
	struct arena arena = ARENA_INIT;
	struct exemplar x = exemplar_random(&random, &arena, 0);
	struct aggregate a = sample();
	struct buf value = BUF_INIT;
	struct alert_event e = alerts_event(&random, &arena);
	struct incident n = alerts_incident(&random, &arena);

	ck_assert_int_eq(way == 2 ? exemplar_encode(&x, &value, NULL)
			 : way == 3 ? alert_event_encode(&e, &value, NULL)
			 : way == 4 ? incident_encode(&n, &value, NULL)
				    : aggregate_encode(&a, &value, NULL), 0);
	arena_fini(&arena);
	for (int i = 0; i < RECORDS; i++)
		ck_assert_int_eq(rd_kafka_producev(r->mock.rk, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(0),
						   RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
						   RD_KAFKA_V_VALUE(value.p, way == 1 ? 20 : value.len), RD_KAFKA_V_END),
				 RD_KAFKA_RESP_ERR_NO_ERROR);
	mock_flush(&r->mock);
	buf_fini(&value);
}

static rd_kafka_message_t *next_message(struct room *r)
{
	rd_kafka_message_t *m = rd_kafka_consume(r->topic, 0, PATIENCE_MS);

	ck_assert(m && !m->err);
	return m;
}

START_TEST(a_record_is_taken_or_given_back)
{
	struct room r;

	room_init(&r);
	fill_topic(&r, _i);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct partitions *parts = calloc(1, sizeof(*parts));
		struct partition *part = partitions_get(parts, _i >= 2 ? (enum sink_topic)(SINK_EXEMPLARS + _i - 2) : SINK_MINUTELY, 0, NULL);
		struct err err = ERR_INIT;
		struct report *report = report_new(&r.mock.program, r.admin, "main", &err);
		struct writers *writers = writers_new(r.db, &r.conf, &r.mock.program.log, &r.meters, r.wake_fd, &err);
		const struct reader_spec spec = {&r.mock.program, &r.conf, &r.meters, parts, writers, report, r.controls, 7};
		rd_kafka_message_t *m = next_message(&r);
		const int64_t offset = m->offset;
		struct reader *reader;
		bool failed;
		int rc = -1;

		partition_assign(part);
		partition_begin(part, offset);
		destroyed = 0;
		fail_walk_begin(&w);
		reader = reader_new(&spec, &err);
		if (reader)
			rc = reader_take(reader, part, m, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(reader || err.kind == ERR_FATAL, "%s", err.msg);
		ck_assert_msg(failed ? rc < 0 || _i == 1 : rc == READER_TAKEN, "%d: %s", rc, err.msg); /* a letter is sent again a second later */
		ck_assert(rc == READER_TAKEN || err.kind == ERR_FATAL);
		ck_assert_int_eq(part->ledger.next, offset + (rc == READER_TAKEN || (_i == 1 && part->ledger.consumed) ? 1 : 0));
		if (!reader)
			rd_kafka_message_destroy(m);
		ck_assert(writers_stop(writers, PATIENCE_MS));
		report_free(report, 100);
		reader_free(reader);
		writers_free(writers);
		ck_assert_uint_eq(destroyed, 1);
		partitions_fini(parts);
		free(parts);
	}
	room_fini(&r);
}
END_TEST

START_TEST(rooms_are_made_whole_or_not_at_all)
{
	struct room r;

	room_init(&r);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct meters meters;
		struct err err = ERR_INIT;
		struct database *db;
		struct writers *writers = NULL;
		bool failed;

		database_free(r.db); /* one at a time a process */
		fail_walk_begin(&w);
		meters_init(&meters, r.metrics, "main");
		db = database_new(&r.conf, &r.mock.program.log, &err);
		if (db)
			writers = writers_new(db, &r.conf, &r.mock.program.log, &meters, r.wake_fd, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(failed || writers, "%s", err.msg);
		ck_assert(writers || err.kind == ERR_FATAL);
		if (writers)
			ck_assert(writers_stop(writers, PATIENCE_MS));
		writers_free(writers);
		database_free(db);
		r.db = database_new(&r.conf, &r.mock.program.log, &err);
	}
	room_fini(&r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nomem");
	TCase *tc = tcase_create("sink");

	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_document_is_whole_or_not_there);
	tcase_add_loop_test(tc, an_exemplar_likewise, 0, 4);
	tcase_add_loop_test(tc, alerts_likewise, 0, 2);
	tcase_add_test(tc, a_batch_keeps_what_it_has);
	tcase_add_test(tc, tables_and_ledgers);
	tcase_add_loop_test(tc, a_record_is_taken_or_given_back, 0, 5);
	tcase_add_test(tc, rooms_are_made_whole_or_not_at_all);
	return unit_main(suite);
}
