/* test_offsets.c - committed offsets against a coordinator that refuses: an error never means "none", what was refused is committed later, and nothing counts as
 * committed before the coordinator has said so. The cluster is librdkafka's own; what it keeps is read back by another client. */
#include "sink/mongo/offsets.h"

#include "tests/unit/common/kafka_mock.h"

#define TOPIC "millrace.c.main.minutely"

enum { API_OFFSET_COMMIT = 8, API_OFFSET_FETCH = 9, API_FIND_COORDINATOR = 10, EPOCH = 77, PATIENCE_MS = 20000, ANSWER_MS = 3000 };

static const char *const topics[NR_SINK_TOPICS] = {TOPIC, "millrace.c.main.hourly", "millrace.c.main.exemplars", "millrace.c.main.alerts",
						   "millrace.c.main.incidents"};

struct room {
	struct mock mock;
	struct metrics *metrics;
	struct admin *admin;
	struct report *report;
	struct partitions *parts;
	struct partition *part;
	rd_kafka_t *rk;
	struct offsets *offsets;
};

static rd_kafka_t *member(const struct room *r)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(r->mock.cluster), NULL, 0);
	rd_kafka_conf_set(conf, "group.id", "millrace-sink-main", NULL, 0);
	rd_kafka_conf_set(conf, "enable.auto.commit", "false", NULL, 0);
	rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	rd_kafka_poll_set_consumer(rk);
	return rk;
}

static void room_init(struct room *r)
{
	struct err err = ERR_INIT;

	memset(r, 0, sizeof(*r));
	mock_init(&r->mock);
	mock_topic(&r->mock, topics[0], 2);
	mock_topic(&r->mock, topics[1], 2);
	mock_topic(&r->mock, "millrace.notices", 1);
	r->metrics = metrics_new("test");
	r->admin = admin_new("", r->metrics, &err);
	r->report = report_new(&r->mock.program, r->admin, "main", &err);
	r->parts = calloc(1, sizeof(*r->parts));
	r->part = partitions_get(r->parts, SINK_MINUTELY, 1, &err);
	r->rk = member(r);
	r->offsets = offsets_new(r->rk, r->parts, topics, EPOCH, &r->mock.program.log, r->report, &err);
	ck_assert_msg(r->offsets && r->part, "%s", err.msg);
	partition_assign(r->part);
}

static void room_fini(struct room *r)
{
	offsets_free(r->offsets);
	rd_kafka_consumer_close(r->rk);
	rd_kafka_destroy(r->rk);
	report_free(r->report, 100);
	admin_free(r->admin);
	metrics_free(r->metrics);
	partitions_fini(r->parts);
	free(r->parts);
	mock_fini(&r->mock);
}

/* Asks until it is answered. */
static void must_ask(struct room *r)
{
	int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
	struct err err = ERR_INIT;

	while (offsets_ask(r->offsets, ANSWER_MS, &err) < 0)
		ck_assert_msg(err.kind == ERR_RETRY && clock_mono_ms() < until_ms, "%s", err.msg);
}

/* Takes the records up to an offset, all of them stored. */
static void store_up_to(struct room *r, int64_t offset)
{
	struct err err = ERR_INIT;
	uint64_t id;

	ck_assert_int_eq(ledger_open(&r->part->ledger, &id, &err), 0);
	ledger_take(&r->part->ledger, id, offset - 1, 1);
	ck_assert_int_eq(ledger_settle(&r->part->ledger, id, &(struct ledger_outcome){.stored = 1}, &err), 0);
}

