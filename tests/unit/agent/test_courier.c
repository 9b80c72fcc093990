/* test_courier.c - the courier against a server that answers well, badly, half, never. */
#include <sys/stat.h>

#include "ingest/agent/squeeze.h"
#include "tests/unit/agent/courier_bench.h"

#define LINE(status) "HTTP/1.1 " status "\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define OK LINE("202 Accepted") EMPTY

static const struct step taken[] = {{OK, SERVER_KEEPS}};

START_TEST(a_request_says_what_it_must)
{
	struct bench b;
	struct str head;
	int64_t sent, before = clock_wall_ms();

	bench_init(&b, taken, NR(taken));
	bench_put(&b, 3, 2);
	bench_open(&b, NULL);
	ck_assert(bench_run(&b, 1));
	head = buf_str(&b.last_head);
	ck_assert(memcmp(head.p, "POST /v1/push HTTP/1.1\r\n", 24) == 0);
	ck_assert(str_eq(server_header(head, "Authorization"), STR("Bearer " BENCH_KEY)));
	ck_assert(str_eq(server_header(head, "Content-Type"), STR("application/x-protobuf")));
	ck_assert(str_eq(server_header(head, "Content-Encoding"), STR("zstd")));
	ck_assert(str_eq(server_header(head, "Millrace-Created-At"), STR("1000003")));
	ck_assert_uint_eq(server_header(head, "Expect").len, 0);
	sent = strtoll(server_header(head, "Millrace-Sent-At").p, NULL, 10);
	ck_assert(sent >= before && sent <= clock_wall_ms());
	ck_assert(str_eq(buf_str(&b.last_body), buf_str(&fake_payload(b.spool, 1)->body)));
	ck_assert_int_eq(fake_payload(b.spool, 1)->state, FAKE_DONE);
	ck_assert(fake_payload(b.spool, 1)->e.attempted);
	bench_fini(&b);
}
END_TEST

/* What becomes of a payload by the first answer, and whether the courier would post it again (it is there, and so the second answer
 * takes it). */
