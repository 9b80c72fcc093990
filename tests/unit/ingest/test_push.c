/* test_push.c - the way of a payload from body to answer, on librdkafka's mock cluster: who is told what, and that bytes and samples
 * are conserved at every end. */
#include <poll.h>

#include "common/clock.h"
#include "common/events.h"
#include "ingest/push.h"
#include "tests/unit/common/kafka_mock.h"
#include "tests/unit/ingest/tables.h"

#define POINTS(points) "{\"metrics\":[{\"name\":\"m\",\"kind\":\"gauge\",\"points\":[" points "]}]}"

enum { MAX_BODY = 100000, MAX_RECORD = 2000, BUDGET = 50000, PATIENCE_MS = 30000 };

static const struct route one_route[] = {{.effective_from = 0, .cell = {"main", 4}, .shards = 2}};

struct house {
	struct mock mock;
	struct ingest_conf conf;
	struct metrics *metrics;
	struct account account;
	struct sites *sites;
	struct admission admission;
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
static void house_init_patient(struct house *h, int64_t message_timeout_ms)
{
	struct err err = ERR_INIT;

	memset(h, 0, sizeof(*h));
	mock_init(&h->mock);
	mock_topic(&h->mock, "millrace.c.main.samples", 12);
	h->conf = (struct ingest_conf){.max_record_bytes = MAX_RECORD, .inflight_budget_bytes = 1 << 20, .message_timeout_ms = message_timeout_ms};
	h->metrics = metrics_new("millrace-ingest");
	account_init(&h->account, h->metrics);
	h->sites = sites_new();
	ck_assert_int_eq(put_cell(h->sites, "main", 77, 12, &err), 0);
	ck_assert_int_eq(put_site(h->sites, "shop", (const char *const[]){"mr_good", NULL}, one_route, 1, false, &err), 0);
	h->admission = (struct admission){.sites = h->sites, .account = &h->account, .max_body_bytes = MAX_BODY,
					  .budget_bytes = BUDGET, .tables_loaded = true, .tables_fresh = true};
	h->wake_fd = events_wake_fd(&err);
	h->producer = producer_new(&h->mock.program, &h->conf, h->wake_fd, &err);
	ck_assert_msg(h->producer != NULL, "%s", err.msg);
	h->push = push_new(&(struct push_rooms){&h->mock.program.clock, h->sites, &h->admission, h->producer, &h->account}, MAX_BODY,
			   MAX_RECORD);
}

static void house_init(struct house *h)
{
	house_init_patient(h, 20000);
}

static void house_fini(struct house *h)
{
	producer_free(h->producer);
	push_free(h->push);
	ck_assert_int_eq(h->admission.inflight_bytes, 0); /* whatever happened */
	ck_assert_double_eq(metric_value(h->account.inflight_bytes), 0);
	answer_fini(&h->answer);
	sites_free(h->sites);
	metrics_free(h->metrics);
	close(h->wake_fd);
	mock_fini(&h->mock);
}

/* Lets a body in and hands it over; the job, or NULL when it was answered at once. */
static struct push_job *push_body(struct house *h, const char *body)
{
	struct admission_head head = {.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .content_type = "application/json"};
	struct ticket t = {0};
	struct refusal no;
	struct push_job *job;

	ck_assert_int_eq(admission_enter(&h->admission, &head, &t, &no), 0);
	ck_assert_int_eq(admission_charge(&h->admission, &t, (int64_t)strlen(body), &no), 0);
	answer_fini(&h->answer);
	job = push_start(h->push, &t, str_from(body), on_answer, h, &h->answer);
	ck_assert_int_eq(t.charged_bytes, 0);
	ck_assert(!job || h->admission.inflight_bytes > (int64_t)strlen(body)); /* the records are charged as well */
	return job;
}

/* Serves Kafka until all bytes are given back. */
static void settle(struct house *h)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	struct err err = ERR_INIT;

