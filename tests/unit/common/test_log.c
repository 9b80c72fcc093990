/* test_log.c - lines as a reader gets them.
 *
 * Lines are written into a socket that keeps messages apart, so that one message is one write(2). They are taken apart again by
 * the readers of log_lines.h, which know both formats from their descriptions alone: nothing of log.c or str.c is used to judge. */
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/common/log_lines.h"

START_TEST(order_of_fields)
{
	static const char *const keys[] = {"time", "level", "program", "instance", "event", "topic", "offset"};
	struct parsed p;
	struct sink s;

	sink_init(&s, _i);
	log_warn(&s.log, "record_rejected", LOG_STR("topic", "t"), LOG_INT("offset", -7));
	sink_parse(&s, &p);
	ck_assert_uint_eq(p.nr, NR(keys));
	for (size_t i = 0; i < NR(keys); i++)
		ck_assert_str_eq(p.pairs[i].key, keys[i]);
	ck_assert_uint_eq(p.pairs[0].len, strlen("2018-04-19T23:14:00.000Z"));
	check_value(&p, "level", "warn");
	check_value(&p, "program", "millrace-test");
	check_value(&p, "instance", "i1");
	check_value(&p, "event", "record_rejected");
	check_value(&p, "topic", "t");
	check_value(&p, "offset", "-7");
	s.log.instance[0] = '\0';
	log_info(&s.log, "x", LOG_NONE, LOG_BOOL("b", false), LOG_NONE);
	sink_parse(&s, &p);
	ck_assert_uint_eq(p.nr, 5);
	ck_assert_ptr_null(get(&p, "instance"));
	sink_fini(&s);
}
END_TEST

START_TEST(exact_lines)
{
	struct sink s;

	sink_init(&s, false);
	log_info(&s.log, "e", LOG_STR("a", "two words"), LOG_STR("b", "plain/1.5:x"), LOG_STR("c", NULL), LOG_STR("d", "q\"\\="));
	ck_assert(sink_read(&s));
	ck_assert_str_eq(strstr(s.line, "level="), "level=info program=millrace-test instance=i1 event=e "
						   "a=\"two words\" b=plain/1.5:x c=\"\" d=\"q\\\"\\\\=\"");
	s.log.json = true;
	log_error(&s.log, "e", LOG_STR("a", "t\ta\x01"), LOG_BOOL("b", true), LOG_INT("c", 3));
	ck_assert(sink_read(&s));
	ck_assert_str_eq(strstr(s.line, "\"level\""), "\"level\":\"error\",\"program\":\"millrace-test\",\"instance\":\"i1\","
						      "\"event\":\"e\",\"a\":\"t\\ta\\u0001\",\"b\":true,\"c\":3}");
	sink_fini(&s);
}
END_TEST

static const struct { const char *in, *text, *json; } escape_cases[] = {
	{"a\nb", "\"a\\nb\"", "\"a\\nb\""},
	{"a\rb", "\"a\\rb\"", "\"a\\rb\""},
	{"\x1b[31m", "\"\\x1b[31m\"", "\"\\u001b[31m\""},
	{"\x7f", "\"\\x7f\"", "\"\\u007f\""},
	{"\xc2\x9b", "\"\\xc2\\x9b\"", "\"\\u009b\""}, /* a terminal takes U+009B for ESC [ */
	{"\xc2\xa0", "\xc2\xa0", "\"\xc2\xa0\""},
	{"caf\xc3\xa9", "caf\xc3\xa9", "\"caf\xc3\xa9\""},
	{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
	{"\xff", "\"\\xff\"", "\"\\ufffd\""},
	{"a\xc3", "\"a\\xc3\"", "\"a\\ufffd\""},
	{"\xed\xa0\x80", "\"\\xed\\xa0\\x80\"", "\"\\ufffd\\ufffd\\ufffd\""},
	{"\xc0\xaf", "\"\\xc0\\xaf\"", "\"\\ufffd\\ufffd\""},
	{"\xe2\x82", "\"\\xe2\\x82\"", "\"\\ufffd\\ufffd\""},
};

START_TEST(escapes)
{
	struct sink s;

	sink_init(&s, false);
	log_info(&s.log, "e", LOG_STR("a", escape_cases[_i].in));
	ck_assert(sink_read(&s));
	ck_assert_str_eq(strstr(s.line, " a=") + 3, escape_cases[_i].text);
	s.log.json = true;
	log_info(&s.log, "e", LOG_STR("a", escape_cases[_i].in));
	ck_assert(sink_read(&s));
	s.line[s.len - 1] = '\0'; /* the brace */
	ck_assert_str_eq(strstr(s.line, ",\"a\":") + 5, escape_cases[_i].json);
	sink_fini(&s);
}
END_TEST

static const struct { double v; const char *text, *json; } number_cases[] = {
	{0.1, "0.1", "0.1"}, {1e300, "1e+300", "1e+300"}, {-2.5, "-2.5", "-2.5"}, {1.0 / 3, "0.33333333333333331", "0.33333333333333331"},
	{0x1p53, "9007199254740992", "9007199254740992"}, {__builtin_inf(), "inf", "\"inf\""}, {-__builtin_inf(), "-inf", "\"-inf\""},
};

START_TEST(numbers)
{
	char want[64];
	struct sink s;

	sink_init(&s, false);
	log_info(&s.log, "e", LOG_NUM("n", number_cases[_i].v));
	ck_assert(sink_read(&s));
	ck_assert_str_eq(strstr(s.line, " n=") + 3, number_cases[_i].text);
	s.log.json = true;
	log_info(&s.log, "e", LOG_NUM("n", number_cases[_i].v));
	ck_assert(sink_read(&s));
	snprintf(want, sizeof(want), ",\"n\":%s}", number_cases[_i].json);
	ck_assert_ptr_nonnull(strstr(s.line, want));
	sink_fini(&s);
}
END_TEST

START_TEST(extreme_integers)
{
	struct parsed p;
	struct sink s;

	sink_init(&s, _i);
	log_info(&s.log, "e", LOG_INT("low", INT64_MIN), LOG_UINT("high", UINT64_MAX), LOG_NUM("nan", __builtin_nan("")));
	sink_parse(&s, &p);
	check_value(&p, "low", "-9223372036854775808");
	check_value(&p, "high", "18446744073709551615");
	ck_assert_ptr_nonnull(strstr(get(&p, "nan")->value, "nan"));
	sink_fini(&s);
}
END_TEST

START_TEST(levels)
{
	struct sink s;

	sink_init(&s, false);
	for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
		int nr = 0;

		s.log.level = (enum log_level)level;
		log_debug(&s.log, "e", LOG_INT("n", 1));
		log_info(&s.log, "e", LOG_INT("n", 1));
		log_warn(&s.log, "e", LOG_INT("n", 1));
		log_error(&s.log, "e", LOG_INT("n", 1));
		while (sink_read(&s))
			nr++;
		ck_assert_int_eq(nr, LOG_LEVEL_ERROR - level + 1);
	}
	sink_fini(&s);
}
END_TEST

