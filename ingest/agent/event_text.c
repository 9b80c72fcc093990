/* event_text.c - see event_text.h. */
#include "ingest/agent/event_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool event_text_integer(const char *z, int64_t *out)
{
	char *end;
	double d;

	errno = 0;
	*out = strtoll(z, &end, 10);
	if (!*end)
		return errno == 0;
	d = strtod(z, NULL);
	if (!(fabs(d) <= 0x1p53) || d != trunc(d))
		return false;
	*out = (int64_t)d;
	return true;
}

/* The code unit of the \uXXXX at p, or -1 when there is none (the parser refuses what is malformed). */
static int32_t code_unit(const char *p, const char *end)
{
	char hex[5] = "";

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 0; i < 4; i++) {
		if (!isxdigit((unsigned char)p[2 + i]))
			return -1;
		hex[i] = p[2 + i];
	}
	return (int32_t)strtol(hex, NULL, 16);
}

void event_text_mend(char *p, const char *end)
{
	while (p < end && (p = memchr(p, '\\', (size_t)(end - p)))) {
		int32_t unit = code_unit(p, end), next = unit < 0 ? -1 : code_unit(p + 6, end);
		bool high = unit >= 0xD800 && unit <= 0xDBFF, low = unit >= 0xDC00 && unit <= 0xDFFF;
		bool pair = high && next >= 0xDC00 && next <= 0xDFFF;

		if (unit == 0 || low || (high && !pair))
			memcpy(p + 2, "fffd", 4);
		p += pair ? 12 : 2;
	}
}
