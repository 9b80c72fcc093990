/* group_text.c - see group_text.h.
 *
 * Invariant: what is written is never longer than what was read, so that GROUP_TEXT_MAX bytes are room enough. A number becomes N, a quoted word Q, a mail
 * address M. Each function reads its text once, and may look ahead only as far as it then goes. */
#include "ingest/group_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum {
	HASH_MIN = 6,      /* hexadecimal digits that are a hash, when a decimal one is among them */
	MIXED_MIN = 8,     /* likewise letters of any kind in a bundle's name */
	ID_MIN = 16,       /* and anywhere */
	UUID_BYTES = 36,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_alnum(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (uint8_t)c >= 0x80;
}

static struct str cut(struct str s)
{
	return (struct str){s.p, s.len < GROUP_TEXT_MAX ? s.len : GROUP_TEXT_MAX};
}

static struct str from(struct str s, size_t at)
{
	return (struct str){s.p + at, s.len - at};
}

static bool begins(struct str s, const char *what)
{
	size_t n = strlen(what);

	return s.len >= n && memcmp(s.p, what, n) == 0;
}

static bool has_digit(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_digit(s.p[i]))
			return true;
	return false;
}

static bool is_all(struct str s, bool (*of)(char))
{
	for (size_t i = 0; i < s.len; i++)
		if (!of(s.p[i]))
			return false;
	return s.len != 0;
}

/* Eight, four, four, four and twelve hexadecimal digits. */
static bool begins_uuid(struct str s)
{
	for (size_t i = 0; i < UUID_BYTES; i++)
		if (i >= s.len || (i == 8 || i == 13 || i == 18 || i == 23 ? s.p[i] != '-' : !is_hex(s.p[i])))
			return false;
	return s.len == UUID_BYTES || !is_alnum(s.p[UUID_BYTES]);
}

/* Is a run of letters and digits an id or a hash? */
static bool is_id(struct str s)
{
	return has_digit(s) && (is_all(s, is_digit) || (s.len >= HASH_MIN && is_all(s, is_hex)) || s.len >= ID_MIN || (s.len > 2 && s.p[0] == '0' && s.p[1] == 'x'));
}

static size_t run(struct str s)
{
	size_t n = 0;

	while (n < s.len && is_alnum(s.p[n]))
		n++;
	return n;
}

/* Writes N, but not twice: 1.2.3, 10:20 and 7-8 are one number. */
static size_t put_number(char *out, size_t at)
{
	if (at >= 2 && out[at - 2] == 'N' && strchr(".:,-/", out[at - 1]) && (at == 2 || !is_alnum(out[at - 3])))
		return at - 1;
	if (at && out[at - 1] == 'N' && (at == 1 || !is_alnum(out[at - 2])))
		return at;
	out[at] = 'N';
	return at + 1;
}

/* A word of a message: as it is, or N, or with N for its digits. */
static size_t put_word(char *out, size_t at, struct str word, bool behind_sign)
{
	if (is_id(word) || (behind_sign && word.len >= 5 && is_all(word, is_hex)))
		return put_number(out, at);
	for (size_t i = 0; i < word.len; i++) {
		if (!is_digit(word.p[i]))
			out[at++] = word.p[i];
		else if (i == 0 || !is_digit(word.p[i - 1]))
			out[at++] = 'N';
	}
	return at;
}

/* A mail address at the beginning of s: its length, or 0. */
static size_t mail(struct str s)
{
	size_t n = 0, dots = 0, host;

	while (n < s.len && (is_alnum(s.p[n]) || strchr("._+-", s.p[n])) && s.p[n])
		n++;
	if (n == 0 || n >= s.len || s.p[n] != '@')
		return 0;
	for (host = ++n; n < s.len && (is_alnum(s.p[n]) || ((s.p[n] == '.' || s.p[n] == '-') && n + 1 < s.len && is_alnum(s.p[n + 1]))); n++)
		dots += s.p[n] == '.';
	return dots && n > host ? n : 0;
}

/* The closing quote of what opens s, or 0. An apostrophe within a word is none. */
static size_t quoted(struct str s)
{
	char close = s.p[0] == '`' ? '\'' : s.p[0];

	for (size_t i = 1; i < s.len; i++)
		if ((s.p[i] == close || s.p[i] == s.p[0]) && (close != '\'' || i + 1 == s.len || !is_alnum(s.p[i + 1])))
			return i;
	return 0;
}

