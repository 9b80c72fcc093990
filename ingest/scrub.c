/* scrub.c - see scrub.h.
 *
 * One walk over a text finds what is to be hidden, and a copy is made only if there is something. Each step looks at a bounded number of bytes or goes on behind what it
 * found, so that no text takes more than linear time; operators' expressions, for which nobody can promise that, see windows of a
 * bounded size, and none with back references is taken.
 *
 * Invariant: what scrub_text() returns has no part of what it found, and all else as it stood. */
#include "ingest/scrub.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>

#include "ingest/payload.h"
#include "ingest/scrub_keys.h"
#include "ingest/scrub_pairs.h"
#include "ingest/scrub_shapes.h"

enum {
	RULES_MAX = 64,
	RULE_BYTES_MAX = 1024,
	WINDOW_BYTES = 8 << 10,  /* what an expression sees at once .. */
	OVERLAP_BYTES = 1 << 10, /* .. and again: a secret up to this long is found wherever it stands */
	WINDOW_MATCHES_MAX = 64, /* then the rest of the window goes */
	SHORT_BYTES = 13,        /* a text so short that only a pair can hide a secret in it */
	SECRET_BYTES = SCRUB_AHEAD_BYTES / 2, /* the longest secret that is known by its shape, about: a private key */
	MEMO_BYTES = 24,         /* what is shorter is read again as soon */
};

enum { BEGINS = 1, DIVIDES = 2, WITHIN = 4 }; /* what a byte may do: begin a shape, divide key and value, stand before what then begins no shape */

struct scrub {
	uint8_t bytes[256];
	struct scrub_keys *keys;
	regex_t *rules;
	size_t rules_len;
};

/* What was found in a text, in any order. */
struct finds {
	struct arena *arena;
	struct scrub_span *items;
	size_t len, cap;
};

static int finds_add(struct finds *f, size_t from, size_t to)
{
	struct scrub_span *items;

	if (f->len && f->items[f->len - 1].to >= from && f->items[f->len - 1].from <= from) {
		if (f->items[f->len - 1].to < to)
			f->items[f->len - 1].to = to;
		return 0;
	}
	items = payload_grow(f->arena, f->items, f->len, &f->cap, sizeof(*items));
	if (!items)
		return -1;
	f->items = items;
	f->items[f->len++] = (struct scrub_span){from, to};
	return 0;
}

