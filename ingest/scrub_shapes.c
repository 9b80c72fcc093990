/* scrub_shapes.c - see scrub_shapes.h.
 *
 * Each shape is strict enough that ids, hashes, timestamps and words are none: a card number has an issuer's prefix and length besides Luhn's digit; Basic
 * is followed by base64 that has a colon in it; a prefix by as many bytes as such tokens have. */
#include "ingest/scrub_shapes.h"

#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include "ingest/scrub.h"

enum {
	CARD_DIGITS_MIN = 13,
	CARD_DIGITS_MAX = 19,
	GROUPS_MAX = 5,
	USERINFO_MAX = 512,
	BEARER_MIN = 8,       /* bytes of a token, one of them a digit .. */
	BEARER_SURE = 20,     /* .. or so many: the word alone is English */
	PEM_HEADER_MAX = 64,
	LOOK_MAX = 176,       /* bytes behind a prefix that tell whether it is one; in base64, a user's name of 128 bytes and its colon */
};

#define TOKEN_BYTES "._~+/=:" /* of a credential in HTTP, besides letters, digits, - and _ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Tokens that say what they are. rest: the least number of bytes behind the prefix. */
static const struct {
	const char *text;
	size_t rest;
	const char *more; /* bytes of such a token besides letters, digits, - and _ */
} prefixes[] = {
	{"eyJ", 17, ".="}, {"AKIA", 12, ""}, {"ASIA", 12, ""}, {"AIza", 30, ""}, {"ya29.", 20, "."}, {"SG.", 20, "."},
	{"ghp_", 16, ""}, {"gho_", 16, ""}, {"ghu_", 16, ""}, {"ghs_", 16, "."}, {"ghr_", 16, ""}, {"github_pat_", 16, ""}, {"glpat-", 16, "."},
	{"xoxa-", 8, ""}, {"xoxb-", 8, ""}, {"xoxp-", 8, ""}, {"xoxr-", 8, ""}, {"xoxs-", 8, ""}, {"xoxe.", 8, ""}, {"xapp-", 8, ""},
	{"sk_live_", 8, ""}, {"rk_live_", 8, ""}, {"sk_test_", 8, ""}, {"rk_test_", 8, ""}, {"whsec_", 16, "+/="}, {"sk-", 20, ""},
	{"npm_", 30, ""}, {"pypi-", 30, ""}, {"dop_v1_", 30, ""}, {"shpat_", 24, ""}, {"hf_", 30, ""}, {"lin_api_", 24, ""}, {"rubygems_", 24, ""},
	{"sq0csp-", 20, ""}, {"AGE-SECRET-KEY-", 20, ""},
};

static bool begins(struct str text, size_t i, const char *what)
{
	size_t n = strlen(what);

	return text.len - i >= n && memcmp(text.p + i, what, n) == 0;
}

/* How many bytes of a token stand from i on, max at most: what is no secret must not be read to its end again and again. */
static size_t run_of(struct str text, size_t i, const char *more, size_t max)
{
	size_t from = i;

	while (i < text.len && i - from < max && text.p[i] && (is_alnum(text.p[i]) || text.p[i] == '-' || text.p[i] == '_' || strchr(more, text.p[i])))
		i++;
	return i - from;
}

/* Without digit or capital it is text: sk-something-with-many-words. */
static bool prefixed_at(struct str text, size_t i, struct scrub_span *out)
{
	for (size_t k = 0; k < sizeof(prefixes) / sizeof(prefixes[0]); k++) {
		size_t at, n;
		bool digit = false;

		if (text.p[i] != prefixes[k].text[0] || !begins(text, i, prefixes[k].text))
			continue;
		at = i + strlen(prefixes[k].text);
		n = run_of(text, at, prefixes[k].more, LOOK_MAX);
		for (size_t j = at; j < at + n && !digit; j++)
			digit = is_digit(text.p[j]) || (text.p[j] >= 'A' && text.p[j] <= 'Z');
		if (n < prefixes[k].rest || !digit)
			continue;
		*out = (struct scrub_span){i, at + run_of(text, at, prefixes[k].more, text.len)};
		return true;
	}
	return false;
}

static int base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return c == '-' ? 62 : c == '_' ? 63 : p ? (int)(p - digits) : -1;
}