	while (h->admission.inflight_bytes > 0) {
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
	ck_assert_double_eq(metric_value(h.account.accepted_samples), 0); /* not before */
	settle(&h);
	ck_assert(h.answers == 1 && answered(&h, 202, "\"accepted\": 2") && answered(&h, 202, "metrics[0].points[1]"));
	ck_assert_double_eq(metric_value(h.account.accepted_samples), 2);
	ck_assert_double_eq(metric_value(h.account.rejected_samples[REASON_VALUE_MISSING]), 1);
	ck_assert_double_eq(metric_value(h.account.records), 1);
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
	ck_assert_double_eq(metric_value(h.account.truncated_samples), 812);
	house_fini(&h);
}
END_TEST

START_TEST(bad_bodies_are_refused_at_once)
{
	struct house h;

	house_init(&h);
	ck_assert_ptr_null(push_body(&h, "{"));
	ck_assert(answered(&h, 400, "bad_json"));
	ck_assert_double_eq(metric_value(h.account.refused_requests[REASON_BAD_JSON]), 1);
	ck_assert_ptr_null(push_body(&h, "{\"seq\":1,\"metrics\":[{\"name\":\"m\",\"kind\":\"gauge\",\"points\":[{\"v\":1},{}]}]}"));
	ck_assert(answered(&h, 400, "bad_identity"));
	ck_assert_double_eq(metric_value(h.account.refused_samples[REASON_BAD_IDENTITY]), 2); /* the bad one, too */
	ck_assert_double_eq(metric_value(h.account.rejected_samples[REASON_VALUE_MISSING]), 0);
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
	ck_assert_double_eq(metric_value(h.account.refused_samples[REASON_RECORD_TOO_LARGE]), 200);
	house_fini(&h);
	buf_fini(&body);
}
END_TEST

START_TEST(records_must_fit_into_the_budget)
{
	struct house h;

	house_init(&h);
	h.admission.budget_bytes = (int64_t)strlen(POINTS("{\"v\":1}")) + 100; /* the body does, its record does not */
	ck_assert_ptr_null(push_body(&h, POINTS("{\"v\":1}")));
	ck_assert(answered(&h, 503, "over_budget"));
	ck_assert_int_eq(h.admission.inflight_bytes, 0);
	house_fini(&h);
}
END_TEST

START_TEST(no_cell_no_route)
{
	struct house h;
	struct err err = ERR_INIT;

	house_init(&h);
	ck_assert_int_eq(put_cell(h.sites, "main", 0, 12, &err), 0);
	ck_assert_ptr_null(push_body(&h, POINTS("{\"v\":1}")));
	ck_assert(answered(&h, 503, "no_route") && h.answer.retry_after_s > 0);
	house_fini(&h);
}
END_TEST

START_TEST(kafka_gone_is_a_503_and_everything_is_given_back)
{
	struct house h;

	house_init_patient(&h, 1000);
	rd_kafka_mock_broker_set_down(h.mock.cluster, 1);
	for (int i = 0; i < 5; i++)
		ck_assert_ptr_nonnull(push_body(&h, POINTS("{\"v\":1},{}")));
	settle(&h);
	ck_assert(h.answers == 5 && answered(&h, 503, "kafka_unavailable"));
	ck_assert_double_eq(metric_value(h.account.refused_samples[REASON_KAFKA_UNAVAILABLE]), 10);
	ck_assert_double_eq(metric_value(h.account.accepted_samples), 0);
	ck_assert_double_eq(metric_value(h.account.rejected_samples[REASON_VALUE_MISSING]), 0); /* the retry rejects it again */
	house_fini(&h);
}
END_TEST

START_TEST(a_client_that_went_is_not_called)
{
	struct house h;

	house_init(&h);
	push_forget(push_body(&h, POINTS("{\"v\":1}")));
	push_forget(NULL);
	settle(&h);
	ck_assert_int_eq(h.answers, 0);
	ck_assert_double_eq(metric_value(h.account.accepted_samples), 1); /* Kafka has it all the same */
	house_fini(&h);
}
END_TEST

START_TEST(a_key_revoked_meanwhile_is_a_401)
{
	struct house h;
	struct ticket t = {0};

	house_init(&h);
	sites_hash_key(str_from("mr_good"), t.key_sha256);
	delete_site(h.sites, "shop");
	ck_assert_ptr_null(push_start(h.push, &t, str_from(POINTS("{\"v\":1}")), on_answer, &h, &h.answer));
	ck_assert(answered(&h, 401, "unauthorized"));
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
	tcase_add_test(tc, a_client_that_went_is_not_called);
	tcase_add_test(tc, a_key_revoked_meanwhile_is_a_401);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
