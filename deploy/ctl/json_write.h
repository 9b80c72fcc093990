/* json_write.h - JSON to be read by people and scripts alike: indented, keys in the order of writing.
 *
 * A thin cover over yajl_gen whose failures are sticky, so that a writer of a hundred fields checks once,
 * at its end. */
#ifndef MILLRACE_CTL_JSON_WRITE_H
#define MILLRACE_CTL_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "common/str.h"

struct json_writer {
	void *gen; /* yajl_gen; NULL: memory was short */
	bool failed;
};

/* An empty document whose top is an object that is open. A lack of memory shows at the end. */
void json_write_begin(struct json_writer *w);

/* Likewise, for one value in one line: nothing is open, and one map, array or value without a key is to follow. Ends with json_write_line_end(). */
void json_write_begin_line(struct json_writer *w);

/* Frees; needed when none of the ends below was called. */
void json_write_fini(struct json_writer *w);

/* Opens and closes an object or array. key: NULL inside an array and at the top. */
void json_write_map(struct json_writer *w, const char *key);
void json_write_map_end(struct json_writer *w);                 /* see above */
void json_write_array(struct json_writer *w, const char *key);  /* see above */
void json_write_array_end(struct json_writer *w);               /* see above */

/* One value. In text that is not UTF-8 the bytes above ASCII become "?"; a number must be finite, and is
 * written with as few digits as give the same number back. */
void json_write_text(struct json_writer *w, const char *key, struct str text);
void json_write_int(struct json_writer *w, const char *key, int64_t number);    /* see above */
void json_write_number(struct json_writer *w, const char *key, double number);  /* see above */
void json_write_bool(struct json_writer *w, const char *key, bool truth);       /* see above */
void json_write_null(struct json_writer *w, const char *key);                   /* see above */

enum { JSON_WRITE_HEX_MAX = 32 };

/* Text that holds n bytes in hexadecimal, lower case; of more than JSON_WRITE_HEX_MAX the first. */
void json_write_hex(struct json_writer *w, const char *key, const uint8_t *bytes, size_t n);

/* Closes the top object and appends the document, with a newline at its end, to out. Frees in any case. -1
 * with *err set when any of the calls before failed. */
int json_write_end(struct json_writer *w, struct buf *out, struct err *err);

/* Likewise for json_write_begin_line(): closes nothing, and appends no newline. */
int json_write_line_end(struct json_writer *w, struct buf *out, struct err *err);

/* Likewise json_write_end(), to a stream. */
int json_write_print(struct json_writer *w, FILE *out, struct err *err);

#endif
