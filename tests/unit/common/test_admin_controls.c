/* test_admin_controls.c - /controls at the admin port: who is let in, and what comes through to the program. */
#include <signal.h>

#include "common/admin.h"
#include "tests/unit/common/http_client.h"
#include "tests/unit/common/token_file.h"

#define TOKEN "a-token-of-some-length"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"

/* What the program was asked, and what it is to say. Touched by the port's thread only while a request is on its way. */
struct program_side {
	int calls;
	enum admin_call call;
	struct buf what;
	unsigned int status;
	const char *says;
};

struct fixture {
	struct program_side side;
	struct metrics *metrics;
	struct admin *admin;
	int port, token_fd;
};

static unsigned int on_call(void *ctx, enum admin_call call, struct str what, struct buf *answer)
{
	struct program_side *side = ctx;

	side->calls++;
	side->call = call;
	buf_clear(&side->what);
	buf_add(&side->what, what.p, what.len);
	buf_add(answer, side->says, strlen(side->says));
	return side->status;
}

/* An admin port that nobody serves controls at yet. */
static void setup_port(struct fixture *f)
{
	struct err err = ERR_INIT;

	signal(SIGPIPE, SIG_IGN);
	memset(f, 0, sizeof(*f));
	f->token_fd = -1;
	f->side.status = 204;
	f->side.says = "";
	f->metrics = metrics_new("millrace-test");
	f->admin = admin_new("127.0.0.1:0", f->metrics, &err);
	ck_assert_msg(f->admin != NULL, "%s", err.msg);
	f->port = (int)strtol(strchr(admin_address(f->admin), ':') + 1, NULL, 10);
}

static void setup(struct fixture *f)
{
	struct err err = ERR_INIT;
	char path[TOKEN_PATH_SIZE];

	setup_port(f);
	f->token_fd = token_file(path, TOKEN "\n", strlen(TOKEN) + 1, 0600);
	ck_assert_msg(admin_serve_controls(f->admin, path, on_call, &f->side, &err) == 0, "%s", err.msg);
}

static void teardown(struct fixture *f)
{
	admin_free(f->admin);
	metrics_free(f->metrics);
	buf_fini(&f->side.what);
	if (f->token_fd >= 0)
		close(f->token_fd);
}

static void ask(struct fixture *f, const char *request, struct answer *a)
{
	http_ask(f->port, request, strlen(request), a);
	ck_assert_ptr_null(strstr(a->head, TOKEN));
	ck_assert_ptr_null(strstr(a->body, TOKEN));
}

#define HEAD(method, target, headers) method " " target " HTTP/1.1\r\nHost: x\r\n" headers "\r\n"

static const struct { const char *request; int status; const char *body, *header; } refused[] = {
	{HEAD("GET", "/controls", ""), 401, "Authorization: Bearer TOKEN", "WWW-Authenticate: Bearer\r\n"},
	{HEAD("PUT", "/controls", "Content-Length: 3\r\n") "abc", 401, "admin.token_file", ""},
	{HEAD("DELETE", "/controls?id=x", ""), 401, "", ""},
	{HEAD("HEAD", "/controls", ""), 401, "", ""},
	{HEAD("GET", "/controls", "Authorization: Bearer a-token-of-some-lengti\r\n"), 401, "", ""},
	{HEAD("GET", "/controls", "Authorization: Bearer a-token-of-some-lengthh\r\n"), 401, "", ""},
	{HEAD("GET", "/controls", "Authorization: Bearer\r\n"), 401, "", ""},
	{HEAD("GET", "/controls", "Authorization: Bearer  a-token-of-some-length\r\n"), 401, "", ""},
	{HEAD("GET", "/controls", "Authorization: Basic a-token-of-some-length\r\n"), 401, "", ""},
	{HEAD("GET", "/controls", "Authorization: a-token-of-some-length\r\n"), 401, "", ""},
	{HEAD("GET", "/controls", "X-Api-Key: a-token-of-some-length\r\n"), 401, "", ""},
	{HEAD("GET", "/controls?token=a-token-of-some-length", ""), 401, "", ""},
	{HEAD("POST", "/controls", BEARER "Content-Length: 3\r\n") "abc", 405, "method not allowed", "Allow: GET, HEAD, PUT, DELETE\r\n"},
	{HEAD("PU", "/controls", BEARER), 405, "method not allowed", ""},
	{HEAD("GET", "/controls/", BEARER), 404, "not found", ""},
	{HEAD("PUT", "/controls", BEARER "Content-Length: 65537\r\n"), 413, "64 KiB", ""},
	{HEAD("DELETE", "/controls", BEARER), 400, "DELETE /controls?id=ID", ""},
	{HEAD("DELETE", "/controls?ids=x", BEARER), 400, "which one?", ""},
	{HEAD("PUT", "/metrics", BEARER "Content-Length: 3\r\n") "abc", 405, "method not allowed", "Allow: GET, HEAD\r\n"},
};

