/* moment.c - see moment.h.
 *
 * Read by hand: strptime() knows no offsets from UTC that hold everywhere, takes 30 February, and ends where it likes. */
#include "deploy/ctl/moment.h"

#include <stdbool.h>
#include <string.h>

#include "common/clock.h"
#include "common/conf_value.h"

#define DAY_MS (24 * CLOCK_HOUR_MS)
#define DURATION_MAX_MS (366 * DAY_MS)

struct civil {
	int year, month, day, hour, minute, second, ms, offset_minutes;
};

int64_t moment_full_minute(int64_t t_ms)
{
	return (t_ms + CLOCK_MINUTE_MS - 1) / CLOCK_MINUTE_MS * CLOCK_MINUTE_MS;
}

/* Takes exactly so many digits off the front of *s. */
static bool take_digits(const char **s, int digits, int *out)
{
	*out = 0;
	for (; digits > 0; digits--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		*out = *out * 10 + (**s - '0');
	}
	return true;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* ".5", ".250": what stands behind the third digit must be zeros, as we have nothing finer than milliseconds. */
static bool take_fraction(const char **s, int *ms)
{
	int weight = 100, digits = 0;

	*ms = 0;
	for (; **s >= '0' && **s <= '9'; (*s)++, weight /= 10, digits++) {
		if (!weight && **s != '0')
			return false;
		*ms += (**s - '0') * weight;
	}
	return digits > 0;
}

static bool take_offset(const char **s, int *minutes)
{
	int sign = **s == '-' ? -1 : 1, h, m;

	*minutes = 0;
	if (take_char(s, 'Z'))
		return true;
	if ((!take_char(s, '+') && !take_char(s, '-')) || !take_digits(s, 2, &h) || !take_char(s, ':') || !take_digits(s, 2, &m))
		return false;
	if (h > 23 || m > 59)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

static bool take_civil(const char *s, struct civil *c)
{
	*c = (struct civil){0};
	if (!take_digits(&s, 4, &c->year) || !take_char(&s, '-') || !take_digits(&s, 2, &c->month) || !take_char(&s, '-') ||
	    !take_digits(&s, 2, &c->day) || !take_char(&s, 'T') || !take_digits(&s, 2, &c->hour) || !take_char(&s, ':') ||
	    !take_digits(&s, 2, &c->minute))
		return false;
	if (take_char(&s, ':') && (!take_digits(&s, 2, &c->second) || (take_char(&s, '.') && !take_fraction(&s, &c->ms))))
		return false;
	return take_offset(&s, &c->offset_minutes) && !*s;
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* No leap seconds: our times have none. */
static bool is_date(const struct civil *c)
{
	return c->year >= 1970 && c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= month_days(c->year, c->month) && c->hour <= 23 &&
	       c->minute <= 59 && c->second <= 59;
}

static int64_t civil_ms(const struct civil *c)
{
	int64_t days = c->day - 1;

	for (int year = 1970; year < c->year; year++)
		days += 365 + is_leap(year);
	for (int month = 1; month < c->month; month++)
		days += month_days(c->year, month);
	return days * DAY_MS + c->hour * CLOCK_HOUR_MS + (c->minute - c->offset_minutes) * CLOCK_MINUTE_MS + c->second * INT64_C(1000) + c->ms;
}

static bool take_time(const char *text, int64_t *out)
{
	struct civil civil;

	if (!take_civil(text, &civil) || !is_date(&civil))
		return false;
	*out = civil_ms(&civil);
	return true;
}

static bool take_duration(const char *text, int64_t *out)
{
	static const struct conf_field duration = {.name = "at", .type = CONF_MS, .min = 0, .max = DURATION_MAX_MS};
	char complaint[CONF_COMPLAINT_SIZE];
	struct conf_value value;

	if (conf_value_parse(&duration, text, &value, complaint) < 0)
		return false;
	*out = value.integer;
	return true;
}

int moment_parse(const char *text, int64_t now_ms, int64_t *out, struct err *err)
{
	int64_t ahead_ms;

	if (take_time(text, out))
		return 0;
	if (!take_duration(text, &ahead_ms))
		return err_set(err, ERR_REJECT, "\"%.80s\" is no time: write it like 2026-11-26T12:30:00Z, or like 30m for so long from now", text);
	*out = moment_full_minute(now_ms + ahead_ms);
	return 0;
}

int moment_parse_past(const char *text, int64_t now_ms, int64_t *out, struct err *err)
{
	int64_t at_ms, ago_ms = 0;

	if (!take_time(text, &at_ms)) {
		if (strcmp(text, "now") != 0 && !take_duration(text, &ago_ms))
			return err_set(err, ERR_REJECT, "\"%.80s\" is no time: write it like 2026-11-26T12:30:00Z, like 2h for so long ago, or now", text);
		at_ms = now_ms - ago_ms;
	}
	if (at_ms > now_ms)
		return err_set(err, ERR_REJECT, "%.80s lies ahead", text);
	*out = at_ms;
	return 0;
}
