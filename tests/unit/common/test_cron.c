/* test_cron.c - which texts are crontabs, and when they come: against an oracle that goes through minutes one by one and knows what was written, not how
 * it reads. */
#include "common/cron.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"

#define MINUTE_MS INT64_C(60000)

static struct str text_of(const char *z)
{
	return (struct str){z, strlen(z)};
}

static int64_t ms_of(int year, int month, int day, int hour, int minute)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};

	return (int64_t)timegm(&tm) * 1000;
}

static const struct {
	const char *text;
	const char *error; /* part of it; NULL: it is one */
} texts[] = {
	{"* * * * *", NULL},
	{"0 3 * * *", NULL},
	{" \t0\t3 *  * * ", NULL},
	{"*/5 0-6/2,12,18-20 1,15 JAN-mar,Dec mon-fri,0", NULL},
	{"59 23 31 12 7", NULL},
	{"0 0 29 2 *", NULL},
	{"0 0 30 2 1", NULL}, /* comes on Mondays */
	{"0-59/59 0 * * *", NULL},
	{"", "no minute"},
	{"* * * *", "no day of week"},
	{"* * * * * *", "more than five"},
	{"60 * * * *", "no minute"},
	{"* 24 * * *", "no hour"},
	{"* * 0 * *", "no day of month"},
	{"* * 32 * *", "no day of month"},
	{"* * * 0 *", "no month"},
	{"* * * 13 *", "no month"},
	{"* * * * 8", "no day of week"},
	{"5-3 * * * *", "no minute"},
	{"*/0 * * * *", "no minute"},
	{"*/60 * * * *", "no minute"},
	{"5/10 * * * *", "no minute"}, /* from 5 on, or 5 alone? */
	{"1, * * * *", "no minute"},
	{",1 * * * *", "no minute"},
	{"1-2-3 * * * *", "no minute"},
	{"1- * * * *", "no minute"},
	{"-1 * * * *", "no minute"},
	{"+1 * * * *", "no minute"},
	{"001 * * * *", "no minute"},
	{"1.5 * * * *", "no minute"},
	{"** * * * *", "no minute"},
	{"jan * * * *", "no minute"},
	{"* * * mon *", "no month"},
	{"* * * ja *", "no month"},
	{"* * * janu *", "no month"},
	{"* * * * fri-sun", "no day of week"},
	{"@daily", "no minute"},
	{"0 0 30 2 *", "none of its months"},
	{"0 0 31 2,4,6,9,11 *", "none of its months"},
	{"0 0 31 2 */2", "none of its months"},
};

START_TEST(texts_are_crontabs_or_not)
{
	struct err err = ERR_INIT;
	struct cron cron;
	int rc = cron_parse(text_of(texts[_i].text), &cron, &err);

	ck_assert_msg(rc == (texts[_i].error ? -1 : 0), "\"%s\": %d, %s", texts[_i].text, rc, err.msg);
	if (texts[_i].error)
		ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, texts[_i].error), "\"%s\": %s", texts[_i].text, err.msg);
}
END_TEST

START_TEST(a_text_has_an_end)
{
	char text[CRON_TEXT_MAX + 2];
	struct cron cron;

	memset(text, ' ', sizeof(text));
	memcpy(text, "* * * * *", 9);
	ck_assert_int_eq(cron_parse((struct str){text, CRON_TEXT_MAX}, &cron, NULL), 0);
	ck_assert_int_eq(cron_parse((struct str){text, CRON_TEXT_MAX + 1}, &cron, NULL), -1);
}
END_TEST

