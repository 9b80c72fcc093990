/* printable.h - text from anywhere, made safe for a terminal.
 *
 * Names, keys and reasons come from topics and files that others wrote. Printed as they are, escape
 * sequences in them could repaint an operator's screen, and a newline could forge a line of output. */
#ifndef MILLRACE_CTL_PRINTABLE_H
#define MILLRACE_CTL_PRINTABLE_H

#include <stdbool.h>

#include "common/str.h"

/* Replaces, in place, every byte of a control character (C0, DEL, and C1 in UTF-8) by "?"; in text that is
 * not UTF-8, every byte above ASCII too. Returns text, whose length stays. */
char *printable(char *text);

/* Does s hold a control character? s is UTF-8. */
bool printable_has_control(struct str s);

/* Shortens text that was cut at a buffer's end by the bytes of its last, incomplete character. */
void printable_trim(char *text);

#endif
