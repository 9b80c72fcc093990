/* test_push.c - the way of a payload from body to answer, on librdkafka's mock cluster: who is told what, and that bytes and samples
 * are conserved at every end. */
#include <poll.h>
#include <zlib.h>

#include "common/clock.h"
#include "common/events.h"
#include "ingest/push.h"
#include "tests/unit/common/kafka_mock.h"
#include "tests/unit/ingest/gate.h"

#define METRIC(kind, points) "{\"name\":\"m\",\"kind\":\"" kind "\",\"points\":[" points "]}"
#define POINTS(points) "{\"metrics\":[{\"name\":\"m\",\"kind\":\"gauge\",\"points\":[" points "]}]}"

enum { MAX_BODY = 25000, MAX_RECORD = 2000, BUDGET = 50000, PATIENCE_MS = 30000 };

struct house {
	struct mock mock;
	struct ingest_conf conf;
	struct gate gate;
	struct otlp_rules otlp;
	struct producer *producer;
	struct push *push;
	int wake_fd;
	int answers;          /* that came late */
	struct answer answer; /* the last one, late or at once */
};

static void on_answer(void *ctx, struct answer *answer)
{
	struct house *h = ctx;

	answer_fini(&h->answer);
	h->answer = *answer;
	*answer = (struct answer)ANSWER_INIT;
	h->answers++;
}

/* message_timeout_ms: when Kafka is given up; a first record to a topic can take a second, and more on a busy machine. */
static void house_init_with(struct house *h, int64_t message_timeout_ms, int64_t budget_bytes)
{
	struct err err = ERR_INIT;

	memset(h, 0, sizeof(*h));
	mock_init(&h->mock);
	mock_topic(&h->mock, "millrace.c.main.samples", 12);
	mock_topic(&h->mock, "millrace.c.main.events", 12);
	h->conf = (struct ingest_conf){.max_record_bytes = MAX_RECORD, .inflight_budget_bytes = 1 << 20, .message_timeout_ms = message_timeout_ms,
				       .stall_timeout_ms = 1500};
	gate_init(&h->gate, MAX_BODY, budget_bytes);
	h->wake_fd = events_wake_fd(&err);
	h->producer = producer_new(&h->mock.program, &h->conf, h->wake_fd, &err);
	ck_assert_msg(h->producer != NULL, "%s", err.msg);
	h->push = push_new(&(struct push_rooms){h->gate.admission, h->producer, h->gate.account, &h->otlp, NULL, NULL},
			   &(struct push_limits){.decoded_bytes = 1 << 20, .inflated_bytes = 20000, .inflate_ratio = 100, .record_bytes = MAX_RECORD});
	ck_assert_ptr_nonnull(h->push);
}

static void house_init(struct house *h)
{
	house_init_with(h, 20000, BUDGET);
}

static void house_fini(struct house *h)
{
	producer_free(h->producer);
	push_free(h->push);
	answer_fini(&h->answer);
	gate_fini(&h->gate);
	close(h->wake_fd);
	mock_fini(&h->mock);
}

static double figure(const struct house *h, const char *name, const char *label)
{
	return gate_figure(&h->gate, name, label);
}

/* Lets a body in by its headers and hands it over; the job, or NULL when it was answered at once. */
static struct push_job *push_with(struct house *h, struct admission_head head, struct str body)
{
	struct ticket t = {0};
	struct refusal no;
	struct push_job *job;

	head.method = "POST";
	head.path = "/v1/push";
	head.x_api_key = "mr_good";
	head.content_type = head.content_type ? head.content_type : "application/json";
	ck_assert_int_eq(admission_enter(h->gate.admission, &head, &t, &no), 0);
	ck_assert_int_eq(admission_charge(h->gate.admission, &t, (int64_t)body.len, &no), 0);
	answer_fini(&h->answer);
	job = push_start(h->push, &t, body, on_answer, h, &h->answer);
	ck_assert_int_eq(t.charged_bytes, 0);
	ck_assert(!job || admission_inflight_bytes(h->gate.admission) > (int64_t)body.len); /* the records are charged as well */
	return job;
}

static struct push_job *push_body(struct house *h, const char *body)
{
	return push_with(h, (struct admission_head){0}, str_from(body));
}

