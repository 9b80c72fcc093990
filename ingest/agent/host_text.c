/* host_text.c - see host_text.h. */
#include "ingest/agent/host_text.h"

#include <math.h>
#include <stdlib.h>

bool host_text_line(struct str *rest, struct str *line)
{
	const char *end;

	if (!rest->len)
		return false;
	end = memchr(rest->p, '\n', rest->len);
	*line = (struct str){rest->p, end ? (size_t)(end - rest->p) : rest->len};
	rest->p += line->len + (end != NULL);
	rest->len -= line->len + (end != NULL);
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool host_text_word(struct str *line, struct str *word)
{
	size_t from = 0, to;

	while (from < line->len && is_blank(line->p[from]))
		from++;
	to = from;
	while (to < line->len && !is_blank(line->p[to]))
		to++;
	*word = (struct str){line->p + from, to - from};
	line->p += to;
	line->len -= to;
	return word->len > 0;
}

bool host_text_uint(struct str word, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < word.len; i++)
		if (word.p[i] < '0' || word.p[i] > '9' || __builtin_mul_overflow(n, UINT64_C(10), &n) ||
		    __builtin_add_overflow(n, (uint64_t)(word.p[i] - '0'), &n))
			return false;
	*out = n;
	return word.len > 0;
}

bool host_text_next_uint(struct str *line, uint64_t *out)
{
	struct str word;

	return host_text_word(line, &word) && host_text_uint(word, out);
}

bool host_text_next_number(struct str *line, double *out)
{
	struct str word;
	char z[32], *end;

	if (!host_text_word(line, &word) || word.len >= sizeof(z) || word.p[0] < '0' || word.p[0] > '9')
		return false;
	memcpy(z, word.p, word.len);
	z[word.len] = '\0';
	*out = strtod(z, &end);
	return !*end && isfinite(*out);
}

unsigned host_text_uints(struct str *line, uint64_t *out, unsigned max)
{
	unsigned n = 0;

	while (n < max && host_text_next_uint(line, &out[n]))
		n++;
	return n;
}

bool host_text_lookup(struct str table, const char *name, uint64_t *out)
{
	struct str line, word;

	while (host_text_line(&table, &line))
		if (host_text_word(&line, &word) && str_eq(word, str_from(name)))
			return host_text_next_uint(&line, out);
	return false;
}