size_t group_message(struct str message, char *out)
{
	struct str s = cut(message);
	size_t at = 0, mail_from = 0;
	bool closes[256];

	memset(closes, true, sizeof(closes));
	for (size_t i = 0; i < s.len;) {
		struct str rest = from(s, i);
		bool begin = i == 0 || !is_alnum(s.p[i - 1]);
		size_t n = 0;

		if (begin && closes[(uint8_t)s.p[i]] && (s.p[i] == '"' || s.p[i] == '\'' || s.p[i] == '`')) {
			n = quoted(rest);
			closes[(uint8_t)s.p[i]] = n != 0; /* where one finds no end, later ones find none */
			if (n)
				out[at++] = 'Q';
			n += n != 0;
		} else if (begin && i >= mail_from && is_alnum(s.p[i])) {
			n = mail(rest);
			if (n)
				out[at++] = 'M';
			else
				for (mail_from = i; mail_from < s.len && (is_alnum(s.p[mail_from]) || strchr("._+-", s.p[mail_from]));)
					mail_from++; /* is no address from its middle on either */
		}
		if (n == 0 && begin && begins_uuid(rest)) {
			n = UUID_BYTES;
			at = put_number(out, at);
		} else if (n == 0 && is_alnum(s.p[i])) {
			n = run(rest);
			at = put_word(out, at, (struct str){rest.p, n}, i && s.p[i - 1] == '@');
		} else if (n == 0) {
			n = 1;
			out[at++] = s.p[i];
		}
		i += n;
	}
	return at;
}

size_t group_action(struct str action, char *out)
{
	struct str s = cut(action);
	size_t at = 0;

	for (size_t i = 0; i < s.len;) {
		struct str rest = from(s, i);
		bool begin = i == 0 || !is_alnum(s.p[i - 1]), part = begin && (i == 0 || s.p[i - 1] == '/');
		size_t n = run(rest);
		struct str word = {rest.p, n};

		if (part && begins_uuid(rest)) {
			n = UUID_BYTES;
			out[at++] = 'N';
		} else if (n && begin && is_id(word) && (part ? i + n == s.len || strchr("/?", s.p[i + n]) != NULL : word.len >= HASH_MIN)) {
			out[at++] = 'N';
		} else {
			n = n ? n : 1;
			memcpy(out + at, rest.p, n);
			at += n;
		}
		i += n;
	}
	return at;
}

/* What an address or an offset ends in a name: 0x55d, +0x1d, h0123456789abcdef, $$Lambda$14. */
static size_t skip_suffix(struct str s)
{
	static const char *const compilers[] = {".constprop", ".isra", ".part", ".cold", ".lto_priv", ".llvm", "-fm"};
	size_t n;

	for (size_t i = 0; i < sizeof(compilers) / sizeof(compilers[0]); i++) {
		if (!begins(s, compilers[i]))
			continue;
		n = strlen(compilers[i]);
		if (n < s.len && s.p[n] == '.')
			for (n++; n < s.len && is_digit(s.p[n]);)
				n++;
		if (n == s.len || s.p[n] == '.')
			return n;
	}
	if (begins(s, "::h") && s.len >= 19 && is_all((struct str){s.p + 3, 16}, is_hex) && (s.len == 19 || !is_alnum(s.p[19])))
		return 19;
	n = begins(s, "+0x") ? 3 : begins(s, "0x") || begins(s, "/0x") ? 2 + (s.p[0] == '/') : 0;
	while (n && n < s.len && is_hex(s.p[n]))
		n++;
	return n;
}

/* Closures that Go numbers, .func1.2 and .gowrap1, at the beginning of s. */
static size_t skip_closure(struct str s)
{
	size_t n = begins(s, ".func") ? 5 : begins(s, ".gowrap") ? 7 : begins(s, ".deferwrap") ? 10 : 0, digits = n;

	if (!n)
		return 0;
	while (digits < s.len && is_digit(s.p[digits]))
		digits++;
	if (digits == n)
		return 0;
	while (digits + 1 < s.len && s.p[digits] == '.' && is_digit(s.p[digits + 1]))
		for (digits++; digits < s.len && is_digit(s.p[digits]);)
			digits++;
	return digits == s.len || !is_alnum(s.p[digits]) ? digits : 0;
}

static struct str without_words(struct str s)
{
	static const char *const words[] = {"async ", "new ", "block in ", "rescue in ", "ensure in ", "Object."};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (begins(s, words[i]))
			return without_words(from(s, strlen(words[i])));
	if (begins(s, "block (")) {
		const char *in = memmem(s.p, s.len, ") in ", 5);

		if (in)
			return without_words(from(s, (size_t)(in + 5 - s.p)));
	}
	return s;
}