static const struct {
	struct step first;
	enum fake_state then;
} answers[] = {
	{{OK, SERVER_KEEPS}, FAKE_DONE},
	{{LINE("200 OK") EMPTY, SERVER_KEEPS}, FAKE_DONE},
	{{LINE("204 No Content") "\r\n", SERVER_KEEPS}, FAKE_DONE},
	{{LINE("202 Accepted") "\r\nuntil the end", SERVER_CLOSES}, FAKE_DONE},
	{{LINE("100 Continue") "\r\n" OK, SERVER_KEEPS}, FAKE_DONE},
	{{LINE("202 Accepted") "Content-Length: 500\r\n\r\n{\"acc", SERVER_CLOSES}, FAKE_DONE}, /* the status is whole */
	{{LINE("202 Accepted") "Content-Length: 500\r\n\r\n{", SERVER_FALLS_SILENT}, FAKE_DONE},
	{{LINE("202 Accepted") "Content-Length: 99999999\r\n\r\n ", SERVER_FLOODS}, FAKE_DONE},
	{{LINE("202 Accepted") "\r\n ", SERVER_REPEATS}, FAKE_DONE},
	{{LINE("202 Accepted") "Transfer-Encoding: chunked\r\n\r\nzz\r\n", SERVER_KEEPS}, FAKE_DONE},
	{{LINE("400 Bad Request") EMPTY, SERVER_KEEPS}, FAKE_REJECTED},
	{{LINE("422 Unprocessable Content") EMPTY, SERVER_KEEPS}, FAKE_REJECTED},
	{{LINE("405 Method Not Allowed") EMPTY, SERVER_KEEPS}, FAKE_WAITS},
	{{LINE("415 Unsupported Media Type") EMPTY, SERVER_CLOSES}, FAKE_WAITS},
	{{LINE("401 Unauthorized") EMPTY, SERVER_KEEPS}, FAKE_WAITS},
	{{LINE("403 Forbidden") EMPTY, SERVER_KEEPS}, FAKE_WAITS},
	{{LINE("404 Not Found") EMPTY, SERVER_KEEPS}, FAKE_WAITS},
	{{LINE("407 Proxy") EMPTY, SERVER_KEEPS}, FAKE_WAITS},
	{{LINE("408 Request Timeout") EMPTY, SERVER_CLOSES}, FAKE_WAITS},
	{{LINE("429 Too Many Requests") EMPTY, SERVER_KEEPS}, FAKE_WAITS},
	{{LINE("500 Internal Server Error") EMPTY, SERVER_KEEPS}, FAKE_WAITS},
	{{LINE("503 Service Unavailable") "Retry-After: 3\r\n" EMPTY, SERVER_KEEPS}, FAKE_WAITS},
	{{LINE("301 Moved") "Location: /elsewhere\r\n" EMPTY, SERVER_KEEPS}, FAKE_WAITS}, /* not followed: one request */
	{{LINE("307 Elsewhere") "Location: /elsewhere\r\n" EMPTY, SERVER_KEEPS}, FAKE_WAITS},
	{{"", SERVER_CLOSES}, FAKE_WAITS},
	{{"", SERVER_RESETS}, FAKE_WAITS},
	{{"", SERVER_FALLS_SILENT}, FAKE_WAITS},
	{{"HTTP/1.1 20", SERVER_CLOSES}, FAKE_WAITS},
	{{LINE("202 Accepted"), SERVER_CLOSES}, FAKE_WAITS}, /* the headers are not whole */
	{{LINE("202 Accepted"), SERVER_FALLS_SILENT}, FAKE_WAITS},
	{{LINE("100 Continue") "\r\n", SERVER_FALLS_SILENT}, FAKE_WAITS},
	{{LINE("202 Accepted") "X: ", SERVER_FLOODS}, FAKE_WAITS},
	{{LINE("202 Accepted") "X: \r", SERVER_REPEATS}, FAKE_WAITS},
	{{"{\"accepted\": 1}\r\n\r\n", SERVER_CLOSES}, FAKE_WAITS}, /* HTTP/0.9 is no HTTP */
	{{"\x16\x03\x01\x02\r\n\r\n", SERVER_CLOSES}, FAKE_WAITS},
};

START_TEST(an_answer_decides)
{
	const struct step steps[] = {answers[_i].first, {OK, SERVER_KEEPS}};
	struct bench b;

	bench_init(&b, steps, NR(steps));
	bench_put(&b, 1, 1);
	bench_open(&b, NULL);
	ck_assert_msg(bench_run(&b, 1), "answer %d", _i);
	ck_assert_msg(fake_payload(b.spool, 1)->state == answers[_i].then, "answer %d: it is %d", _i, (int)fake_payload(b.spool, 1)->state);
	ck_assert_uint_ge(b.seen_len, 1);
	if (answers[_i].then == FAKE_WAITS) {
		ck_assert_msg(b.seen_len == 1 || answers[_i].first.then == SERVER_CLOSES || answers[_i].first.then == SERVER_RESETS,
			      "answer %d: %zu requests", _i, b.seen_len);
		ck_assert_msg(bench_run(&b, 2), "answer %d", _i);
		ck_assert_int_eq(fake_payload(b.spool, 1)->state, FAKE_DONE);
		ck_assert(bench_logged(&b, "post_failed") || bench_logged(&b, "key_refused"));
	}
	ck_assert(!bench_run(&b, 99));
	bench_fini(&b);
}
END_TEST

/* What the sockets buffer is sent besides, and no more. */
START_TEST(an_endless_answer_is_cut_off)
{
	static const struct step steps[] = {{LINE("202 Accepted") "\r\n ", SERVER_FLOODS}};
	struct bench b;

	bench_init(&b, steps, NR(steps));
	bench_put(&b, 1, 1);
	bench_open(&b, NULL);
	ck_assert(bench_run(&b, 1));
	ck_assert_uint_lt(b.server.sent, 8 << 20);
	bench_fini(&b);
}
END_TEST