static int compare_finds(const void *a, const void *b)
{
	const struct scrub_span *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* The text with SCRUBBED for each of the finds. */
static int hide(struct finds *f, struct str *text)
{
	size_t len = 0, at = 0, to = 0;
	char *copy;

	qsort(f->items, f->len, sizeof(*f->items), compare_finds);
	for (size_t i = 0; i < f->len; i++) { /* overlapping ones become one */
		if (len && f->items[i].from <= f->items[len - 1].to) {
			if (f->items[i].to > f->items[len - 1].to)
				f->items[len - 1].to = f->items[i].to;
		} else {
			f->items[len++] = f->items[i];
		}
	}
	copy = arena_alloc_raw(f->arena, text->len + len * (sizeof(SCRUBBED) - 1));
	if (!copy)
		return -1;
	for (size_t i = 0; i < len; i++) {
		memcpy(copy + to, text->p + at, f->items[i].from - at);
		to += f->items[i].from - at;
		memcpy(copy + to, SCRUBBED, sizeof(SCRUBBED) - 1);
		to += sizeof(SCRUBBED) - 1;
		at = f->items[i].to;
	}
	memcpy(copy + to, text->p + at, text->len - at);
	*text = (struct str){copy, to + text->len - at};
	return 0;
}

/* Most bytes. */
static inline bool is_dull(const struct scrub *s, struct str text, size_t i)
{
	uint8_t may = s->bytes[(uint8_t)text.p[i]];

	return !(may & (BEGINS | DIVIDES)) || ((may & WITHIN) && i && (s->bytes[(uint8_t)text.p[i - 1]] & WITHIN));
}

/* What is before a secret's own bytes, as a user's name is before the password in a URL, is walked like the rest. */
static int walk(const struct scrub *s, struct str text, struct finds *f)
{
	struct scrub_span found, ahead = {SIZE_MAX, SIZE_MAX};

	for (size_t i = 0; i < text.len;) {
		if (i == ahead.from) {
			i = ahead.to;
			ahead.from = SIZE_MAX;
		} else if (is_dull(s, text, i)) {
			i++;
		} else if ((scrub_pair_divides(text.p[i]) && scrub_pair_at(s->keys, text, i, &found)) || scrub_shape_at(text, i, &found)) {
			if (finds_add(f, found.from, found.to) < 0)
				return -1;
			ahead = found;
			i += found.from > i;
		} else {
			i++;
		}
	}
	return 0;
}

/* One expression over one window, which begins at `at` of the text; an empty match says nothing. */
static int search(const regex_t *rule, const char *window, size_t len, size_t at, int flags, struct finds *f)
{
	size_t from = 0;

	for (int n = 0; from < len; n++) {
		regmatch_t m = {.rm_so = (regoff_t)from, .rm_eo = (regoff_t)len};

		if (n == WINDOW_MATCHES_MAX)
			return finds_add(f, at + from, at + len);
		if (regexec(rule, window, 1, &m, flags | REG_STARTEND) != 0 || m.rm_eo <= m.rm_so)
			return 0;
		if (finds_add(f, at + (size_t)m.rm_so, at + (size_t)m.rm_eo) < 0)
			return -1;
		from = (size_t)m.rm_eo; /* where no line begins: what is before it still counts */
	}
	return 0;
}

/* A window is a copy, since expressions want a NUL behind it, and none within. */
static int apply_rules(const struct scrub *s, struct str text, struct finds *f)
{
	char window[WINDOW_BYTES + 1];

	for (size_t at = 0; at < text.len && s->rules_len; at += WINDOW_BYTES - OVERLAP_BYTES) {
		bool last = text.len - at <= WINDOW_BYTES;
		size_t len = last ? text.len - at : WINDOW_BYTES;

		for (size_t i = 0; i < len; i++)
			window[i] = text.p[at + i] ? text.p[at + i] : ' ';
		window[len] = '\0';
		for (size_t i = 0; i < s->rules_len; i++)
			if (search(&s->rules[i], window, len, at, (at ? REG_NOTBOL : 0) | (last ? 0 : REG_NOTEOL), f) < 0)
				return -1;
		if (last)
			break;
	}
	return 0;
}

/* Is a byte of word this one? */
static inline uint64_t has_byte(uint64_t word, uint8_t c)
{
	uint64_t x = word ^ UINT64_C(0x0101010101010101) * c;

	return (x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x8080808080808080);
}

/* So short, and nothing that could divide key from value: most tags. */
static inline bool is_plain(const struct scrub *s, struct str text)
{
	uint64_t found = 0, word;
	size_t i = 0;

	if (text.len >= SHORT_BYTES || s->rules_len)
		return text.len == 0;
	for (; i + sizeof(word) < text.len; i += sizeof(word)) {
		memcpy(&word, text.p + i, sizeof(word));
		found |= has_byte(word, '=') | has_byte(word, ':') | has_byte(word, '>') | has_byte(word, '%') | has_byte(word, ' ');
	}
	if (i < text.len) {
		word = str_load_tail(text, i, 0);
		found |= has_byte(word, '=') | has_byte(word, ':') | has_byte(word, '>') | has_byte(word, '%') | has_byte(word, ' ');
	}
	return !found;
}

int scrub_text(const struct scrub *s, struct arena *arena, struct str *text)
{
	struct finds f = {.arena = arena};

	if (!s || is_plain(s, *text))
		return 0;
	if (walk(s, *text, &f) < 0 || apply_rules(s, *text, &f) < 0)
		return -1;
	return f.len ? hide(&f, text) : 0;
}

bool scrub_key_is_secret(const struct scrub *s, struct str key)
{
	return s && scrub_keys_match(s->keys, key, false);
}

/* Where the text had to be cut before it was scrubbed, its end may be half of a secret, and goes: else it would be kept when much before it was scrubbed. */
static int scrub_far(const struct scrub *s, struct arena *arena, struct str *text, size_t max_bytes)
{
	bool far = text->len > max_bytes + SCRUB_AHEAD_BYTES;

	if (far)
		*text = str_cut_utf8(*text, max_bytes + SCRUB_AHEAD_BYTES);
	if (scrub_text(s, arena, text) < 0)
		return -1;
	if (far)
		*text = str_cut_utf8(*text, text->len > SECRET_BYTES ? text->len - SECRET_BYTES : 0);
	if (text->len <= max_bytes)
		return far;
	*text = str_cut_utf8(*text, max_bytes);
	return 1;
}

int scrub_beginning(const struct scrub *s, struct scrub_memo *memo, struct arena *arena, struct str *text, size_t max_bytes)
{
	const struct str was = *text;
	size_t i = ((uintptr_t)was.p / 8 ^ (uintptr_t)was.p / 512 ^ was.len) % SCRUB_MEMO_MAX;
	bool remember = memo && s && was.len >= MEMO_BYTES;
	int rc;

	if (remember && memo->texts[i].was.p == was.p && memo->texts[i].was.len == was.len && memo->texts[i].max_bytes == max_bytes) {
		*text = memo->texts[i].is;
		return memo->texts[i].cut;
	}
	rc = scrub_far(s, arena, text, max_bytes);
	if (!remember || rc < 0)
		return rc;
	memo->texts[i].was = was;
	memo->texts[i].is = *text;
	memo->texts[i].max_bytes = max_bytes;
	memo->texts[i].cut = rc;
	memo->read_bytes += was.len < max_bytes + SCRUB_AHEAD_BYTES ? was.len : max_bytes + SCRUB_AHEAD_BYTES;
	return rc;
}

int scrub_tags(const struct scrub *s, struct scrub_memo *memo, struct arena *arena, struct tag *tags, size_t len, size_t max_bytes)
{
	int changed = 0;

	for (size_t i = 0; i < len; i++) {
		const struct str was = tags[i].value;

		if (s && tags[i].value.len && scrub_keys_match(s->keys, tags[i].key, false))
			tags[i].value = STR(SCRUBBED);
		else if (scrub_beginning(s, memo, arena, &tags[i].value, max_bytes) < 0)
			return -1;
		changed |= tags[i].value.p != was.p || tags[i].value.len != was.len;
	}
	return changed;
}

/* A back reference makes matching take exponential time; an expression that matches nothing at all would match everywhere. */
static int check_rule(const char *rule, const regex_t *compiled, struct err *err)
{
	for (const char *p = rule; *p; p++) {
		if (*p == '\\' && p[1] >= '1' && p[1] <= '9')
			return err_set(err, ERR_REJECT, "scrub.values: '%s' has a back reference", rule);
		p += *p == '\\' && p[1];
	}
	if (regexec(compiled, "", 0, NULL, 0) == 0)
		return err_set(err, ERR_REJECT, "scrub.values: '%s' matches an empty text", rule);
	return 0;
}

static int add_rule(struct scrub *s, struct str text, struct err *err)
{
	char rule[RULE_BYTES_MAX + 1], why[256];
	int rc;

	if (text.len > RULE_BYTES_MAX || s->rules_len == RULES_MAX)
		return err_set(err, ERR_REJECT, "scrub.values: '%.60s': at most %d rules of %d bytes", text.p, RULES_MAX, RULE_BYTES_MAX);
	memcpy(rule, text.p, text.len);
	rule[text.len] = '\0';
	rc = regcomp(&s->rules[s->rules_len], rule, REG_EXTENDED);
	if (rc != 0) {
		regerror(rc, &s->rules[s->rules_len], why, sizeof(why));
		return err_set(err, rc == REG_ESPACE ? ERR_FATAL : ERR_REJECT, "scrub.values: '%s': %s", rule, why);
	}
	s->rules_len++;
	return check_rule(rule, &s->rules[s->rules_len - 1], err);
}

static int add_rules(struct scrub *s, const char *values, struct err *err)
{
	static const char blanks[] = " \t\r\n";

	s->rules = calloc(RULES_MAX, sizeof(*s->rules));
	if (!s->rules)
		return err_nomem(err, "rules for secrets");
	for (values += strspn(values, blanks); *values; values += strspn(values, blanks)) {
		size_t n = strcspn(values, blanks);

		if (add_rule(s, (struct str){values, n}, err) < 0)
			return -1;
		values += n;
	}
	return 0;
}

struct scrub *scrub_new(const char *keys, const char *values, const char *except, struct err *err)
{
	struct scrub *s = calloc(1, sizeof(*s));

	if (!s) {
		err_nomem(err, "rules for secrets");
		return NULL;
	}
	for (int c = 0; c < 256; c++)
		s->bytes[c] = (scrub_shape_begins((char)c) ? BEGINS : 0) | (scrub_pair_divides((char)c) ? DIVIDES : 0) | (c < 128 && isalnum(c) ? WITHIN : 0);
	s->keys = scrub_keys_new(keys ? keys : "", except ? except : "", err);
	if (!s->keys || add_rules(s, values ? values : "", err) < 0) {
		scrub_free(s);
		return NULL;
	}
	return s;
}

void scrub_free(struct scrub *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->rules && i < s->rules_len; i++)
		regfree(&s->rules[i]);
	free(s->rules);
	scrub_keys_free(s->keys);
	free(s);
}
