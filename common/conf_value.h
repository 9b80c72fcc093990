/* conf_value.h - the text of one setting's value and what it means; the low half of conf.c.
 *
 * Pure functions of a row of the table and a text: no sources, no targets. */
#ifndef MILLRACE_CONF_VALUE_H
#define MILLRACE_CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

enum { CONF_RANGE_SIZE = 64, CONF_COMPLAINT_SIZE = 160 };

/* Which member counts is up to the field's type. */
struct conf_value {
	int64_t integer; /* CONF_INT, CONF_BYTES, CONF_MS */
	double number;
	bool boolean;
	const char *str; /* borrows the text */
};

/* Understands text as a value of field: 0 and *out filled, its str borrowing text; or -1 and in complaint what is wrong, in words
 * that follow the value ("is out of range 1..100"). Range: min..max; 0 and 0 is none; a max of 0 above a min of 0 or more is no upper end. */
int conf_value_parse(const struct conf_field *field, const char *text, struct conf_value *out, char complaint[CONF_COMPLAINT_SIZE]);

/* Stores a value into the field's member of target; strings are copied. -1: out of memory. */
int conf_value_store(const struct conf_field *field, const struct conf_value *value, void *target);

/* Frees the string a former conf_value_store() put there and sets NULL; nothing for other types. */
void conf_value_drop(const struct conf_field *field, void *target);

/* Writes the field's range in the syntax of its values, "1Mi..64Gi" or "1..", or "" when it has none; returns out. */
const char *conf_value_range(const struct conf_field *field, char out[CONF_RANGE_SIZE]);

#endif
