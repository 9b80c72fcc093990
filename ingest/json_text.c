/* json_text.c - see json_text.h.
 *
 * An integer is computed digit by digit from its decimal form, without a double in between: above 2^53 a double would be
 * another number, and 1.0e3 is as good an integer as 1000. */
#include "ingest/json_text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BUFFER_BYTES = 64, EXPONENT_LIMIT = 1000000000 };

/* The code unit of the \uXXXX at p, or -1 when there is none (the parser refuses what is malformed). */
static int32_t code_unit(const char *p, const char *end)
{
	int32_t unit = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		if (!isxdigit((unsigned char)p[i]))
			return -1;
		unit = unit * 16 + (isdigit((unsigned char)p[i]) ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	}
	return unit;
}

/* The first and the second half of a pair that together name a character above U+FFFF. */
static bool is_high(int32_t unit)
{
	return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(int32_t unit)
{
	return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* The first escape that is half a pair, or NULL. In well-formed JSON a backslash stands in strings only. */
static const char *find_half_pair(struct str body)
{
	const char *end = body.p + body.len;
	const char *p = body.len ? memchr(body.p, '\\', body.len) : NULL;

	while (p) {
		int32_t unit = code_unit(p, end);
		bool pair = is_high(unit) && is_low(code_unit(p + 6, end));

		if (is_low(unit) || (is_high(unit) && !pair))
			return p;
		p += pair ? 12 : 2;
		p = p < end ? memchr(p, '\\', (size_t)(end - p)) : NULL;
	}
	return NULL;
}

int json_text_check(struct str body, struct refusal *no)
{
	const char *half;

	if (!str_is_utf8(body))
		return refuse(no, REASON_BAD_JSON, "the body is not UTF-8");
	half = find_half_pair(body);
	if (half)
		return refuse(no, REASON_BAD_JSON, "byte %td: half of a surrogate pair", half - body.p);
	return 0;
}

/* A number's parts: digits (a range that holds one point at most) times ten to the power of exponent. */
struct decimal {
	bool negative;
	const char *digits, *end;
	int64_t exponent;
};

/* Saturates far beyond any exponent that could still give an int64: its exact size does not matter there. */
static int64_t parse_exponent(const char *p, const char *end)
{
	bool negative = p < end && *p == '-';
	int64_t n = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end && n < EXPONENT_LIMIT; p++)
		n = n * 10 + (*p - '0');
	return negative ? -n : n;
}

/* The fraction's digits lower the exponent, trailing zeros raise it: what is left is integral just when the exponent is not negative. */
static struct decimal parse_decimal(struct str text)
{
	const char *end = text.p + text.len;
	struct decimal d = {.negative = text.len && *text.p == '-', .digits = text.p, .end = text.p};

	if (d.negative)
		d.end = ++d.digits;
	while (d.end < end && (isdigit((unsigned char)*d.end) || *d.end == '.'))
		d.end++;
	if (d.end < end)
		d.exponent = parse_exponent(d.end + 1, end);
	for (const char *p = d.digits; p < d.end; p++)
		if (*p == '.')
			d.exponent -= d.end - p - 1;
	while (d.end > d.digits && (d.end[-1] == '0' || d.end[-1] == '.')) /* 1.0e3 is 1 and 1000 alike */
		d.exponent += *--d.end == '0';
	return d;
}

/* n times ten plus digit, away from zero; false when it does not fit. */
static bool append_digit(int64_t *n, bool negative, int digit)
{
	return !__builtin_mul_overflow(*n, INT64_C(10), n) && !__builtin_add_overflow(*n, negative ? -digit : digit, n);
}

int json_number_int(struct str text, int64_t *out)
{
	struct decimal d = parse_decimal(text);
	int64_t n = 0;

	for (const char *p = d.digits; p < d.end; p++)
		if (*p != '.' && !append_digit(&n, d.negative, *p - '0'))
			return -1;
	if (n == 0) /* zero in any disguise: 0e-5, 0.00 */
		d.exponent = 0;
	if (d.exponent < 0)
		return -1;
	for (; d.exponent > 0; d.exponent--)
		if (!append_digit(&n, d.negative, 0))
			return -1;
	*out = n;
	return 0;
}

int json_number_double(struct str text, struct arena *arena, double *out)
{
	char small[NUMBER_BUFFER_BYTES];
	const char *z = small;

	if (text.len < sizeof(small)) {
		memcpy(small, text.p, text.len);
		small[text.len] = '\0';
	} else {
		z = arena_str(arena, text).p; /* strtod wants an end that the body does not have */
		if (!z)
			return -1;
	}
	*out = strtod(z, NULL);
	return 0;
}
