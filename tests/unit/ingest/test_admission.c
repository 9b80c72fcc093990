/* test_admission.c - each refusal before the body by name, and a budget that always balances. */
#include "ingest/admission.h"

#include <pthread.h>

#include "tests/unit/ingest/gate.h"

enum { MAX_BODY = 1000, BUDGET = 4000 };

#define GOOD .method = "POST", .path = "/v1/push", .content_type = "application/json", .content_length = "10", .lengths = 1
#define SIZED(type, length) .method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .content_type = (type), .content_length = (length)

#define OTLP(door, type) .method = "POST", .path = (door), .x_api_key = "mr_good", .content_type = (type), .content_length = "10", .lengths = 1
#define TEXT_51 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxy"
#define KEY_255 TEXT_51 TEXT_51 TEXT_51 TEXT_51 TEXT_51

/* The topic of site shop, by its route. */
static bool gone(void *kafka, const char *topic)
{
	ck_assert(!kafka && strcmp(topic, "millrace.c.main.samples") == 0);
	return true;
}

static const struct {
	struct admission_head head;
	enum reason reason; /* NR_REASONS: let in */
} heads[] = {
	{{GOOD, .authorization = "Bearer mr_good"}, NR_REASONS},
	{{GOOD, .authorization = "bearer  mr_good"}, NR_REASONS},
	{{GOOD, .x_api_key = "mr_good"}, NR_REASONS},
	{{GOOD, .api_key = "mr_good"}, NR_REASONS},
	{{GOOD, .authorization = "Basic eDp5", .x_api_key = "mr_good"}, NR_REASONS}, /* a proxy's own */
	{{GOOD}, REASON_UNAUTHORIZED},
	{{GOOD, .authorization = "Bearer "}, REASON_UNAUTHORIZED},
	{{GOOD, .authorization = "Bearer mr_bad", .x_api_key = "mr_good"}, REASON_UNAUTHORIZED}, /* the first one counts */
	{{GOOD, .authorization = "mr_good"}, REASON_UNAUTHORIZED},
	{{GOOD, .x_api_key = "mr_off"}, REASON_UNAUTHORIZED},
	{{GOOD, .x_api_key = "mr_good "}, REASON_UNAUTHORIZED},
	{{.method = "GET", .path = "/v1/auth", .x_api_key = "mr_good"}, NR_REASONS},
	{{.method = "GET", .path = "/v1/auth", .x_api_key = "mr_bad"}, REASON_UNAUTHORIZED},
	{{.method = "GET", .path = "/v1/auth", .x_api_key = "mr_good", .kafka_gone = gone}, NR_REASONS}, /* asks nothing of it */
	{{.method = "POST", .path = "/v1/auth", .x_api_key = "mr_good"}, REASON_METHOD_NOT_ALLOWED},
	{{.method = "POST", .path = "/v1/pus", .x_api_key = "mr_good"}, REASON_NOT_FOUND},
	{{.method = "GET", .path = "/"}, REASON_NOT_FOUND},
	{{.method = "POST", .path = "/v1/push/"}, REASON_NOT_FOUND},
	{{.method = "GET", .path = "/v1/push"}, REASON_METHOD_NOT_ALLOWED},
	{{.method = "PUT", .path = "/v1/push", .x_api_key = "mr_good"}, REASON_METHOD_NOT_ALLOWED},
	{{SIZED(NULL, NULL)}, REASON_UNSUPPORTED_TYPE},
	{{SIZED("text/plain", NULL)}, REASON_UNSUPPORTED_TYPE},
	{{SIZED("application/jsonx", NULL)}, REASON_UNSUPPORTED_TYPE},
	{{SIZED("", NULL)}, REASON_UNSUPPORTED_TYPE},
	{{SIZED("Application/JSON; charset=utf-8", NULL)}, NR_REASONS},
	{{SIZED("application/x-protobuf", "10")}, NR_REASONS},
	{{SIZED("application/x-protobuffer", "10")}, REASON_UNSUPPORTED_TYPE},
	{{GOOD, .x_api_key = "mr_good", .content_encoding = "br"}, REASON_UNSUPPORTED_ENCODING},
	{{GOOD, .x_api_key = "mr_good", .content_encoding = "gzip, gzip"}, REASON_UNSUPPORTED_ENCODING},
	{{GOOD, .x_api_key = "mr_good", .content_encoding = "Identity"}, NR_REASONS},
	{{GOOD, .x_api_key = "mr_good", .content_encoding = "gzip"}, NR_REASONS},
	{{GOOD, .x_api_key = "mr_good", .content_encoding = "zstd"}, NR_REASONS},
	{{SIZED("application/json", "1000")}, NR_REASONS},
	{{SIZED("application/json", "1001")}, REASON_BODY_TOO_LARGE},
	{{SIZED("application/json", "99999999999999999999999")}, REASON_BODY_TOO_LARGE},
	{{GOOD, .x_api_key = "mr_good", .sent_at = "yesterday"}, REASON_BAD_HEADER},
	{{GOOD, .x_api_key = "mr_bad", .created_at = "-1"}, REASON_BAD_HEADER}, /* says nothing about the key */
	{{GOOD, .x_api_key = "mr_good", .kafka_gone = gone}, REASON_KAFKA_UNAVAILABLE},
	{{GOOD, .x_api_key = "mr_bad", .kafka_gone = gone}, REASON_UNAUTHORIZED},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .lengths = 2, .content_length = "10"}, REASON_BAD_FRAMING},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .lengths = 2, .content_length = "10", .transfer_encoding = "chunked"},
	 REASON_BAD_FRAMING},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .lengths = 1, .transfer_encoding = "gzip, chunked"}, REASON_BAD_FRAMING},
	{{.method = "POST", .path = "/v1/push", .x_api_key = "mr_good", .lengths = 1, .transfer_encoding = "Chunked",
	  .content_type = "application/json"},
	 NR_REASONS},
	/* OTLP's doors */
	{{OTLP("/v1/metrics", "application/x-protobuf")}, NR_REASONS},
	{{OTLP("/v1/traces", "application/json; charset=utf-8")}, NR_REASONS},
	{{OTLP("/v1/logs", "application/x-protobuf;x=y")}, NR_REASONS},
	{{OTLP("/v1/metrics", "application/protobuf")}, REASON_UNSUPPORTED_TYPE},
	{{OTLP("/v1/metrics", NULL)}, REASON_UNSUPPORTED_TYPE},
	{{OTLP("/v1/metric", "application/json")}, REASON_NOT_FOUND},
	{{.method = "GET", .path = "/v1/logs"}, REASON_METHOD_NOT_ALLOWED},
	{{.method = "POST", .path = "/v1/traces", .content_type = "application/json"}, REASON_UNAUTHORIZED},
	{{OTLP("/v1/metrics", "application/json"), .idempotency_key = "1"}, NR_REASONS},
	{{OTLP("/v1/metrics", "application/json"), .idempotency_key = ""}, REASON_BAD_IDEMPOTENCY_KEY},
	{{OTLP("/v1/metrics", "application/json"), .idempotency_key = KEY_255}, NR_REASONS},
	{{OTLP("/v1/metrics", "application/json"), .idempotency_key = KEY_255 "x"}, REASON_BAD_IDEMPOTENCY_KEY},
	{{GOOD, .x_api_key = "mr_good", .idempotency_key = ""}, NR_REASONS}, /* native payloads have none */
	{{OTLP("/v1/metrics", "application/json"), .sent_at = "x", .created_at = "y"}, NR_REASONS}, /* .. and OTLP's not these */
	{{OTLP("/v1/metrics", "application/json"), .kafka_gone = gone}, REASON_KAFKA_UNAVAILABLE},
};