/* Answers, and how long (at least, at most) it is until the next post. */
static const struct {
	const char *answer;
	int64_t at_least_ms, at_most_ms;
} waits[] = {
	{LINE("503 No") "Retry-After: 7\r\n" EMPTY, 7000, 8001},
	{LINE("429 No") "retry-after:   30 \r\n" EMPTY, 30000, 31001},
	{LINE("503 No") "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nRetry-After: Thu, 01 Jan 2026 00:02:00 GMT\r\n" EMPTY, 120000, 121001},
	{LINE("503 No") "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n" EMPTY, 1000, 2001},
	{LINE("503 No") "Retry-After: 0\r\n" EMPTY, 1000, 2001},
	{LINE("503 No") "Retry-After: 99999999999999999999999\r\n" EMPTY, 900000, 901001},
	{LINE("503 No") "Retry-After: -5\r\n" EMPTY, 0, 1001},
	{LINE("503 No") "Retry-After: soon\r\n" EMPTY, 0, 1001},
	{LINE("503 No") EMPTY, 0, 1001},
	{LINE("401 No") EMPTY, COURIER_KEY_RETRY_MS, COURIER_KEY_RETRY_MS + 1001},
};

START_TEST(waits_are_kept)
{
	const struct step steps[] = {{waits[_i].answer, SERVER_KEEPS}, {OK, SERVER_KEEPS}};
	uint64_t live;
	struct bench b;

	bench_init(&b, steps, NR(steps));
	live = bench_put(&b, 1, 1);
	bench_put(&b, 2, 1);
	bench_open(&b, NULL);
	courier_take_live(b.courier, &live, 1);
	ck_assert(bench_run(&b, 3));
	ck_assert_uint_eq(b.seen_len, 3);
	ck_assert_msg(b.seen_at_ms[1] - b.seen_at_ms[0] >= waits[_i].at_least_ms && b.seen_at_ms[1] - b.seen_at_ms[0] <= waits[_i].at_most_ms,
		      "wait %d: %lld ms", _i, (long long)(b.seen_at_ms[1] - b.seen_at_ms[0]));
	ck_assert_uint_eq(b.seen[0], 1); /* live is tried again before backlog begins */
	ck_assert_uint_eq(b.seen[1], 1);
	ck_assert_uint_eq(b.seen[2], 2);
	bench_fini(&b);
}
END_TEST

START_TEST(waits_grow_up_to_a_minute)
{
	static const struct step never[] = {{LINE("500 No") EMPTY, SERVER_KEEPS}};
	int64_t longest = 0, first;
	struct bench b;

	bench_init(&b, never, NR(never));
	bench_put(&b, 1, 1);
	bench_open(&b, NULL);
	ck_assert(bench_run(&b, 60));
	first = b.seen_at_ms[1] - b.seen_at_ms[0];
	for (size_t i = 1; i < b.seen_len; i++)
		if (b.seen_at_ms[i] - b.seen_at_ms[i - 1] > longest)
			longest = b.seen_at_ms[i] - b.seen_at_ms[i - 1];
	ck_assert_int_le(first, 1001);
	ck_assert_int_gt(longest, 30000); /* that 50 draws below 60 s stay under it: 2^-50 */
	ck_assert_int_le(longest, 60001);
	bench_fini(&b);
}
END_TEST

START_TEST(live_goes_first_then_the_newest)
{
	uint64_t live[3], backlog[] = {5, 4, 3, 2, 1};
	struct bench b;

	bench_init(&b, taken, NR(taken));
	for (uint64_t seq = 1; seq <= 5; seq++)
		bench_put(&b, seq, 1);
	for (uint64_t seq = 6; seq <= 8; seq++)
		live[seq - 6] = bench_put(&b, seq, 1);
	bench_open(&b, NULL);
	courier_take_live(b.courier, live, NR(live));
	ck_assert(bench_run(&b, 8));
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_uint_eq(b.seen[i], 6 + i);
	for (size_t i = 0; i < NR(backlog); i++)
		ck_assert_uint_eq(b.seen[3 + i], backlog[i]);
	for (size_t i = 4; i < 8; i++)
		ck_assert_int_ge(b.seen_at_ms[i] - b.seen_at_ms[i - 1], COURIER_PAUSE_MIN_MS);
	ck_assert_uint_eq(b.server.accepted, 1); /* the connection is kept */
	bench_fini(&b);
}
END_TEST

