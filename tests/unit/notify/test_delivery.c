/* test_delivery.c - what each answer comes to, when the next attempt is, and that no receiver waits for another. */
#include "tests/unit/notify/delivery_bench.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define FAILED "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"

static const char *const ok[] = {OK};
static const char *const failed[] = {FAILED};
static const char *const failed_once[] = {FAILED, OK};

/* error: in the text of how it ended, or of the attempt before. */
static const struct {
	const char *answers[3];
	size_t nr;
	enum server_then then;
	enum delivery_outcome outcome;
	int attempts;
	const char *error;
} answers[] = {
	{{OK}, 1, SERVER_KEEPS, DELIVERY_DELIVERED, 1, ""},
	{{"HTTP/1.1 204 Fine\r\n\r\n"}, 1, SERVER_CLOSES, DELIVERY_DELIVERED, 1, ""},
	{{"HTTP/1.1 202 OK\r\nContent-Length: 9\r\n\r\nabc"}, 1, SERVER_CLOSES, DELIVERY_DELIVERED, 1, ""}, /* the status is what counts */
	{{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"}, 1, SERVER_FALLS_SILENT, DELIVERY_DELIVERED, 1, ""},
	{{"HTTP/1.1 200 OK\r\n\r\nx"}, 1, SERVER_FLOODS, DELIVERY_DELIVERED, 1, ""},
	{{FAILED, OK}, 2, SERVER_KEEPS, DELIVERY_DELIVERED, 2, "status 500"},
	{{FAILED, "HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nlow", OK}, 3, SERVER_KEEPS, DELIVERY_DELIVERED, 3, "status 503: low"},
	{{"HTTP/1.1 408 No\r\nContent-Length: 0\r\n\r\n", OK}, 2, SERVER_KEEPS, DELIVERY_DELIVERED, 2, "status 408"},
	{{"HTTP/1.1 425 No\r\nContent-Length: 0\r\n\r\n", OK}, 2, SERVER_KEEPS, DELIVERY_DELIVERED, 2, "status 425"},
	{{"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", OK}, 2, SERVER_KEEPS, DELIVERY_DELIVERED, 2, "status 429"},
	{{"HTTP/1.1 400 No\r\nContent-Length: 12\r\n\r\nyour\x1b[1m own\n"}, 1, SERVER_KEEPS, DELIVERY_GAVE_UP, 1, "status 400: your[1m own"},
	{{"HTTP/1.1 400 No\r\nTransfer-Encoding: Chunked \r\n\r\n3\r\nlow\r\n0\r\n\r\n"}, 1, SERVER_KEEPS, DELIVERY_GAVE_UP, 1, "status 400: low"},
	{{"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"}, 1, SERVER_KEEPS, DELIVERY_GAVE_UP, 1, "status 401"},
	{{"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"}, 1, SERVER_KEEPS, DELIVERY_GAVE_UP, 1, "status 404"},
	{{"HTTP/1.1 410 No\r\nContent-Length: 0\r\n\r\n"}, 1, SERVER_KEEPS, DELIVERY_GAVE_UP, 1, "status 410"},
	{{"HTTP/1.1 302 There\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", OK}, 2, SERVER_KEEPS, DELIVERY_DELIVERED, 2, "status 302"},
	{{"", OK}, 2, SERVER_CLOSES, DELIVERY_DELIVERED, 2, "Empty reply"},
	{{"HTTP/1.1 200 OK\r\nCont", OK}, 2, SERVER_CLOSES, DELIVERY_DELIVERED, 2, "no HTTP answer"}, /* a head that is cut off is none */
	{{"HTTP/1.1 200 OK\r\nX: y", OK}, 2, SERVER_FALLS_SILENT, DELIVERY_DELIVERED, 2, ""},
	{{"220 smtp.example ESMTP\r\n", OK}, 2, SERVER_CLOSES, DELIVERY_DELIVERED, 2, ""},
};

START_TEST(answers_mean_what_they_mean)
{
	struct bench b;

	bench_init(&b, NULL, answers[_i].answers, answers[_i].nr);
	b.then = answers[_i].then;
	bench_submit(&b, "ops", 1, 1);
	while (b.nr_done == 0 && b.nr_asked < 2)
		bench_turn(&b);
	b.then = b.nr_asked > 1 ? SERVER_KEEPS : b.then;
	bench_run(&b, 1);
	ck_assert_int_eq(b.done[0].outcome, answers[_i].outcome);
	ck_assert_int_eq(b.done[0].attempts, answers[_i].attempts);
	ck_assert_uint_eq(b.nr_asked, (size_t)answers[_i].attempts);
	ck_assert_msg(strstr(b.done[0].error, answers[_i].error) != NULL, "%s", b.done[0].error);
	ck_assert_str_eq(b.done[0].receiver, "ops");
	ck_assert_uint_le(b.server.sent, 8 << 20);
	ck_assert_uint_eq(bench_stats(&b).queued, 0);
	ck_assert_uint_eq(bench_stats(&b).bytes, 0);
	bench_fini(&b);
}
END_TEST

static void put(const char *dir, const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert(fputs(text, f) >= 0 && fclose(f) == 0);
}

static void must_have_header(const struct bench *b, const char *name, const char *value)
{
	struct str got = server_header(buf_str(&b->head), name);

	ck_assert_msg(str_eq(got, str_from(value)), "%s: " STR_FMT, name, STR_ARG(got));
}

/* By a second way to libcrypto than the signer's. */
static void must_be_signed(const struct bench *b, const char *key)
{
	struct str got = server_header(buf_str(&b->head), "Millrace-Signature");
	unsigned char mac[EVP_MAX_MD_SIZE];
	struct buf text = BUF_INIT;
	char wanted[200];
	unsigned len;
	long long at;
	int n;

	ck_assert_int_eq(sscanf(got.p, "t=%lld,", &at), 1);
	ck_assert_int_lt(llabs(at - clock_wall_ms() / 1000), 10);
	buf_printf(&text, "%lld.", at);
	buf_add(&text, b->body.p, b->body.len);
	ck_assert_ptr_nonnull(HMAC(EVP_sha256(), key, (int)strlen(key), text.p, text.len, mac, &len));
	n = snprintf(wanted, sizeof(wanted), "t=%lld,v1=", at);
	for (unsigned i = 0; i < len; i++)
		n += snprintf(wanted + n, sizeof(wanted) - (size_t)n, "%02x", mac[i]);
	ck_assert_msg(str_eq(got, str_from(wanted)), STR_FMT, STR_ARG(got));
	buf_fini(&text);
}

/* The same key and the same body at each attempt; secrets as they are at the time, and none of them in an error. */
START_TEST(a_request_is_whole)
{
	static const char *const echo[] = {"HTTP/1.1 500 No\r\nContent-Length: 17\r\n\r\nnot with tok-one!", OK};
	char dir[] = "/tmp/millrace-delivery-XXXXXX", command[64];
	const struct delivery_conf conf = {.allow_http = true, .allow_networks = "127.0.0.1", .secrets_dir = dir, .timeout_ms = BENCH_TIMEOUT_MS,
					   .external_url = "https://m.example"};
	struct receiver r;
	struct buf first = BUF_INIT;
	struct bench b;

	bench_init(&b, NULL, echo, NR(echo));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	put(dir, "key", "secret\n");
	put(dir, "token", "tok-one\n");
	delivery_free(b.d);
	bench_open(&b, &conf);
	r = bench_receiver(&b, "ops");
	r.webhook.secret_file = STR("key");
	r.webhook.bearer_file = STR("token");
	bench_submit_to(&b, &r, "shop", 0x0f, 7);
	bench_run_asked(&b, 1);
	ck_assert(str_eq((struct str){(char *)b.head.p, 15}, STR("POST /hook HTTP")));
	must_have_header(&b, "Idempotency-Key", "000102030405060708090a0b0c0d0e0f-ops-7");
	must_have_header(&b, "Authorization", "Bearer tok-one");
	must_have_header(&b, "Content-Type", "application/json");
	ck_assert_ptr_nonnull(memmem(b.head.p, b.head.len, "User-Agent: millrace-notify/", 28));
	must_be_signed(&b, "secret");
	buf_add(&first, b.body.p, b.body.len);
	ck_assert_ptr_nonnull(memmem(b.body.p, b.body.len, "https://m.example/incidents/0001", 32));
	put(dir, "key", "another");
	put(dir, "token", "tok-two");
	bench_run(&b, 1);
	must_have_header(&b, "Idempotency-Key", "000102030405060708090a0b0c0d0e0f-ops-7");
	must_have_header(&b, "Authorization", "Bearer tok-two");
	must_be_signed(&b, "another");
	ck_assert(str_eq(buf_str(&first), buf_str(&b.body)));
	ck_assert_str_eq(b.done[0].error, "status 500");
	buf_fini(&first);
	bench_fini(&b);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

/* A secret that is not there is awaited: nothing goes out unsigned. */
START_TEST(without_its_secret_nothing_is_sent)
{
	char dir[] = "/tmp/millrace-delivery-XXXXXX", command[64];
	const struct delivery_conf conf = {.allow_http = true, .allow_networks = "127.0.0.1", .secrets_dir = dir};
	struct receiver r;
	struct bench b;

	bench_init(&b, NULL, ok, 1);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	delivery_free(b.d);
	bench_open(&b, &conf);
	r = bench_receiver(&b, "ops");
	r.webhook.secret_file = STR("key");
	bench_submit_to(&b, &r, "shop", 1, 1);
	while (bench_stats(&b).failed_attempts < 3)
		bench_turn(&b);
	ck_assert_uint_eq(b.nr_asked, 0);
	put(dir, "key", "secret");
	bench_run(&b, 1);
	ck_assert_int_eq(b.done[0].outcome, DELIVERY_DELIVERED);
	ck_assert_ptr_nonnull(strstr(b.done[0].error, "key: No such file"));
	bench_fini(&b);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

/* What is asked for, and at most a second more; an hour at most. */
static const struct {
	const char *header;
	int64_t wait_ms;
} waits[] = {{"Retry-After: 7\r\n", 7000}, {"Retry-After: 3600\r\n", 3600000}, {"Retry-After: 99999999\r\n", 3600000}, {"Retry-After: 0\r\n", 1000}};

START_TEST(retry_after_is_kept)
{
	char text[120];
	const char *script[] = {text, OK};
	struct bench b;
	int64_t waited;

	snprintf(text, sizeof(text), "HTTP/1.1 429 No\r\n%sContent-Length: 0\r\n\r\n", waits[_i].header);
	bench_init(&b, NULL, script, NR(script));
	bench_submit(&b, "ops", 1, 1);
	bench_submit(&b, "ops", 2, 1); /* the whole receiver waits */
	bench_run(&b, 2);
	waited = b.asked_at_ms[1] - b.asked_at_ms[0];
	ck_assert_msg(waited >= waits[_i].wait_ms - 5 && waited <= waits[_i].wait_ms + 5000, "%lld", (long long)waited);
	bench_fini(&b);
}
END_TEST

/* Full jitter up to five minutes, for a day. */
START_TEST(after_a_day_it_is_given_up)
{
	struct bench b;
	int64_t longest = 0;

	bench_init(&b, NULL, failed, 1);
	bench_submit(&b, "ops", 1, 1);
	b.nr_done = 0;
	while (b.nr_done == 0) {
		b.nr_asked = 0;
		bench_run_asked(&b, 1);
		while (b.nr_done == 0 && b.nr_asked == 1) {
			int64_t before = b.skipped_ms;

			bench_turn(&b);
			longest = b.skipped_ms - before > longest ? b.skipped_ms - before : longest;
		}
		if (b.nr_done == 0 && b.skipped_ms < 3600 * 1000 * 20)
			b.skipped_ms += 60000; /* not all of the day */
	}
	ck_assert_int_eq(b.done[0].outcome, DELIVERY_GAVE_UP);
	ck_assert_str_eq(b.done[0].error, "status 500");
	ck_assert_int_ge(b.skipped_ms, DELIVERY_GIVE_UP_MS - 60000);
	ck_assert_int_le(b.skipped_ms, DELIVERY_GIVE_UP_MS + 420000);
	ck_assert_int_le(longest, 300000);
	ck_assert_int_gt(longest, 60000);
	bench_fini(&b);
}
END_TEST

/* Falls silent for the receiver at /hang. */
static enum server_then hang_or_answer(void *ctx, const struct server_request *r, struct buf *out)
{
	enum server_then then = bench_answer(ctx, r, out);

	if (!memmem(r->head.p, r->head.len, "/hang", 5))
		return then;
	buf_clear(out);
	return SERVER_FALLS_SILENT;
}

START_TEST(one_that_hangs_holds_up_nobody)
{
	struct bench b;
	struct receiver slow;
	char url[80];
	int64_t began;

	bench_init(&b, hang_or_answer, ok, 1);
	slow = bench_receiver(&b, "slow");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/hang", b.server.port);
	slow.webhook.url = str_from(url);
	bench_submit_to(&b, &slow, "shop", 1, 1);
	bench_run_asked(&b, 1);
	began = clock_mono_ms();
	for (uint8_t i = 0; i < 20; i++)
		bench_submit(&b, i % 2 ? "ops" : "boss", i, 1);
	bench_run(&b, 20);
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_AT_ONCE_MS);
	ck_assert_uint_eq(bench_stats(&b).in_flight, 1);
	while (bench_stats(&b).failed_attempts == 0)
		bench_turn(&b);
	ck_assert_int_ge(clock_mono_ms() - began, BENCH_TIMEOUT_MS / 2);
	began = clock_mono_ms();
	bench_run_asked(&b, 22); /* it is tried again */
	delivery_free(b.d);
	b.d = NULL;
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_AT_ONCE_MS);
	ck_assert_uint_eq(b.nr_done, 20);
	bench_fini(&b);
}
END_TEST

/* Refuses what is about incident 1. */
static enum server_then choke_on_one(void *ctx, const struct server_request *r, struct buf *out)
{
	enum server_then then = bench_answer(ctx, r, out);

	if (!memmem(r->head.p, r->head.len, "0d0e01-ops-", 11))
		return then;
	buf_clear(out);
	buf_add(out, FAILED, strlen(FAILED));
	return then;
}

/* The others go by, and its own later ones do not. */
START_TEST(one_that_chokes_a_receiver_lets_others_by)
{
	struct bench b;

	bench_init(&b, choke_on_one, ok, 1);
	bench_submit(&b, "ops", 1, 1);
	bench_submit(&b, "ops", 1, 2);
	for (uint8_t i = 2; i < 8; i++)
		bench_submit(&b, "ops", i, 1);
	bench_run(&b, 6);
	for (uint8_t i = 0; i < 6; i++)
		ck_assert_int_eq(b.done[i].incident, i + 2);
	while (bench_stats(&b).failed_attempts < 4)
		bench_turn(&b);
	ck_assert_uint_eq(b.nr_done, 6);
	must_have_header(&b, "Idempotency-Key", "000102030405060708090a0b0c0d0e01-ops-1");
	bench_fini(&b);
}
END_TEST

START_TEST(in_order_one_at_a_time)
{
	struct bench b;

	bench_init(&b, NULL, failed_once, NR(failed_once));
	for (uint8_t i = 0; i < 30; i++)
		bench_submit(&b, "ops", i % 3, 1 + i / 3);
	while (b.nr_done < 30) {
		bench_turn(&b);
		ck_assert_uint_le(bench_stats(&b).in_flight, 1);
	}
	for (int incident = 0; incident < 3; incident++) {
		int64_t last = 0;

		for (size_t i = 0; i < 30; i++)
			if (b.done[i].incident == incident)
				ck_assert_int_eq(b.done[i].sequence, ++last);
		ck_assert_int_eq(last, 10);
	}
	bench_fini(&b);
}
END_TEST

START_TEST(a_queue_is_bounded)
{
	struct bench b;

	bench_init(&b, NULL, ok, 1);
	for (uint8_t i = 0; i < DELIVERY_QUEUE_MAX; i++)
		ck_assert_int_eq(bench_submit(&b, "ops", i, 1), 0);
	ck_assert_int_eq(bench_submit(&b, "ops", 200, 1), 1);
	ck_assert_int_eq(bench_submit(&b, "boss", 200, 1), 0);
	ck_assert_uint_eq(b.nr_done, 0);
	ck_assert_int_eq(bench_submit(&b, "ops", 9, 2), 0);
	ck_assert_uint_eq(b.nr_done, 1);
	ck_assert_int_eq(b.done[0].outcome, DELIVERY_SUPERSEDED);
	ck_assert_int_eq(b.done[0].incident, 9);
	ck_assert_int_eq(b.done[0].sequence, 1);
	ck_assert_uint_eq(bench_stats(&b).queued, DELIVERY_QUEUE_MAX + 1);
	bench_run(&b, 1 + DELIVERY_QUEUE_MAX + 1);
	ck_assert_int_eq(b.done[DELIVERY_QUEUE_MAX + 1].incident, 9);
	ck_assert_int_eq(b.done[DELIVERY_QUEUE_MAX + 1].sequence, 2);
	ck_assert_uint_eq(bench_stats(&b).bytes, 0);
	bench_fini(&b);
}
END_TEST

START_TEST(what_is_under_way_is_not_superseded)
{
	struct bench b;

	bench_init(&b, NULL, ok, 1);
	b.then = SERVER_FALLS_SILENT;
	b.answers = (const char *const[]){""};
	bench_submit(&b, "ops", 0, 1);
	bench_run_asked(&b, 1);
	for (uint8_t i = 1; i < DELIVERY_QUEUE_MAX; i++)
		ck_assert_int_eq(bench_submit(&b, "ops", i, 1), 0);
	ck_assert_int_eq(bench_submit(&b, "ops", 0, 2), 1);
	ck_assert_uint_eq(b.nr_done, 0);
	bench_fini(&b);
}
END_TEST

static bool is_of_shop(void *ctx, struct str site, struct str receiver, const uint8_t incident[16])
{
	(void)ctx;
	ck_assert(str_eq(receiver, STR("ops")) && incident[14] == 14);
	return str_eq(site, STR("shop"));
}

START_TEST(what_waits_can_be_thrown_away)
{
	struct bench b;
	struct receiver r;

	bench_init(&b, NULL, failed, 1);
	r = bench_receiver(&b, "ops");
	b.then = SERVER_FALLS_SILENT;
	b.answers = (const char *const[]){""};
	bench_submit_to(&b, &r, "shop", 1, 1);
	bench_submit_to(&b, &r, "shop", 2, 1);
	bench_submit_to(&b, &r, "other", 3, 1);
	bench_run_asked(&b, 1);
	ck_assert_uint_eq(delivery_cancel(b.d, is_of_shop, NULL), 2);
	ck_assert_uint_eq(b.nr_done, 1);
	ck_assert_int_eq(b.done[0].incident, 2);
	ck_assert_uint_eq(delivery_cancel(b.d, is_of_shop, NULL), 0);
	bench_run(&b, 2); /* it is not tried again */
	ck_assert_int_eq(b.done[1].incident, 1);
	ck_assert_int_eq(b.done[1].outcome, DELIVERY_CANCELLED);
	ck_assert_int_eq(b.done[1].attempts, 1);
	ck_assert_uint_eq(bench_stats(&b).queued, 1);
	delivery_clear(b.d);
	ck_assert_uint_eq(bench_stats(&b).queued, 0);
	ck_assert_uint_eq(bench_stats(&b).bytes, 0);
	ck_assert_uint_eq(b.nr_done, 2);
	b.then = SERVER_KEEPS;
	b.answers = ok;
	bench_submit(&b, "ops", 4, 1);
	bench_run(&b, 3);
	ck_assert_int_eq(b.done[2].outcome, DELIVERY_DELIVERED);
	bench_fini(&b);
}
END_TEST

START_TEST(a_site_may_be_paused)
{
	struct bench b;
	struct receiver r;

	bench_init(&b, NULL, ok, 1);
	r = bench_receiver(&b, "ops");
	b.paused = true;
	bench_submit_to(&b, &r, "shop", 1, 1);
	bench_submit_to(&b, &r, "other", 2, 1);
	bench_run(&b, 1);
	ck_assert_int_eq(b.done[0].incident, 2);
	for (int i = 0; i < 50; i++)
		bench_turn(&b);
	ck_assert_uint_eq(b.nr_asked, 1);
	ck_assert_int_eq(delivery_timeout_ms(b.d, bench_now(&b)), -1);
	b.paused = false;
	ck_assert_int_eq(delivery_timeout_ms(b.d, bench_now(&b)), 0);
	bench_run(&b, 2);
	bench_fini(&b);
}
END_TEST

/* Where it points from now on is tried at once, though the lane was to wait. */
START_TEST(a_receiver_that_is_mended_is_tried_at_once)
{
	static const char *const later[] = {"HTTP/1.1 429 No\r\nRetry-After: 3000\r\nContent-Length: 0\r\n\r\n", OK};
	struct bench b;
	struct receiver r;
	struct err err = ERR_INIT;
	int64_t before;

	bench_init(&b, NULL, later, NR(later));
	bench_submit(&b, "ops", 1, 1);
	while (bench_stats(&b).failed_attempts == 0) {
		server_turn(&b.server);
		delivery_turn(b.d, bench_now(&b));
	}
	before = bench_now(&b);
	ck_assert_int_gt(delivery_timeout_ms(b.d, before), 2900000);
	r = bench_receiver(&b, "ops");
	ck_assert_int_eq(delivery_take_receiver(b.d, &r, &err), 0);
	ck_assert_int_eq(delivery_timeout_ms(b.d, before), 0);
	bench_run(&b, 1);
	ck_assert_int_lt(bench_now(&b) - before, 1000);
	bench_fini(&b);
}
END_TEST

/* networks, url (with the port), what comes of it. */
static const struct {
	bool allow_http;
	const char *networks, *url;
	bool delivered, tries_again;
	const char *error;
} doors[] = {
	{true, "127.0.0.1", "http://127.0.0.1:%d/", true, false, ""},
	{true, "127.0.0.0/8, ::1", "http://localhost:%d/", true, false, ""},
	{true, "127.0.0.0/8", "http://0x7f.1:%d/", true, false, ""},
	{true, "", "http://127.0.0.1:%d/", false, true, "127.0.0.1 is refused (loopback; notify.allow_networks)"},
	{true, "", "http://localhost:%d/", false, true, "is refused (loopback"},
	{true, "", "http://0x7f.1:%d/", false, true, "127.0.0.1 is refused (loopback"},
	{true, "", "http://2130706433:%d/", false, true, "127.0.0.1 is refused (loopback"},
	{true, "", "http://[::ffff:127.0.0.1]:%d/", false, true, "is refused (loopback"},
	{true, "", "http://0.0.0.0:%d/", false, true, "is refused (this network"},
	{true, "", "http://169.254.169.254:%d/latest/meta-data/", false, true, "169.254.169.254 is refused (link-local"},
	{false, "127.0.0.1", "http://127.0.0.1:%d/", false, false, "notify.allow_http"},
	{true, "127.0.0.1", "ftp://127.0.0.1:%d/", false, false, "cannot be used"},
};

START_TEST(doors_are_shut)
{
	const struct delivery_conf conf = {.allow_http = doors[_i].allow_http, .allow_networks = doors[_i].networks, .timeout_ms = BENCH_TIMEOUT_MS};
	char url[80];
	struct receiver r;
	struct bench b;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	bench_init(&b, NULL, ok, 1);
	delivery_free(b.d);
	bench_open(&b, &conf);
	r = bench_receiver(&b, "ops");
	snprintf(url, sizeof(url), doors[_i].url, b.server.port);
	r.webhook.url = str_from(url);
	bench_submit_to(&b, &r, "shop", 1, 1);
	while (bench_stats(&b).attempts == 0)
		bench_turn(&b);
	ck_assert_uint_eq(b.server.accepted, doors[_i].delivered);
	ck_assert_uint_eq(bench_stats(&b).refused_addresses, doors[_i].tries_again);
	ck_assert_uint_eq(bench_stats(&b).queued, doors[_i].tries_again);
	if (doors[_i].tries_again)
		delivery_cancel(b.d, NULL, NULL);
	ck_assert_uint_eq(b.nr_done, 1);
	ck_assert_int_eq(b.done[0].outcome, doors[_i].delivered ? DELIVERY_DELIVERED : doors[_i].tries_again ? DELIVERY_CANCELLED : DELIVERY_GAVE_UP);
	ck_assert_msg(strstr(b.done[0].error, doors[_i].error) != NULL, "%s", b.done[0].error);
	bench_fini(&b);
}
END_TEST

START_TEST(a_stop_is_bounded)
{
	struct bench b;
	int64_t began;

	bench_init(&b, hang_or_answer, ok, 1);
	bench_submit(&b, "ops", 1, 1);
	b.then = SERVER_FALLS_SILENT;
	b.answers = (const char *const[]){""};
	bench_run_asked(&b, 1);
	bench_submit(&b, "boss", 2, 1);
	began = clock_mono_ms();
	delivery_stop(b.d, 100);
	ck_assert_int_ge(clock_mono_ms() - began, 90);
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_AT_ONCE_MS);
	ck_assert_uint_eq(b.nr_done, 0);
	ck_assert_uint_eq(bench_stats(&b).in_flight, 1); /* nothing is begun any more */
	delivery_stop(b.d, 15000); /* until it has ended, by its own time-out */
	ck_assert_int_lt(clock_mono_ms() - began, 10000);
	ck_assert_uint_eq(bench_stats(&b).in_flight, 0);
	ck_assert_uint_eq(bench_stats(&b).queued, 2);
	bench_fini(&b);
}
END_TEST

START_TEST(settings_are_checked)
{
	const struct delivery_conf bad = {.allow_networks = "10.0.0.1/8"}, good = {.allow_networks = "10.0.0.0/8"};
	struct err err = ERR_INIT;

	ck_assert_int_eq(delivery_check(&good, &err), 0);
	ck_assert_int_eq(delivery_check(&bad, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_null(delivery_new(&bad, bench_on_done, NULL, NULL, NULL, &err));
	ck_assert_int_eq(delivery_check(&(struct delivery_conf){.external_url = "https://status.example/millrace"}, &err), 0);
	ck_assert_int_eq(delivery_check(&(struct delivery_conf){.external_url = ""}, &err), 0);
	ck_assert_int_eq(delivery_check(&(struct delivery_conf){.external_url = "status.example"}, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "notify.external_url: must begin with https:// or http://"));
	delivery_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("delivery");
	TCase *tc = tcase_create("delivery");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, answers_mean_what_they_mean, 0, NR(answers));
	tcase_add_test(tc, a_request_is_whole);
	tcase_add_test(tc, without_its_secret_nothing_is_sent);
	tcase_add_loop_test(tc, retry_after_is_kept, 0, NR(waits));
	tcase_add_test(tc, after_a_day_it_is_given_up);
	tcase_add_test(tc, one_that_hangs_holds_up_nobody);
	tcase_add_test(tc, one_that_chokes_a_receiver_lets_others_by);
	tcase_add_test(tc, in_order_one_at_a_time);
	tcase_add_test(tc, a_queue_is_bounded);
	tcase_add_test(tc, what_is_under_way_is_not_superseded);
	tcase_add_test(tc, what_waits_can_be_thrown_away);
	tcase_add_test(tc, a_site_may_be_paused);
	tcase_add_test(tc, a_receiver_that_is_mended_is_tried_at_once);
	tcase_add_loop_test(tc, doors_are_shut, 0, NR(doors));
	tcase_add_test(tc, a_stop_is_bounded);
	tcase_add_test(tc, settings_are_checked);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
