/* conf_value.c - see conf_value.h.
 *
 * Strict on purpose: "64M" is 64,000,000 to some and 67,108,864 to others, "1m30s" and "1.5Gi" look as if they must work, " 5" and
 * "0x10" work in half of all programs. What has two readings is refused in words that show a form which has one. */
#include "common/conf_value.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* All units are exact multiples of the smallest, so that quantities stay integers from here to where they are used. */
struct unit {
	const char *suffix;
	int64_t factor;
};

/* In the order in which a number is written back: the largest unit that divides it. */
static const struct unit byte_units[] = {
	{"Gi", INT64_C(1) << 30}, {"Mi", INT64_C(1) << 20}, {"Ki", INT64_C(1) << 10}, {"", 1}, {NULL, 0},
};
static const struct unit time_units[] = {
	{"d", INT64_C(86400000)}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {"", 1}, {NULL, 0},
};

/* Digits, at least one, no sign; moves *text behind them. false: none, or too large. */
static bool take_digits(const char **text, int64_t *out)
{
	const char *c = *text;
	int64_t v = 0;

	for (; *c >= '0' && *c <= '9'; c++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *c - '0', &v))
			return false;
	if (c == *text)
		return false;
	*text = c;
	*out = v;
	return true;
}

static bool parse_integer(const char *text, int64_t *out)
{
	bool minus = *text == '-';
	int64_t v;

	text += minus;
	if (!take_digits(&text, &v) || *text)
		return false;
	*out = minus ? -v : v;
	return true;
}

static bool parse_quantity(const char *text, const struct unit *units, int64_t *out)
{
	int64_t v;

	if (!take_digits(&text, &v))
		return false;
	for (; units->suffix; units++)
		if (strcmp(units->suffix, text) == 0)
			return !__builtin_mul_overflow(v, units->factor, out);
	return false;
}

/* "64MiB" is "64Mi": cuts the B off. A B behind a bare number or without the i is refused with all else that is not a suffix. */
static bool parse_bytes(const char *text, int64_t *out)
{
	char digits[32];
	size_t n = strlen(text);

	if (n >= sizeof(digits))
		return false;
	if (n > 2 && text[n - 1] == 'B' && text[n - 2] == 'i')
		n--;
	memcpy(digits, text, n);
	digits[n] = '\0';
	return parse_quantity(digits, byte_units, out);
}

/* Decimal only: strtod() alone would also take hexadecimal, "inf", "nan" and leading blanks. */
static bool parse_number(const char *text, double *out)
{
	size_t n = strspn(text, "0123456789+-.eE");
	char *end;
	double v;

	if (n == 0 || text[n])
		return false;
	v = strtod(text, &end);
	if (*end || !isfinite(v))
		return false;
	*out = v;
	return true;
}

/* A row that leaves min and max out has no range; one that gives a positive min alone has no upper end. A range that ends at 0 begins
 * below it. */
static bool has_min(const struct conf_field *field)
{
	return field->min != 0 || field->max != 0;
}

static bool has_max(const struct conf_field *field)
{
	return field->max != 0 || field->min < 0;
}

static bool integer_in_range(const struct conf_field *field, int64_t v)
{
	return (!has_min(field) || v >= field->min) && (!has_max(field) || v <= field->max);
}

/* The ends of a CONF_NUM's range are whole numbers too: int64_t in the table. */
static bool number_in_range(const struct conf_field *field, double v)
{
	return (!has_min(field) || v >= (double)field->min) && (!has_max(field) || v <= (double)field->max);
}

/* No setting of ours needs a control character, and one that came in by accident (a line break from a shell) is hard to see. */
static bool parse_string(const char *text, const char **out)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	*out = text;
	return true;
}

/* What a value of this type is. */
static const char *type_noun(enum conf_type type)
{
	static const char *const nouns[] = {
		[CONF_STR] = "a text without control characters",
		[CONF_SECRET] = "a text without control characters",
		[CONF_INT] = "a whole number",
		[CONF_NUM] = "a number",
		[CONF_BYTES] = "a size like 64Mi, 4KiB or 1000",
		[CONF_MS] = "a duration like 250ms, 5s, 10m, 2h or 14d",
		[CONF_BOOL] = "true or false",
	};

	return nouns[type];
}