START_TEST(names_each_refusal)
{
	struct gate g;
	struct ticket t = {0};
	struct refusal no = {.reason = NR_REASONS};
	int rc;

	gate_init(&g, MAX_BODY, BUDGET);
	rc = admission_enter(g.admission, &heads[_i].head, &t, &no);
	ck_assert_msg(rc == (heads[_i].reason == NR_REASONS ? 0 : -1) && no.reason == heads[_i].reason, "case %d: %d, %s", _i, rc,
		      no.detail);
	if (rc < 0)
		ck_assert_int_eq(admission_inflight_bytes(g.admission), 0);
	admission_release(g.admission, &t);
	gate_fini(&g);
}
END_TEST

static const struct {
	struct admission_head head;
	enum admission_door door;
	enum body_form form;
	const char *key; /* NULL: none */
} tickets[] = {
	{{OTLP("/v1/metrics", "application/x-protobuf"), .idempotency_key = "k 1"}, DOOR_METRICS, BODY_PROTOBUF, "k 1"},
	{{OTLP("/v1/logs", "application/json"), .created_at = "1"}, DOOR_LOGS, BODY_JSON, NULL},
	{{OTLP("/v1/traces", "Application/X-Protobuf ; a=b")}, DOOR_TRACES, BODY_PROTOBUF, NULL},
	{{GOOD, .x_api_key = "mr_good", .idempotency_key = "k"}, DOOR_PUSH, BODY_JSON, NULL},
	/* refused, but to be told in its own form */
	{{.method = "GET", .path = "/v1/logs", .content_type = "application/x-protobuf"}, DOOR_LOGS, BODY_PROTOBUF, NULL},
	{{.method = "POST", .path = "/v1/logs", .content_type = "application/x-protobuf"}, DOOR_LOGS, BODY_PROTOBUF, NULL},
	{{OTLP("/v1/metrics", "text/plain")}, DOOR_METRICS, BODY_JSON, NULL},
};

