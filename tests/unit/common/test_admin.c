/* test_admin.c - the admin port over plain sockets.
 *
 * The liveness limit is a minute: clock_gettime() is defined below in the place of libc's, with an offset on the monotonic clock, so
 * that the minute passes without waiting. */
#include "common/admin.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "tests/unit/common/http_client.h"

/* How far the monotonic clock is ahead. A static of this function, as clock_gettime() has no other way to know. */
static atomic_int *mono_offset_seconds(void)
{
	static atomic_int seconds;

	return &seconds;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (id == CLOCK_MONOTONIC)
		ts->tv_sec += atomic_load(mono_offset_seconds());
	return rc;
}

struct fixture {
	struct metrics *metrics;
	struct admin *admin;
	int port;
};

static void fixture_init(struct fixture *f)
{
	struct err err = ERR_INIT;

	signal(SIGPIPE, SIG_IGN);
	atomic_store(mono_offset_seconds(), 0);
	f->metrics = metrics_new("millrace-test");
	f->admin = admin_new("127.0.0.1:0", f->metrics, &err);
	ck_assert_msg(f->admin != NULL, "%s", err.msg);
	ck_assert_int_eq(strncmp(admin_address(f->admin), "127.0.0.1:", 10), 0);
	f->port = (int)strtol(admin_address(f->admin) + 10, NULL, 10);
	ck_assert_int_gt(f->port, 0);
}

static void fixture_fini(struct fixture *f)
{
	admin_free(f->admin);
	metrics_free(f->metrics);
}

/* One request on a connection of its own. */
static void ask(const struct fixture *f, const char *request, struct answer *a)
{
	http_ask(f->port, request, strlen(request), a);
}

#define REQUEST(method, path) method " " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define WITH_BODY(method, path) method " " path " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=1"

