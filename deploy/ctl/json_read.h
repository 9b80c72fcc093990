/* json_read.h - a JSON document as a tree that knows its lines.
 *
 * An operator's file is edited by hand: an error must say where. yajl reports the place of a syntax error
 * only; this tree, built by its callbacks, keeps line and way (path) of each value. Hostile files are
 * bounded: size by the caller, depth here, memory by the arena's limit. Everything lives in the arena;
 * strings without escapes borrow it, never the text. */
#ifndef MILLRACE_CTL_JSON_READ_H
#define MILLRACE_CTL_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

enum { JSON_DEPTH_MAX = 16 };

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	int line;         /* from 1 */
	bool truth;       /* JSON_BOOL */
	struct str key;   /* its name in an object */
	struct str text;  /* JSON_TEXT: the text; JSON_NUMBER: as it is spelt */
	struct json *parent, *child, *last, *next; /* children in the order of the file */
	size_t nr;        /* children */
	size_t index;     /* its place among its parent's children */
};

/* Parses a whole document. ERR_REJECT: no JSON, or more than one document, or nested deeper than
 * JSON_DEPTH_MAX, or beyond the arena's limit. */
int json_parse(struct str text, struct arena *arena, struct json **root, struct err *err);

/* Sets ERR_REJECT with "line N, sites[3].id: " before the message. Always returns -1. */
int json_fail(const struct json *node, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "line N, PATH: " before an error that is there. Always returns -1. */
int json_wrap(const struct json *node, struct err *err);

/* Is node an object with no other fields than these (ended by NULL), and none twice? */
int json_check_fields(const struct json *node, const char *const *fields, struct err *err);

/* A field of an object, or NULL. */
const struct json *json_get(const struct json *object, const char *key);

/* Reads a field of an object, which must be there and of this type. */
int json_get_text(const struct json *object, const char *key, struct str *out, struct err *err);
int json_get_int(const struct json *object, const char *key, int64_t min, int64_t max, int64_t *out, struct err *err); /* see above */
int json_get_number(const struct json *object, const char *key, double *out, struct err *err);   /* see above; finite */
int json_get_bool(const struct json *object, const char *key, bool *out, struct err *err);       /* see above */
int json_get_array(const struct json *object, const char *key, const struct json **out, struct err *err); /* see above */

#endif
