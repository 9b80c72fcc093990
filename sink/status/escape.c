/* escape.c - see escape.h.
 *
 * Quotes of both kinds are written as references everywhere, so that nobody has to ask where a text goes. The five references are those that XML has too. */
#include "sink/status/escape.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* What stands for a byte below 0x80; NULL: itself. */
static const char *reference_of(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '\n':
	case '\t':
		return NULL;
	default:
		return c < 0x20 || c == 0x7f ? REPLACEMENT : NULL;
	}
}

/* At p, of n bytes of good UTF-8: how long is the character there if it must not be written, else 0. */
static size_t bad_character(const unsigned char *p, size_t n)
{
	if (n >= 2 && p[0] == 0xc2 && p[1] < 0xa0) /* C1 */
		return 2;
	return n >= 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe ? 3 : 0;
}

void escape_text(struct buf *out, struct str text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	bool good = str_is_utf8(text);

	for (size_t i = 0; i < text.len; i++) {
		size_t bad = p[i] < 0x80 ? 0 : good ? bad_character(p + i, text.len - i) : 1;
		const char *instead = p[i] < 0x80 ? reference_of(p[i]) : bad ? REPLACEMENT : NULL;

		if (instead)
			markup(out, instead);
		else
			buf_add(out, p + i, 1);
		i += bad ? bad - 1 : 0;
	}
}
