/* test_log.c - lines as a reader gets them.
 *
 * Lines are written into a socket that keeps messages apart, so that one message is one write(2). They are taken apart again by
 * the readers below, which know both formats from their descriptions alone: nothing of log.c or str.c is used to judge. */
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { LINE_MAX_BYTES = 8192, FIELDS_MAX = 16 };

/* For inner loops: each of Check's own assertions writes to a file, also when it holds. */
#define must(condition) ((condition) ? (void)0 : ck_abort_msg("not so: %s", #condition))

struct sink {
	struct log log;
	int read_fd;
	char line[LINE_MAX_BYTES * 2];
	size_t len;
};

static void sink_init(struct sink *s, bool json)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	s->read_fd = fds[0];
	s->log = (struct log){.fd = fds[1], .level = LOG_LEVEL_INFO, .json = json, .program = "millrace-test", .instance = "i1"};
}

static void sink_fini(struct sink *s)
{
	close(s->read_fd);
	close(s->log.fd);
}

/* The next message, NUL-terminated without its newline; false when there is none. Every message must be one whole line. */
static bool sink_read(struct sink *s)
{
	ssize_t n = recv(s->read_fd, s->line, sizeof(s->line) - 1, MSG_DONTWAIT);

	if (n < 0)
		return false;
	ck_assert_int_gt(n, 1);
	ck_assert_int_le(n, LINE_MAX_BYTES);
	ck_assert_int_eq(s->line[n - 1], '\n');
	s->line[n - 1] = '\0';
	s->len = (size_t)n - 1;
	ck_assert_uint_eq(strlen(s->line), s->len);
	ck_assert_ptr_null(strchr(s->line, '\n'));
	return true;
}

struct pair {
	char key[64];
	char value[LINE_MAX_BYTES];
	size_t len;
	bool quoted;
};

struct parsed {
	struct pair pairs[FIELDS_MAX];
	size_t nr;
};

static int hex(const char *text, int digits)
{
	int v = 0;

	for (int i = 0; i < digits; i++) {
		const char *at = text[i] ? strchr("0123456789abcdef", text[i]) : NULL;

		must(at != NULL);
		v = v * 16 + (int)(at - "0123456789abcdef");
	}
	return v;
}

static void put_code_point(struct pair *p, int c)
{
	if (c < 0x80) {
		p->value[p->len++] = (char)c;
	} else if (c < 0x800) {
		p->value[p->len++] = (char)(0xc0 | c >> 6);
		p->value[p->len++] = (char)(0x80 | (c & 0x3f));
	} else {
		p->value[p->len++] = (char)(0xe0 | c >> 12);
		p->value[p->len++] = (char)(0x80 | (c >> 6 & 0x3f));
		p->value[p->len++] = (char)(0x80 | (c & 0x3f));
	}
}

/* Behind a backslash; returns behind the escape. */
static const char *read_escape(const char *c, struct pair *p, bool json)
{
	static const char from[] = "nrt\"\\", to[] = "\n\r\t\"\\";
	const char *at = strchr(from, *c);

	must(*c != '\0');
	if (at) {
		p->value[p->len++] = to[at - from];
		return c + 1;
	}
	must(*c == (json ? 'u' : 'x'));
	if (!json) {
		p->value[p->len++] = (char)hex(c + 1, 2);
		return c + 3;
	}
	put_code_point(p, hex(c + 1, 4));
	return c + 5;
}

/* At an opening quotation mark; returns behind the closing one. */
static const char *read_quoted(const char *c, struct pair *p, bool json)
{
	p->quoted = true;
	for (c++; *c != '"';) {
		must((unsigned char)*c >= 0x20 && *c != 0x7f); /* which is also what stands at an end without a mark */
		if (*c == '\\')
			c = read_escape(c + 1, p, json);
		else
			p->value[p->len++] = *c++;
	}
	return c + 1;
}