START_TEST(a_ticket_says_what_was_asked_and_how)
{
	struct gate g;
	struct ticket t = {0};
	struct refusal no;

	gate_init(&g, MAX_BODY, BUDGET);
	admission_enter(g.admission, &tickets[_i].head, &t, &no);
	ck_assert(t.door == tickets[_i].door && t.form == tickets[_i].form);
	ck_assert(!t.sender.has_created_at && t.sender.traffic == TRAFFIC_LIVE);
	ck_assert((t.idempotency_key.p != NULL) == (tickets[_i].key != NULL));
	if (tickets[_i].key)
		ck_assert(str_eq(t.idempotency_key, str_from(tickets[_i].key)));
	admission_release(g.admission, &t);
	gate_fini(&g);
}
END_TEST

static const struct admission_head good = {GOOD, .x_api_key = "mr_good"}, unknown = {GOOD, .x_api_key = "mr_new"};

/* Enters and leaves; the reason for which not, or NR_REASONS. */
static enum reason pass(struct gate *g, const struct admission_head *head, struct refusal *no)
{
	struct ticket t = {0};

	*no = (struct refusal){.reason = NR_REASONS};
	admission_enter(g->admission, head, &t, no);
	admission_release(g->admission, &t);
	return no->reason;
}

/* A 401 makes agents give up: it is for those whose key is surely unknown. */
START_TEST(no_401_without_a_true_table)
{
	struct gate g;
	struct refusal no;

	gate_init(&g, MAX_BODY, BUDGET);
	ck_assert_int_eq(pass(&g, &unknown, &no), REASON_UNAUTHORIZED);
	admission_set(g.admission, ADMISSION_TABLES_LOADED, false);
	ck_assert_int_eq(pass(&g, &unknown, &no), REASON_TABLES_NOT_LOADED);
	ck_assert_int_eq(pass(&g, &good, &no), REASON_TABLES_NOT_LOADED);
	admission_set(g.admission, ADMISSION_TABLES_LOADED, true);
	admission_set(g.admission, ADMISSION_TABLES_FRESH, false);
	ck_assert_int_eq(pass(&g, &unknown, &no), REASON_TABLES_NOT_LOADED);
	ck_assert_int_eq(pass(&g, &good, &no), NR_REASONS); /* a known key is known */
	admission_set(g.admission, ADMISSION_TABLES_FRESH, true);
	delete_site(g.sites, "shop");
	ck_assert_int_eq(pass(&g, &unknown, &no), REASON_UNAUTHORIZED);
	delete_site(g.sites, "off");
	ck_assert_int_eq(pass(&g, &unknown, &no), REASON_TABLES_NOT_LOADED); /* an empty table knows nobody */
	admission_set(g.admission, ADMISSION_DRAINING, true);
	ck_assert_int_eq(pass(&g, &good, &no), REASON_DRAINING);
	gate_fini(&g);
}
END_TEST

