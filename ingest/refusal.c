/* refusal.c - see refusal.h. */
#include "ingest/refusal.h"

#include <stdarg.h>
#include <stdio.h>

int refuse(struct refusal *no, enum reason reason, const char *fmt, ...)
{
	va_list args;

	no->reason = reason;
	no->wait_ms = 0;
	va_start(args, fmt);
	vsnprintf(no->detail, sizeof(no->detail), fmt, args);
	va_end(args);
	return -1;
}
