/* str.c - see str.h. */
#include "common/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int str_cmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	if (order)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool str_take(struct str *s, const char *text)
{
	size_t n = strlen(text);

	if (s->len < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	s->len -= n;
	return true;
}

bool str_take_int(struct str *s, int64_t *out)
{
	struct str rest = *s;
	bool negative = str_take(&rest, "-");
	int64_t n = 0;
	size_t digits = 0;

	for (; digits < rest.len && rest.p[digits] >= '0' && rest.p[digits] <= '9'; digits++) {
		int digit = rest.p[digits] - '0';

		if (__builtin_mul_overflow(n, 10, &n) || (negative ? __builtin_sub_overflow(n, digit, &n) : __builtin_add_overflow(n, digit, &n)))
			return false;
	}
	if (!digits || (rest.p[0] == '0' && (digits > 1 || negative)))
		return false;
	*s = (struct str){rest.p + digits, rest.len - digits};
	*out = n;
	return true;
}

/* Length of the well-formed sequence at p, or 0. The second byte's narrower range for E0, ED, F0 and F4 is what keeps
 * overlong forms, surrogates and code points above U+10FFFF out (Unicode, table 3-7). */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
	uint8_t lo = 0x80, hi = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (left < n)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool str_is_utf8(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;
	size_t at = 0;

	while (at < s.len) {
		size_t n = utf8_sequence(p + at, s.len - at);

		if (!n)
			return false;
		at += n;
	}
	return true;
}

bool str_is_line(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t byte = (uint8_t)s.p[i], last = i ? (uint8_t)s.p[i - 1] : 0;

		if (byte < 0x20 || byte == 0x7f || (last == 0xc2 && byte < 0xa0))
			return false;
	}
	return str_is_utf8(s);
}

struct str str_cut_utf8(struct str s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max > 0 && ((uint8_t)s.p[max] & 0xc0) == 0x80) /* what would be cut off first continues a character */
		max--;
	return (struct str){s.p, max};
}

char *str_hex(const uint8_t *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 0xf];
	}
	out[2 * len] = '\0';
	return out;
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf)BUF_INIT;
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	uint8_t *p;

	if (b->failed)
		return NULL;
	while (cap - b->len < n) {
		if (cap > SIZE_MAX / 2) {
			b->failed = true;
			return NULL;
		}
		cap *= 2;
	}
	p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return p + b->len;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args, again;
	uint8_t *to;
	int n;

	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	to = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
	if (to) {
		vsnprintf((char *)to, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	} else {
		b->failed = true;
	}
	va_end(again);
}
