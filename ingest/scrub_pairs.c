/* scrub_pairs.c - see scrub_pairs.h.
 *
 * From what divides them, the key is looked for backwards within KEY_LOOK_MAX bytes, and the value forwards to its end. So a text costs a bounded number of
 * steps for each of its bytes, whatever it is, as a value that was found is never read again.
 *
 * Where it is not clear what still belongs to a value, more is taken: a reader misses a word, which is less than a password that stays in part. */
#include "ingest/scrub_pairs.h"

#include <ctype.h>
#include <strings.h>

#include "ingest/scrub.h"

enum { KEY_LOOK_MAX = SCRUB_KEY_MAX, NEXT_KEY_MAX = 40 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_key_byte(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (uint8_t)c >= 0x80 || c == '_' || c == '-' || c == '.' || c == '[' ||
	       c == ']' || c == '%' || c == '$' || c == '@' || c == '*';
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'' || c == '`';
}

static bool begins(struct str text, size_t i, const char *what)
{
	size_t n = strlen(what);

	return text.len - i >= n && strncasecmp(text.p + i, what, n) == 0;
}

/* The length of what is left at i of \uXXXX, as & and < are written in JSON: no part of the key behind it. */
static size_t unicode_escape(struct str text, size_t i, size_t end)
{
	size_t n = 1;

	if (i == 0 || text.p[i - 1] != '\\' || i + 5 > end || text.p[i] != 'u')
		return 0;
	while (n < 5 && isxdigit((unsigned char)text.p[i + n]))
		n++;
	return n == 5 ? n : 0;
}

/* The key that ends before text[end]; of what a query string encodes, only brackets are part of one. */
static struct str key_before(struct str text, size_t end)
{
	size_t least = end > KEY_LOOK_MAX ? end - KEY_LOOK_MAX : 0, from;

