/* statsd.c - see statsd.h.
 *
 * A line is read from left to right, once: the first '|' ends the values, the first ':' before it ends the name, so neither can be in a
 * name. Numbers are decimal, as clients print them; strtod() would also take hexadecimal, "nan" and the locale's comma, and needs a NUL
 * that a datagram has not. Most are short enough that mantissa and power of ten are both exact doubles, and then one multiplication or
 * division rounds correctly (Clinger 1990); the others are copied out and given to strtod() once their form is known to be good. */
#include "ingest/agent/statsd.h"

#include <math.h>
#include <stdlib.h>

enum {
	NAME_MAX_BYTES = 255,
	NUMBER_MAX_BYTES = 127,  /* the longest double printed in full is longer; nobody does */
	EXACT_POWER = 22,        /* 10^22 is the last power of ten that is a double */
	TIME_MAX_DIGITS = 11,    /* of seconds */
};

#define EXACT_MANTISSA (UINT64_C(1) << 53)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The part of *s before the first c, which is taken off with it; all of *s, which is empty then, where there is none. */
static struct str take_until(struct str *s, char c)
{
	const char *at = s->len ? memchr(s->p, c, s->len) : NULL;
	struct str part = {s->p, at ? (size_t)(at - s->p) : s->len};
	size_t used = at ? part.len + 1 : part.len;

	s->p += used;
	s->len -= used;
	return part;
}

/* A number in its parts: mantissa x 10^power. */
struct decimal {
	uint64_t mantissa;
	int power;
	bool negative;
	bool inexact; /* mantissa and power say less than the text */
};

/* Takes digits off the text at *at, from before end, into d; each one moves the power by step. How many there were. */
static size_t take_digits(const char **at, const char *end, int step, struct decimal *d)
{
	const char *from = *at;

	for (; *at < end && is_digit(**at); (*at)++) {
		if (d->mantissa >= EXACT_MANTISSA / 10 - 1)
			d->inexact = true;
		else
			d->mantissa = d->mantissa * 10 + (uint64_t)(**at - '0');
		d->power += step;
	}
	return (size_t)(*at - from);
}

/* The exponent behind an 'e'. False: there are no digits. */
static bool take_exponent(const char **at, const char *end, struct decimal *d)
{
	const char *from;
	int sign = 1, power = 0;

	if (*at < end && (**at == '+' || **at == '-'))
		sign = *(*at)++ == '-' ? -1 : 1;
	for (from = *at; *at < end && is_digit(**at); (*at)++)
		power = power < 10000 ? power * 10 + (**at - '0') : power;
	d->power += sign * power;
	return *at > from;
}

/* Reads s as [+-]digits[.digits][e[+-]digits], with a digit on one side of the point at least. */
static bool read_decimal(struct str s, struct decimal *d)
{
	const char *at = s.p, *end = s.p + s.len;
	size_t digits;

	if (at < end && (*at == '+' || *at == '-'))
		d->negative = *at++ == '-';
	digits = take_digits(&at, end, 0, d);
	if (at < end && *at == '.') {
		at++;
		digits += take_digits(&at, end, -1, d);
	}
	if (digits == 0)
		return false;
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (!take_exponent(&at, end, d))
			return false;
	}
	return at == end;
}

/* A number of good form that is not exact in its parts. */
static double read_long(struct str s)
{
	char text[NUMBER_MAX_BYTES + 1];

	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return strtod(text, NULL);
}

/* A finite number. */
static bool read_number(struct str s, double *out)
{
	static const double powers[EXACT_POWER + 1] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
		1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
	};
	struct decimal d = {0};
	double value;

	if (s.len > NUMBER_MAX_BYTES || !read_decimal(s, &d))
		return false;
	if (d.inexact || d.power < -EXACT_POWER || d.power > EXACT_POWER) {
		value = read_long(s);
	} else {
		value = d.power < 0 ? (double)d.mantissa / powers[-d.power] : (double)d.mantissa * powers[d.power];
		value = d.negative ? -value : value;
	}
	if (!isfinite(value))
		return false;
	*out = value;
	return true;
}

static bool is_signed(struct str s)
{
	return s.len && (s.p[0] == '+' || s.p[0] == '-');
}

/* All values of a metric whose kind is known but for a gauge's sign, which all of them have or none. */
static enum cause read_values(struct statsd_metric *m, struct str text)
{
	struct str first, rest, value;
	double ignored;

