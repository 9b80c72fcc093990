/* test_delivery_hostile.c - receivers that mean harm, or tell what they were told. */
#include "tests/unit/notify/delivery_bench.h"

/* "hello", packed: that it is not read is seen from the error. */
static const char packed[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00";

static const struct {
	const char *status, *encoding;
	enum delivery_outcome outcome;
	const char *error;
} packings[] = {
	{"400 No", "Transfer-Encoding: gzip", DELIVERY_GAVE_UP, "status 400"},
	{"400 No", "transfer-encoding:\tGZIP, gzip", DELIVERY_GAVE_UP, "status 400"},
	{"400 No", "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip", DELIVERY_GAVE_UP, "status 400"},
	{"400 No", "Transfer-Encoding: gzip, chunked", DELIVERY_GAVE_UP, "status 400"},
	{"200 Yes", "Transfer-Encoding: gzip", DELIVERY_DELIVERED, ""},
};

static enum server_then answer_packed(void *ctx, const struct server_request *r, struct buf *out)
{
	struct bench *b = ctx;
	int i = (int)(b->nr_answers - 1);

	(void)r;
	buf_printf(out, "HTTP/1.1 %s\r\n%s\r\n\r\n", packings[i].status, packings[i].encoding);
	buf_add(out, packed, sizeof(packed));
	b->nr_asked++;
	return SERVER_CLOSES;
}

/* Packed often enough, a hundred bytes are hours of work. */
START_TEST(an_answer_is_not_unpacked)
{
	struct bench b;

	bench_init(&b, answer_packed, NULL, (size_t)_i + 1);
	bench_submit(&b, "ops", 1, 1);
	bench_run(&b, 1);
	ck_assert_int_eq(b.done[0].outcome, packings[_i].outcome);
	ck_assert_str_eq(b.done[0].error, packings[_i].error);
	ck_assert_uint_eq(b.nr_asked, 1);
	bench_fini(&b);
}
END_TEST

/* Many servers repeat what they were asked for; that of a chat's webhook is all that it takes to write there. */
static const struct {
	const char *answer, *error;
} echoes[] = {
	{"Cannot POST /services/T0123/abcdefgh", "status 404"},
	{"no such page: /services/T0123/abcdefgh?sig=12345678", "status 404"},
	{"invalid sig: 12345678", "status 404"},
	{"no service", "status 404: no service"},
	{"Cannot POST /services/T0123/", "status 404"},
};

START_TEST(an_address_is_not_quoted)
{
	char answer[200], url[128];
	const char *const answers_here[] = {answer};
	struct receiver r;
	struct bench b;

	snprintf(answer, sizeof(answer), "HTTP/1.1 404 No\r\nContent-Length: %zu\r\n\r\n%s", strlen(echoes[_i].answer), echoes[_i].answer);
	bench_init(&b, NULL, answers_here, 1);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/services/T0123/abcdefgh?sig=12345678", b.server.port);
	r = bench_receiver(&b, "ops");
	r.webhook.url = str_from(url);
	bench_submit_to(&b, &r, "shop", 1, 1);
	bench_run(&b, 1);
	ck_assert_str_eq(b.done[0].error, echoes[_i].error);
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("delivery_hostile");
	TCase *tc = tcase_create("delivery_hostile");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, an_answer_is_not_unpacked, 0, NR(packings));
	tcase_add_loop_test(tc, an_address_is_not_quoted, 0, NR(echoes));
	suite_add_tcase(s, tc);
	return unit_main(s);
}