/* What is far away, and both ends of time. */
static const struct {
	const char *text;
	int from[3], next[3], last[3]; /* year 0: none */
} days[] = {
	{"0 0 29 2 *", {2026, 11, 27}, {2028, 2, 29}, {2024, 2, 29}},
	{"0 0 29 2 *", {2097, 1, 1}, {2104, 2, 29}, {2096, 2, 29}},
	{"0 0 29 2 *", {2103, 12, 31}, {2104, 2, 29}, {2096, 2, 29}},
	{"0 0 1 1 *", {1970, 1, 1}, {1970, 1, 1}, {1970, 1, 1}},
	{"0 0 2 1 *", {1970, 1, 1}, {1970, 1, 2}, {0}},
	{"0 0 31 12 *", {9999, 12, 31}, {9999, 12, 31}, {9999, 12, 31}},
	{"0 0 30 12 *", {9999, 12, 31}, {0}, {9999, 12, 30}},
	{"0 0 29 2 *", {2000, 2, 29}, {2000, 2, 29}, {2000, 2, 29}},
	{"0 0 13 * */5", {2026, 2, 14}, {2026, 3, 13}, {2026, 2, 13}}, /* Friday the 13th (and Sunday): a star first, so both */
	{"0 0 13 * 5", {2026, 2, 14}, {2026, 2, 20}, {2026, 2, 13}},   /* any Friday */
};

static int64_t day_ms(const int date[3])
{
	return date[0] ? ms_of(date[0], date[1], date[2], 0, 0) : -1;
}

START_TEST(rare_days_are_found)
{
	struct cron cron;

	ck_assert_int_eq(cron_parse(text_of(days[_i].text), &cron, NULL), 0);
	ck_assert_int_eq(cron_next_ms(&cron, day_ms(days[_i].from)), day_ms(days[_i].next));
	ck_assert_int_eq(cron_last_ms(&cron, day_ms(days[_i].from)), day_ms(days[_i].last));
}
END_TEST

START_TEST(times_out_of_the_world_have_none)
{
	struct cron cron;

	ck_assert_int_eq(cron_parse(text_of("* * * * *"), &cron, NULL), 0);
	ck_assert_int_eq(cron_next_ms(&cron, INT64_MAX), -1);
	ck_assert_int_eq(cron_last_ms(&cron, INT64_MAX), -1);
	ck_assert_int_eq(cron_next_ms(&cron, INT64_MIN), 0);
	ck_assert_int_eq(cron_last_ms(&cron, INT64_MIN), -1);
	ck_assert_int_eq(cron_last_ms(&cron, -1), -1);
	ck_assert_int_eq(cron_next_ms(&cron, 1), MINUTE_MS);
	ck_assert_int_eq(cron_next_ms(&cron, MINUTE_MS), MINUTE_MS);
	ck_assert_int_eq(cron_last_ms(&cron, MINUTE_MS - 1), 0);
}
END_TEST

enum { FIELDS = 5, ITEMS = 3, WINDOW = 4000, ROUNDS = 1500, FIELD_SIZE = 48 };

static const int lows[FIELDS] = {0, 0, 1, 1, 0}, highs[FIELDS] = {59, 23, 31, 12, 7};

/* What stands in a field: items from, to, step. */
struct described {
	bool star; /* the first */
	int nr, from[ITEMS], to[ITEMS], step[ITEMS];
};

static bool has(const struct described *d, int value)
{
	for (int i = 0; i < d->nr; i++)
		for (int v = d->from[i]; v <= d->to[i]; v += d->step[i])
			if (v == value)
				return true;
	return false;
}

