/* json_text.c - see json_text.h. */
#include "sink/status/json_text.h"

void json_text(struct buf *out, struct str s)
{
	size_t plain = 0; /* where what has not been appended begins */

	buf_add(out, "\"", 1);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0x7f)
			continue;
		buf_add(out, s.p + plain, i - plain);
		plain = i + 1;
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else
			buf_printf(out, "\\u%04x", c);
	}
	buf_add(out, s.p + plain, s.len - plain);
	buf_add(out, "\"", 1);
}