static int route(struct gate *g, struct ticket *t, uint64_t samples, struct split_route *out, struct refusal *no)
{
	static struct arena arena;
	int rc;

	arena = (struct arena)ARENA_INIT;
	rc = admission_route(g->admission, t, 1, samples, &arena, out, no);
	if (rc == 0)
		ck_assert(out->partitions_len == 2 && strcmp(out->topic, "millrace.c.main.samples") == 0 && strcmp(out->events_topic, "millrace.c.main.events") == 0 && str_eq(out->site, STR("shop")));
	arena_fini(&arena);
	return rc;
}

START_TEST(a_key_revoked_on_the_way_is_told)
{
	struct gate g;
	struct ticket t = {0};
	struct split_route out;
	struct refusal no;
	struct err err = ERR_INIT;

	gate_init(&g, MAX_BODY, BUDGET);
	ck_assert_int_eq(admission_enter(g.admission, &good, &t, &no), 0);
	ck_assert_int_eq(route(&g, &t, 1, &out, &no), 0);
	delete_site(g.sites, "shop"); /* the ticket holds on to what is counted there */
	ck_assert_int_eq(route(&g, &t, 1, &out, &no), -1);
	ck_assert_int_eq(no.reason, REASON_UNAUTHORIZED);
	ck_assert_int_eq(put_site(g.sites, "other", (const char *const[]){"mr_good", NULL}, gate_route, 1, false, &err), 0);
	ck_assert_int_eq(route(&g, &t, 1, &out, &no), -1); /* not the site that it was let in for */
	ck_assert_int_eq(no.reason, REASON_TABLES_NOT_LOADED);
	admission_release(g.admission, &t);
	gate_fini(&g);
}
END_TEST

START_TEST(the_budget_is_kept_and_given_back)
{
	struct gate g;
	struct ticket a = {0}, b = {0}, c = {0};
	struct admission_head large = good;
	struct refusal no;

	large.content_length = "1000";
	gate_init(&g, MAX_BODY, BUDGET);
	ck_assert_int_eq(admission_enter(g.admission, &large, &a, &no), 0);
	ck_assert_int_eq(admission_charge(g.admission, &a, 800, &no), 0); /* a site's half, but for the tenth that is backlog's */
	ck_assert_int_eq(admission_charge(g.admission, &a, 1, &no), -1);
	ck_assert_int_eq(no.reason, REASON_OVER_BUDGET);
	ck_assert_int_eq(admission_charge(g.admission, &a, INT64_MAX, &no), -1);
	ck_assert_int_eq(admission_enter(g.admission, &large, &b, &no), -1);
	ck_assert_int_eq(admission_inflight_bytes(g.admission), 1800);
	ck_assert_int_eq(put_site(g.sites, "two", (const char *const[]){"mr_two", NULL}, gate_route, 1, false, NULL), 0);
	large.x_api_key = "mr_two"; /* another site has its own half */
	ck_assert_int_eq(admission_enter(g.admission, &large, &c, &no), 0);
	ck_assert_int_eq(admission_charge(g.admission, &c, 800, &no), 0);
	ck_assert_int_eq(put_site(g.sites, "three", (const char *const[]){"mr_three", NULL}, gate_route, 1, false, NULL), 0);
	large.x_api_key = "mr_three";
	ck_assert_int_eq(pass(&g, &large, &no), REASON_OVER_BUDGET); /* and the third finds both taken */
	ck_assert_ptr_nonnull(strstr(no.detail, "all sites"));
	admission_release(g.admission, &b);
	admission_release(g.admission, &a);
	admission_release(g.admission, &a);
	ck_assert_int_eq(admission_inflight_bytes(g.admission), 1800);
	ck_assert_int_eq(pass(&g, &large, &no), NR_REASONS);
	admission_release(g.admission, &c);
	gate_fini(&g);
}
END_TEST