static void read_text(const char *c, struct parsed *out)
{
	for (out->nr = 0; *c; out->nr++) {
		struct pair *p = &out->pairs[out->nr];
		size_t n = strcspn(c, "=");

		ck_assert_uint_lt(out->nr, FIELDS_MAX);
		ck_assert(n > 0 && n < sizeof(p->key) && c[n] == '=' && strcspn(c, " \"") >= n);
		snprintf(p->key, sizeof(p->key), "%.*s", (int)n, c);
		c += n + 1;
		p->len = 0;
		p->quoted = false;
		if (*c == '"')
			c = read_quoted(c, p, false);
		else
			while (*c && *c != ' ') {
				must(!strchr("\"=\\", *c));
				p->value[p->len++] = *c++;
			}
		p->value[p->len] = '\0';
		ck_assert(*c == '\0' || *c == ' ');
		ck_assert(*c == '\0' || c[1] != '\0');
		c += *c == ' ';
	}
}

/* JSON's grammar for a number, true or false. */
static size_t json_literal(const char *c)
{
	const char *start = c;

	if (strncmp(c, "true", 4) == 0)
		return 4;
	if (strncmp(c, "false", 5) == 0)
		return 5;
	c += *c == '-';
	ck_assert(*c >= '0' && *c <= '9');
	if (*c == '0')
		ck_assert(!(c[1] >= '0' && c[1] <= '9'));
	c += strspn(c, "0123456789");
	if (*c == '.') {
		ck_assert_uint_gt(strspn(c + 1, "0123456789"), 0);
		c += 1 + strspn(c + 1, "0123456789");
	}
	if (*c == 'e' || *c == 'E') {
		c += 1 + (c[1] == '+' || c[1] == '-');
		ck_assert_uint_gt(strspn(c, "0123456789"), 0);
		c += strspn(c, "0123456789");
	}
	return (size_t)(c - start);
}

static void read_json(const char *c, struct parsed *out)
{
	struct pair key;

	ck_assert_int_eq(*c++, '{');
	for (out->nr = 0; *c != '}'; out->nr++) {
		struct pair *p = &out->pairs[out->nr];

		ck_assert_uint_lt(out->nr, FIELDS_MAX);
		if (out->nr)
			ck_assert_int_eq(*c++, ',');
		ck_assert_int_eq(*c, '"');
		key.len = p->len = 0;
		p->quoted = false;
		c = read_quoted(c, &key, true);
		snprintf(p->key, sizeof(p->key), "%.*s", (int)key.len, key.value);
		ck_assert_int_eq(*c++, ':');
		if (*c == '"') {
			c = read_quoted(c, p, true);
		} else {
			p->len = json_literal(c);
			memcpy(p->value, c, p->len);
			c += p->len;
		}
		p->value[p->len] = '\0';
	}
	ck_assert_int_eq(c[1], '\0');
}

static void sink_parse(struct sink *s, struct parsed *out)
{
	ck_assert_msg(sink_read(s), "no line");
	if (s->log.json)
		read_json(s->line, out);
	else
		read_text(s->line, out);
}

static const struct pair *get(const struct parsed *p, const char *key)
{
	for (size_t i = 0; i < p->nr; i++)
		if (strcmp(p->pairs[i].key, key) == 0)
			return &p->pairs[i];
	return NULL;
}

static void check_value(const struct parsed *p, const char *key, const char *value)
{
	const struct pair *pair = get(p, key);

	ck_assert_msg(pair != NULL, "no %s", key);
	ck_assert_str_eq(pair->value, value);
}

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

static void fill(char *out, size_t units, const char *unit)
{
	for (*out = '\0'; units > 0; units--)
		out = stpcpy(out, unit);
}

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
	tcase_add_loop_test(tc, floods_are_bounded, 0, 2);
	tcase_add_loop_test(tc, cut_lines_tell_too, 0, 2);
	tcase_add_test(tc, debug_is_not_limited);
	tcase_add_loop_test(tc, repeats_wait, 0, 2);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