/* Parameters of generic functions and arguments nest; <lambda>, <module> and <init> are names, and so is operator<. */
static bool opens(struct str s, size_t i)
{
	if (s.p[i] == '[')
		return i != 0;
	return s.p[i] == '<' && i && is_alnum(s.p[i - 1]) && memrchr(s.p + i, '>', s.len - i) && !(i >= 8 && memcmp(s.p + i - 8, "operator", 8) == 0);
}

size_t group_function(struct str function, char *out)
{
	struct str s = without_words(cut(function));
	size_t at = 0, depth = 0;

	for (size_t i = 0, n; i < s.len; i += n) {
		struct str rest = from(s, i);
		char c = s.p[i];

		n = skip_suffix(rest);
		if (!n)
			n = skip_closure(rest);
		if (n)
			continue;
		n = 1;
		if (depth ? c == '<' || c == '[' : opens(s, i)) {
			depth++;
		} else if (depth) {
			depth -= c == '>' || c == ']';
		} else if (c == '$' || (c == '@' && i + 1 < s.len && is_hex(s.p[i + 1]))) {
			out[at++] = c;
			while (i + n < s.len && is_digit(s.p[i + n]))
				n++;
		} else if (is_digit(c) && i && strchr("-_ (:", s.p[i - 1]) && memchr(s.p, '<', i)) {
			while (i + n < s.len && is_digit(s.p[i + n])) /* <lambda 3>, <lambda_1> */
				n++;
		} else {
			out[at++] = c;
		}
	}
	return at;
}

static bool is_bundle(struct str name)
{
	static const char *const ends[] = {".js", ".mjs", ".cjs", ".css", ".ts", ".tsx", ".jsx"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (name.len >= strlen(ends[i]) && memcmp(name.p + name.len - strlen(ends[i]), ends[i], strlen(ends[i])) == 0)
			return true;
	return false;
}

/* Does a part of a name between . - _ @ change with each release: a hash, a version, a day? */
static bool is_release(struct str piece, bool bundle)
{
	if (!has_digit(piece))
		return false;
	if (is_all(piece, is_digit) || is_id(piece))
		return true;
	if (piece.p[0] == 'v' && is_all(from(piece, 1), is_digit))
		return true;
	return bundle && piece.len >= MIXED_MIN;
}

/* A file or folder, without those parts and what divides them from the rest. */
static size_t put_name(char *out, size_t at, struct str name)
{
	bool bundle = is_bundle(name);
	size_t begin = at;

	for (size_t i = 0; i < name.len;) {
		struct str rest = from(name, i);
		size_t n = run(rest);

		if (n && is_release((struct str){rest.p, n}, bundle)) {
			if (at > begin && strchr(".-_@", out[at - 1]))
				at--;
		} else {
			n = n ? n : 1;
			memcpy(out + at, rest.p, n);
			at += n;
		}
		i += n;
	}
	return at;
}

/* Where a name begins that is the k-th from the end of path. */
static size_t name_begin(struct str path, size_t k)
{
	size_t i = path.len;

	while (i && k) {
		i--;
		k -= path.p[i] == '/' || path.p[i] == '\\';
	}
	return k ? 0 : i + 1;
}

/* Where the project's own part of a path begins: at the last folder whose name says so. */
static size_t project_begin(struct str path)
{
	static const char *const folders[] = {"app", "src", "lib", "internal", "cmd", "pkg", "test", "tests", "spec", "config", "scripts", "db"};
	size_t found = name_begin(path, 2), begin = 0;

	for (size_t i = 0; i < path.len; i++) {
		struct str name = {path.p + begin, i - begin};

		if (path.p[i] != '/' && path.p[i] != '\\')
			continue;
		for (size_t k = 0; k < sizeof(folders) / sizeof(folders[0]); k++)
			if (str_eq(name, str_from(folders[k])))
				found = begin;
		begin = i + 1;
	}
	return found;
}

size_t group_file(struct str file, char *out)
{
	struct str s = file.len > GROUP_TEXT_MAX ? from(file, file.len - GROUP_TEXT_MAX) : file;
	size_t at = 0;

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '?' || s.p[i] == '#')
			s.len = i;
	s = from(s, project_begin(s));
	for (size_t i = 0; i <= s.len;) {
		size_t n = 0;

		while (i + n < s.len && s.p[i + n] != '/' && s.p[i + n] != '\\')
			n++;
		at = put_name(out, at, (struct str){s.p + i, n});
		i += n;
		if (i < s.len)
			out[at++] = '/';
		i++;
	}
	return at;
}