/* Serves Kafka until all bytes are given back. */
static void settle(struct house *h)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	struct err err = ERR_INIT;

	while (admission_inflight_bytes(h->gate.admission) > 0) {
		struct pollfd fd = {.fd = h->wake_fd, .events = POLLIN};

		ck_assert(clock_mono_ms() < deadline);
		poll(&fd, 1, 1000);
		events_read(h->wake_fd);
		producer_poll(h->producer, &err);
	}
}

static bool answered(const struct house *h, int status, const char *text)
{
	return h->answer.status == status && memmem(h->answer.body.p, h->answer.body.len, text, strlen(text));
}

START_TEST(accepted_when_kafka_has_it)
{
	struct house h;

	house_init(&h);
	ck_assert_ptr_nonnull(push_body(&h, POINTS("{\"v\":1},{},{\"v\":2}")));
	ck_assert_int_eq(h.answers, 0);
	ck_assert_double_eq(figure(&h, "accepted_samples_total", NULL), 0); /* not before */
	settle(&h);
	ck_assert(h.answers == 1 && answered(&h, 202, "\"accepted\": 2") && answered(&h, 202, "metrics[0].points[1]"));
	ck_assert_double_eq(figure(&h, "accepted_samples_total", NULL), 2);
	ck_assert_double_eq(figure(&h, "rejected_samples_total", "reason=\"value_missing\""), 1);
	ck_assert_double_eq(figure(&h, "records_total", NULL), 1);
	house_fini(&h);
}
END_TEST

START_TEST(nothing_to_send_is_answered_at_once)
{
	struct house h;

	house_init(&h);
	ck_assert_ptr_null(push_body(&h, POINTS("{}")));
	ck_assert(answered(&h, 202, "\"accepted\": 0"));
	ck_assert_ptr_null(push_body(&h, "{\"truncated\":[{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"from_seq\":1,\"to_seq\":4,"
					 "\"samples\":812,\"attempted\":false}]}"));
	ck_assert(answered(&h, 202, "\"rejected\": []"));
	ck_assert_double_eq(figure(&h, "truncated_samples_total", NULL), 812);
	house_fini(&h);
}
END_TEST

START_TEST(bad_bodies_are_refused_at_once)
{
	struct house h;

	house_init(&h);
	ck_assert_ptr_null(push_body(&h, "{"));
	ck_assert(answered(&h, 400, "bad_json"));
	ck_assert_double_eq(figure(&h, "refused_requests_total", "reason=\"bad_json\""), 1);
	ck_assert_ptr_null(push_body(&h, "{\"seq\":1,\"metrics\":[{\"name\":\"m\",\"kind\":\"gauge\",\"points\":[{\"v\":1},{}]}]}"));
	ck_assert(answered(&h, 400, "bad_identity"));
	ck_assert_double_eq(figure(&h, "refused_samples_total", "reason=\"bad_identity\""), 2); /* the bad one, too */
	ck_assert_double_eq(figure(&h, "rejected_samples_total", "reason=\"value_missing\""), 0);
	house_fini(&h);
}
END_TEST

START_TEST(a_record_over_the_limit_is_a_413)
{
	struct house h;
	struct buf body = BUF_INIT;

	buf_printf(&body, "{\"metrics\":[{\"name\":\"m\",\"kind\":\"gauge\",\"points\":[{\"v\":0}");
	for (int i = 1; i < 200; i++)
		buf_printf(&body, ",{\"v\":%d}", i);
	buf_add(&body, "]}]}", sizeof("]}]}")); /* its NUL included */
	house_init(&h);
	ck_assert_ptr_null(push_body(&h, (const char *)body.p));
	ck_assert(answered(&h, 413, "record_too_large"));
	ck_assert_double_eq(figure(&h, "refused_samples_total", "reason=\"record_too_large\""), 200);
	house_fini(&h);
	buf_fini(&body);
}
END_TEST

START_TEST(records_must_fit_into_the_budget)
{
	struct house h;

	house_init_with(&h, 20000, 2 * ((int64_t)strlen(POINTS("{\"v\":1}")) + 100)); /* the body does, its record does not */
	ck_assert_ptr_null(push_body(&h, POINTS("{\"v\":1}")));
	ck_assert(answered(&h, 503, "over_budget"));
	house_fini(&h);
}
END_TEST

