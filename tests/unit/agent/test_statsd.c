/* test_statsd.c - the table of what is taken and what is refused; printed metrics are read back as they were; any bytes are survived. */
#include "ingest/agent/statsd.h"

#include <math.h>

#include "tests/unit/unit.h"

/* What was read, as text: kind, name, values, then what is not the default of weight, tags and time; or why not. */
static void describe_metric(struct statsd_metric *m, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%c %.*s", "cg+ds"[m->kind], STR_ARG(m->name));

	if (m->kind == STATSD_SET)
		n += (size_t)snprintf(out + n, size - n, " %.*s", STR_ARG(m->member));
	else
		do
			n += (size_t)snprintf(out + n, size - n, " %.17g", m->value);
		while (statsd_value(m));
	if (m->weight != 1)
		n += (size_t)snprintf(out + n, size - n, " x%u", m->weight);
	if (m->tags.len)
		n += (size_t)snprintf(out + n, size - n, " #%.*s", STR_ARG(m->tags));
	if (m->t_ms)
		snprintf(out + n, size - n, " T%lld", (long long)m->t_ms);
}

/* A datagram's lines, "; " between them. */
static void describe(struct str datagram, char *out, size_t size)
{
	struct statsd_metric m;
	enum statsd_what what;
	enum cause why;

	*out = '\0';
	while ((what = statsd_next(&datagram, &m, &why)) != STATSD_END) {
		size_t n = strlen(out);

		n += (size_t)snprintf(out + n, size - n, "%s", n ? "; " : "");
		if (what == STATSD_METRIC)
			describe_metric(&m, out + n, size - n);
		else
			snprintf(out + n, size - n, "%s",
				 what == STATSD_EVENT ? "event" : what == STATSD_SERVICE_CHECK ? "check" : cause_name(why));
	}
}