	while (end > least && is_blank(text.p[end - 1]))
		end--;
	if (end >= least + 3 && begins(text, end - 3, "%22"))
		end -= 3;
	if (end > least && is_quote(text.p[end - 1]))
		end--;
	while (end > least && text.p[end - 1] == '\\')
		end--;
	for (from = end; from > least && is_key_byte(text.p[from - 1]); from--)
		if (text.p[from - 1] == '%' && !begins(text, from - 1, "%5B") && !begins(text, from - 1, "%5D"))
			return from + 2 < end ? (struct str){text.p + from + 2, end - from - 2} : (struct str){text.p, 0};
	from += unicode_escape(text, from, end);
	return (struct str){text.p + from, end - from};
}

/* Does the key name a secret, or together with the word before it: card number? */
static bool names_secret(const struct scrub_keys *k, struct str text, struct str key)
{
	size_t from = (size_t)(key.p - text.p), end = from + key.len, least = end > KEY_LOOK_MAX ? end - KEY_LOOK_MAX : 0;

	if (key.len == 0)
		return false;
	if (scrub_keys_match(k, key, false))
		return true;
	if (from < 2 || text.p[from - 1] != ' ')
		return false;
	for (from--; from > least && is_key_byte(text.p[from - 1]);)
		from--;
	return scrub_keys_match(k, (struct str){text.p + from, end - from}, true);
}

/* A line of a file, session.rb:12, or an object, #<Session:0x000055d3>. */
static bool is_place(struct str text, size_t i, struct str key)
{
	static const char *const endings[] = {".rb", ".erb", ".py", ".go", ".java", ".kt", ".scala", ".js", ".mjs", ".cjs", ".ts", ".jsx", ".tsx", ".vue",
					      ".c", ".h", ".cc", ".cpp", ".hpp", ".rs", ".php", ".cs", ".ex", ".exs", ".swift"};
	size_t from = (size_t)(key.p - text.p);

	if (i + 1 >= text.len || text.p[i + 1] < '0' || text.p[i + 1] > '9')
		return false;
	if (from >= 2 && memcmp(key.p - 2, "#<", 2) == 0)
		return true;
	for (size_t k = 0; k < sizeof(endings) / sizeof(endings[0]); k++) {
		size_t n = strlen(endings[k]);

		if (key.len > n && memcmp(key.p + key.len - n, endings[k], n) == 0)
			return true;
	}
	return false;
}

/* Behind what divides at i, or 0 where it is something else: a::b, a == b, ://, and the many blanks and > that are none. */
static size_t value_begin(struct str text, size_t i, struct str *key)
{
	size_t from;

	switch (text.p[i]) {
	case '%':
		if (!begins(text, i, "%3D") && !begins(text, i, "%3A"))
			return 0;
		*key = key_before(text, i);
		return i + 3;
	case ' ':
		*key = i && is_key_byte(text.p[i - 1]) ? key_before(text, i) : (struct str){text.p, 0};
		return key->len > 2 && key->p[0] == '-' && key->p[1] == '-' ? i + 1 : 0;
	case '>':
		*key = i && is_key_byte(text.p[i - 1]) ? key_before(text, i) : (struct str){text.p, 0};
		from = (size_t)(key->p - text.p);
		return key->len && from && text.p[from - 1] == '<' ? i + 1 : 0;
	case ':':
		if ((i && text.p[i - 1] == ':') || (i + 1 < text.len && text.p[i + 1] == ':') || begins(text, i, "://"))
			return 0;
		break;
	default:
		if (i && strchr("=!<>~+", text.p[i - 1]) && text.p[i - 1])
			return 0;
		if (i + 1 < text.len && (text.p[i + 1] == '=' || text.p[i + 1] == '~'))
			return 0;
	}
	*key = key_before(text, i);
	return i + (begins(text, i, "=>") ? 2 : 1);
}

/* The end of a string whose opening quote is at i, behind n backslashes (0, 1, 3, 7 ..: so deep is it within other strings). */
static size_t quoted_end(struct str text, size_t i, size_t n)
{
	size_t run = 0, k = i + 1;

	for (; k < text.len; k++) {
		if (text.p[k] == '\\') {
			run++;
		} else {
			if (text.p[k] == text.p[i] && (run < n || (run - n) % (2 * (n + 1)) == 0))
				return k - (run < n ? run : n);
			run = 0;
		}
	}
	return k;
}

/* Of brackets that open at i, or of the text where they do not close. */
static size_t bracket_end(struct str text, size_t i)
{
	size_t depth = 0;

	for (; i < text.len; i++) {
		char c = text.p[i];

		if (is_quote(c) && c != '`') {
			size_t n = 0;

			while (n < i && text.p[i - 1 - n] == '\\')
				n++;
			i = quoted_end(text, i, n) + n;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && --depth == 0) {
			return i + 1;
		}
	}
	return text.len;
}

/* Does another key begin at i, so that what is before it ends a value? */
static bool begins_key(struct str text, size_t i, char divider)
{
	size_t n = 0;

	while (i < text.len && is_blank(text.p[i]) && n++ < NEXT_KEY_MAX)
		i++;
	if (i >= text.len || n || is_quote(text.p[i]) || text.p[i] == '\n')
		return true;
	while (i < text.len && is_key_byte(text.p[i]) && n++ < NEXT_KEY_MAX)
		i++;
	return n && i < text.len && text.p[i] == divider;
}

static size_t bare_end(struct str text, size_t i, char divider)
{
	size_t from = i;

	for (; i < text.len; i++) {
		char c = text.p[i];

		if ((uint8_t)c <= ' ' || c == '&' || c == '"' || c == '\'' || (c == '\\' && i + 1 < text.len && strchr("\"'nrt", text.p[i + 1])) || c == '<')
			break;
		if (divider == '%' && (begins(text, i, "%26") || begins(text, i, "%22") || begins(text, i, "%2C") || begins(text, i, "%7D")))
			break;
		if ((c == ',' || c == ';') && begins_key(text, i + 1, divider))
			break;
	}
	while (i > from && strchr(")]}", text.p[i - 1]))
		i--;
	return i;
}

/* The same for the word behind the one that ends at i, where that one says only what kind of credential follows: authorization=Bearer x. */
static size_t credential_end(struct str text, size_t from, size_t end, char divider)
{
	static const char *const schemes[] = {"bearer", "basic", "token", "digest", "apikey", "negotiate"};
	size_t at = end;

	while (at < text.len && is_blank(text.p[at]))
		at++;
	for (size_t k = 0; k < sizeof(schemes) / sizeof(schemes[0]) && at > end; k++)
		if (end - from == strlen(schemes[k]) && begins(text, from, schemes[k]))
			return bare_end(text, at, divider);
	return end;
}

/* The rest of a header's line; in JSON without quotes there is no such thing. */
static size_t line_end(struct str text, size_t i)
{
	while (i < text.len && text.p[i] != '\n' && text.p[i] != '\r' && text.p[i] != '"' && text.p[i] != '\'' &&
	       !(text.p[i] == '\\' && i + 1 < text.len && (text.p[i + 1] == 'n' || text.p[i + 1] == 'r')))
		i++;
	return i;
}

/* Words that say there is no value. */
static bool is_nothing(struct str value)
{
	static const char *const words[] = {"null", "nil", "none", "undefined", "true", "false"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (value.len == strlen(words[i]) && strncasecmp(value.p, words[i], value.len) == 0)
			return true;
	return value.len == 0;
}

/* Empty where it has been scrubbed before. */
static struct scrub_span value_at(struct str text, size_t i, char divider, struct str key)
{
	size_t n = 0;

	while (i < text.len && is_blank(text.p[i]))
		i++;
	if (divider == '%' && begins(text, i, "%22"))
		i += 3;
	while (i + n < text.len && text.p[i + n] == '\\')
		n++;
	if (i + n < text.len && is_quote(text.p[i + n]))
		return begins(text, i + n + 1, SCRUBBED) ? (struct scrub_span){i, i} : (struct scrub_span){i + n + 1, quoted_end(text, i + n, n)};
	if (begins(text, i, SCRUBBED))
		return (struct scrub_span){i, i};
	if (i < text.len && (text.p[i] == '{' || text.p[i] == '['))
		return (struct scrub_span){i, bracket_end(text, i)};
	if (divider == ':' && scrub_keys_is_header(key))
		return (struct scrub_span){i, line_end(text, i)};
	return (struct scrub_span){i, credential_end(text, i, bare_end(text, i, divider), divider)};
}

bool scrub_pair_at(const struct scrub_keys *k, struct str text, size_t i, struct scrub_span *out)
{
	struct str key;
	size_t begin = value_begin(text, i, &key);

	if (!begin || !names_secret(k, text, key) || (text.p[i] == ':' && is_place(text, i, key)))
		return false;
	*out = value_at(text, begin, text.p[i], key);
	return out->to > out->from && !is_nothing((struct str){text.p + out->from, out->to - out->from});
}