	if (m->kind == STATSD_SET) {
		m->member = text;
		return text.len ? CAUSE_NONE : CAUSE_VALUE;
	}
	first = take_until(&text, ':');
	if (!read_number(first, &m->value) || (text.len == 0 && text.p[-1] == ':'))
		return CAUSE_VALUE;
	if (m->kind == STATSD_GAUGE && is_signed(first))
		m->kind = STATSD_GAUGE_ADD;
	for (m->values = rest = text; rest.len;) {
		value = take_until(&rest, ':');
		if (!read_number(value, &ignored) || (rest.len == 0 && rest.p[-1] == ':') ||
		    (m->kind == STATSD_GAUGE && is_signed(value)) || (m->kind == STATSD_GAUGE_ADD && !is_signed(value)))
			return CAUSE_VALUE;
	}
	return CAUSE_NONE;
}

static enum cause read_rate(struct statsd_metric *m, struct str text)
{
	double rate;

	if (!read_number(text, &rate) || rate > 1 || rate * STATSD_WEIGHT_MAX < 1)
		return CAUSE_RATE;
	if (m->kind == STATSD_COUNTER || m->kind == STATSD_DISTRIBUTION)
		m->weight = (uint32_t)(1 / rate + 0.5);
	return CAUSE_NONE;
}

static enum cause read_time(struct statsd_metric *m, struct str text)
{
	int64_t seconds = 0;

	if (text.len < 1 || text.len > TIME_MAX_DIGITS)
		return CAUSE_TIME;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.p[i]))
			return CAUSE_TIME;
		seconds = seconds * 10 + (text.p[i] - '0');
	}
	if (seconds == 0)
		return CAUSE_TIME;
	m->t_ms = seconds * 1000;
	return CAUSE_NONE;
}

/* Fields behind the type, each at most once; those that are not known are a later day's. */
static enum cause read_fields(struct statsd_metric *m, struct str rest)
{
	bool rate = false, tags = false;
	enum cause why = CAUSE_NONE;

	while (rest.len && why == CAUSE_NONE) {
		struct str field = take_until(&rest, '|'), text = {field.p + 1, field.len - 1};

		if (field.len == 0)
			continue;
		if (field.p[0] == '#') {
			why = tags ? CAUSE_SYNTAX : CAUSE_NONE;
			tags = true;
			m->tags = text;
		} else if (field.p[0] == '@') {
			why = rate ? CAUSE_SYNTAX : read_rate(m, text);
			rate = true;
		} else if (field.p[0] == 'T') {
			why = m->t_ms ? CAUSE_SYNTAX : read_time(m, text);
		}
	}
	return why;
}

static bool read_type(struct str type, enum statsd_kind *kind)
{
	if (type.len == 2 && type.p[0] == 'm' && type.p[1] == 's') {
		*kind = STATSD_DISTRIBUTION;
		return true;
	}
	if (type.len != 1)
		return false;
	switch (type.p[0]) {
	case 'c':
		*kind = STATSD_COUNTER;
		return true;
	case 'g':
		*kind = STATSD_GAUGE;
		return true;
	case 'h':
	case 'd':
		*kind = STATSD_DISTRIBUTION;
		return true;
	case 's':
		*kind = STATSD_SET;
		return true;
	default:
		return false;
	}
}

static enum cause read_metric(struct str line, struct statsd_metric *m)
{
	const char *bar = memchr(line.p, '|', line.len);
	const char *colon = bar ? memchr(line.p, ':', (size_t)(bar - line.p)) : NULL;
	enum cause why;
	struct str rest;

	if (!colon)
		return CAUSE_SYNTAX;
	*m = (struct statsd_metric){.weight = 1, .name = {line.p, (size_t)(colon - line.p)}, .tags = {"", 0}};
	if (m->name.len < 1 || m->name.len > NAME_MAX_BYTES)
		return CAUSE_NAME;
	rest = (struct str){bar + 1, line.len - (size_t)(bar + 1 - line.p)};
	if (!read_type(take_until(&rest, '|'), &m->kind))
		return CAUSE_TYPE;
	why = read_values(m, (struct str){colon + 1, (size_t)(bar - colon - 1)});
	return why != CAUSE_NONE ? why : read_fields(m, rest);
}

static bool starts_with(struct str s, const char *prefix, size_t len)
{
	return s.len >= len && memcmp(s.p, prefix, len) == 0;
}

enum statsd_what statsd_next(struct str *rest, struct statsd_metric *out, enum cause *why)
{
	struct str line = {"", 0};

	while (rest->len && line.len == 0) {
		line = take_until(rest, '\n');
		if (line.len && line.p[line.len - 1] == '\r')
			line.len--;
	}
	if (line.len == 0)
		return STATSD_END;
	if (line.p[0] == '_' && starts_with(line, "_e{", 3))
		return STATSD_EVENT;
	if (line.p[0] == '_' && starts_with(line, "_sc|", 4))
		return STATSD_SERVICE_CHECK;
	*why = read_metric(line, out);
	return *why == CAUSE_NONE ? STATSD_METRIC : STATSD_REFUSED;
}

bool statsd_value(struct statsd_metric *m)
{
	return m->values.len && read_number(take_until(&m->values, ':'), &m->value);
}
