/* event_text.h - what a JSON parser leaves to its user: exact integers, and text that is text. */
#ifndef MILLRACE_AGENT_EVENT_TEXT_H
#define MILLRACE_AGENT_EVENT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* A well-formed JSON number, z, as an integer in whatever notation: 7, 7.0, 0.7e1. Up to 2^53 where it has a point or an exponent, as a
 * double is exact so far. False when it is not integral or does not fit; *out is not to be used then. */
bool event_text_integer(const char *z, int64_t *out);

/* In JSON from p to end, replaces escapes that stand for no character (half a surrogate pair), or for one that ends C's strings (U+0000),
 * by the escape of U+FFFD, which is as long. The parser would make other text of them, silently; refused, they would take a whole error
 * with them. */
void event_text_mend(char *p, const char *end);

#endif