/* Are these bytes base64 of printable user, colon, password? */
static bool is_userpass(struct str code)
{
	uint32_t bits = 0;
	int have = 0;

	for (size_t i = 0; i < code.len; i++) {
		int v = base64_value(code.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if ((bits >> have & 0xff) == ':')
			return true;
		if ((bits >> have & 0xff) < 0x20 || (bits >> have & 0xff) == 0x7f)
			return false;
	}
	return false;
}

/* "Bearer x" and "Basic x", whatever stands before. */
static bool credential_at(struct str text, size_t i, struct scrub_span *out)
{
	bool bearer = text.len - i > 7 && strncasecmp(text.p + i, "bearer", 6) == 0;
	bool basic = !bearer && text.len - i > 6 && strncasecmp(text.p + i, "basic", 5) == 0;
	size_t at = i + (bearer ? 6 : 5), n, digits = 0;

	if ((!bearer && !basic) || (text.p[at] != ' ' && text.p[at] != '+' && !begins(text, at, "%20")))
		return false;
	at += text.p[at] == '%' ? 3 : 1;
	while (at < text.len && text.p[at] == ' ' && at - i < 16)
		at++;
	n = run_of(text, at, TOKEN_BYTES, LOOK_MAX);
	for (size_t j = at; j < at + n && !digits; j++)
		digits += is_digit(text.p[j]);
	if (basic ? !is_userpass((struct str){text.p + at, n}) : n < BEARER_MIN || (!digits && n < BEARER_SURE))
		return false;
	*out = (struct scrub_span){at, at + run_of(text, at, TOKEN_BYTES, text.len)};
	return true;
}

/* Who issues numbers that begin so, and how long they are: a bit a length. */
#define LENGTH(n) (UINT32_C(1) << (n))
static const struct {
	uint32_t from, to; /* of the first four digits */
	uint32_t lengths;
} issuers[] = {
	{4000, 4999, LENGTH(13) | LENGTH(16) | LENGTH(19)},                                     /* Visa */
	{5100, 5599, LENGTH(16)}, {2221, 2720, LENGTH(16)},                                     /* Mastercard */
	{3400, 3499, LENGTH(15)}, {3700, 3799, LENGTH(15)},                                     /* American Express */
	{3000, 3059, LENGTH(14)}, {3600, 3699, LENGTH(14)}, {3800, 3999, LENGTH(14)},           /* Diners Club */
	{3528, 3589, LENGTH(16)},                                                               /* JCB */
	{6011, 6011, LENGTH(16) | LENGTH(19)}, {6440, 6599, LENGTH(16) | LENGTH(19)},           /* Discover */
	{6200, 6299, LENGTH(16) | LENGTH(17) | LENGTH(18) | LENGTH(19)},                        /* UnionPay */
	{5018, 5018, LENGTH(16) | LENGTH(18) | LENGTH(19)}, {5020, 5020, LENGTH(16) | LENGTH(18) | LENGTH(19)}, /* Maestro */
	{5038, 5038, LENGTH(16) | LENGTH(18) | LENGTH(19)}, {6304, 6304, LENGTH(16) | LENGTH(18) | LENGTH(19)},
	{6759, 6763, LENGTH(16) | LENGTH(18) | LENGTH(19)},
};

static bool is_card(const uint8_t *digits, size_t n)
{
	uint32_t four = digits[0] * 1000u + digits[1] * 100u + digits[2] * 10u + digits[3], sum = 0;
	bool known = false;

	for (size_t i = 0; i < sizeof(issuers) / sizeof(issuers[0]) && !known; i++)
		known = four >= issuers[i].from && four <= issuers[i].to && (issuers[i].lengths & LENGTH(n));
	for (size_t i = 0; i < n; i++) {
		uint32_t d = digits[n - 1 - i] * (i % 2 ? 2u : 1u);

		sum += d > 9 ? d - 9 : d;
	}
	return known && sum % 10 == 0;
}

/* Groups as they are printed on cards; 0 ends one. */
static const uint8_t printed[][GROUPS_MAX + 1] = {{4, 4, 4, 4, 3}, {4, 4, 4, 4}, {4, 6, 5}, {4, 6, 4}};

/* Digits from i on in groups of this form, all divided by the same blank or dash: where they end, or 0. */
static size_t grouped_at(struct str text, size_t i, const uint8_t *form, uint8_t *digits)
{
	char divider = '\0';

	for (size_t g = 0; form[g]; g++) {
		if (g) {
			if (i >= text.len || (text.p[i] != ' ' && text.p[i] != '-') || (divider && text.p[i] != divider))
				return 0;
			divider = text.p[i++];
		}
		for (size_t k = 0; k < form[g]; k++, i++) {
			if (i >= text.len || !is_digit(text.p[i]))
				return 0;
			*digits++ = (uint8_t)(text.p[i] - '0');
		}
	}
	return i;
}

/* Nothing that would make it part of a longer number, an id or a hash. */
static bool ends_number(struct str text, size_t i)
{
	if (i >= text.len)
		return true;
	if (text.p[i] == '.' || text.p[i] == '-')
		return i + 1 >= text.len || !is_alnum(text.p[i + 1]);
	return !is_alnum(text.p[i]);
}

static bool card_at(struct str text, size_t i, struct scrub_span *out)
{
	uint8_t digits[CARD_DIGITS_MAX + 1] = {0};
	size_t n = 0, end;

	if (i >= 2 && (text.p[i - 1] == '-' || text.p[i - 1] == '.') && is_alnum(text.p[i - 2]))
		return false;
	while (n <= CARD_DIGITS_MAX && i + n < text.len && is_digit(text.p[i + n])) {
		digits[n] = (uint8_t)(text.p[i + n] - '0');
		n++;
	}
	*out = (struct scrub_span){i, i + n};
	if (n >= CARD_DIGITS_MIN && n <= CARD_DIGITS_MAX)
		return ends_number(text, i + n) && is_card(digits, n);
	for (size_t k = 0; n == 4 && k < sizeof(printed) / sizeof(printed[0]); k++) {
		size_t count = 0;

		for (size_t g = 0; printed[k][g]; g++)
			count += printed[k][g];
		end = grouped_at(text, i, printed[k], digits);
		out->to = end;
		if (end && ends_number(text, end) && is_card(digits, count))
			return true;
	}
	return false;
}

/* The password in scheme://user:password@host. */
static bool url_at(struct str text, size_t i, struct scrub_span *out)
{
	size_t at = i + 3, colon = 0, sign = 0;

	for (size_t j = at; j < text.len && j - at < USERINFO_MAX; j++) {
		char c = text.p[j];

		if (c == ':' && !colon)
			colon = j + 1;
		if (c == '@')
			sign = j;
		if ((uint8_t)c <= ' ' || c == '/' || c == '?' || c == '#' || c == '"' || c == '\'' || c == '<' || c == '>')
			break;
	}
	if (!colon || sign <= colon || begins(text, colon, SCRUBBED))
		return false;
	*out = (struct scrub_span){colon, sign};
	return true;
}

/* -----BEGIN .. PRIVATE KEY----- to its end, or to the text's where it is cut. */
static bool pem_at(struct str text, size_t i, struct scrub_span *out)
{
	size_t header = text.len - i < PEM_HEADER_MAX ? text.len - i : PEM_HEADER_MAX;
	const char *key, *end;

	if (!begins(text, i, "-----BEGIN "))
		return false;
	key = memmem(text.p + i, header, "PRIVATE KEY", 11);
	if (!key)
		return false;
	*out = (struct scrub_span){i, text.len};
	end = memmem(key, (size_t)(text.p + text.len - key), "-----END ", 9);
	if (end) {
		const char *dashes = memmem(end + 9, (size_t)(text.p + text.len - end - 9), "-----", 5);

		out->to = dashes ? (size_t)(dashes + 5 - text.p) : text.len;
	}
	return true;
}

bool scrub_shape_begins(char c)
{
	bool found = c == ':' || c == '-' || is_digit(c) || c == 'b' || c == 'B';

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]) && !found; i++)
		found = c == prefixes[i].text[0];
	return found;
}

bool scrub_shape_at(struct str text, size_t i, struct scrub_span *out)
{
	char c = text.p[i];

	if (c == ':')
		return begins(text, i, "://") && url_at(text, i, out);
	if (c == '-')
		return pem_at(text, i, out);
	if (!is_alnum(c) || (i && is_alnum(text.p[i - 1])))
		return false;
	if ((c | 0x20) == 'b' && credential_at(text, i, out))
		return true;
	if (text.len - i < CARD_DIGITS_MIN) /* and tokens with their prefix are no shorter */
		return false;
	return is_digit(c) ? card_at(text, i, out) : prefixed_at(text, i, out);
}
