/* test_page_server.c - the port that the world asks: what it answers, to whom it sends nothing again, and that nobody keeps out the others.
 *
 * Time is the test's (the Makefile wraps clock_mono_ms), so that half a minute passes when it says so. */
#include "sink/status/server.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "sink/status/registry.h"
#include "tests/unit/common/http_client.h"

#define REQUEST(method, path, headers) method " " path " HTTP/1.1\r\nHost: x\r\n" headers "\r\n"

enum { LARGE_BYTES = 8 << 20, CROWD = 1200, FILES = 4096, PATIENCE_MS = 10000, HEAD_MAX = 4096 };

int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);

/* style: the wrapped clock has no other place */
static _Atomic int64_t ahead_ms;

int64_t __wrap_clock_mono_ms(void)
{
	return __real_clock_mono_ms() + atomic_load(&ahead_ms);
}

struct world {
	struct metrics *metrics;
	struct server *server;
	int port;
};

static void add(struct answers *a, const char *path, const char *type, const char *text)
{
	struct buf body = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&body, text, strlen(text));
	ck_assert_int_eq(answers_add(a, path, type, 7, &body, &err), 0);
}

static struct answers *page(const char *text)
{
	struct err err = ERR_INIT;
	struct answers *a = answers_new(&err);

	ck_assert_ptr_nonnull(a);
	add(a, "/", "text/html; charset=utf-8", text);
	add(a, "/still", "text/html; charset=utf-8", text);
	add(a, "/status.json", "application/json", "{}");
	add(a, "/empty", "text/plain", "");
	answers_refresh(a, "/", 60);
	return a;
}

static void setup(struct world *w)
{
	struct err err = ERR_INIT;

	*w = (struct world){.metrics = metrics_new("millrace-status")};
	w->server = server_new("127.0.0.1:0", w->metrics, &err);
	ck_assert_msg(w->server != NULL, "%s", err.msg);
	w->port = (int)strtol(strrchr(server_address(w->server), ':') + 1, NULL, 10);
}

static void teardown(struct world *w)
{
	server_free(w->server);
	metrics_free(w->metrics);
}

static void ask(const struct world *w, const char *request, struct answer *a)
{
	http_ask(w->port, request, strlen(request), a);
}

static bool has(const struct answer *a, const char *header)
{
	return strstr(a->head, header) != NULL;
}

START_TEST(pages_and_their_headers)
{
	struct world w;
	struct answer a;

	setup(&w);
	server_set_page(w.server, page("<p>hello"));
	ask(&w, REQUEST("GET", "/", ""), &a);
	ck_assert_int_eq(a.status, 200);
	ck_assert_str_eq(a.body, "<p>hello");
	ck_assert(has(&a, "Content-Type: text/html; charset=utf-8\r\n") && has(&a, "Cache-Control: public, max-age=7\r\n") && has(&a, "Refresh: 60\r\n"));
	ck_assert(has(&a, "Content-Security-Policy: default-src 'none'; style-src 'self'; ") && has(&a, "frame-ancestors 'none'") && has(&a, "form-action 'none'") &&
		  has(&a, "base-uri 'none'"));
	ck_assert(!has(&a, "script-src") && !has(&a, "unsafe") && has(&a, "X-Content-Type-Options: nosniff\r\n") && has(&a, "Referrer-Policy: no-referrer\r\n"));
	ask(&w, REQUEST("GET", "/still?a=b", ""), &a);
	ck_assert(a.status == 200 && !has(&a, "Refresh:"));
	ask(&w, REQUEST("HEAD", "/", ""), &a);
	ck_assert(a.status == 200 && has(&a, "Content-Length: 8\r\n") && !*a.body);
	ask(&w, REQUEST("GET", "/status.json", ""), &a);
	ck_assert(a.status == 200 && has(&a, "Content-Type: application/json\r\n") && has(&a, "Access-Control-Allow-Origin: *\r\n"));
	ask(&w, REQUEST("GET", "/empty", ""), &a);
	ck_assert(a.status == 200 && !*a.body);
	ask(&w, "GET /status%2ejson HTTP/1.0\r\n\r\n", &a);
	ck_assert_int_eq(a.status, 200);
	teardown(&w);
}
END_TEST

/* What a client says that it has: @ is the tag. */
static const struct { const char *header; int status; } known[] = {
	{"@", 304}, {"W/@", 304}, {"\"other\", @", 304}, {"\"other\",W/@, \"x\"", 304}, {"*", 304}, {"\"other\"", 200}, {"", 200}, {"\"\"", 200}, {"@x", 304},
};