/* Of one site as of all: backlog takes half of what live data leaves, and live data still comes in. */
START_TEST(backlog_is_known_by_its_headers)
{
	struct gate g;
	struct ticket live = {0}, backlog = {0};
	struct admission_head head = good;
	struct refusal no;

	head.content_length = "600";
	head.sent_at = "1795372012000";
	head.created_at = "1795368412000";
	gate_init(&g, MAX_BODY, BUDGET);
	ck_assert_int_eq(admission_enter(g.admission, &head, &backlog, &no), 0);
	ck_assert_int_eq(pass(&g, &head, &no), REASON_OVER_BUDGET);
	head.created_at = NULL;
	ck_assert_int_eq(admission_enter(g.admission, &head, &live, &no), 0); /* live data goes first */
	ck_assert_double_eq(gate_figure(&g, "backlog_requests_total", NULL), 1);
	admission_release(g.admission, &live);
	admission_release(g.admission, &backlog);
	gate_fini(&g);
}
END_TEST

static void limit_shop(struct gate *g, double payloads_per_s, double samples_per_s)
{
	struct api_key key = {.id = STR("mr_g")};
	struct site site = {.id = STR("shop"), .name = STR("shop"), .routes = (struct route *)(uintptr_t)gate_route, .routes_len = 1,
			    .keys = &key, .keys_len = 1, .payloads_per_s = payloads_per_s, .samples_per_s = samples_per_s};
	struct table_row row = {.key = STR("shop")};
	struct buf value = BUF_INIT;

	sites_hash_key(STR("mr_good"), key.sha256);
	ck_assert_int_eq(site_encode(&site, &value, NULL), 0);
	row.value = buf_str(&value);
	ck_assert_int_eq(sites_take_site(g->sites, &row, NULL), 0);
	buf_fini(&value);
}

/* The bucket outlives the row that changes its limit. */
START_TEST(rates_hold_and_change_at_run_time)
{
	struct gate g;
	struct ticket t = {0};
	struct split_route out;
	struct refusal no;

	gate_init(&g, MAX_BODY, BUDGET);
	limit_shop(&g, 0.1, 0);
	ck_assert_int_eq(pass(&g, &good, &no), NR_REASONS);
	ck_assert_int_eq(pass(&g, &good, &no), REASON_PAYLOAD_RATE);
	ck_assert_int_gt(no.wait_ms, 9000);
	ck_assert_uint_ge(admission_refuse(g.admission, &t, &no, NULL), 10); /* Retry-After knows */
	limit_shop(&g, 1000, 0);
	ck_assert_int_eq(pass(&g, &good, &no), NR_REASONS);
	limit_shop(&g, 0, 1);
	ck_assert_int_eq(admission_enter(g.admission, &good, &t, &no), 0);
	ck_assert_int_eq(route(&g, &t, 100, &out, &no), 0); /* known only now: charged as debt */
	admission_release(g.admission, &t);
	ck_assert_int_eq(pass(&g, &good, &no), REASON_SAMPLE_RATE);
	ck_assert_int_gt(no.wait_ms, 80000);
	limit_shop(&g, 0, 0);
	ck_assert_int_eq(pass(&g, &good, &no), NR_REASONS);
	gate_fini(&g);
}
END_TEST

static void close_for(struct gate *g, const char *cell, const char *site)
{
	struct control c = {.on = CONTROL_PROGRAM_INGEST, .action = CONTROL_ACTION_CLOSE, .has_cell = cell, .cell = str_from(cell),
			    .has_site = site, .site = str_from(site), .reason = STR("a fire"), .author = STR("ann")};
	char id[CONTROL_ID_SIZE];
	struct err err = ERR_INIT;

	c.created_at = clock_now_ms(&g->clock);
	c.expires_at = c.created_at + CLOCK_HOUR_MS;
	ck_assert_int_eq(control_make_id(&c, id, &err), 0);
	c.id = str_from(id);
	ck_assert_msg(controls_put(g->controls, &c, &err) == CONTROLS_DONE, "%s", err.msg);
}