START_TEST(no_cell_no_route)
{
	struct house h;
	struct err err = ERR_INIT;

	house_init(&h);
	ck_assert_int_eq(put_cell(h.gate.sites, "main", 0, 12, &err), 0);
	ck_assert_ptr_null(push_body(&h, POINTS("{\"v\":1}")));
	ck_assert(answered(&h, 503, "no_route") && h.answer.retry_after_s > 0);
	house_fini(&h);
}
END_TEST

START_TEST(kafka_gone_is_a_503_and_everything_is_given_back)
{
	struct house h;

	house_init_with(&h, 1000, BUDGET);
	rd_kafka_mock_broker_set_down(h.mock.cluster, 1);
	for (int i = 0; i < 5; i++)
		ck_assert_ptr_nonnull(push_body(&h, POINTS("{\"v\":1},{}")));
	settle(&h);
	ck_assert(h.answers == 5 && answered(&h, 503, "kafka_unavailable"));
	ck_assert_double_eq(figure(&h, "refused_samples_total", "reason=\"kafka_unavailable\""), 10);
	ck_assert_double_eq(figure(&h, "accepted_samples_total", NULL), 0);
	ck_assert_double_eq(figure(&h, "rejected_samples_total", "reason=\"value_missing\""), 0); /* the retry rejects it again */
	house_fini(&h);
}
END_TEST

/* Who was answered before Kafka spoke has been told 503, and his samples count as refused, whatever Kafka does with them. */
START_TEST(an_abandoned_payload_counts_once)
{
	struct house h;
	struct push_job *job;
	struct answer early = ANSWER_INIT;
	struct refusal no;

	house_init(&h);
	job = push_body(&h, POINTS("{\"v\":1}"));
	refuse(&no, REASON_KAFKA_UNAVAILABLE, "%s", "");
	push_abandon(job, &no, &early);
	ck_assert(early.status == 503 && early.retry_after_s >= 1);
	settle(&h);
	ck_assert_int_eq(h.answers, 0);
	ck_assert_double_eq(figure(&h, "accepted_samples_total", NULL), 0);
	ck_assert_double_eq(figure(&h, "refused_samples_total", NULL), 1);
	ck_assert_double_eq(figure(&h, "records_total", NULL), 1); /* Kafka has it all the same */
	answer_fini(&early);
	house_fini(&h);
}
END_TEST

#define EVENTS "{\"metrics\":[" METRIC("gauge", "{\"v\":1}") "],\"errors\":[{\"class\":\"IOError\"},{}],\"transactions\":[" \
	TRANSACTION(1) "," TRANSACTION(2) "," TRANSACTION(3) "," TRANSACTION(4) "," TRANSACTION(5) "]}"
#define TRANSACTION(ms) "{\"action\":\"a#b\",\"duration_ms\":" #ms "}"

/* Each counts as one sample, of whatever follows from them nothing does. */
START_TEST(events_go_with_samples)
{
	struct house h;
	double before;

	house_init(&h);
	ck_assert_ptr_nonnull(push_body(&h, EVENTS));
	settle(&h);
	ck_assert(h.answers == 1 && answered(&h, 202, "\"accepted\": 7") && answered(&h, 202, "\"index\": \"errors[1]\", \"reason\": \"event_field_missing\""));
	ck_assert_double_eq(figure(&h, "accepted_samples_total", NULL), 7);
	ck_assert_double_eq(figure(&h, "rejected_samples_total", "reason=\"event_field_missing\""), 1);
	ck_assert_double_eq(figure(&h, "events_total", "kind=\"error\""), 1);
	ck_assert_double_eq(figure(&h, "events_total", "kind=\"transaction\""), 5); /* also those that are in the samples only */
	before = figure(&h, "records_total", NULL);
	ck_assert_ptr_nonnull(push_body(&h, "{\"transactions\":[" TRANSACTION(1) "]}"));
	settle(&h);
	ck_assert_double_ge(figure(&h, "records_total", NULL), before + 2); /* itself, and at least one of its samples */
	house_fini(&h);
}
END_TEST