static void tag_of(const struct answer *a, char out[32])
{
	const char *at = strstr(a->head, "ETag: ");

	ck_assert_ptr_nonnull(at);
	snprintf(out, 32, "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
	ck_assert(out[0] == '"' && strlen(out) == 18);
}

START_TEST(not_sent_again)
{
	char tag[32], request[256], header[80] = "";
	struct world w;
	struct answer a;

	setup(&w);
	server_set_page(w.server, page("one"));
	ask(&w, REQUEST("GET", "/", ""), &a);
	tag_of(&a, tag);
	for (const char *c = known[_i].header; *c; c++)
		snprintf(header + strlen(header), sizeof(header) - strlen(header), "%.*s", *c == '@' ? 18 : 1, *c == '@' ? tag : c);
	snprintf(request, sizeof(request), REQUEST("GET", "/", "If-None-Match: %s\r\n"), header);
	ask(&w, request, &a);
	ck_assert_int_eq(a.status, known[_i].status);
	ck_assert_str_eq(a.body, known[_i].status == 304 ? "" : "one");
	ck_assert(has(&a, tag) && has(&a, "Cache-Control: public") && has(&a, "Refresh: 60\r\n"));
	server_set_page(w.server, page("two"));
	ask(&w, request, &a);
	ck_assert_int_eq(a.status, known[_i].header[0] == '*' ? 304 : 200);
	teardown(&w);
}
END_TEST

START_TEST(what_is_not_there)
{
	struct world w;
	struct answer a;

	setup(&w);
	ask(&w, REQUEST("GET", "/", ""), &a);
	ck_assert_int_eq(a.status, 503);
	server_set_page(w.server, page("x"));
	ask(&w, REQUEST("GET", "/nothing", ""), &a);
	ck_assert(a.status == 404 && strstr(a.body, "<h1>Not found</h1>") && has(&a, "Content-Security-Policy: default-src 'none'"));
	ck_assert(has(&a, "Cache-Control: no-store\r\n")); /* it may be there a moment later */
	ask(&w, REQUEST("GET", "/%3Cscript%3E", ""), &a);
	ck_assert(a.status == 404 && !strstr(a.body, "script"));
	ask(&w, REQUEST("GET", "/subjects/none/versions", ""), &a);
	ck_assert_int_eq(a.status, 503);
	server_set_registry(w.server, answers_new(NULL));
	ask(&w, REQUEST("GET", "/subjects/none/versions", ""), &a);
	ck_assert_int_eq(a.status, 404);
	ck_assert_str_eq(a.body, registry_error("/subjects/none/versions", 404));
	ck_assert(has(&a, "Content-Type: " REGISTRY_TYPE "\r\n"));
	ask(&w, REQUEST("POST", "/", "Content-Length: 3\r\n") "abc", &a);
	ck_assert(a.status == 405 && has(&a, "Allow: GET, HEAD\r\n"));
	ask(&w, REQUEST("DELETE", "/schemas/ids/1", ""), &a);
	ck_assert_int_eq(a.status, 405);
	ck_assert_str_eq(a.body, registry_error("/schemas/ids/1", 405));
	teardown(&w);
}
END_TEST

START_TEST(outcomes_are_counted)
{
	struct world w;
	struct answer a;
	struct buf text = BUF_INIT;

	setup(&w);
	server_set_page(w.server, page("x"));
	ask(&w, REQUEST("GET", "/", ""), &a);
	ask(&w, REQUEST("GET", "/", "If-None-Match: *\r\n"), &a);
	ask(&w, REQUEST("GET", "/no", ""), &a);
	ask(&w, REQUEST("PUT", "/", "Content-Length: 0\r\n"), &a);
	metrics_render(w.metrics, &text);
	buf_add(&text, "", 1);
	for (size_t i = 0; i < 4; i++) {
		const char *const kinds[] = {"ok", "not_modified", "not_found", "refused"};
		char line[80];

		snprintf(line, sizeof(line), "millrace_status_requests_total{kind=\"%s\"} 1\n", kinds[i]);
		ck_assert_msg(strstr((const char *)text.p, line) != NULL, "%s", line);
	}
	buf_fini(&text);
	teardown(&w);
}
END_TEST

/* The answers of before are freed when their last reader has them whole. */
START_TEST(a_slow_reader_gets_what_it_asked_for)
{
	char *got = malloc(LARGE_BYTES + 1), *large = malloc(LARGE_BYTES + 1);
	size_t n = 0;
	struct world w;
	int fd;

	setup(&w);
	memset(large, 'a', LARGE_BYTES);
	large[LARGE_BYTES] = '\0';
	server_set_page(w.server, page(large));
	fd = http_dial("127.0.0.1", w.port);
	http_say(fd, REQUEST("GET", "/", "Connection: close\r\n"));
	ck_assert_int_eq(recv(fd, got, 1, 0), 1);
	for (int i = 0; i < 5; i++)
		server_set_page(w.server, page("other"));
	for (ssize_t r; (r = recv(fd, got, LARGE_BYTES, 0)) > 0;) {
		ck_assert(n < HEAD_MAX || memcmp(got, large, (size_t)r) == 0);
		n += (size_t)r;
	}
	ck_assert_uint_gt(n, LARGE_BYTES);
	close(fd);
	teardown(&w);
	free(got);
	free(large);
}
END_TEST

/* Is the connection ended by the other side? */
static bool is_ended(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&p, 1, PATIENCE_MS) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

/* Lets time pass. An answer is heard before the server's one thread has done with its request; once another is heard, it has. */
static void pass(const struct world *w, int64_t ms)
{
	struct answer a;

	ask(w, REQUEST("GET", "/", ""), &a);
	atomic_fetch_add(&ahead_ms, ms);
}

START_TEST(whoever_never_finishes_is_cut)
{
	struct world w;
	struct answer a;
	int slow, good;

	setup(&w);
	server_set_page(w.server, page("x"));
	slow = http_dial("127.0.0.1", w.port);
	http_say(slow, "GET / HTTP/1.1\r\nHost:");
	ask(&w, REQUEST("GET", "/", ""), &a); /* by now the first is accepted */
	good = http_dial("127.0.0.1", w.port);
	http_say(good, REQUEST("GET", "/", ""));
	http_hear(good, &a, true);
	pass(&w, 20000);
	http_say(good, REQUEST("GET", "/", ""));
	http_hear(good, &a, true);
	pass(&w, 10500);
	server_turn(w.server);
	ck_assert(is_ended(slow));
	http_say(good, REQUEST("GET", "/", "")); /* its own time began anew with its request */
	http_hear(good, &a, true);
	ck_assert_int_eq(a.status, 200);
	close(slow);
	close(good);
	teardown(&w);
}
END_TEST

/* More than there are places for, who all say half a word and wait: one who asks is answered, and the oldest have gone. */
START_TEST(a_crowd_keeps_nobody_out)
{
	struct rlimit files;
	int *crowd = calloc(CROWD, sizeof(*crowd));
	int64_t begun_ms = __real_clock_mono_ms();
	struct world w;
	struct answer a;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	ck_assert_uint_ge(files.rlim_cur, FILES);
	setup(&w);
	server_set_page(w.server, page("x"));
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = http_dial("127.0.0.1", w.port);
		ck_assert_int_ge(crowd[i], 0);
		http_say(crowd[i], "GET / HT");
	}
	ask(&w, REQUEST("GET", "/", ""), &a);
	ck_assert_int_eq(a.status, 200);
	ck_assert(is_ended(crowd[0]));
	ck_assert_int_lt(__real_clock_mono_ms() - begun_ms, PATIENCE_MS); /* it is not silence that ended them */
	for (int i = 0; i < CROWD; i++)
		close(crowd[i]);
	teardown(&w);
	free(crowd);
}
END_TEST

START_TEST(where_it_listens)
{
	struct err err = ERR_INIT;
	struct world w;

	setup(&w);
	ck_assert_ptr_null(server_new(server_address(w.server), w.metrics, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "Address already in use"));
	ck_assert_int_eq(server_check("127.0.0.1:8080", &err), 0);
	ck_assert_int_eq(server_check("localhost:8080", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	teardown(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page_server");
	TCase *tc = tcase_create("page_server");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, pages_and_their_headers);
	tcase_add_loop_test(tc, not_sent_again, 0, NR(known));
	tcase_add_test(tc, what_is_not_there);
	tcase_add_test(tc, outcomes_are_counted);
	tcase_add_test(tc, a_slow_reader_gets_what_it_asked_for);
	tcase_add_test(tc, whoever_never_finishes_is_cut);
	tcase_add_test(tc, a_crowd_keeps_nobody_out);
	tcase_add_test(tc, where_it_listens);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
