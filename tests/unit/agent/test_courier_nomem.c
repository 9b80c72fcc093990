/* test_courier_nomem.c - posts while memory is short: a payload stays in the spool until the server has it, is never set aside, and is posted when there is
 * memory again. Each turn of the courier is walked (tests/unit/fail_alloc.h). */
#include "common/wire.h"
#include "tests/unit/agent/courier_bench.h"
#include "tests/unit/fail_alloc.h"

#define LINE(status) "HTTP/1.1 " status "\r\n"
#define OK LINE("202 Accepted") "Content-Length: 29\r\n\r\n{\"accepted\":1,\"rejected\":[  ]}"
#define TOO_LARGE LINE("413 Too Large") "Content-Length: 0\r\n\r\n"

enum { PAYLOADS = 3, SAMPLES = 4 };

/* Of the payloads that the server has. */
static uint64_t done_samples(const struct spool *s)
{
	uint64_t n = 0;

	for (uint64_t id = 1; id <= s->len; id++)
		n += fake_payload(s, id)->state == FAKE_DONE ? fake_payload(s, id)->e.samples : 0;
	return n;
}

START_TEST(a_courier_is_made_whole_or_not_at_all)
{
	static const struct step steps[] = {{OK, SERVER_KEEPS}};
	char key_file[] = "/tmp/millrace-key-XXXXXX", url[64];
	int fd = mkstemp(key_file);
	struct bench b;

	ck_assert_int_eq(write(fd, BENCH_KEY, sizeof(BENCH_KEY) - 1), sizeof(BENCH_KEY) - 1);
	close(fd);
	bench_init(&b, steps, NR(steps));
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", b.server.port);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		const struct courier_conf conf = {.url = url, .key_file = key_file, .key = "", .timeout_ms = BENCH_TIMEOUT_MS};
		struct err err = ERR_INIT;
		struct courier *c;

		fail_walk_begin(&w);
		c = courier_new(&conf, b.spool, &b.clock, &b.log, &err);
		ck_assert_msg(fail_walk_end(&w) ? !c : c != NULL, "%s", err.msg);
		ck_assert_msg(c || err.kind == ERR_FATAL, "%s", err.msg); /* not that the address or the key is bad */
		courier_free(c);
	}
	unlink(key_file);
	bench_fini(&b);
}
END_TEST

/* The first turns, in which posts are made and begun, or an answer is acted on, without memory; then all goes well. */
START_TEST(a_payload_stays_until_the_server_has_it)
{
	static const struct step good[] = {{OK, SERVER_KEEPS}}, halved[] = {{TOO_LARGE, SERVER_KEEPS}, {OK, SERVER_KEEPS}};

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct bench b;
		uint64_t ids[PAYLOADS];

		bench_init(&b, _i ? halved : good, _i ? NR(halved) : NR(good));
		for (int i = 0; i < PAYLOADS; i++)
			ids[i] = bench_put(&b, (uint64_t)i + 1, SAMPLES);
		bench_open(&b, NULL);
		courier_take_live(b.courier, ids, PAYLOADS);
		for (int turns = 0; turns < 200 && !(_i ? bench_status(&b).posts > 1 : bench_status(&b).accepted_payloads); turns++) {
			if (turns == 0)
				fail_walk_begin(&w);
			courier_turn(b.courier, b.now_ms);
			if (turns == 0)
				fail_walk_end(&w);
			server_turn(&b.server);
			server_wait(&b.server, courier_fd(b.courier), 5);
			b.now_ms += 20;
		}
		ck_assert(!bench_run(&b, 9999)); /* until nothing is left to do */
		ck_assert_uint_eq(fake_count(b.spool, FAKE_WAITS), 0);
		ck_assert_uint_eq(fake_count(b.spool, FAKE_REJECTED), 0);
		ck_assert_uint_eq(done_samples(b.spool), PAYLOADS * SAMPLES);
		bench_fini(&b);
	}
}
END_TEST

/* The turn that takes a 413, and makes halves. */
START_TEST(an_answer_is_acted_on_later)
{
	static const struct step halved[] = {{TOO_LARGE, SERVER_KEEPS}, {OK, SERVER_KEEPS}};

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct bench b;
		int64_t give_up_ms = clock_mono_ms() + 20000;
		bool failed = false;
		unsigned turn = 0;

		bench_init(&b, halved, NR(halved));
		bench_put(&b, 1, SAMPLES);
		bench_open(&b, NULL);
		while (fake_count(b.spool, FAKE_WAITS)) {
			bool answered = b.server.requests > 0 && !failed && turn == 0;

			if (answered)
				fail_walk_begin(&w);
			courier_turn(b.courier, b.now_ms);
			if (answered) {
				failed = fail_walk_end(&w);
				turn++;
			}
			server_turn(&b.server);
			server_wait(&b.server, courier_fd(b.courier), 2);
			if (!bench_in_flight(&b) && courier_timeout_ms(b.courier, b.now_ms) > 0)
				b.now_ms += courier_timeout_ms(b.courier, b.now_ms);
			ck_assert_msg(clock_mono_ms() < give_up_ms, "it takes too long");
		}
		ck_assert_uint_eq(fake_count(b.spool, FAKE_REJECTED), 0);
		ck_assert_uint_eq(done_samples(b.spool), SAMPLES);
		bench_fini(&b);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("courier_nomem");
	TCase *tc = tcase_create("courier");

	curl_global_init(CURL_GLOBAL_ALL);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_courier_is_made_whole_or_not_at_all);
	tcase_add_loop_test(tc, a_payload_stays_until_the_server_has_it, 0, 2);
	tcase_add_test(tc, an_answer_is_acted_on_later);
	return unit_main(suite);
}