/* Backlog takes half of the time: a post of two seconds is followed by two without one. */
START_TEST(backlog_pauses_as_long_as_it_posts)
{
	struct bench b;

	bench_init(&b, taken, NR(taken));
	bench_put(&b, 1, 1);
	bench_put(&b, 2, 1);
	bench_open(&b, NULL);
	courier_turn(b.courier, b.now_ms);
	b.now_ms += 2000;
	ck_assert(bench_run(&b, 2));
	ck_assert_int_ge(b.seen_at_ms[1] - b.seen_at_ms[0], 2000);
	bench_fini(&b);
}
END_TEST

/* A live payload that comes while backlog is posted does not wait for it. */
START_TEST(live_overtakes_backlog)
{
	static const struct step steps[] = {{"", SERVER_FALLS_SILENT}, {OK, SERVER_KEEPS}};
	struct bench b;
	uint64_t live;

	bench_init(&b, steps, NR(steps));
	bench_put(&b, 1, 1);
	bench_open(&b, NULL);
	while (b.seen_len == 0) {
		courier_turn(b.courier, b.now_ms);
		server_turn(&b.server);
	}
	live = bench_put(&b, 2, 1);
	courier_take_live(b.courier, &live, 1);
	ck_assert(bench_run(&b, 1));
	ck_assert_int_eq(fake_payload(b.spool, live)->state, FAKE_DONE);
	ck_assert_int_eq(fake_payload(b.spool, 1)->state, FAKE_WAITS);
	ck_assert(bench_run(&b, 3)); /* the silent one times out, and is taken the second time */
	ck_assert_int_eq(fake_payload(b.spool, 1)->state, FAKE_DONE);
	bench_fini(&b);
}
END_TEST

/* Of five samples in one payload each arrives, alone in the end; created_at stays. */
static enum server_then only_singles(void *ctx, const struct server_request *r, struct buf *out)
{
	struct bench *b = ctx;
	Millrace__Push__Payload *p = maker_unpack(r->body);
	const char *answer = p->n_metrics > 1 || b->at ? LINE("413 Too Large") EMPTY : OK;

	ck_assert_int_eq(p->created_at, BENCH_CREATED_MS + 9);
	ck_assert(str_eq(server_header(r->head, "Millrace-Created-At"), STR("1000009")));
	buf_add(out, answer, strlen(answer));
	millrace__push__payload__free_unpacked(p, NULL);
	return SERVER_KEEPS;
}

START_TEST(what_is_too_large_is_halved)
{
	struct courier_status status;
	size_t smallest = SIZE_MAX;
	struct bench b;

	bench_init(&b, taken, NR(taken));
	b.server.answer = only_singles;
	b.at = (size_t)_i; /* 1: single ones are too large, too */
	bench_put(&b, 9, 5);
	bench_open(&b, NULL);
	b.spool->fail_replaces = 1; /* the disk refuses once: the whole stays, and is refused again */
	bench_run(&b, 999);
	ck_assert_uint_eq(fake_count(b.spool, FAKE_REPLACED), 4);
	ck_assert_uint_eq(fake_count(b.spool, FAKE_DONE), _i ? 0 : 5);
	ck_assert_uint_eq(fake_count(b.spool, FAKE_REJECTED), _i ? 5 : 0);
	ck_assert_uint_eq(fake_count(b.spool, FAKE_WAITS), 0);
	courier_read_status(b.courier, 0, &status);
	ck_assert_uint_gt(status.too_large_bytes, 0);
	for (size_t i = 1; i <= b.spool->len; i++) {
		size_t bytes = squeeze_inflated_bytes(buf_str(&b.spool->payloads[i - 1].body));

		if (b.spool->payloads[i - 1].state == FAKE_REPLACED)
			smallest = bytes < smallest ? bytes : smallest;
	}
	ck_assert_uint_eq(status.too_large_bytes, smallest);
	for (size_t i = 1; _i && i <= b.spool->len; i++)
		ck_assert(b.spool->payloads[i - 1].state != FAKE_REJECTED || b.spool->payloads[i - 1].status == 413);
	bench_fini(&b);
}
END_TEST