static const struct { const char *request; int status; const char *body, *header; } cases[] = {
	{REQUEST("GET", "/health/live"), 200, "live", "Content-Type: text/plain; charset=utf-8\r\n"},
	{REQUEST("GET", "/health/ready"), 503, "starting", "Content-Type: text/plain; charset=utf-8\r\n"},
	{REQUEST("GET", "/health/ready?verbose=1"), 503, "starting", ""},
	{REQUEST("HEAD", "/health/live"), 200, "", "Content-Length: 4\r\n"},
	{REQUEST("HEAD", "/health/ready"), 503, "", "Content-Length: 8\r\n"},
	{REQUEST("HEAD", "/metrics"), 200, "", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"},
	{REQUEST("GET", "/"), 404, "not found", ""},
	{REQUEST("GET", "/metrics/"), 404, "not found", ""},
	{REQUEST("GET", "/health"), 404, "not found", ""},
	{REQUEST("GET", "/METRICS"), 404, "not found", ""},
	{REQUEST("GET", "/../metrics"), 404, "not found", ""},
	{WITH_BODY("POST", "/nowhere"), 404, "not found", ""},
	{WITH_BODY("POST", "/metrics"), 405, "method not allowed", "Allow: GET, HEAD\r\n"},
	{WITH_BODY("PUT", "/health/ready"), 405, "method not allowed", "Allow: GET, HEAD\r\n"},
	{REQUEST("DELETE", "/health/live"), 405, "method not allowed", "Allow: GET, HEAD\r\n"},
	{REQUEST("OPTIONS", "/metrics"), 405, "method not allowed", "Allow: GET, HEAD\r\n"},
	{WITH_BODY("GET", "/health/live"), 200, "live", ""},
};

START_TEST(answers)
{
	struct fixture f;
	struct answer a;

	fixture_init(&f);
	ask(&f, cases[_i].request, &a);
	ck_assert_int_eq(a.status, cases[_i].status);
	ck_assert_str_eq(a.body, cases[_i].body);
	ck_assert_ptr_nonnull(strstr(a.head, cases[_i].header));
	fixture_fini(&f);
}
END_TEST

START_TEST(metrics_are_the_registry)
{
	struct fixture f;
	struct answer a;

	fixture_init(&f);
	metric_add(metrics_counter(f.metrics, "millrace_sink_retries_total", "reason", "a\"b", NULL), 41);
	ask(&f, REQUEST("GET", "/metrics"), &a);
	ck_assert_int_eq(a.status, 200);
	ck_assert_ptr_nonnull(strstr(a.head, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	ck_assert_ptr_nonnull(strstr(a.body, "# TYPE millrace_sink_retries_total counter\nmillrace_sink_retries_total{reason=\"a\\\"b\"} 41\n"));
	ck_assert_ptr_nonnull(strstr(a.body, "\nprocess_resident_memory_bytes "));
	fixture_fini(&f);
}
END_TEST

static bool says_ready(const struct fixture *f)
{
	struct answer a;

	ask(f, REQUEST("GET", "/metrics"), &a);
	ck_assert(strstr(a.body, "\nmillrace_ready 0\n") || strstr(a.body, "\nmillrace_ready 1\n"));
	return strstr(a.body, "\nmillrace_ready 1\n") != NULL;
}

START_TEST(readiness)
{
	struct fixture f;
	struct answer a;

	fixture_init(&f);
	ck_assert(!admin_is_ready(f.admin));
	ck_assert(!says_ready(&f));
	admin_set_ready(f.admin, true, NULL);
	ck_assert(says_ready(&f));
	ask(&f, REQUEST("GET", "/health/ready"), &a);
	ck_assert_int_eq(a.status, 200);
	ck_assert_str_eq(a.body, "ready");
	ck_assert(admin_is_ready(f.admin));
	admin_set_ready(f.admin, true, "ready, with a word");
	ask(&f, REQUEST("GET", "/health/ready"), &a);
	ck_assert_int_eq(a.status, 200);
	ck_assert_str_eq(a.body, "ready, with a word");
	admin_set_ready(f.admin, false, "the site table is stale");
	ask(&f, REQUEST("GET", "/health/ready"), &a);
	ck_assert_int_eq(a.status, 503);
	ck_assert_str_eq(a.body, "the site table is stale");
	ck_assert(!admin_is_ready(f.admin));
	ck_assert(!says_ready(&f));
	admin_set_ready(f.admin, false, NULL);
	ask(&f, REQUEST("GET", "/health/ready"), &a);
	ck_assert_str_eq(a.body, "not ready");
	fixture_fini(&f);
}
END_TEST

START_TEST(liveness_ends_after_a_minute)
{
	struct fixture f;
	struct answer a;

	fixture_init(&f);
	admin_beat(f.admin);
	atomic_store(mono_offset_seconds(), 55);
	ask(&f, REQUEST("GET", "/health/live"), &a);
	ck_assert_int_eq(a.status, 200);
	atomic_store(mono_offset_seconds(), 61);
	ask(&f, REQUEST("GET", "/health/live"), &a);
	ck_assert_int_eq(a.status, 503);
	ck_assert_str_eq(a.body, "the main loop has not come round for 60 s");
	admin_beat(f.admin);
	ask(&f, REQUEST("GET", "/health/live"), &a);
	ck_assert_int_eq(a.status, 200);
	fixture_fini(&f);
}
END_TEST

START_TEST(connections_are_kept)
{
	struct fixture f;
	struct answer a;
	int fd;

	fixture_init(&f);
	fd = http_dial("127.0.0.1", f.port);
	for (int i = 0; i < 5; i++) {
		http_say(fd, REQUEST("GET", "/health/live"));
		http_hear(fd, &a, true);
		ck_assert_int_eq(a.status, 200);
	}
	close(fd);
	fixture_fini(&f);
}
END_TEST

static const char *const hostile[] = {
	"\r\n\r\n\r\n", "GET\r\n\r\n", "nonsense nonsense nonsense\r\n\r\n", "GET /metrics HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
	"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
	"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "GET /%00%ff%2e HTTP/1.1\r\nHost: x\r\n\r\n",
};

/* Whatever one client sends, cut off at any point, the next one is served. */
START_TEST(survives_nonsense)
{
	struct fixture f;
	struct answer a;
	char big[20000];

	fixture_init(&f);
	for (size_t i = 0; i < NR(hostile); i++)
		for (size_t n = strlen(hostile[i]); n > 0; n /= 2) {
			int fd = http_dial("127.0.0.1", f.port);

			ck_assert_int_ge(fd, 0);
			send(fd, hostile[i], n, MSG_NOSIGNAL);
			close(fd);
		}
	memset(big, 'a', sizeof(big) - 1);
	memcpy(big, "GET /", 5);
	big[sizeof(big) - 1] = '\0';
	for (int i = 0; i < 2; i++) { /* a line without end; then headers without end */
		int fd = http_dial("127.0.0.1", f.port);
		ssize_t n;

		send(fd, big, sizeof(big) - 1, MSG_NOSIGNAL);
		n = recv(fd, a.head, sizeof(a.head) - 1, 0); /* an answer or the end, no hanging */
		a.head[n > 0 ? n : 0] = '\0';
		ck_assert(n == 0 || (n < 0 && errno == ECONNRESET) || strncmp(a.head, "HTTP/1.1 4", 10) == 0);
		close(fd);
		memcpy(big, "GET / HTTP/1.1\r\nA: ", 19);
	}
	ask(&f, REQUEST("GET", "/health/live"), &a);
	ck_assert_int_eq(a.status, 200);
	fixture_fini(&f);
}
END_TEST

/* Clients that go away in the middle of a request leave no places taken: the next one need not wait for the idle time-out. */
START_TEST(broken_off_requests)
{
	struct fixture f;
	struct answer a;
	time_t start = time(NULL);

	fixture_init(&f);
	for (int i = 0; i < 100; i++) {
		int fd = http_dial("127.0.0.1", f.port);

		http_say(fd, "GET /m");
		close(fd);
	}
	ask(&f, REQUEST("GET", "/health/live"), &a);
	ck_assert_int_eq(a.status, 200);
	ck_assert_int_lt(time(NULL) - start, 8);
	fixture_fini(&f);
}
END_TEST

/* Clients that say nothing hold up nobody, as long as there are fewer than the limit; freeing does not wait for them. */
START_TEST(silent_clients)
{
	int silent[20];
	struct fixture f;
	struct answer a;

	fixture_init(&f);
	for (size_t i = 0; i < NR(silent); i++) {
		silent[i] = http_dial("127.0.0.1", f.port);
		http_say(silent[i], "GET /metrics HTTP/1.1\r\n");
	}
	ask(&f, REQUEST("GET", "/health/live"), &a);
	ck_assert_int_eq(a.status, 200);
	fixture_fini(&f);
	for (size_t i = 0; i < NR(silent); i++)
		close(silent[i]);
}
END_TEST

/* Who comes when all places are taken waits, and is served as soon as some of them are free. */
START_TEST(connection_limit)
{
	int many[40];
	struct pollfd last;
	struct fixture f;
	struct answer a;

	fixture_init(&f);
	for (size_t i = 0; i < NR(many); i++)
		many[i] = http_dial("127.0.0.1", f.port);
	last = (struct pollfd){.fd = http_dial("127.0.0.1", f.port), .events = POLLIN};
	http_say(last.fd, REQUEST("GET", "/health/live"));
	ck_assert_int_eq(poll(&last, 1, 100), 0);
	for (size_t i = 0; i < NR(many); i++)
		close(many[i]);
	http_hear(last.fd, &a, true);
	ck_assert_int_eq(a.status, 200);
	close(last.fd);
	fixture_fini(&f);
}
END_TEST

START_TEST(only_the_given_address)
{
	struct fixture f;
	int fd;

	fixture_init(&f);
	errno = 0;
	fd = http_dial("127.0.0.2", f.port); /* the same machine, another address */
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	fixture_fini(&f);
}
END_TEST

START_TEST(taken_port)
{
	struct err err = ERR_INIT;
	char wanted[128];
	struct fixture f;

	fixture_init(&f);
	ck_assert_ptr_null(admin_new(admin_address(f.admin), f.metrics, &err));
	snprintf(wanted, sizeof(wanted), "cannot listen on %s: Address already in use", admin_address(f.admin));
	ck_assert_str_eq(err.msg, wanted);
	ck_assert_int_eq(err.kind, ERR_FATAL);
	fixture_fini(&f);
}
END_TEST

static const char *const bad_addresses[] = {
	"9101", ":9101", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:1x", "127.0.0.1:000000",
	"localhost:9101", "127.0.0.1.:1", "[127.0.0.1]:1", "::1:9101", "[::1]", "[::1:9101", "[]:1", "[:1", "]:1",
	"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:1", "256.1.1.1:1", " 127.0.0.1:1",
};

START_TEST(bad_address)
{
	struct err err = ERR_INIT;
	char wanted[256];

	ck_assert_ptr_null(admin_new(bad_addresses[_i], NULL, &err));
	snprintf(wanted, sizeof(wanted), "cannot listen on '%s': it is neither IPv4:port nor [IPv6]:port", bad_addresses[_i]);
	ck_assert_str_eq(err.msg, wanted);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

START_TEST(ipv6)
{
	struct err err = ERR_INIT;
	struct admin *a = admin_new("[::1]:0", NULL, &err);

	if (!a) { /* a machine without it must say so */
		ck_assert_ptr_nonnull(strstr(err.msg, "Cannot assign requested address") ? err.msg : strstr(err.msg, "not supported"));
		return;
	}
	ck_assert_int_eq(strncmp(admin_address(a), "[::1]:", 6), 0);
	ck_assert_int_gt(strtol(admin_address(a) + 6, NULL, 10), 0);
	admin_free(a);
}
END_TEST

START_TEST(without_a_server)
{
	struct err err = ERR_INIT;
	struct admin *a = admin_new("", NULL, &err);

	ck_assert_ptr_nonnull(a);
	ck_assert_str_eq(admin_address(a), "");
	admin_beat(a);
	admin_set_ready(a, true, NULL);
	ck_assert(admin_is_ready(a));
	admin_free(a);
	admin_free(NULL);
}
END_TEST

struct main_loop {
	struct admin *admin;
	struct metric *metric;
	atomic_bool stop;
};

static void *turn(void *ctx)
{
	struct main_loop *l = ctx;

	for (int i = 0; !atomic_load(&l->stop); i++) {
		admin_beat(l->admin);
		admin_set_ready(l->admin, i & 1, i & 1 ? NULL : "odd turn");
		metric_add(l->metric, 1);
	}
	return NULL;
}

/* For the thread sanitizer: a program that runs while it is asked. */
START_TEST(asked_while_running)
{
	struct main_loop l = {0};
	struct fixture f;
	struct answer a;
	pthread_t thread;

	fixture_init(&f);
	l.admin = f.admin;
	l.metric = metrics_counter(f.metrics, "millrace_sink_inserts_total", NULL);
	admin_set_ready(f.admin, false, "odd turn"); /* a thread may start late */
	pthread_create(&thread, NULL, turn, &l);
	for (int i = 0; i < 50; i++) {
		ask(&f, REQUEST("GET", "/metrics"), &a);
		ck_assert_int_eq(a.status, 200);
		ask(&f, REQUEST("GET", "/health/ready"), &a);
		ck_assert_str_eq(a.body, a.status == 200 ? "ready" : "odd turn");
		ask(&f, REQUEST("GET", "/health/live"), &a);
		ck_assert_int_eq(a.status, 200);
	}
	atomic_store(&l.stop, true);
	pthread_join(thread, NULL);
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin");
	TCase *tc = tcase_create("admin");

	tcase_add_loop_test(tc, answers, 0, NR(cases));
	tcase_add_test(tc, metrics_are_the_registry);
	tcase_add_test(tc, readiness);
	tcase_add_test(tc, liveness_ends_after_a_minute);
	tcase_add_test(tc, connections_are_kept);
	tcase_add_test(tc, survives_nonsense);
	tcase_add_test(tc, broken_off_requests);
	tcase_add_test(tc, silent_clients);
	tcase_add_test(tc, connection_limit);
	tcase_add_test(tc, only_the_given_address);
	tcase_add_test(tc, taken_port);
	tcase_add_loop_test(tc, bad_address, 0, NR(bad_addresses));
	tcase_add_test(tc, ipv6);
	tcase_add_test(tc, without_a_server);
	tcase_add_test(tc, asked_while_running);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