/* Describes one field and writes it; out has room for FIELD_SIZE more than what a field takes. */
static int describe(struct described *d, int field, struct unit_random *random, char *out)
{
	static const char *const months[] = {"", "jan", "FEB", "Mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
	int low = lows[field], high = highs[field], len = 0;

	*d = (struct described){.nr = 1 + (int)unit_random_below(random, ITEMS)};
	for (int i = 0; i < d->nr; i++) {
		bool star = unit_random_below(random, 3) == 0, range = !star && unit_random_below(random, 2);

		d->from[i] = star ? low : low + (int)unit_random_below(random, (uint64_t)(high - low + 1));
		d->to[i] = star ? high : range ? d->from[i] + (int)unit_random_below(random, (uint64_t)(high - d->from[i] + 1)) : d->from[i];
		d->step[i] = (star || range) && unit_random_below(random, 2) ? 1 + (int)unit_random_below(random, (uint64_t)(high - low)) : 1;
		d->star |= i == 0 && star;
		if (star)
			len += snprintf(out + len, FIELD_SIZE, "%s*", i ? "," : "");
		else if (field == 3 && unit_random_below(random, 2))
			len += snprintf(out + len, FIELD_SIZE, "%s%s", i ? "," : "", months[d->from[i]]);
		else
			len += snprintf(out + len, FIELD_SIZE, "%s%d", i ? "," : "", d->from[i]);
		if (range)
			len += snprintf(out + len, FIELD_SIZE, "-%d", d->to[i]);
		if (d->step[i] != 1)
			len += snprintf(out + len, FIELD_SIZE, "/%d", d->step[i]);
	}
	return len;
}

static bool is_due(const struct described d[FIELDS], int64_t t_ms)
{
	time_t t = (time_t)(t_ms / 1000);
	struct tm tm;
	bool day, weekday;

	gmtime_r(&t, &tm);
	day = has(&d[2], tm.tm_mday);
	weekday = has(&d[4], tm.tm_wday) || (tm.tm_wday == 0 && has(&d[4], 7));
	return has(&d[0], tm.tm_min) && has(&d[1], tm.tm_hour) && has(&d[3], tm.tm_mon + 1) &&
	       (!d[2].star && !d[4].star ? day || weekday : day && weekday);
}

/* The first due minute from t on, WINDOW steps at most; -1: none in there. */
static int64_t go(const struct described d[FIELDS], int64_t t_ms, int step)
{
	for (int i = 0; i < WINDOW; i++, t_ms += step * MINUTE_MS)
		if (is_due(d, t_ms))
			return t_ms;
	return -1;
}

/* Found in the window where the oracle finds it; else beyond, or nowhere, and then it is due at least. Returns whether the oracle did. */
static int compare(const struct described d[FIELDS], const char *text, int64_t begin_ms, int step, int64_t got)
{
	int64_t wanted = go(d, begin_ms, step);

	if (wanted < 0 && got >= 0)
		ck_assert_msg((got - begin_ms) * step >= WINDOW * MINUTE_MS && is_due(d, got), "%s at %lld: %lld", text, (long long)begin_ms, (long long)got);
	else
		ck_assert_msg(got == wanted, "%s at %lld, step %d: %lld, wanted %lld", text, (long long)begin_ms, step, (long long)got, (long long)wanted);
	return wanted >= 0;
}

START_TEST(minutes_are_those_of_an_oracle)
{
	struct unit_random random = unit_random_new("cron");
	int parsed = 0, found = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct described d[FIELDS];
		char text[FIELDS * FIELD_SIZE + FIELD_SIZE];
		int len = 0;
		struct cron cron;
		int64_t t_ms = (int64_t)unit_random_below(&random, UINT64_C(4102444800000)) + 40000000;

		for (int i = 0; i < FIELDS; i++) {
			len += describe(&d[i], i, &random, text + len);
			text[len++] = ' ';
		}
		text[len] = '\0';
		if (cron_parse(text_of(text), &cron, NULL) < 0) { /* never comes: the oracle agrees */
			ck_assert_msg(go(d, t_ms / MINUTE_MS * MINUTE_MS, 1) < 0, "%s", text);
			continue;
		}
		parsed++;
		found += compare(d, text, (t_ms + MINUTE_MS - 1) / MINUTE_MS * MINUTE_MS, 1, cron_next_ms(&cron, t_ms));
		found += compare(d, text, t_ms / MINUTE_MS * MINUTE_MS, -1, cron_last_ms(&cron, t_ms));
	}
	ck_assert_msg(parsed > ROUNDS * 9 / 10 && found > ROUNDS / 4, "%d parsed, %d found", parsed, found);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cron");
	TCase *tc = tcase_create("cron");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, texts_are_crontabs_or_not, 0, NR(texts));
	tcase_add_test(tc, a_text_has_an_end);
	tcase_add_loop_test(tc, rare_days_are_found, 0, NR(days));
	tcase_add_test(tc, times_out_of_the_world_have_none);
	tcase_add_test(tc, minutes_are_those_of_an_oracle);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