static const struct {
	const char *datagram, *read;
} cases[] = {
	/* StatsD */
	{"a:1|c", "c a 1"},
	{"a.b-c_d/e:1|c", "c a.b-c_d/e 1"},
	{"a:320|ms", "d a 320"},
	{"a:333|g", "g a 333"},
	{"a:+4|g", "+ a 4"},
	{"a:-10|g", "+ a -10"},
	{"a:-0|g", "+ a -0"},
	{"a:765|s", "s a 765"},
	{"a:1|c|@0.1", "c a 1 x10"},
	{"a:1|ms|@0.5", "d a 1 x2"},
	{"a:1|h", "d a 1"},
	{"a:1|c\nb:2|g", "c a 1; g b 2"},
	{"a:1|c\n", "c a 1"},
	{"\n\na:1|c\n\n\nb:2|c\r\n", "c a 1; c b 2"},
	{"", ""}, {"\n", ""}, {"\r\n\n\r\n", ""},
	/* numbers */
	{"a:0|c", "c a 0"}, {"a:007|c", "c a 7"}, {"a:.5|c", "c a 0.5"}, {"a:5.|c", "c a 5"}, {"a:1e3|c", "c a 1000"},
	{"a:1E+3|c", "c a 1000"},
	{"a:25e-1|d", "d a 2.5"}, {"a:-1.5|d", "d a -1.5"}, {"a:+1.5|d", "d a 1.5"},
	{"a:1.7976931348623157e308|d", "d a 1.7976931348623157e+308"},
	{"a:5e-324|d", "d a 4.9406564584124654e-324"}, {"a:1e-400|d", "d a 0"},
	{"a:123456789012345678901234567890|d", "d a 1.2345678901234568e+29"},
	{"a:0.1000000000000000055511151231257827|d", "d a 0.10000000000000001"}, {"a:9007199254740993|d", "d a 9007199254740992"},
	{"a:0.000000000000000000000000000000001|d", "d a 1.0000000000000001e-33"}, {"a:8.5e22|d", "d a 8.4999999999999998e+22"},
	{"a:1e23|d", "d a 9.9999999999999992e+22"},
	{"a:1e999999999999999999999|d", "value"}, {"a:1e-999999999999999999999|d", "d a 0"}, {"a:0e999999999999|d", "d a 0"},
	{"a:1e309|c", "value"}, {"a:nan|c", "value"}, {"a:inf|g", "value"}, {"a:-inf|g", "value"}, {"a:0x10|c", "value"},
	{"a:1,5|c", "value"},
	{"a:|c", "value"}, {"a:.|c", "value"}, {"a:+|g", "value"}, {"a:-|g", "value"}, {"a:--1|g", "value"}, {"a:1e|c", "value"},
	{"a:1e+|c", "value"},
	{"a:e1|c", "value"}, {"a: 1|c", "value"}, {"a:1 |c", "value"}, {"a:1.2.3|c", "value"}, {"a:one|c", "value"}, {"a:1_000|c", "value"},
	/* DogStatsD: tags, rates, several values, and what stands behind them */
	{"a:1|c|#k:v", "c a 1 #k:v"},
	{"a:1|c|#k:v,bare,u:http://x:80/", "c a 1 #k:v,bare,u:http://x:80/"},
	{"a:1|c|@0.25|#k:v", "c a 1 x4 #k:v"},
	{"a:1|c|#k:v|@0.25", "c a 1 x4 #k:v"},
	{"a:1|c|#", "c a 1"},
	{"a:1|d", "d a 1"},
	{"a:1:2:3|c", "c a 1 2 3"},
	{"a:1.5:-2:3e2|d|@0.5|#k", "d a 1.5 -2 300 x2 #k"},
	{"a:1:2|g", "g a 1 2"}, {"a:+1:-2|g", "+ a 1 -2"}, {"a:+1:2|g", "value"}, {"a:1:-2|g", "value"},
	{"a:1::2|c", "value"}, {"a:1:|c", "value"}, {"a::1|c", "value"}, {"a:1:2:|c", "value"}, {"a:1:x:2|c", "value"},
	{"a:x:y|s", "s a x:y"}, {"a:|s", "value"}, {"a:\xff\x01|s", "s a \xff\x01"},
	{"a:1|c|c:83c0a99c0a54c0c187f461c7980e9b57f3f6a8b0c918c8d93df19a9de6f3fe1d", "c a 1"},
	{"a:1|c|#k:v|c:in-4242|e:it-false,cn-x|card:low", "c a 1 #k:v"},
	{"a:1|c|#k:v|T1656581400", "c a 1 #k:v T1656581400000"},
	{"a:1|g|T1656581400|#k:v", "g a 1 #k:v T1656581400000"},
	{"a:1|c|zz:9|?|", "c a 1"}, {"a:1|c||", "c a 1"}, {"a:1|c|", "c a 1"},
	{"a:1|c|T", "time"}, {"a:1|c|Tx", "time"}, {"a:1|c|T-1", "time"}, {"a:1|c|T0", "time"}, {"a:1|c|T123456789012", "time"},
	{"a:1|c|T1.5", "time"},
	{"a:1|c|T1|T2", "syntax"},
	/* rates: integer weights, of counters and distributions alone */
	{"a:1|c|@1", "c a 1"}, {"a:1|c|@1.0", "c a 1"}, {"a:1|c|@0.3", "c a 1 x3"}, {"a:1|c|@0.67", "c a 1"}, {"a:1|c|@0.66", "c a 1 x2"},
	{"a:1|c|@1e-6", "c a 1 x1000000"}, {"a:1|g|@0.1", "g a 1"}, {"a:x|s|@0.1", "s a x"},
	{"a:1|c|@0", "rate"}, {"a:1|c|@-0.5", "rate"}, {"a:1|c|@1.1", "rate"}, {"a:1|c|@", "rate"}, {"a:1|c|@x", "rate"},
	{"a:1|c|@1e-7", "rate"},
	{"a:1|g|@2", "rate"}, {"a:1|c|@0.5|@0.5", "syntax"}, {"a:1|c|#a|#b", "syntax"},
	/* form and type */
	{"a", "syntax"}, {"a:1", "syntax"}, {"a|c", "syntax"}, {"|", "syntax"}, {":", "syntax"}, {"a|c|#k:v", "syntax"},
	{"hello world", "syntax"},
	{":1|c", "name"}, {":|", "name"}, {"a:1|", "type"}, {"a:1|x", "type"}, {"a:1|cc", "type"}, {"a:1|m", "type"}, {"a:1|C", "type"},
	{"a:1| c", "type"},
	{"a:1|c \n", "type"},
	{"a b\xc3\xa4:1|c", "c a b\xc3\xa4 1"}, /* label.h is for that */
	/* what is no metric */
	{"_e{5,4}:title|text", "event"}, {"_e{5,4}:title|te\\nxt|d:1|h:x|#k:v\na:1|c", "event; c a 1"}, {"_sc|name|0|m:x", "check"},
	{"_sc:1|c", "c _sc 1"},
	{"_e:1|c", "c _e 1"}, {"_sc", "syntax"}, {"_e{", "event"},
	/* what is bad takes nothing else with it */
	{"a:1|c\nb:x|c\nc:3|c", "c a 1; value; c c 3"},
};

