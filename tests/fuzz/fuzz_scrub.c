/* fuzz_scrub.c - any bytes at all as a text to be scrubbed: what was found is gone, and the rest stands as it stood.
 *
 * The oracle takes the result apart at each [scrubbed]: its pieces stand in the text, in this order, and what is between is no longer than what is left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/scrub.h"

#define MUST(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                    \
		}                                                                   \
	} while (0)

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = {
	"password", "token", "=", ":", "\"", "\\\"", "\\\\\\\"", "{", "}", "[", "]", "=>", "%3D", "%22", "%5B", "--pin ", "<secret>", "Bearer abcdefgh1", "Basic dXNlcjpwYXNz", "eyJhbGciOiJIUzI1NiJ9.a",
	"AKIAIOSFODNN7EXAMPLE", "-----BEGIN PRIVATE KEY-----", "-----END ", "://u:p@h", "4111 1111 1111 1111", "378282246310005", "Cookie: ", ", ", "&", "[scrubbed]", "card number: ", "\n",
};

/* Puts a word somewhere: bytes alone would take days to spell one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	const char *word = words[seed / 8 % (sizeof(words) / sizeof(words[0]))];
	size_t n = strlen(word), at = size ? seed / 1024 % (size + 1) : 0;

	if (seed % 8 > 3 || size + n > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, word, n);
	return size + n;
}

static void check_pieces(struct str was, struct str now)
{
	const size_t mark = strlen(SCRUBBED);

	while (now.len) {
		const char *at = memmem(now.p, now.len, SCRUBBED, mark), *in;
		size_t n = at ? (size_t)(at - now.p) : now.len;

		in = n ? memmem(was.p, was.len, now.p, n) : was.p;
		MUST(in && in + n <= was.p + was.len);
		was = (struct str){in + n, was.len - (size_t)(in + n - was.p)};
		now = at ? (struct str){at + mark, now.len - n - mark} : (struct str){now.p + n, 0};
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct scrub *s = scrub_new("", "", "", &err);
	struct arena arena = ARENA_INIT;
	char *exact = malloc(size ? size : 1); /* a byte read behind it is seen */
	struct str text = {exact, size};

	MUST(s && exact);
	memcpy(exact, data, size);
	MUST(scrub_text(s, &arena, &text) == 0);
	MUST(text.p != exact || text.len == size);
	MUST(memcmp(exact, data, size) == 0);
	if (text.p != exact)
		check_pieces((struct str){exact, size}, text);
	arena_fini(&arena);
	free(exact);
	scrub_free(s);
	return 0;
}