/* By the head of the request: the program is not asked. */
START_TEST(refusals)
{
	struct fixture f;
	struct answer a;

	setup(&f);
	ask(&f, refused[_i].request, &a);
	ck_assert_int_eq(a.status, refused[_i].status);
	ck_assert_msg(strstr(a.body, refused[_i].body) != NULL, "%s", a.body);
	ck_assert_ptr_nonnull(strstr(a.head, refused[_i].header));
	ck_assert_int_eq(f.side.calls, 0);
	teardown(&f);
}
END_TEST

/* How the program is asked, and how what it says comes back. */
static const struct {
	const char *request;
	enum admin_call call;
	const char *what;
	unsigned int status;
	const char *says, *body, *header;
} calls[] = {
	{HEAD("GET", "/controls", BEARER), ADMIN_CONTROLS_LIST, "", 200, "{}", "{}", "Content-Type: application/json\r\n"},
	{HEAD("HEAD", "/controls", BEARER), ADMIN_CONTROLS_LIST, "", 200, "{}", "", "Content-Length: 2\r\n"},
	{HEAD("GET", "/controls", "authorization: bearer " TOKEN "\r\n"), ADMIN_CONTROLS_LIST, "", 200, "{}", "{}", ""},
	{HEAD("PUT", "/controls", BEARER "Content-Length: 3\r\n") "abc", ADMIN_CONTROLS_PUT, "abc", 204, "unsaid", "", ""},
	{HEAD("PUT", "/controls", BEARER "Content-Length: 0\r\n"), ADMIN_CONTROLS_PUT, "", 400, "empty", "empty", "text/plain"},
	{HEAD("PUT", "/controls", BEARER "Transfer-Encoding: chunked\r\n") "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", ADMIN_CONTROLS_PUT, "abc", 409,
	 "older", "older", "text/plain"},
	{HEAD("PUT", "/controls?id=x", BEARER "Content-Length: 1\r\n") "b", ADMIN_CONTROLS_PUT, "b", 204, "", "", ""},
	{HEAD("DELETE", "/controls?id=ingest/close", BEARER), ADMIN_CONTROLS_CLEAR, "ingest/close", 204, "", "", ""},
	{HEAD("DELETE", "/controls?id=ingest%2Fclose%2Fsite%3Dshop", BEARER), ADMIN_CONTROLS_CLEAR, "ingest/close/site=shop", 404, "none",
	 "none", "text/plain"},
	{HEAD("DELETE", "/controls?id=", BEARER), ADMIN_CONTROLS_CLEAR, "", 404, "none", "none", ""},
	{HEAD("DELETE", "/controls?id=x", BEARER "Content-Length: 3\r\n") "abc", ADMIN_CONTROLS_CLEAR, "x", 204, "", "", ""},
};

START_TEST(calls_come_through)
{
	struct fixture f;
	struct answer a;

	setup(&f);
	f.side.status = calls[_i].status;
	f.side.says = calls[_i].says;
	ask(&f, calls[_i].request, &a);
	ck_assert_uint_eq((unsigned int)a.status, calls[_i].status);
	ck_assert_str_eq(a.body, calls[_i].body);
	ck_assert_ptr_nonnull(strstr(a.head, calls[_i].header));
	ck_assert_int_eq(f.side.calls, 1);
	ck_assert_int_eq(f.side.call, calls[_i].call);
	ck_assert(str_eq(buf_str(&f.side.what), str_from(calls[_i].what)));
	teardown(&f);
}
END_TEST

/* The largest body there may be arrives whole, in pieces. */
START_TEST(large_body)
{
	static const char head[] = HEAD("PUT", "/controls", BEARER "Content-Length: 65536\r\n");
	char *body = malloc(65536);
	struct fixture f;
	struct answer a;
	int fd;

	setup(&f);
	ck_assert_ptr_nonnull(body);
	for (size_t i = 0; i < 65536; i++)
		body[i] = (char)(i * 7 % 251);
	fd = http_dial("127.0.0.1", f.port);
	http_say(fd, head);
	for (size_t at = 0; at < 65536; at += 8192)
		ck_assert_int_eq(send(fd, body + at, 8192, MSG_NOSIGNAL), 8192);
	http_hear(fd, &a, true);
	ck_assert_int_eq(a.status, 204);
	ck_assert(str_eq(buf_str(&f.side.what), (struct str){body, 65536}));
	http_say(fd, HEAD("GET", "/health/live", "")); /* and the connection is kept */
	http_hear(fd, &a, true);
	ck_assert_int_eq(a.status, 200);
	close(fd);
	free(body);
	teardown(&f);
}
END_TEST

