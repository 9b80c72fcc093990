/* escape.h - text of other people's in markup of ours.
 *
 * Texts may hold anything: what a page's language could take for its own is written as a character reference, what XML 1.0 and HTML do not know as a character
 * at all (controls, U+FFFE, U+FFFF), and each byte above ASCII of a text that is not UTF-8, as U+FFFD. All append to out. */
#ifndef MILLRACE_STATUS_ESCAPE_H
#define MILLRACE_STATUS_ESCAPE_H

#include "common/str.h"

/* Markup of ours, as it is. */
static inline void markup(struct buf *out, const char *text)
{
	buf_add(out, text, strlen(text));
}

/* text for the content of an element and for an attribute in double quotes, in HTML and in XML alike. Line ends stay. */
void escape_text(struct buf *out, struct str text);

/* The same of a NUL-terminated string. */
static inline void escape_words(struct buf *out, const char *text)
{
	escape_text(out, str_from(text));
}

#endif