/* One payload that always fails stops no other: it goes behind them. */
static enum server_then fails_by_seq(void *ctx, const struct server_request *r, struct buf *out)
{
	struct bench *b = ctx;
	const char *answer = bench_seq(r->body) == 3 ? LINE("502 Bad Gateway") EMPTY : OK;

	b->seen[b->seen_len++] = bench_seq(r->body);
	buf_add(out, answer, strlen(answer));
	return SERVER_KEEPS;
}

START_TEST(one_that_always_fails_stops_no_other)
{
	struct bench b;
	uint64_t live;

	bench_init(&b, taken, NR(taken));
	b.server.answer = fails_by_seq;
	for (uint64_t seq = 1; seq <= 3; seq++)
		bench_put(&b, seq, 1);
	bench_open(&b, NULL);
	ck_assert(bench_run(&b, 1));
	live = bench_put(&b, 4, 1);
	courier_take_live(b.courier, &live, 1);
	ck_assert(bench_run(&b, 6));
	ck_assert_int_eq(fake_payload(b.spool, 1)->state, FAKE_DONE);
	ck_assert_int_eq(fake_payload(b.spool, 2)->state, FAKE_DONE);
	ck_assert_int_eq(fake_payload(b.spool, 3)->state, FAKE_WAITS);
	bench_fini(&b);
}
END_TEST

START_TEST(a_payload_that_cannot_be_read_waits)
{
	struct bench b;

	bench_init(&b, taken, NR(taken));
	bench_put(&b, 1, 1);
	b.spool->fail_gets = 3;
	bench_open(&b, NULL);
	ck_assert(bench_run(&b, 1));
	ck_assert_int_eq(fake_payload(b.spool, 1)->state, FAKE_DONE);
	bench_fini(&b);
}
END_TEST

static void write_key(int fd, const char *key)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(pwrite(fd, key, strlen(key), 0), (ssize_t)strlen(key));
	ck_assert_int_eq(fchmod(fd, 0600), 0);
}

START_TEST(a_new_key_is_tried_at_once)
{
	static const struct step steps[] = {{LINE("401 No") EMPTY, SERVER_KEEPS}, {OK, SERVER_KEEPS}};
	char path[] = "/tmp/millrace-key-XXXXXX";
	int fd = mkstemp(path);
	struct bench b;

	write_key(fd, "an-old-key-of-the-site\n");
	bench_init(&b, steps, NR(steps));
	bench_put(&b, 1, 1);
	bench_open(&b, path);
	ck_assert(bench_run(&b, 1));
	ck_assert(bench_status(&b).key_refused);
	ck_assert(bench_logged(&b, "key_refused"));
	write_key(fd, "short"); /* no key: the old one stays */
	b.now_ms += COURIER_KEY_LOOK_MS;
	courier_turn(b.courier, b.now_ms);
	ck_assert(bench_logged(&b, "key_unreadable"));
	ck_assert(bench_status(&b).retry_in_ms > 0);
	write_key(fd, "a-new-key-of-the-site\n");
	ck_assert(bench_run(&b, 2));
	ck_assert_int_le(b.seen_at_ms[1] - b.seen_at_ms[0], 3 * COURIER_KEY_LOOK_MS);
	ck_assert(str_eq(server_header(buf_str(&b.last_head), "Authorization"), STR("Bearer a-new-key-of-the-site")));
	ck_assert(!bench_status(&b).key_refused);
	ck_assert(!bench_logged(&b, "-key-of-the-site"));
	unlink(path);
	close(fd);
	bench_fini(&b);
}
END_TEST