START_TEST(table)
{
	char got[1024];

	describe(str_from(cases[_i].datagram), got, sizeof(got));
	ck_assert_msg(strcmp(got, cases[_i].read) == 0, "%s: %s, not %s", cases[_i].datagram, got, cases[_i].read);
}
END_TEST

START_TEST(lengths)
{
	char name[300], line[400], number[200];
	struct statsd_metric m;
	enum cause why;

	for (size_t len = 253; len <= 258; len++) {
		struct str rest = {line, 0};

		memset(name, 'n', len);
		rest.len = (size_t)snprintf(line, sizeof(line), "%.*s:1|c", (int)len, name);
		ck_assert_int_eq(statsd_next(&rest, &m, &why), len <= 255 ? STATSD_METRIC : STATSD_REFUSED);
		ck_assert(len <= 255 || why == CAUSE_NAME);
	}
	for (size_t len = 120; len <= 135; len++) { /* the same number, longer and longer */
		struct str rest = {line, 0};

		memset(number, '0', sizeof(number));
		memcpy(number, "3.", 2);
		rest.len = (size_t)snprintf(line, sizeof(line), "a:%.*s|c", (int)len, number);
		ck_assert_int_eq(statsd_next(&rest, &m, &why), len <= 127 ? STATSD_METRIC : STATSD_REFUSED);
		ck_assert(len <= 127 ? m.value == 3 : why == CAUSE_VALUE);
	}
}
END_TEST

/* NUL is a byte like others. */
START_TEST(nul_bytes)
{
	struct str rest = {"a\0b:x\0y|s", 9};
	struct statsd_metric m;
	enum cause why;

	ck_assert_int_eq(statsd_next(&rest, &m, &why), STATSD_METRIC);
	ck_assert(str_eq(m.name, (struct str){"a\0b", 3}) && str_eq(m.member, (struct str){"x\0y", 3}));
	rest = (struct str){"a:1\0|c", 6};
	ck_assert_int_eq(statsd_next(&rest, &m, &why), STATSD_REFUSED);
	ck_assert_int_eq(why, CAUSE_VALUE);
}
END_TEST

/* A double of any magnitude: half of them short decimals, as clients send them. */
static double random_value(struct unit_random *r)
{
	uint64_t bits;
	double value;

	if (unit_random_below(r, 2))
		return (double)unit_random_below(r, 100000) / (double)(1 + 99 * unit_random_below(r, 2));
	do {
		bits = unit_random_next(r);
		memcpy(&value, &bits, sizeof(value));
	} while (!isfinite(value));
	return value;
}

