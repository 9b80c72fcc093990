/* test_log_flood.c - what a log writes of more lines than it may, as a reader gets it: bounded, and adding up. */
#include "common/metrics.h"
#include "tests/unit/common/log_lines.h"

/* Reads all lines there are; adds up what they tell of event, by themselves and by "suppressed". */
struct told {
	uint64_t lines, suppressed, summaries;
};

static const char *value_of(const struct parsed *p, const char *key)
{
	const struct pair *pair = get(p, key);

	return pair ? pair->value : "";
}

static struct told sink_told(struct sink *s, const char *event)
{
	struct told told = {0};
	struct parsed p;

	while (recv(s->read_fd, s->line, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
		bool summary;

		sink_parse(s, &p);
		summary = strcmp(value_of(&p, "event"), "lines_suppressed") == 0;
		if (strcmp(value_of(&p, summary ? "of" : "event"), event) != 0)
			continue;
		told.lines += !summary;
		told.summaries += summary;
		told.suppressed += strtoull(value_of(&p, "suppressed"), NULL, 10);
	}
	return told;
}

START_TEST(floods_are_bounded)
{
	struct told told;
	struct sink s;

	sink_init(&s, _i);
	s.log.limit = log_limit_new(10, 1);
	for (int i = 0; i < 5000; i++)
		log_warn(&s.log, "flood", LOG_INT("i", i));
	log_error(&s.log, "flood", LOG_INT("i", 0)); /* another level, another bucket */
	told = sink_told(&s, "flood");
	ck_assert_uint_ge(told.lines, 11);
	ck_assert_uint_lt(told.lines, 50); /* seconds have not passed */
	ck_assert_uint_eq(told.lines + log_suppressed_lines(&s.log), 5001);
	log_tick(&s.log); /* not over yet */
	ck_assert_uint_eq(sink_told(&s, "flood").summaries, 0);
	log_flush(&s.log);
	log_flush(&s.log);
	told.suppressed += sink_told(&s, "flood").suppressed;
	ck_assert_uint_eq(told.suppressed, log_suppressed_lines(&s.log));
	log_limit_free(s.log.limit);
	sink_fini(&s);
}
END_TEST

/* A line that fills the room and more still says what it has to say of others. */
START_TEST(cut_lines_tell_too)
{
	char big[LINE_MAX_BYTES * 2];
	struct parsed p;
	struct sink s;

	sink_init(&s, _i);
	s.log.limit = log_limit_new(1, 1000);
	fill(big, LINE_MAX_BYTES, "x");
	for (int i = 0; i < 20; i++)
		log_info(&s.log, "e", LOG_INT("i", i));
	while (sink_read(&s))
		;
	for (int tries = 0; log_suppressed_lines(&s.log) == 0; tries++) {
		ck_assert_int_lt(tries, 100000);
		log_info(&s.log, "e", LOG_INT("i", tries));
		sink_read(&s);
	}
	do
		log_info(&s.log, "e", LOG_STR("big", big));
	while (recv(s.read_fd, s.line, 1, MSG_PEEK | MSG_DONTWAIT) != 1);
	sink_parse(&s, &p);
	check_value(&p, "cut", "true");
	ck_assert_ptr_nonnull(get(&p, "suppressed"));
	log_limit_free(s.log.limit);
	sink_fini(&s);
}
END_TEST

START_TEST(debug_is_not_limited)
{
	struct sink s;

	sink_init(&s, false);
	s.log.level = LOG_LEVEL_DEBUG;
	s.log.limit = log_limit_new(1, 1);
	for (int i = 0; i < 50; i++)
		log_debug(&s.log, "e", LOG_INT("i", i));
	ck_assert_uint_eq(sink_told(&s, "e").lines, 50);
	s.log.level = LOG_LEVEL_ERROR; /* what the level keeps back is not counted: nobody wants it */
	for (int i = 0; i < 50; i++)
		log_warn(&s.log, "e", LOG_INT("i", i));
	ck_assert_uint_eq(log_suppressed_lines(&s.log), 0);
	log_limit_free(s.log.limit);
	sink_fini(&s);
}
END_TEST

/* One difference in any field makes another line; about is the caller's own word for it. */
START_TEST(repeats_wait)
{
	struct sink s;
	struct told told;

	sink_init(&s, _i);
	s.log.limit = log_limit_new(1000, 1);
	for (int i = 0; i < 100; i++) {
		log_repeat(&s.log, "loop", LOG_STR("error", "one"), LOG_INT("n", 1), LOG_BOOL("b", true));
		log_repeat(&s.log, "loop", LOG_STR("error", "one"), LOG_INT("n", 2), LOG_BOOL("b", true));
		log_repeat(&s.log, "loop", LOG_STR("error", "one"), LOG_INT("n", 1), LOG_BOOL("b", false));
		log_repeat(&s.log, "loop", LOG_STR("error", "two"), LOG_INT("n", 1), LOG_BOOL("b", true));
		log_repeat(&s.log, "loop", LOG_STR("reason", "two"), LOG_INT("n", 1), LOG_BOOL("b", true));
		log_repeat(&s.log, "loop", LOG_STR("error", "one"), LOG_NONE, LOG_INT("n", 1), LOG_BOOL("b", true)); /* says the same as the first */
		log_repeat_about(&s.log, "loop", log_about("x"), LOG_INT("i", i));
		log_warn(&s.log, "plain", LOG_INT("i", 1));
	}
	ck_assert_uint_eq(log_suppressed_lines(&s.log), 6 * 99 + 100);
	log_flush(&s.log);
	told = sink_told(&s, "loop");
	ck_assert_uint_eq(told.lines, 6);
	ck_assert_uint_eq(told.suppressed, 6 * 99 + 100);
	ck_assert_uint_ne(log_about("x"), log_about("y"));
	log_limit_free(s.log.limit);
	sink_fini(&s);
}
END_TEST

static void check_metric(struct metrics *m, const char *line)
{
	struct buf out = BUF_INIT;

	metrics_render(m, &out);
	buf_add(&out, "", 1);
	ck_assert_msg(strstr((const char *)out.p, line) != NULL, "%s", (const char *)out.p);
	buf_fini(&out);
}

START_TEST(metrics_tell)
{
	struct metrics *m = metrics_new("millrace-test");
	struct sink s;

	sink_init(&s, false);
	s.log.limit = log_limit_new(1, 1);
	metrics_follow_log(m, &s.log);
	metrics_follow_log(NULL, &s.log);
	check_metric(m, "\nmillrace_log_suppressed_lines_total 0\n");
	for (int i = 0; i < 8; i++)
		log_repeat(&s.log, "e", LOG_STR("a", "same"));
	check_metric(m, "\nmillrace_log_suppressed_lines_total 7\n");
	log_repeat(&s.log, "e", LOG_STR("a", "same"));
	check_metric(m, "\nmillrace_log_suppressed_lines_total 8\n");
	metrics_free(m);
	log_limit_free(s.log.limit);
	sink_fini(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_flood");
	TCase *tc = tcase_create("floods");

	tcase_add_loop_test(tc, floods_are_bounded, 0, 2);
	tcase_add_loop_test(tc, cut_lines_tell_too, 0, 2);
	tcase_add_test(tc, debug_is_not_limited);
	tcase_add_loop_test(tc, repeats_wait, 0, 2);
	tcase_add_test(tc, metrics_tell);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
