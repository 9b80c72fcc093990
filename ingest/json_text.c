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

int json_text_plain(struct arena *arena, struct str *json)
{
	const char *end = json->p + json->len, *p = json->p;
	char *copy, *to;

	if (!json->len || !memmem(json->p, json->len, "\\u00", 4))
		return 0;
	copy = to = arena_alloc_raw(arena, json->len);
	if (!copy)
		return -1;
	while (p < end) {
		int32_t unit = code_unit(p, end);
		size_t n = *p == '\\' && end - p > 1 ? 2 : 1;

		if (unit >= ' ' && unit < 0x7f && unit != '"' && unit != '\\') {
			*to++ = (char)unit;
			p += 6;
			continue;
		}
		memcpy(to, p, n);
		to += n;
		p += n;
	}
	*json = (struct str){copy, (size_t)(to - copy)};
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

/* n times ten plus digit; false when it does not fit. */
static bool append_digit(uint64_t *n, int digit)
{
	return !__builtin_mul_overflow(*n, UINT64_C(10), n) && !__builtin_add_overflow(*n, (uint64_t)digit, n);
}

/* A number without its sign; false when it is not integral or does not fit. */
static bool decimal_magnitude(struct decimal d, uint64_t *out)
{
	uint64_t n = 0;

	for (const char *p = d.digits; p < d.end; p++)
		if (*p != '.' && !append_digit(&n, *p - '0'))
			return false;
	if (n == 0) /* zero in any disguise: 0e-5, 0.00 */
		d.exponent = 0;
	if (d.exponent < 0)
		return false;
	for (; d.exponent > 0; d.exponent--)
		if (!append_digit(&n, 0))
			return false;
	*out = n;
	return true;
}

int json_number_int(struct str text, int64_t *out)
{
	struct decimal d = parse_decimal(text);
	uint64_t n;

	if (!decimal_magnitude(d, &n) || n > (uint64_t)INT64_MAX + d.negative)
		return -1;
	*out = d.negative ? (int64_t)(0 - n) : (int64_t)n;
	return 0;
}

int json_number_uint(struct str text, uint64_t *out)
{
	struct decimal d = parse_decimal(text);
	uint64_t n;

	if (!decimal_magnitude(d, &n) || (d.negative && n))
		return -1;
	*out = n;
	return 0;
}

/* The place behind the digits at p. */
static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && isdigit((unsigned char)*p))
		p++;
	return p;
}

/* RFC 8259: [ minus ] int [ frac ] [ exp ]. Each part has a digit at least, and an int of several does not begin with zero. */
bool json_is_number(struct str text)
{
	const char *p = text.p, *end = text.p + text.len, *part;

	if (p < end && *p == '-')
		p++;
	part = p;
	p = skip_digits(p, end);
	if (p == part || (*part == '0' && p - part > 1))
		return false;
	if (p < end && *p == '.') {
		part = p + 1;
		p = skip_digits(part, end);
		if (p == part)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		part = p + 1;
		if (part < end && (*part == '-' || *part == '+'))
			part++;
		p = skip_digits(part, end);
		if (p == part)
			return false;
	}
	return p == end;
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

/* The message is yajl's without its excerpt of the body, which would be somebody's data in somebody's log. */
static int refuse_syntax(yajl_handle yajl, struct refusal *no)
{
	unsigned char *text = yajl_get_error(yajl, 0, NULL, 0);

	refuse(no, REASON_BAD_JSON, "byte %zu: %.*s", yajl_get_bytes_consumed(yajl),
	       text ? (int)strcspn((char *)text, "\n") : 0, text ? (char *)text : "");
	yajl_free_error(yajl, text);
	return -1;
}

int json_text_parse(struct str body, const yajl_callbacks *callbacks, void *ctx, yajl_handle *during, struct refusal *no)
{
	yajl_handle yajl;
	yajl_status status;
	int rc = -1;

	if (json_text_check(body, no) < 0)
		return -1;
	yajl = yajl_alloc(callbacks, NULL, ctx);
	if (!yajl)
		return refuse(no, REASON_OVER_BUDGET, "out of memory for a JSON parser");
	if (during)
		*during = yajl;
	status = yajl_parse(yajl, (const unsigned char *)body.p, body.len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(yajl);
	if (status == yajl_status_ok)
		rc = 0;
	else if (status == yajl_status_error)
		refuse_syntax(yajl, no);
	yajl_free(yajl);
	return rc;
}