START_TEST(printed_metrics_are_read_back)
{
	static const char *const formats[] = {"%.17g", "%.17e", "%.20g", "%.25e"};
	struct unit_random r = unit_random_new("statsd");

	for (int round = 0; round < UNIT_ROUNDS(200000); round++) {
		char line[512];
		double values[4];
		size_t nr = 1 + unit_random_below(&r, NR(values)), n = 0;
		const char *format = formats[unit_random_below(&r, NR(formats))];
		unsigned weight = 1u << unit_random_below(&r, 8);
		struct str rest = {line, 0};
		struct statsd_metric m;
		enum cause why;

		n += (size_t)snprintf(line, sizeof(line), "some.name");
		for (size_t i = 0; i < nr; i++) {
			values[i] = random_value(&r);
			line[n++] = ':';
			n += (size_t)snprintf(line + n, sizeof(line) - n, format, values[i]);
		}
		n += (size_t)snprintf(line + n, sizeof(line) - n, "|h|#k:%llu|@%.17g", (unsigned long long)round, 1.0 / weight);
		rest.len = n;
		ck_assert_msg(statsd_next(&rest, &m, &why) == STATSD_METRIC, "%.*s: %s", (int)n, line, cause_name(why));
		ck_assert_uint_eq(m.weight, weight);
		for (size_t i = 0; i < nr; i++) {
			ck_assert_msg(m.value == values[i], "%.*s: %.17g, not %.17g", (int)n, line, m.value, values[i]);
			ck_assert(statsd_value(&m) == (i + 1 < nr));
		}
	}
}
END_TEST

/* Any short decimal is what strtod() says. */
START_TEST(numbers_are_strtods)
{
	struct unit_random r = unit_random_new("numbers");

	for (int round = 0; round < UNIT_ROUNDS(300000); round++) {
		char text[64], line[96];
		struct str rest = {line, 0};
		struct statsd_metric m;
		enum cause why;

		snprintf(text, sizeof(text), "%s%llu.%0*llu%s%d", unit_random_below(&r, 2) ? "-" : "",
			 (unsigned long long)(unit_random_next(&r) >> unit_random_below(&r, 64)), (int)(1 + unit_random_below(&r, 20)),
			 (unsigned long long)(unit_random_next(&r) >> unit_random_below(&r, 64)), unit_random_below(&r, 2) ? "e" : "E",
			 (int)unit_random_below(&r, 60) - 30);
		rest.len = (size_t)snprintf(line, sizeof(line), "a:%s|d", text);
		ck_assert_int_eq(statsd_next(&rest, &m, &why), STATSD_METRIC);
		ck_assert_msg(m.value == strtod(text, NULL), "%s: %.17g", text, m.value);
	}
}
END_TEST

/* Mutilated lines: whatever comes of them lies within the datagram and keeps the promises of the header. */
START_TEST(mutilated_lines)
{
	static const char alphabet[] = "a:1|cgdhms@#T,.+-e0\n\r_{\xff";
	struct unit_random r = unit_random_new("mutilated");

	for (int round = 0; round < UNIT_ROUNDS(300000); round++) {
		size_t len = unit_random_below(&r, 40);
		char *bytes = malloc(len + 1); /* its own, so that a sanitizer sees each byte too far */
		struct str rest = {bytes, len};
		struct statsd_metric m;
		enum statsd_what what;
		enum cause why;

		for (size_t i = 0; i < len; i++)
			bytes[i] = alphabet[unit_random_below(&r, sizeof(alphabet) - 1)];
		while ((what = statsd_next(&rest, &m, &why)) != STATSD_END) {
			ck_assert(what != STATSD_REFUSED || (why > CAUSE_NONE && why < NR_CAUSES));
			if (what != STATSD_METRIC)
				continue;
			ck_assert(m.name.p >= bytes && m.name.p + m.name.len <= bytes + len && m.name.len >= 1);
			ck_assert(m.weight >= 1 && m.weight <= STATSD_WEIGHT_MAX && !memchr(m.name.p, '|', m.name.len) &&
				  !memchr(m.name.p, ':', m.name.len));
			do
				ck_assert(isfinite(m.value));
			while (statsd_value(&m));
			ck_assert_uint_eq(m.values.len, 0);
		}
		free(bytes);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("statsd");
	TCase *tc = tcase_create("statsd");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, table, 0, NR(cases));
	tcase_add_test(tc, lengths);
	tcase_add_test(tc, nul_bytes);
	tcase_add_test(tc, printed_metrics_are_read_back);
	tcase_add_test(tc, numbers_are_strtods);
	tcase_add_test(tc, mutilated_lines);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
