/* cron.c - see cron.h.
 *
 * A day is due or not, and every due day has the same minutes. So a search walks days, eight years of them at most, and looks for a minute within the first that is
 * due: 3,000 steps of a few instructions for what comes once in a leap year, and one for what comes daily. */
#include "common/cron.h"

#include <string.h>

#include "common/clock.h"

enum { DAY_MINUTES = 1440, DAYS_MAX = 8 * 366, LAST_DAY = 2932896 /* 31 December 9999 */ };

/* One field: its name, what its numbers may be, and three letters for each of them where it has names. */
static const struct field {
	const char *name;
	int low, high;
	const char *names; /* of low, low + 1, .. */
} fields[] = {
	{"minute", 0, 59, ""},
	{"hour", 0, 23, ""},
	{"day of month", 1, 31, ""},
	{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{"day of week", 0, 7, "sunmontuewedthufrisat"},
};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, NR_FIELDS };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Takes one or two digits off the front. */
static bool take_number(struct str *s, int *out)
{
	int n = 0;
	size_t digits = 0;

	while (digits < s->len && is_digit(s->p[digits])) {
		if (digits == 2)
			return false;
		n = 10 * n + s->p[digits++] - '0';
	}
	s->p += digits;
	s->len -= digits;
	*out = n;
	return digits > 0;
}

/* Takes a number or a name of the field off the front. */
static bool take_value(const struct field *f, struct str *s, int *out)
{
	if (s->len && is_digit(s->p[0]))
		return take_number(s, out) && *out >= f->low && *out <= f->high;
	for (const char *name = f->names; *name && s->len >= 3; name += 3) {
		if (lower(s->p[0]) != name[0] || lower(s->p[1]) != name[1] || lower(s->p[2]) != name[2])
			continue;
		*out = f->low + (int)(name - f->names) / 3;
		s->p += 3;
		s->len -= 3;
		return true;
	}
	return false;
}

/* Takes a star, a value or a range, and the step behind a star or a range. What a step would leave only the first of is a mistake. */
static bool take_item(const struct field *f, struct str *s, uint64_t *set)
{
	int from = f->low, to = f->high, step = 1;
	bool many = str_take(s, "*");

	if (!many) {
		if (!take_value(f, s, &from))
			return false;
		to = from;
		many = str_take(s, "-");
		if (many && (!take_value(f, s, &to) || to < from))
			return false;
	}
	if (many && str_take(s, "/") && (!take_number(s, &step) || step < 1 || step > f->high - f->low))
		return false;
	for (int i = from; i <= to; i += step)
		*set |= UINT64_C(1) << i;
	return true;
}

static int parse_field(const struct field *f, struct str text, uint64_t *set, struct err *err)
{
	struct str rest = text;

	*set = 0;
	do {
		if (!take_item(f, &rest, set))
			return err_set(err, ERR_REJECT, "cron: \"" STR_FMT "\" is no %s: numbers from %d to %d%s, ranges, lists, and steps of stars or ranges are", STR_ARG(text),
				       f->name, f->low, f->high, f->names[0] ? " or names of three letters" : "");
	} while (str_take(&rest, ","));
	if (rest.len)
		return err_set(err, ERR_REJECT, "cron: \"" STR_FMT "\" is no %s: nobody understands it from \"" STR_FMT "\" on", STR_ARG(text), f->name,
			       STR_ARG(rest));
	return 0;
}

/* Takes what stands before the next blank off the front, with the blanks around it. */
static struct str take_word(struct str *s)
{
	struct str word;
	size_t at = 0, end;

	while (at < s->len && (s->p[at] == ' ' || s->p[at] == '\t'))
		at++;
	for (end = at; end < s->len && s->p[end] != ' ' && s->p[end] != '\t';)
		end++;
	word = (struct str){s->p + at, end - at};
	while (end < s->len && (s->p[end] == ' ' || s->p[end] == '\t'))
		end++;
	s->p += end;
	s->len -= end;
	return word;
}

