/* style.h - the one style sheet of the page. */
#ifndef MILLRACE_STATUS_STYLE_H
#define MILLRACE_STATUS_STYLE_H

#include <stdint.h>

#include "common/str.h"

/* Appends it to out. */
void style_write(struct buf *out);

/* Another for each other sheet: part of its address, so that a browser that kept an old one asks anew. */
uint32_t style_version(void);

#endif
