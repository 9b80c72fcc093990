/* test_admin_port.c - the tool's side of /controls against the programs' side of it, and against what else may listen there. */
#include "deploy/ctl/admin_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/control_desk.h"
#include "tests/unit/common/control_records.h"
#include "tests/unit/common/token_file.h"

#define TOKEN "a-token-of-some-length"

/* An ingest's admin port. */
struct fixture {
	struct clock clock;
	struct controls *controls;
	struct metrics *metrics;
	struct admin *admin;
	char url[128];
};

static void setup(struct fixture *f)
{
	struct err err = ERR_INIT;
	char path[TOKEN_PATH_SIZE];
	int fd = token_file(path, TOKEN, strlen(TOKEN), 0600);

	f->clock = still_clock();
	f->controls = controls_new(&f->clock, CONTROL_PROGRAM_INGEST, &err);
	f->metrics = metrics_new("millrace-test");
	f->admin = admin_new("127.0.0.1:0", f->metrics, &err);
	ck_assert_msg(f->controls && f->admin, "%s", err.msg);
	ck_assert_msg(admin_serve_controls(f->admin, path, control_desk_answer, f->controls, &err) == 0, "%s", err.msg);
	close(fd);
	snprintf(f->url, sizeof(f->url), "http://%s", admin_address(f->admin));
}

static void teardown(struct fixture *f)
{
	admin_free(f->admin);
	metrics_free(f->metrics);
	controls_free(f->controls);
}

static struct admin_port *must_open(const char *url, const char *token)
{
	struct token t = {""};
	struct err err = ERR_INIT;
	struct admin_port *p;

	snprintf(t.text, sizeof(t.text), "%s", token);
	p = admin_port_new(url, "/controls", &t, &err);
	ck_assert_msg(p != NULL, "%s", err.msg);
	return p;
}

static int put(struct admin_port *p, const struct control *c, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc = control_encode(c, &value, err) < 0 ? -1 : admin_port_put(p, buf_str(&value), err);

	buf_fini(&value);
	return rc;
}

static bool closed(struct fixture *f, const char *site)
{
	return controls_in_force(f->controls, CONTROL_ACTION_CLOSE, STR("main"), str_from(site), NULL);
}

START_TEST(set_list_clear)
{
	struct buf list = BUF_INIT;
	struct admin_port *p;
	struct err err = ERR_INIT;
	struct record r;
	struct fixture f;

	setup(&f);
	p = must_open(f.url, TOKEN);
	ck_assert_msg(put(p, close_record(&r, "main", "shop", NOON_MS), &err) == 0, "%s", err.msg);
	ck_assert_msg(put(p, close_record(&r, "main", "shop", NOON_MS + 1), &err) == 0, "%s", err.msg);
	ck_assert(closed(&f, "shop") && !closed(&f, "blog"));
	ck_assert_msg(admin_port_list(p, &list, &err) == 0, "%s", err.msg);
	buf_add(&list, "", 1);
	ck_assert_ptr_nonnull(strstr((char *)list.p, "{\"controls\": [{\"id\": \"ingest/close/cell=main/site=shop\", "));
	ck_assert_msg(admin_port_clear(p, "ingest/close/cell=main/site=shop", &err) == 0, "%s", err.msg);
	ck_assert(!closed(&f, "shop"));
	buf_clear(&list);
	ck_assert_msg(admin_port_list(p, &list, &err) == 0, "%s", err.msg);
	ck_assert(str_eq(buf_str(&list), STR("{\"controls\": []}\n")));
	ck_assert_msg(put(p, close_record(&r, NULL, NULL, NOON_MS), &err) == 0, "%s", err.msg);
	ck_assert_msg(admin_port_clear(p, "ingest/close", &err) == 0, "%s", err.msg);
	admin_port_free(p);
	admin_port_free(NULL);
	buf_fini(&list);
	teardown(&f);
}
END_TEST

/* What the program says is told, and is nothing to try again. */
START_TEST(refusals)
{
	struct admin_port *p;
	struct err err = ERR_INIT;
	struct record r;
	struct fixture f;
	char wanted[512];

	setup(&f);
	p = must_open(f.url, TOKEN);
	ck_assert_int_eq(admin_port_clear(p, "a b&c=%2f#+", &err), -1);
	snprintf(wanted, sizeof(wanted), "%s answers 404: no control \"a b&c=%%2f#+\" is in force", f.url);
	ck_assert_str_eq(err.msg, wanted);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(put(p, close_record(&r, NULL, NULL, NOON_MS), &err), 0);
	ck_assert_int_eq(put(p, close_record(&r, NULL, NULL, NOON_MS - 1), &err), -1);
	ck_assert_msg(strstr(err.msg, "answers 409: control ingest/close was set later") != NULL, "%s", err.msg);
	ck_assert_int_eq(put(p, close_record(&r, NULL, NULL, NOON_MS - HOUR_MS), &err), -1);
	ck_assert_msg(strstr(err.msg, "answers 400: ") != NULL, "%s", err.msg);
	admin_port_free(p);
	p = must_open(f.url, "another-token-than-that");
	ck_assert_int_eq(admin_port_clear(p, "ingest/close", &err), -1);
	ck_assert_msg(strstr(err.msg, "answers 401: this wants the token of admin.token_file") != NULL, "%s", err.msg);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_null(strstr(err.msg, "another-token"));
	ck_assert(closed(&f, "shop"));
	admin_port_free(p);
	teardown(&f);
}
END_TEST