/* Is text a value of the type at all? */
static bool parse(enum conf_type type, const char *text, struct conf_value *v)
{
	switch (type) {
	case CONF_INT:
		return parse_integer(text, &v->integer);
	case CONF_BYTES:
		return parse_bytes(text, &v->integer);
	case CONF_MS:
		return parse_quantity(text, time_units, &v->integer);
	case CONF_NUM:
		return parse_number(text, &v->number);
	case CONF_BOOL:
		v->boolean = strcmp(text, "true") == 0;
		return v->boolean || strcmp(text, "false") == 0;
	case CONF_STR:
	case CONF_SECRET:
		return parse_string(text, &v->str);
	case CONF_END:
		break;
	}
	return false;
}

static bool in_range(const struct conf_field *field, const struct conf_value *v)
{
	switch (field->type) {
	case CONF_STR:
	case CONF_SECRET:
		return integer_in_range(field, (int64_t)strlen(v->str));
	case CONF_NUM:
		return number_in_range(field, v->number);
	case CONF_BOOL:
		return true;
	default:
		return integer_in_range(field, v->integer);
	}
}

int conf_value_parse(const struct conf_field *field, const char *text, struct conf_value *out, char complaint[CONF_COMPLAINT_SIZE])
{
	bool is_text = field->type == CONF_STR || field->type == CONF_SECRET;
	char range[CONF_RANGE_SIZE];
	struct conf_value v = {0};

	conf_value_range(field, range);
	if (!parse(field->type, text, &v))
		snprintf(complaint, CONF_COMPLAINT_SIZE, "is not %s%s%s", type_noun(field->type),
			 range[0] ? "; range " : "", range);
	else if (!in_range(field, &v))
		snprintf(complaint, CONF_COMPLAINT_SIZE, is_text ? "has a length out of range %s" : "is out of range %s", range);
	else {
		*out = v;
		return 0;
	}
	return -1;
}

int conf_value_store(const struct conf_field *field, const struct conf_value *value, void *target)
{
	void *member = (char *)target + field->offset;

	switch (field->type) {
	case CONF_INT:
	case CONF_BYTES:
	case CONF_MS:
		*(int64_t *)member = value->integer;
		break;
	case CONF_NUM:
		*(double *)member = value->number;
		break;
	case CONF_BOOL:
		*(bool *)member = value->boolean;
		break;
	case CONF_STR:
	case CONF_SECRET:
		*(char **)member = strdup(value->str);
		return *(char **)member ? 0 : -1;
	case CONF_END:
		break;
	}
	return 0;
}

void conf_value_drop(const struct conf_field *field, void *target)
{
	char **member = (char **)(void *)((char *)target + field->offset);

	if (field->type != CONF_STR && field->type != CONF_SECRET)
		return;
	free(*member);
	*member = NULL;
}

/* As an operator would have written it: 1048576 is 1Mi. */
static size_t write_quantity(char *out, size_t size, int64_t v, const struct unit *units)
{
	while (v == 0 ? units->factor != 1 : v % units->factor != 0)
		units++;
	return (size_t)snprintf(out, size, "%" PRId64 "%s", v / units->factor, units->suffix);
}

static size_t write_end(const struct conf_field *field, char *out, size_t size, int64_t v)
{
	if (field->type == CONF_BYTES)
		return write_quantity(out, size, v, byte_units);
	if (field->type == CONF_MS)
		return write_quantity(out, size, v, time_units);
	return (size_t)snprintf(out, size, "%" PRId64, v);
}

const char *conf_value_range(const struct conf_field *field, char out[CONF_RANGE_SIZE])
{
	size_t n = 0;

	out[0] = '\0';
	if (field->type == CONF_BOOL || !has_min(field))
		return out;
	n += write_end(field, out, CONF_RANGE_SIZE, field->min);
	n += (size_t)snprintf(out + n, CONF_RANGE_SIZE - n, "..");
	if (has_max(field))
		write_end(field, out + n, CONF_RANGE_SIZE - n, field->max);
	return out;
}
