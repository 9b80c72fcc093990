/* sparkline.h - a series of values as one line of blocks.
 *
 * Eight heights from the smallest value to the largest; what is all the same is drawn in the middle; where there is no value there is a space. Pure. */
#ifndef MILLRACE_CTL_SPARKLINE_H
#define MILLRACE_CTL_SPARKLINE_H

#include <stddef.h>

#include "common/str.h"

/* Appends one character for each value, in UTF-8. NaN: there is none. Infinities are drawn as the largest or the smallest block. */
void sparkline(struct buf *out, const double *values, size_t nr);

#endif