/* Only who has events waits for the topic of events, or is refused when it is gone. */
START_TEST(a_topic_of_events_that_is_gone_is_no_reason_to_refuse_samples)
{
	struct house h;
	struct push_job *job;
	struct answer early = ANSWER_INIT;
	struct refusal no;
	struct err err = ERR_INIT;
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;

	house_init(&h);
	ck_assert_ptr_nonnull(push_body(&h, EVENTS));
	settle(&h);
	for (int i = 0; i < 12; i++)
		rd_kafka_mock_partition_set_leader(h.mock.cluster, "millrace.c.main.events", i, -1);
	job = push_body(&h, EVENTS);
	ck_assert_ptr_nonnull(job);
	while (!producer_hangs(h.producer, clock_mono_ms())) {
		ck_assert(clock_mono_ms() < deadline);
		poll(&(struct pollfd){.fd = h.wake_fd, .events = POLLIN}, 1, 100);
		producer_poll(h.producer, &err);
	}
	ck_assert(push_hangs(job));
	refuse(&no, REASON_KAFKA_UNAVAILABLE, "%s", "");
	push_abandon(job, &no, &early);
	ck_assert_ptr_null(push_body(&h, EVENTS));
	ck_assert(answered(&h, 503, "kafka_unavailable"));
	job = push_body(&h, POINTS("{\"v\":1}"));
	ck_assert(job && !push_hangs(job));
	for (int i = 0; i < 12; i++)
		rd_kafka_mock_partition_set_leader(h.mock.cluster, "millrace.c.main.events", i, 1);
	settle(&h);
	ck_assert(h.answers == 2 && answered(&h, 202, "\"accepted\": 1"));
	ck_assert_double_eq(figure(&h, "accepted_samples_total", NULL), 8);
	ck_assert_double_eq(figure(&h, "refused_samples_total", NULL), 16);
	answer_fini(&early);
	house_fini(&h);
}
END_TEST

START_TEST(a_key_revoked_meanwhile_is_a_401)
{
	struct house h;
	struct ticket t = {0};
	struct refusal no;

	house_init(&h);
	ck_assert_int_eq(admission_enter(h.gate.admission,
					 &(struct admission_head){.method = "POST", .path = "/v1/push", .x_api_key = "mr_good",
								  .content_type = "application/json"}, &t, &no), 0);
	delete_site(h.gate.sites, "shop");
	ck_assert_ptr_null(push_start(h.push, &t, str_from(POINTS("{\"v\":1}")), on_answer, &h, &h.answer));
	ck_assert(answered(&h, 401, "unauthorized"));
	house_fini(&h);
}
END_TEST

/* The smallest protobuf payload with a sample: metrics[0] = {name "m", kind gauge, points[0] = {v 1.0}}. */
static const char protobuf[] = "\x0a\x10\x0a\x01m\x10\x02\x22\x09\x11\0\0\0\0\0\0\xf0\x3f";

START_TEST(protobuf_and_json_meet_the_same_rooms)
{
	struct house h;

	house_init(&h);
	ck_assert_ptr_nonnull(push_with(&h, (struct admission_head){.content_type = "application/x-protobuf"},
					(struct str){protobuf, sizeof(protobuf) - 1}));
	settle(&h);
	ck_assert(answered(&h, 202, "\"accepted\": 1,"));
	ck_assert_ptr_null(push_with(&h, (struct admission_head){.content_type = "application/x-protobuf"}, STR("{}")));
	ck_assert(answered(&h, 400, "bad_protobuf"));
	house_fini(&h);
}
END_TEST

/* gzip of bytes, by zlib. */
static struct str gzip(struct str in, char *out, size_t size)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.len, .next_out = (Bytef *)out, .avail_out = (uInt)size};

	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return (struct str){out, size - z.avail_out};
}