START_TEST(the_key_is_nowhere)
{
	static const struct step steps[] = {
		{LINE("400 " BENCH_KEY) "\r\n{\"error\": \"" BENCH_KEY "\", \"detail\": \"x" BENCH_KEY "\"}", SERVER_CLOSES},
		{"HTTP/1.1 " BENCH_KEY "\r\n\r\n", SERVER_CLOSES},
		{BENCH_KEY "\r\n", SERVER_CLOSES},
		{LINE("307 No") "Location: http://" BENCH_KEY "/\r\n" EMPTY, SERVER_KEEPS},
		{LINE("202 Accepted") "\r\n{\"rejected\": [{\"reason\": \"a" BENCH_KEY "\"}], \"rejected_total\": 1}", SERVER_CLOSES},
		{OK, SERVER_KEEPS},
	};
	struct courier_status s;
	struct bench b;

	bench_init(&b, steps, NR(steps));
	for (uint64_t seq = 1; seq <= 3; seq++)
		bench_put(&b, seq, 1);
	bench_open(&b, NULL);
	for (uint64_t posts = 1; bench_run(&b, posts); posts++) {
		s = bench_status(&b);
		ck_assert_ptr_null(strstr(s.last_error, BENCH_KEY));
	}
	ck_assert_uint_ge(b.seen_len, 6);
	ck_assert(bench_logged(&b, "payload_refused") && bench_logged(&b, "post_failed") && bench_logged(&b, "samples_rejected"));
	ck_assert(!bench_logged(&b, BENCH_KEY));
	bench_fini(&b);
}
END_TEST

START_TEST(rejected_samples_are_counted_and_told_once)
{
	static const struct step steps[] = {
		{LINE("202 Accepted") "\r\n"
		 "{\"accepted\": 1, \"rejected\": [{\"index\": \"metrics[0]\", \"reason\": \"bad_name\"}, {\"index\": \"metrics[1]\", "
		 "\"reason\": \"bad_name\"}], \"rejected_total\": 2}", SERVER_CLOSES}};
	struct buf log = BUF_INIT;
	struct bench b;
	const char *first;

	bench_init(&b, steps, NR(steps));
	bench_put(&b, 1, 3);
	bench_put(&b, 2, 3);
	bench_open(&b, NULL);
	ck_assert(bench_run(&b, 2));
	ck_assert_uint_eq(bench_status(&b).accepted_samples, 2);
	ck_assert_uint_eq(bench_status(&b).rejected_samples, 4);
	bench_read_log(&b, &log);
	buf_add(&log, "", 1);
	first = strstr((const char *)log.p, "bad_name");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_null(strstr(first + 1, "bad_name"));
	buf_fini(&log);
	bench_fini(&b);
}
END_TEST

/* A stop waits for the answer of what is in flight, and begins nothing; but not beyond its time. */
START_TEST(a_stop_ends_in_time)
{
	static const struct step steps[] = {{"", SERVER_FALLS_SILENT}};
	int64_t began;
	struct bench b;

	bench_init(&b, steps, NR(steps));
	bench_put(&b, 1, 1);
	bench_put(&b, 2, 1);
	bench_open(&b, NULL);
	courier_turn(b.courier, clock_mono_ms());
	began = clock_mono_ms();
	courier_stop(b.courier, 50);
	ck_assert_int_ge(clock_mono_ms() - began, 50);
	ck_assert_int_lt(clock_mono_ms() - began, 50 + BENCH_TIMEOUT_MS / 2);
	courier_turn(b.courier, clock_mono_ms() + 100000);
	ck_assert_uint_eq(bench_status(&b).posts, 1);
	ck_assert_uint_eq(fake_count(b.spool, FAKE_WAITS), 2);
	bench_fini(&b);
}
END_TEST