/* A body that does not say how long it is ends with its connection when it is too long. */
START_TEST(endless_body)
{
	static const char head[] = HEAD("PUT", "/controls", BEARER "Transfer-Encoding: chunked\r\n");
	char chunk[6 + 4096 + 2 + 1];
	struct fixture f;
	struct answer a;
	ssize_t sent = 1;
	int fd;

	setup(&f);
	memset(chunk, 'x', sizeof(chunk));
	memcpy(chunk, "1000\r\n", 6);
	memcpy(chunk + 6 + 4096, "\r\n", 3);
	fd = http_dial("127.0.0.1", f.port);
	http_say(fd, head);
	for (int i = 0; i < 10000 && sent > 0; i++)
		sent = send(fd, chunk, sizeof(chunk) - 1, MSG_NOSIGNAL);
	ck_assert_int_lt(sent, 0);
	close(fd);
	ck_assert_int_eq(f.side.calls, 0);
	ask(&f, HEAD("GET", "/health/live", ""), &a);
	ck_assert_int_eq(a.status, 200);
	teardown(&f);
}
END_TEST

/* Clients that go away in the middle of a body leave nothing behind (the sanitizer would see it), and nothing is done. */
START_TEST(broken_off_bodies)
{
	static const char half[] = HEAD("PUT", "/controls", BEARER "Content-Length: 3000\r\n") "half of it";
	struct fixture f;
	struct answer a;

	setup(&f);
	for (int i = 0; i < 40; i++) {
		int fd = http_dial("127.0.0.1", f.port);

		http_say(fd, half);
		close(fd);
	}
	ask(&f, HEAD("GET", "/controls", BEARER), &a);
	ck_assert_int_eq(f.side.calls, 1);
	ck_assert_int_eq(f.side.call, ADMIN_CONTROLS_LIST);
	teardown(&f);
}
END_TEST

START_TEST(without_a_token)
{
	struct fixture f;
	struct answer a;

	setup_port(&f);
	ask(&f, HEAD("GET", "/controls", BEARER), &a);
	ck_assert_int_eq(a.status, 404);
	ck_assert_str_eq(a.body, "not found: this program obeys no controls");
	ck_assert_int_eq(admin_serve_controls(f.admin, "", on_call, &f.side, NULL), 0);
	ask(&f, HEAD("PUT", "/controls", BEARER "Content-Length: 3\r\n") "abc", &a);
	ck_assert_int_eq(a.status, 403);
	ck_assert_str_eq(a.body, "nobody is let in: admin.token_file must name a file with a token");
	ask(&f, HEAD("GET", "/controls", "Authorization: Bearer \r\n"), &a); /* the empty token is none */
	ck_assert_int_eq(a.status, 403);
	ck_assert_int_eq(f.side.calls, 0);
	teardown(&f);
}
END_TEST

START_TEST(bad_token_files)
{
	struct err err = ERR_INIT;
	char path[TOKEN_PATH_SIZE], wanted[256];
	struct fixture f;
	struct answer a;

	setup_port(&f);
	f.token_fd = token_file(path, TOKEN, strlen(TOKEN), 0644);
	snprintf(wanted, sizeof(wanted), "admin.token_file: %s: the token in it is open to everybody on this machine: chmod o-rwx it", path);
	ck_assert_int_eq(admin_serve_controls(f.admin, path, on_call, &f.side, &err), -1);
	ck_assert_str_eq(err.msg, wanted);
	ck_assert_int_eq(admin_check_token_file(path, &err), -1);
	ck_assert_str_eq(err.msg, wanted);
	ask(&f, HEAD("GET", "/controls", BEARER), &a);
	ck_assert_int_eq(a.status, 404);
	fchmod(f.token_fd, 0600);
	ck_assert_int_eq(admin_check_token_file(path, &err), 0);
	ck_assert_int_eq(admin_check_token_file("", &err), 0);
	ck_assert_int_eq(admin_check_token_file("/no/such/file", &err), -1);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin/controls");
	TCase *tc = tcase_create("admin/controls");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refusals, 0, NR(refused));
	tcase_add_loop_test(tc, calls_come_through, 0, NR(calls));
	tcase_add_test(tc, large_body);
	tcase_add_test(tc, endless_body);
	tcase_add_test(tc, broken_off_bodies);
	tcase_add_test(tc, without_a_token);
	tcase_add_test(tc, bad_token_files);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