START_TEST(errno_stays)
{
	struct log log = {.fd = -1, .program = "p"};

	errno = ENOSPC;
	log_error(&log, "e", LOG_STR("a", "b")); /* write() itself fails with EBADF */
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

/* Whatever bytes go in, the same come out of a line of text; JSON gives valid UTF-8's back. */
START_TEST(any_bytes)
{
	struct unit_random r = unit_random_new("log");
	struct parsed p;
	struct sink s;

	sink_init(&s, _i);
	for (int round = 0; round < 1000; round++) {
		char in[64];
		size_t n = unit_random_below(&r, sizeof(in));

		for (size_t i = 0; i < n; i++)
			in[i] = (char)(1 + unit_random_below(&r, s.log.json ? 127 : 255));
		in[n] = '\0';
		log_info(&s.log, "e", LOG_STR("a", in), LOG_INT("end", 1));
		sink_parse(&s, &p);
		check_value(&p, "a", in);
		check_value(&p, "end", "1");
	}
	sink_fini(&s);
}
END_TEST

/* What a unit takes, in text and in JSON, says where the end of the room must be looked for. */
static const struct { const char *bytes; size_t width[2]; } long_units[] = {
	{"x", {1, 1}}, {"\n", {2, 2}}, {"\xff", {4, 6}}, {"\xf0\x9f\x98\x80", {4, 4}}, {"\xc2\x9b", {8, 6}}, {"a b", {3, 3}},
};

/* However the end of the room falls between units, quotes, keys and numbers: the line is whole, and says that it was cut. */
START_TEST(cut_lines)
{
	char big[LINE_MAX_BYTES * 2];
	struct parsed p;
	struct sink s;
	size_t width = long_units[_i / 2].width[_i & 1];
	int whole = 0, cut = 0;

	sink_init(&s, _i & 1);
	for (size_t units = (LINE_MAX_BYTES - 300) / width; units < (LINE_MAX_BYTES + 50) / width; units++) {
		fill(big, units, long_units[_i / 2].bytes);
		log_info(&s.log, "e", LOG_STR("big", big), LOG_INT("n", 123456789), LOG_STR("q", "a b"), LOG_BOOL("last", true));
		sink_parse(&s, &p);
		if (get(&p, "cut")) {
			cut++;
			check_value(&p, "cut", "true");
			ck_assert(!get(&p, "n") || strcmp(get(&p, "n")->value, "123456789") == 0);
			ck_assert_ptr_null(get(&p, "last"));
			ck_assert_uint_gt(s.len, LINE_MAX_BYTES - 64);
		} else {
			whole++;
			check_value(&p, "last", "true");
		}
	}
	sink_fini(&s);
	ck_assert_int_gt(whole, 0);
	ck_assert_int_gt(cut, 0);
}
END_TEST

static void *write_lines(void *ctx)
{
	const struct log *log = ctx;

	for (int i = 0; i < 500; i++)
		log_info(log, "threads", LOG_STR("text", "a longer text, to give mixing a chance"), LOG_INT("i", i));
	return NULL;
}

START_TEST(threads_do_not_mix)
{
	pthread_t threads[4];
	struct parsed p;
	struct sink s;

	sink_init(&s, true);
	for (size_t i = 0; i < NR(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, &s.log), 0);
	for (size_t i = 0; i < NR(threads) * 500; i++) {
		char c;

		ck_assert_int_eq(recv(s.read_fd, &c, 1, MSG_PEEK), 1); /* waits for a line */
		sink_parse(&s, &p);
		ck_assert_uint_eq(p.nr, 7);
	}
	for (size_t i = 0; i < NR(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert(!sink_read(&s));
	sink_fini(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("lines");

	tcase_add_loop_test(tc, order_of_fields, 0, 2);
	tcase_add_test(tc, exact_lines);
	tcase_add_loop_test(tc, escapes, 0, NR(escape_cases));
	tcase_add_loop_test(tc, numbers, 0, NR(number_cases));
	tcase_add_loop_test(tc, extreme_integers, 0, 2);
	tcase_add_test(tc, levels);
	tcase_add_test(tc, errno_stays);
	tcase_add_loop_test(tc, any_bytes, 0, 2);
	tcase_add_loop_test(tc, cut_lines, 0, 2 * (int)NR(long_units));
	tcase_add_test(tc, threads_do_not_mix);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
