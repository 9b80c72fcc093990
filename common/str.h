/* str.h - borrowed byte strings and growable buffers.
 *
 * Low-level: may include nothing of common/ but err.h. A struct str never owns its bytes and is not NUL-terminated.
 * A struct buf owns its bytes. Its failure to grow is sticky: appends after it are no-ops and buf_failed() says so, so
 * that an encoder checks once at its end instead of at every field. Invariant: len <= cap, and p is NULL iff cap is 0. */
#ifndef MILLRACE_STR_H
#define MILLRACE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p; /* NULL only where a header says so */
	size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).p

/* The bytes of a NUL-terminated string, borrowed; z may be NULL, which gives an empty str. */
static inline struct str str_from(const char *z)
{
	return (struct str){z ? z : "", z ? strlen(z) : 0};
}

/* Same length and bytes. */
static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Bytewise order, a prefix before what it begins: < 0, 0, > 0. */
int str_cmp(struct str a, struct str b);

/* Takes text off the front of *s; false, and *s as it was, when it does not begin so. For strict parsers of our own lines. */
bool str_take(struct str *s, const char *text);

/* Likewise a decimal number, as printf writes it: no plus, no leading zeros, no overflow. *out is written on success only. */
bool str_take_int(struct str *s, int64_t *out);

/* Two lower-case digits a byte, and a NUL: out has room for 2 * len + 1. Returns out. */
char *str_hex(const uint8_t *bytes, size_t len, char *out);

/* The bytes of s from i on, of which there are one to eight, in one word; where there are less they are filled up with pad or stand
 * there twice. For tests of each byte by itself: the order is none. */
static inline uint64_t str_load_tail(struct str s, size_t i, uint8_t pad)
{
	const char *p = s.p + i;
	size_t n = s.len - i;
	uint64_t word;
	uint32_t head, tail;

	if (s.len >= sizeof(word)) {
		memcpy(&word, s.p + s.len - sizeof(word), sizeof(word));
		return word;
	}
	if (n >= sizeof(head)) {
		memcpy(&head, p, sizeof(head));
		memcpy(&tail, p + n - sizeof(tail), sizeof(tail));
		return (uint64_t)head << 32 | tail;
	}
	word = (uint64_t)pad * UINT64_C(0x0101010101000000);
	return word | (uint64_t)(uint8_t)p[0] << 16 | (uint64_t)(uint8_t)p[n / 2] << 8 | (uint8_t)p[n - 1];
}

/* Are all bytes of s below 0x80? By words, as most text is ASCII, and short. */
static inline bool str_is_ascii(struct str s)
{
	uint64_t high = 0, word;
	size_t i = 0;

	if (s.len == 0)
		return true;
	for (; i + sizeof(word) < s.len; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		high |= word;
	}
	return !((high | str_load_tail(s, i, 0)) & UINT64_C(0x8080808080808080));
}

/* Is s well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF)? NUL bytes count as well-formed. */
bool str_is_utf8(struct str s);

/* Is s well-formed UTF-8 in one line, without control characters (C0, DEL, C1)? For what stands in logs, headers and on screens. */
bool str_is_line(struct str s);

/* The longest beginning of well-formed s that has at most max bytes and ends between two characters. */
struct str str_cut_utf8(struct str s, size_t max);

struct buf {
	uint8_t *p;
	size_t len;
	size_t cap;
	bool failed;
};

#define BUF_INIT {0}

/* Frees the bytes; the buffer is as after BUF_INIT. */
void buf_fini(struct buf *b);

/* Forgets the content and the failure, keeps the memory. */
static inline void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

/* The same, where the room is not there yet. */
uint8_t *buf_grow(struct buf *b, size_t n);

/* Makes room for n more bytes and returns where they go (len does not move), or NULL when memory is short (sticky). */
static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
	return b->p && b->cap - b->len >= n && !b->failed ? b->p + b->len : buf_grow(b, n);
}

/* Appends n bytes; copies. */
static inline void buf_add(struct buf *b, const void *bytes, size_t n)
{
	uint8_t *to = n ? buf_reserve(b, n) : NULL;

	if (!to)
		return;
	memcpy(to, bytes, n);
	b->len += n;
}

/* Appends printf-formatted text, without the NUL. */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Did any append since the last buf_clear() find no memory? */
static inline bool buf_failed(const struct buf *b)
{
	return b->failed;
}

/* The content, borrowed until the next append. */
static inline struct str buf_str(const struct buf *b)
{
	return (struct str){b->p ? (const char *)b->p : "", b->len};
}

#endif
