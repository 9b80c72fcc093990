/* test_slow_names.c - a name that is long in being resolved holds up neither the loop nor the end of a post.
 *
 * getaddrinfo() is this file's: the program's symbol comes before libc's, for libcurl too. */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>

#include "tests/unit/agent/courier_bench.h"

enum { AT_ONCE_MS = 150 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* style: getaddrinfo() has no context */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER; /* style: as above */
static bool answers; /* style: as above */

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

	memcpy(&real, &symbol, sizeof(real));
	ck_assert_str_eq(node, "push.example");
	pthread_mutex_lock(&lock);
	while (!answers)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return real("127.0.0.1", service, hints, res);
}

static void let_it_answer(void)
{
	pthread_mutex_lock(&lock);
	answers = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void open_by_name(struct bench *b)
{
	char url[64];
	const struct courier_conf conf = {.url = url, .key = BENCH_KEY, .timeout_ms = 400};
	struct err err = ERR_INIT;

	snprintf(url, sizeof(url), "http://push.example:%d", b->server.port);
	b->courier = courier_new(&conf, b->spool, &b->clock, &b->log, &err);
	ck_assert_msg(b->courier != NULL, "%s", err.msg);
}

static const struct step taken[] = {{"HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n", SERVER_KEEPS}};

START_TEST(a_turn_does_not_wait_for_a_name)
{
	struct bench b;
	int64_t began = clock_mono_ms(), before;

	bench_init(&b, taken, NR(taken));
	bench_put(&b, 1, 1);
	open_by_name(&b);
	while (bench_status(&b).failed_posts == 0) {
		before = clock_mono_ms();
		courier_turn(b.courier, b.now_ms);
		ck_assert_int_lt(clock_mono_ms() - before, AT_ONCE_MS);
		server_wait(&b.server, courier_fd(b.courier), 20);
		ck_assert_int_lt(clock_mono_ms() - began, 5000);
	}
	b.now_ms += 2000; /* again, and it is free in the middle of it */
	courier_turn(b.courier, b.now_ms);
	ck_assert_uint_eq(bench_status(&b).posts, 2);
	before = clock_mono_ms();
	courier_free(b.courier);
	b.courier = NULL;
	ck_assert_int_lt(clock_mono_ms() - before, AT_ONCE_MS);
	let_it_answer();
	bench_fini(&b);
}
END_TEST

START_TEST(a_name_that_is_found_wakes_the_loop)
{
	struct bench b;

	bench_init(&b, taken, NR(taken));
	bench_put(&b, 1, 1);
	let_it_answer();
	open_by_name(&b);
	ck_assert(bench_run(&b, 1));
	ck_assert_int_eq(fake_payload(b.spool, 1)->state, FAKE_DONE);
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("slow_names");
	TCase *tc = tcase_create("slow_names");

	curl_global_init(CURL_GLOBAL_DEFAULT);
	tcase_set_timeout(tc, 10);
	tcase_add_test(tc, a_turn_does_not_wait_for_a_name);
	tcase_add_test(tc, a_name_that_is_found_wakes_the_loop);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