START_TEST(inflated_bodies_are_bounded)
{
	struct house h;
	char out[4096], zeros[30000] = {0};
	struct admission_head head = {.content_encoding = "gzip"};

	house_init(&h);
	ck_assert_ptr_nonnull(push_with(&h, head, gzip(str_from(POINTS("{\"v\":1}")), out, sizeof(out))));
	settle(&h);
	ck_assert(answered(&h, 202, "\"accepted\": 1,"));
	ck_assert_double_eq(figure(&h, "inflated_bytes_total", NULL), strlen(POINTS("{\"v\":1}")));
	ck_assert_ptr_null(push_with(&h, head, gzip((struct str){zeros, sizeof(zeros)}, out, sizeof(out))));
	ck_assert(answered(&h, 413, "inflated_too_large"));
	ck_assert_ptr_null(push_with(&h, head, STR("not gzip")));
	ck_assert(answered(&h, 400, "bad_encoding"));
	house_fini(&h);
}
END_TEST

static const struct {
	const char *created_at, *body;
	int status;
	const char *text;
} stamps[] = {
	{"%lld", "{\"created_at\":%lld,\"metrics\":[" METRIC("gauge", "{\"v\":1}") "]}", 202, "\"accepted\": 1"},
	{"%lld", "{\"created_at\":1%lld,\"metrics\":[" METRIC("gauge", "{\"v\":1}") "]}", 400, "created_at_out_of_range"},
	{"%lld", "{\"metrics\":[" METRIC("gauge", "{\"v\":1}") "]}", 400, "created_at_mismatch"},
	{"1", "{\"created_at\":%lld,\"metrics\":[" METRIC("gauge", "{\"v\":1}") "]}", 400, "created_at_mismatch"},
};

START_TEST(the_header_repeats_the_payload)
{
	struct house h;
	char header[32], body[256];
	long long now = clock_wall_ms();

	house_init(&h);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	snprintf(header, sizeof(header), stamps[_i].created_at, now);
	snprintf(body, sizeof(body), stamps[_i].body, now);
#pragma GCC diagnostic pop
	if (push_with(&h, (struct admission_head){.created_at = header}, str_from(body)))
		settle(&h);
	ck_assert_msg(answered(&h, stamps[_i].status, stamps[_i].text), "%d %.*s", h.answer.status, STR_ARG(buf_str(&h.answer.body)));
	house_fini(&h);
}
END_TEST

/* A sender whose clock is an hour ahead: its samples, and its created_at, are judged by our time. */
START_TEST(a_wrong_clock_is_put_right)
{
	struct house h;
	char sent[32], body[256];
	long long ahead = clock_wall_ms() + 3600000;

	house_init(&h);
	snprintf(sent, sizeof(sent), "%lld", ahead);
	snprintf(body, sizeof(body), "{\"created_at\":%lld,\"metrics\":[" METRIC("gauge", "{\"t\":%lld,\"v\":1},{\"t\":%lld,\"v\":2}") "]}", ahead,
		 ahead, ahead - 7200000);
	ck_assert_ptr_null(push_body(&h, body)); /* without the header it lies in the future */
	ck_assert(answered(&h, 400, "created_at_out_of_range"));
	ck_assert_ptr_nonnull(push_with(&h, (struct admission_head){.sent_at = sent}, str_from(body)));
	settle(&h);
	ck_assert(answered(&h, 202, "\"accepted\": 2"));
	ck_assert_double_eq(figure(&h, "skewed_payloads_total", NULL), 1);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("push");
	TCase *tc = tcase_create("push");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, accepted_when_kafka_has_it);
	tcase_add_test(tc, nothing_to_send_is_answered_at_once);
	tcase_add_test(tc, bad_bodies_are_refused_at_once);
	tcase_add_test(tc, a_record_over_the_limit_is_a_413);
	tcase_add_test(tc, records_must_fit_into_the_budget);
	tcase_add_test(tc, no_cell_no_route);
	tcase_add_test(tc, kafka_gone_is_a_503_and_everything_is_given_back);
	tcase_add_test(tc, an_abandoned_payload_counts_once);
	tcase_add_test(tc, events_go_with_samples);
	tcase_add_test(tc, a_topic_of_events_that_is_gone_is_no_reason_to_refuse_samples);
	tcase_add_test(tc, a_key_revoked_meanwhile_is_a_401);
	tcase_add_test(tc, protobuf_and_json_meet_the_same_rooms);
	tcase_add_test(tc, inflated_bodies_are_bounded);
	tcase_add_loop_test(tc, the_header_repeats_the_payload, 0, (int)NR(stamps));
	tcase_add_test(tc, a_wrong_clock_is_put_right);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
