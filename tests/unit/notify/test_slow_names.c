/* test_slow_names.c - a receiver whose name is long in being resolved holds up nobody, and not the end.
 *
 * getaddrinfo() is this file's: the program's symbol comes before libc's, for libcurl too. */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>

#include "tests/unit/notify/delivery_bench.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* style: getaddrinfo() has no context */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER; /* style: as above */
static bool answers; /* style: as above */

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

	memcpy(&real, &symbol, sizeof(real));
	if (strcmp(node, "slow.example") != 0)
		return real(node, service, hints, res);
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

static const char *const fine[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};

static void submit_slow(struct bench *b, char url[64], bool mail)
{
	struct receiver r = bench_receiver(b, "slow");
	struct str to[] = {STR("a@b")};

	snprintf(url, 64, "%s://slow.example:%d", mail ? "smtp" : "http", b->server.port);
	r.webhook.url = str_from(url);
	if (mail) {
		r.has_webhook = false;
		r.has_mail = true;
		r.mail = (struct mail_target){.server = str_from(url), .from = STR("a@b"), .to = to, .to_len = 1, .user = STR(""), .password_file = STR("")};
	}
	bench_submit_to(b, &r, "shop", 1, 1);
}

START_TEST(a_name_holds_up_nobody)
{
	struct bench b;
	char url[64];
	int64_t before, began;

	bench_init(&b, NULL, fine, 1);
	began = clock_mono_ms();
	submit_slow(&b, url, _i == 1);
	delivery_turn(b.d, bench_now(&b));
	ck_assert_uint_eq(bench_stats(&b).in_flight, 1);
	bench_submit(&b, "ops", 2, 1);
	bench_run(&b, 1);
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_AT_ONCE_MS);
	while (bench_stats(&b).failed_attempts == 0) {
		before = clock_mono_ms();
		bench_turn(&b);
		ck_assert_int_lt(clock_mono_ms() - before, BENCH_AT_ONCE_MS);
	}
	ck_assert_int_lt(clock_mono_ms() - began, BENCH_TIMEOUT_MS + BENCH_AT_ONCE_MS);
	while (bench_stats(&b).in_flight == 0)
		bench_turn(&b);
	before = clock_mono_ms();
	delivery_free(b.d); /* again, and it is free in the middle of it */
	b.d = NULL;
	ck_assert_int_lt(clock_mono_ms() - before, BENCH_AT_ONCE_MS);
	let_it_answer();
	bench_fini(&b);
}
END_TEST

START_TEST(one_that_is_found_is_used)
{
	struct bench b;
	char url[64];

	bench_init(&b, NULL, fine, 1);
	submit_slow(&b, url, false);
	delivery_turn(b.d, bench_now(&b));
	let_it_answer();
	bench_run(&b, 1);
	ck_assert_int_eq(b.done[0].outcome, DELIVERY_DELIVERED);
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("slow_names");
	TCase *tc = tcase_create("slow_names");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, a_name_holds_up_nobody, 0, 2);
	tcase_add_test(tc, one_that_is_found_is_used);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
