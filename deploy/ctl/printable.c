/* printable.c - see printable.h.
 *
 * A replaced byte stays one byte, so that buffers and columns need not be measured again; a C1 character
 * shows as "??". */
#include "deploy/ctl/printable.h"

/* How many bytes at p are one control character: 0, 1, or 2 (U+0080 to U+009F: terminals obey them like
 * ESC). */
static int control_at(const char *p, size_t left)
{
	unsigned char first = (unsigned char)p[0];

	if (first < 0x20 || first == 0x7f)
		return 1;
	return first == 0xc2 && left > 1 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0 ? 2 : 0;
}

char *printable(char *text)
{
	size_t len = strlen(text);
	bool utf8 = str_is_utf8((struct str){text, len});

	for (size_t i = 0; i < len; i++) {
		int control = control_at(text + i, len - i);

		if (control == 2)
			text[i++] = '?';
		if (control || (!utf8 && (unsigned char)text[i] >= 0x80))
			text[i] = '?';
	}
	return text;
}

bool printable_has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (control_at(s.p + i, s.len - i))
			return true;
	return false;
}

void printable_trim(char *text)
{
	size_t len = strlen(text);

	/* A character has at most four bytes: what is still no UTF-8 after three steps was none before it
	 * was cut. */
	for (int i = 0; i < 4 && len && !str_is_utf8((struct str){text, len}); i++)
		text[--len] = '\0';
}