/* Is there a month of c that has a day of c? Weekdays come in all of them sooner or later. */
static bool ever_comes(const struct cron *c)
{
	static const uint8_t longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (!c->any_day && !c->any_weekday)
		return true;
	for (int month = 1; month <= 12; month++)
		if (c->months & 1U << month && c->days & ((UINT64_C(2) << longest[month - 1]) - 2))
			return true;
	return false;
}

int cron_parse(struct str text, struct cron *out, struct err *err)
{
	uint64_t sets[NR_FIELDS];
	bool stars[NR_FIELDS];
	struct cron c;

	if (text.len > CRON_TEXT_MAX)
		return err_set(err, ERR_REJECT, "cron: it has %zu bytes, and %d are allowed", text.len, CRON_TEXT_MAX);
	for (int i = 0; i < NR_FIELDS; i++) {
		struct str word = take_word(&text);

		if (!word.len)
			return err_set(err, ERR_REJECT, "cron: there is no %s: its fields are minute, hour, day of month, month, day of week", fields[i].name);
		if (parse_field(&fields[i], word, &sets[i], err) < 0)
			return -1;
		stars[i] = word.p[0] == '*';
	}
	if (text.len)
		return err_set(err, ERR_REJECT, "cron: there are more than five fields");
	c = (struct cron){.minutes = sets[MINUTE],
			  .hours = (uint32_t)sets[HOUR],
			  .days = (uint32_t)sets[DAY],
			  .months = (uint32_t)sets[MONTH],
			  .weekdays = (uint32_t)((sets[WEEKDAY] | sets[WEEKDAY] >> 7) & 0x7f),
			  .any_day = stars[DAY],
			  .any_weekday = stars[WEEKDAY]};
	if (!ever_comes(&c))
		return err_set(err, ERR_REJECT, "cron: none of its months has such a day of month");
	*out = c;
	return 0;
}

/* Month (1 to 12) and day (1 to 31) of a day counted from 1 January 1970: with years that begin in March a leap day is the last of its year
 * (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days). */
static void date_of(int64_t day, int *month, int *of_month)
{
	int64_t of_era = (day + 719468) % 146097;
	int64_t of_year, march, year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;

	of_year = of_era - (365 * year + year / 4 - year / 100);
	march = (5 * of_year + 2) / 153;
	*of_month = (int)(of_year - (153 * march + 2) / 5 + 1);
	*month = (int)(march < 10 ? march + 3 : march - 9);
}

/* 1 January 1970 was a Thursday. */
static bool is_due_day(const struct cron *c, int64_t day)
{
	bool by_day, by_weekday = c->weekdays >> (day + 4) % 7 & 1;
	int month, of_month;

	date_of(day, &month, &of_month);
	if (!(c->months >> month & 1))
		return false;
	by_day = c->days >> of_month & 1;
	return c->any_day || c->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first due minute of a day at or behind minute, or walking back the last at or before it; -1: none. */
static int find_minute(const struct cron *c, int minute, int step)
{
	for (; minute >= 0 && minute < DAY_MINUTES; minute += step)
		if (c->hours >> minute / 60 & 1 && c->minutes >> minute % 60 & 1)
			return minute;
	return -1;
}

/* step 1: ahead, -1: back. minute is counted from 1970. */
static int64_t find(const struct cron *c, int64_t minute, int step)
{
	int64_t day = minute / DAY_MINUTES;
	int at = (int)(minute % DAY_MINUTES);

	for (int i = 0; i <= DAYS_MAX && day >= 0 && day <= LAST_DAY; i++, day += step) {
		int found = is_due_day(c, day) ? find_minute(c, at, step) : -1;

		if (found >= 0)
			return (day * DAY_MINUTES + found) * CLOCK_MINUTE_MS;
		at = step > 0 ? 0 : DAY_MINUTES - 1;
	}
	return -1;
}

int64_t cron_next_ms(const struct cron *c, int64_t t_ms)
{
	if (t_ms <= 0)
		return find(c, 0, 1);
	return find(c, t_ms / CLOCK_MINUTE_MS + (t_ms % CLOCK_MINUTE_MS > 0), 1);
}

int64_t cron_last_ms(const struct cron *c, int64_t t_ms)
{
	return t_ms < 0 ? -1 : find(c, t_ms / CLOCK_MINUTE_MS, -1);
}