static const struct { const char *url; bool good; } urls[] = {
	{"http://127.0.0.1:9101", true}, {"http://127.0.0.1:9101/", true}, {"https://ingest-1.example:9101", true}, {"HTTP://h", true},
	{"http://[::1]:9101", true}, {"http://h/behind/a/proxy/", true}, {"127.0.0.1:9101", false}, {"", false}, {"http://", false},
	{"file:///etc/passwd", false}, {"ftp://h", false}, {"gopher://h", false}, {"http://h:99999", false}, {"http://a b", false},
};

START_TEST(addresses)
{
	struct token t = {TOKEN};
	struct err err = ERR_INIT;
	struct admin_port *p = admin_port_new(urls[_i].url, "/controls", &t, &err);

	ck_assert_msg((p != NULL) == urls[_i].good, "%s: %s", urls[_i].url, err.msg);
	if (!p) {
		ck_assert_int_eq(err.kind, ERR_REJECT);
		ck_assert_ptr_nonnull(strstr(err.msg, "is no address like http://HOST:PORT"));
	}
	admin_port_free(p);
}
END_TEST

START_TEST(nobody_there)
{
	struct admin_port *p = must_open("http://127.0.0.1:1", TOKEN);
	struct buf list = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(setenv("http_proxy", "http://127.0.0.1:2", 1), 0); /* the token goes there and nowhere else */
	ck_assert_int_eq(admin_port_list(p, &list, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_msg(strstr(err.msg, "127.0.0.1 port 1") != NULL, "%s", err.msg);
	admin_port_free(p);
	buf_fini(&list);
}
END_TEST

/* A stranger on that port: takes one request and says this. */
struct stranger {
	int listener;
	const char *head;
	size_t body_bytes;
};

static void *serve(void *ctx)
{
	const struct stranger *s = ctx;
	int fd = accept(s->listener, NULL, NULL);
	char block[4096];
	ssize_t sent = 1;

	if (recv(fd, block, sizeof(block), 0) <= 0)
		return NULL;
	sent = send(fd, s->head, strlen(s->head), MSG_NOSIGNAL);
	memset(block, 'x', sizeof(block));
	for (size_t left = s->body_bytes; left && sent > 0; left -= (size_t)sent)
		sent = send(fd, block, left < sizeof(block) ? left : sizeof(block), MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

static const struct { const char *head; size_t body_bytes; enum err_kind kind; const char *says; } strangers[] = {
	{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 0, ERR_REJECT, "answers 302"},
	{"HTTP/1.1 500 Oh\r\nContent-Length: 1000\r\n\r\n", 1000, ERR_RETRY, "answers 500: xxx"},
	{"HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n", 0, ERR_RETRY, "answers 503"},
	{"HTTP/1.1 204 No Content\r\n\r\n", 0, ERR_REJECT, "answers 204"},
	{"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 0, ERR_REJECT, "has no /controls: it is another program's"},
	{"HTTP/1.1 200 OK\r\n\r\n", (4 << 20) + 1, ERR_RETRY, "answers more than can be held"},
	{"SSH-2.0-OpenSSH_9.2\r\n", 0, ERR_RETRY, "127.0.0.1"},
	{"", 0, ERR_RETRY, "127.0.0.1"},
};

START_TEST(strangers_answers)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	struct stranger s = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), strangers[_i].head, strangers[_i].body_bytes};
	struct buf list = BUF_INIT;
	struct err err = ERR_INIT;
	struct admin_port *p;
	pthread_t thread;
	char url[64];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(bind(s.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(s.listener, 1), 0);
	ck_assert_int_eq(getsockname(s.listener, (struct sockaddr *)&at, &len), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, &s), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(at.sin_port));
	p = must_open(url, TOKEN);
	ck_assert_int_eq(admin_port_list(p, &list, &err), -1);
	ck_assert_msg(err.kind == strangers[_i].kind && strstr(err.msg, strangers[_i].says), "%d: %s", err.kind, err.msg);
	ck_assert_uint_eq(list.len, 0);
	pthread_join(thread, NULL);
	admin_port_free(p);
	close(s.listener);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/admin_port");
	TCase *t = tcase_create("admin_port");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, set_list_clear);
	tcase_add_test(t, refusals);
	tcase_add_loop_test(t, addresses, 0, NR(urls));
	tcase_add_test(t, nobody_there);
	tcase_add_loop_test(t, strangers_answers, 0, NR(strangers));
	suite_add_tcase(s, t);
	return unit_main(s);
}