static const struct {
	const char *cell, *site;
	enum reason good, unknown;
} valves[] = {
	{NULL, NULL, REASON_CLOSED, REASON_CLOSED}, /* before the key is looked at */
	{"main", NULL, REASON_CLOSED, REASON_UNAUTHORIZED},
	{NULL, "shop", REASON_CLOSED, REASON_UNAUTHORIZED},
	{"other", NULL, NR_REASONS, REASON_UNAUTHORIZED},
	{NULL, "off", NR_REASONS, REASON_UNAUTHORIZED},
};

START_TEST(the_valve_closes_for_its_scope)
{
	struct gate g;
	struct ticket t = {0};
	struct split_route out;
	struct refusal no;

	gate_init(&g, MAX_BODY, BUDGET);
	ck_assert_int_eq(admission_enter(g.admission, &good, &t, &no), 0);
	close_for(&g, valves[_i].cell, valves[_i].site);
	ck_assert_int_eq(pass(&g, &good, &no), valves[_i].good);
	ck_assert_int_eq(pass(&g, &unknown, &no), valves[_i].unknown);
	ck_assert_int_eq(route(&g, &t, 1, &out, &no) == 0, valves[_i].good == NR_REASONS); /* also for who was on the way */
	admission_release(g.admission, &t);
	gate_fini(&g);
}
END_TEST

START_TEST(refusals_that_pass_tell_when_to_come_back)
{
	struct gate g;
	struct ticket t = {0};
	struct refusal no;

	gate_init(&g, MAX_BODY, BUDGET);
	for (int i = 0; i < NR_REASONS; i++) {
		int status = reason_status((enum reason)i);
		unsigned seconds;

		refuse(&no, (enum reason)i, "%s", "");
		seconds = admission_refuse(g.admission, &t, &no, NULL);
		ck_assert_msg((status == 503 || status == 429) == (seconds >= 1 && seconds <= 30), "%s: %u s", reason_name((enum reason)i), seconds);
	}
	gate_fini(&g);
}
END_TEST

/* Many threads in and out while the table changes: nothing is lost, and ThreadSanitizer agrees. */
enum { THREADS = 4, TURNS = 3000 };

static void *visit(void *ctx)
{
	struct gate *g = ctx;
	struct split_route out;
	struct refusal no;

	for (int i = 0; i < TURNS; i++) {
		struct arena arena = ARENA_INIT;
		struct ticket t = {0};
		struct tally tally = {.accepted = 3};

		if (admission_enter(g->admission, &good, &t, &no) == 0 && admission_charge(g->admission, &t, 50, &no) == 0 &&
		    admission_route(g->admission, &t, 1, 3, &arena, &out, &no) == 0)
			admission_accept(g->admission, &t, &tally);
		else
			admission_refuse(g->admission, &t, &no, &tally);
		admission_release(g->admission, &t);
		arena_fini(&arena);
	}
	return NULL;
}

START_TEST(threads_share_it)
{
	struct gate g;
	pthread_t threads[THREADS];

	gate_init(&g, MAX_BODY, BUDGET);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, visit, &g), 0);
	for (int i = 0; i < 500; i++) {
		admission_lock(g.admission);
		if (i % 2)
			delete_site(g.sites, "shop");
		else
			put_site(g.sites, "shop", (const char *const[]){"mr_good", NULL}, gate_route, 1, false, NULL);
		admission_unlock(g.admission);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_double_eq(gate_figure(&g, "accepted_samples_total", NULL) + gate_figure(&g, "refused_samples_total", NULL), 3.0 * THREADS * TURNS);
	gate_fini(&g);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admission");
	TCase *tc = tcase_create("admission");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_ticket_says_what_was_asked_and_how, 0, (int)NR(tickets));
	tcase_add_loop_test(tc, names_each_refusal, 0, (int)NR(heads));
	tcase_add_test(tc, no_401_without_a_true_table);
	tcase_add_test(tc, a_key_revoked_on_the_way_is_told);
	tcase_add_test(tc, the_budget_is_kept_and_given_back);
	tcase_add_test(tc, backlog_is_known_by_its_headers);
	tcase_add_test(tc, rates_hold_and_change_at_run_time);
	tcase_add_loop_test(tc, the_valve_closes_for_its_scope, 0, (int)NR(valves));
	tcase_add_test(tc, refusals_that_pass_tell_when_to_come_back);
	tcase_add_test(tc, threads_share_it);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
