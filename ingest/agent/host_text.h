/* host_text.h - the words and numbers of the kernel's tables. Everything borrows the text. */
#ifndef MILLRACE_AGENT_HOST_TEXT_H
#define MILLRACE_AGENT_HOST_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

/* Takes the next line off *rest, without its end; false when there is none. */
bool host_text_line(struct str *rest, struct str *line);

/* Takes the next word off *line: what stands between blanks. False when there is none. */
bool host_text_word(struct str *line, struct str *word);

/* A decimal number without a sign, all of word. False when it is none, or does not fit. */
bool host_text_uint(struct str word, uint64_t *out);

/* The next word as such a number. */
bool host_text_next_uint(struct str *line, uint64_t *out);

/* The next word as a number with a point, as in loadavg: finite, and not negative. */
bool host_text_next_number(struct str *line, double *out);

/* Reads up to max numbers off *line; how many there were. */
unsigned host_text_uints(struct str *line, uint64_t *out, unsigned max);

/* The number behind the line's first word, where that is name; of a table of one name and number a line ("nr_periods 7"). */
bool host_text_lookup(struct str table, const char *name, uint64_t *out);

#endif