/* What a stranger reads: the offset, and the metadata in out. */
static int64_t read_back(const struct room *r, char out[128])
{
	rd_kafka_t *rk = member(r);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	int64_t offset;

	rd_kafka_topic_partition_list_add(list, TOPIC, 1);
	ck_assert_int_eq(rd_kafka_committed(rk, list, PATIENCE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
	offset = list->elems[0].offset;
	snprintf(out, 128, "%.*s", (int)list->elems[0].metadata_size, list->elems[0].metadata ? (const char *)list->elems[0].metadata : "");
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	return offset;
}

/* Somebody has committed this. */
static void commit_as_a_stranger(const struct room *r, int64_t offset, const char *metadata)
{
	rd_kafka_t *rk = member(r);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *tp = rd_kafka_topic_partition_list_add(list, TOPIC, 1);

	tp->offset = offset;
	tp->metadata = metadata ? strdup(metadata) : NULL;
	tp->metadata_size = metadata ? strlen(metadata) : 0;
	ck_assert_int_eq(rd_kafka_commit(rk, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

/* Errors of the answer to OffsetFetch, and of finding whom to ask. */
static const struct {
	int api;
	rd_kafka_resp_err_t code;
} unanswered[] = {
	{API_OFFSET_FETCH, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED},
	{API_OFFSET_FETCH, RD_KAFKA_RESP_ERR_INVALID_GROUP_ID},
	{API_OFFSET_FETCH, RD_KAFKA_RESP_ERR_UNKNOWN},
	{API_OFFSET_FETCH, RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
	{API_OFFSET_FETCH, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
	{API_FIND_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
};

START_TEST(an_error_never_means_none)
{
	struct room r;
	struct err err = ERR_INIT;
	int rc;

	room_init(&r);
	commit_as_a_stranger(&r, 42, "v1 epoch=77");
	rd_kafka_mock_push_request_errors(r.mock.cluster, (int16_t)unanswered[_i].api, 1, unanswered[_i].code);
	rc = offsets_ask(r.offsets, ANSWER_MS, &err);
	if (rc < 0)
		ck_assert_msg(err.kind == ERR_RETRY && r.part->state == PARTITION_ASKING, "%s", err.msg);
	must_ask(&r); /* some the client has tried again by itself */
	ck_assert(r.part->state == PARTITION_OWNED && !r.part->from_beginning);
	ck_assert_int_eq(r.part->ledger.next, 42);
	room_fini(&r);
}
END_TEST

static const struct {
	const char *metadata; /* NULL: none */
	enum partition_state state;
} found[] = {
	{"v1 epoch=77", PARTITION_OWNED}, {NULL, PARTITION_OWNED}, {"v1 epoch=78", PARTITION_REFUSED}, {"v2 epoch=77", PARTITION_REFUSED},
	{"v1 epoch=", PARTITION_REFUSED}, {"v1 epoch=77 and more", PARTITION_REFUSED},
};

START_TEST(the_epoch_is_looked_at)
{
	struct room r;

	room_init(&r);
	commit_as_a_stranger(&r, 5, found[_i].metadata);
	must_ask(&r);
	ck_assert_int_eq(r.part->state, found[_i].state);
	room_fini(&r);
}
END_TEST

START_TEST(nothing_committed_is_the_beginning)
{
	struct room r;

	room_init(&r);
	must_ask(&r);
	ck_assert(r.part->state == PARTITION_OWNED && r.part->from_beginning);
	room_fini(&r);
}
END_TEST

static const rd_kafka_resp_err_t refusals[] = {
	RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
	RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
	RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, /* not FENCED_INSTANCE_ID: it breaks the client, whose destruction hangs then (2.0.2) */
};

START_TEST(a_refused_commit_is_made_later)
{
	struct room r;
	char metadata[128];
	int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

	room_init(&r);
	commit_as_a_stranger(&r, 10, "v1 epoch=77");
	must_ask(&r);
	store_up_to(&r, 14);
	rd_kafka_mock_push_request_errors(r.mock.cluster, API_OFFSET_COMMIT, 1, refusals[_i]);
	if (!offsets_commit_now(r.offsets, ANSWER_MS))
		ck_assert_int_eq(r.part->committed, 10);
	while (!offsets_commit_now(r.offsets, ANSWER_MS))
		ck_assert(clock_mono_ms() < until_ms);
	ck_assert_int_eq(r.part->committed, 14);
	ck_assert_int_eq(read_back(&r, metadata), 14);
	ck_assert_str_eq(metadata, "v1 epoch=77");
	room_fini(&r);
}
END_TEST

/* A coordinator that says nothing: the wait has an end, and the partition is not taken for committed. */
START_TEST(a_silent_coordinator_is_not_waited_for)
{
	struct room r;
	int64_t begun_ms;

	room_init(&r);
	must_ask(&r);
	partition_begin(r.part, 10);
	store_up_to(&r, 14);
	ck_assert_int_eq(rd_kafka_mock_broker_set_rtt(r.mock.cluster, 1, 3000), RD_KAFKA_RESP_ERR_NO_ERROR);
	begun_ms = clock_mono_ms();
	ck_assert(!offsets_commit_now(r.offsets, 300));
	ck_assert_int_lt(clock_mono_ms() - begun_ms, 2000);
	ck_assert_int_eq(r.part->committed, 10);
	ck_assert_int_eq(rd_kafka_mock_broker_set_rtt(r.mock.cluster, 1, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
	ck_assert(offsets_commit_now(r.offsets, PATIENCE_MS));
	ck_assert_int_eq(r.part->committed, 14);
	room_fini(&r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("offsets");
	TCase *tc = tcase_create("offsets");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, an_error_never_means_none, 0, NR(unanswered));
	tcase_add_loop_test(tc, the_epoch_is_looked_at, 0, NR(found));
	tcase_add_test(tc, nothing_committed_is_the_beginning);
	tcase_add_loop_test(tc, a_refused_commit_is_made_later, 0, NR(refusals));
	tcase_add_test(tc, a_silent_coordinator_is_not_waited_for);
	return unit_main(suite);
}