/* The proxy is the environment's, and its refusals are no payload's fault. */
START_TEST(a_proxy_is_taken_from_the_environment)
{
	static const struct step steps[] = {{LINE("407 Proxy Authentication Required") EMPTY, SERVER_KEEPS}, {OK, SERVER_KEEPS}};
	const struct courier_conf conf = {.url = "http://push.example/deep/", .key = BENCH_KEY};
	struct err err = ERR_INIT;
	struct bench b;
	char proxy[64];

	bench_init(&b, steps, NR(steps));
	bench_put(&b, 1, 1);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", b.server.port);
	setenv("http_proxy", proxy, 1);
	b.courier = courier_new(&conf, b.spool, &b.clock, &b.log, &err);
	ck_assert_msg(b.courier && bench_run(&b, 2), "%s", err.msg);
	ck_assert(memcmp(b.last_head.p, "POST http://push.example/deep/v1/push HTTP/1.1\r\n", 47) == 0);
	ck_assert_int_eq(fake_payload(b.spool, 1)->state, FAKE_DONE);
	unsetenv("http_proxy");
	bench_fini(&b);
}
END_TEST

START_TEST(bad_settings_are_refused)
{
	static const struct courier_conf bad[] = {
		{.url = "ftp://127.0.0.1", .key = BENCH_KEY},
		{.url = "127.0.0.1:4318", .key = BENCH_KEY},
		{.url = "http://127.0.0.1/?api_key=1", .key = BENCH_KEY},
		{.url = "http://127.0.0.1", .key = "two words"},
		{.url = "http://127.0.0.1", .key = "two\nlines"},
		{.url = "http://127.0.0.1", .key = "", .key_file = ""},
		{.url = "http://127.0.0.1", .key_file = "/nonexistent/key"},
	};
	struct spool *spool = fake_spool_new();
	struct clock clock = {0};
	struct log log = {.fd = 2};
	struct err err = ERR_INIT;

	ck_assert_ptr_null(courier_new(&bad[_i], spool, &clock, &log, &err));
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_null(strstr(err.msg, "two"));
	fake_spool_free(spool);
}
END_TEST

/* Every agent at its own moment, always the same, spread over the whole of the time that is for it. */
START_TEST(flushes_are_spread)
{
	int64_t earliest = INT64_MAX, latest = 0;

	for (int i = 0; i < 2000; i++) {
		char machine[32];
		int64_t at;

		snprintf(machine, sizeof(machine), "machine-%d", i);
		at = courier_flush_at_ms(60000, machine);
		ck_assert_int_eq(courier_flush_at_ms(90000, machine), at + 30000);
		earliest = at < earliest ? at : earliest;
		latest = at > latest ? at : latest;
	}
	ck_assert(earliest >= 60000 && earliest < 60100);
	ck_assert(latest < 60000 + COURIER_FLUSH_SPREAD_MS && latest > 60000 + COURIER_FLUSH_SPREAD_MS - 100);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("courier");
	TCase *tc = tcase_create("courier");

	curl_global_init(CURL_GLOBAL_DEFAULT);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_request_says_what_it_must);
	tcase_add_loop_test(tc, an_answer_decides, 0, NR(answers));
	tcase_add_test(tc, an_endless_answer_is_cut_off);
	tcase_add_loop_test(tc, waits_are_kept, 0, NR(waits));
	tcase_add_test(tc, waits_grow_up_to_a_minute);
	tcase_add_test(tc, live_goes_first_then_the_newest);
	tcase_add_test(tc, backlog_pauses_as_long_as_it_posts);
	tcase_add_test(tc, live_overtakes_backlog);
	tcase_add_loop_test(tc, what_is_too_large_is_halved, 0, 2);
	tcase_add_test(tc, one_that_always_fails_stops_no_other);
	tcase_add_test(tc, a_payload_that_cannot_be_read_waits);
	tcase_add_test(tc, a_new_key_is_tried_at_once);
	tcase_add_test(tc, the_key_is_nowhere);
	tcase_add_test(tc, rejected_samples_are_counted_and_told_once);
	tcase_add_test(tc, a_stop_ends_in_time);
	tcase_add_test(tc, a_proxy_is_taken_from_the_environment);
	tcase_add_loop_test(tc, bad_settings_are_refused, 0, 7);
	tcase_add_test(tc, flushes_are_spread);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
