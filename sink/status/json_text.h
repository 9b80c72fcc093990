/* json_text.h - a text as a JSON string (RFC 8259, section 7). */
#ifndef MILLRACE_STATUS_JSON_TEXT_H
#define MILLRACE_STATUS_JSON_TEXT_H

#include "common/str.h"

/* Appends s, which is UTF-8, in quotes. Control characters, and < > & for the case that the document is put into a page, are written as \u00XX. */
void json_text(struct buf *out, struct str s);

#endif
