/* yaml_value.c - see yaml_value.h.
 *
 * YAML's own rules of what plain text is differ from reader to reader (no, 010, 1_000, 12:30), so they are not used: a number is what JSON calls one, a truth
 * is true or false, and each in quotes is text. */
#include "deploy/ctl/yaml_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_value.h"
#include "deploy/ctl/args.h"

enum { SHOWN_MAX = 60, TEXTS_MAX = 1000 };

/* What a message names a value by: its key, where it has one. */
#define NAMED "%.*s%s"
#define NAME_OF(node) SHOWN_MAX, (node)->key.p ? (node)->key.p : "", (node)->key.p ? ": " : ""

/* Two edits are a typing error, more another word. */
static const char *nearest(const char *word, const char *const *known)
{
	const char *best = NULL;
	int least = 3;

	for (; *known; known++) {
		int distance = args_distance(word, *known);

		if (distance < least && distance < (int)strlen(*known)) {
			best = *known;
			least = distance;
		}
	}
	return best;
}

static bool is_known(struct str key, const char *const *known)
{
	for (; *known; known++)
		if (str_eq(key, str_from(*known)))
			return true;
	return false;
}

/* A key itself has no place of its own in the tree; its value's is near enough, and the same line but for blocks. */
bool yaml_check_map(struct yaml_file *f, const struct yaml *node, const char *const *known)
{
	if (node->type != YAML_MAP) {
		yaml_fail(f, node, NAMED "must be a map of %s, ..", NAME_OF(node), known[0]);
		return false;
	}
	for (const struct yaml *child = node->child; child; child = child->next) {
		const char *meant = is_known(child->key, known) ? NULL : nearest(child->key.p, known);

		if (meant)
			yaml_fail(f, child, "unknown key %.*s: did you mean %s?", SHOWN_MAX, child->key.p, meant);
		else if (!is_known(child->key, known))
			yaml_fail(f, child, "unknown key %.*s", SHOWN_MAX, child->key.p);
	}
	return true;
}

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	for (const struct yaml *child = map->type == YAML_MAP ? map->child : NULL; child; child = child->next)
		if (str_eq(child->key, str_from(key)))
			return child;
	return NULL;
}

const struct yaml *yaml_locate(const struct yaml *node, const char *message)
{
	for (;;) {
		size_t len = strspn(message, "abcdefghijklmnopqrstuvwxyz_");
		const struct yaml *at;
		char name[32];

		snprintf(name, sizeof(name), "%.*s", (int)len, message);
		at = yaml_get(node, name);
		if (!at)
			return node;
		node = at;
		message += len;
		message += strspn(message, ".: ");
	}
}

const struct yaml *yaml_need(struct yaml_file *f, const struct yaml *map, const char *key)
{
	const struct yaml *node = yaml_get(map, key);

	if (!node)
		yaml_fail(f, map, "%s is missing", key);
	return node;
}

static bool is_null(const struct yaml *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};

	return node->type == YAML_TEXT && node->plain && is_known(node->text, nulls);
}

bool yaml_text(struct yaml_file *f, const struct yaml *node, struct str *out)
{
	if (node->type != YAML_TEXT) {
		yaml_fail(f, node, NAMED "must be text", NAME_OF(node));
		return false;
	}
	if (is_null(node)) {
		yaml_fail(f, node, NAMED "has no value", NAME_OF(node));
		return false;
	}
	*out = node->text;
	return true;
}

bool yaml_get_text(struct yaml_file *f, const struct yaml *map, const char *key, struct str *out)
{
	const struct yaml *node = yaml_get(map, key);

	return node && yaml_text(f, node, out);
}

/* The plain text of a key that is there and has one, which is a number or the like. what: in words. */
static const struct yaml *get_plain(struct yaml_file *f, const struct yaml *map, const char *key, const char *what)
{
	const struct yaml *node = yaml_get(map, key);
	struct str text;

	if (!node || !yaml_text(f, node, &text))
		return NULL;
	if (node->plain)
		return node;
	yaml_fail(f, node, "%s: must be %s, without quotes", key, what);
	return NULL;
}

bool yaml_get_int(struct yaml_file *f, const struct yaml *map, const char *key, int64_t min, int64_t max, int64_t *out)
{
	const struct yaml *node = get_plain(f, map, key, "a whole number");
	struct str rest = node ? node->text : (struct str){0};
	int64_t number;

	if (!node)
		return false;
	if (!str_take_int(&rest, &number) || rest.len) {
		yaml_fail(f, node, "%s: %.*s is no whole number", key, SHOWN_MAX, node->text.p);
		return false;
	}
	if (number < min || number > max) {
		yaml_fail(f, node, "%s: %lld is out of range %lld..%lld", key, (long long)number, (long long)min, (long long)max);
		return false;
	}
	*out = number;
	return true;
}

static size_t skip_digits(struct str s, size_t at)
{
	while (at < s.len && s.p[at] >= '0' && s.p[at] <= '9')
		at++;
	return at;
}

/* RFC 8259, "Numbers". */
static bool is_number(struct str s)
{
	size_t at = s.len && *s.p == '-', end = skip_digits(s, at);

	if (end == at || (s.p[at] == '0' && end > at + 1))
		return false;
	if (end < s.len && s.p[end] == '.') {
		at = end + 1;
		end = skip_digits(s, at);
		if (end == at)
			return false;
	}
	if (end < s.len && (s.p[end] == 'e' || s.p[end] == 'E')) {
		at = end + 1;
		at += at < s.len && (s.p[at] == '-' || s.p[at] == '+');
		end = skip_digits(s, at);
		if (end == at)
			return false;
	}
	return end == s.len;
}

bool yaml_get_number(struct yaml_file *f, const struct yaml *map, const char *key, double *out)
{
	const struct yaml *node = get_plain(f, map, key, "a number");
	double number;

	if (!node)
		return false;
	number = is_number(node->text) ? strtod(node->text.p, NULL) : NAN;
	if (!isfinite(number)) {
		yaml_fail(f, node, "%s: %.*s is no number", key, SHOWN_MAX, node->text.p);
		return false;
	}
	*out = number;
	return true;
}

bool yaml_get_bool(struct yaml_file *f, const struct yaml *map, const char *key, bool *out)
{
	const struct yaml *node = get_plain(f, map, key, "true or false");

	if (!node)
		return false;
	if (!str_eq(node->text, STR("true")) && !str_eq(node->text, STR("false"))) {
		yaml_fail(f, node, "%s: must be true or false", key);
		return false;
	}
	*out = *node->text.p == 't';
	return true;
}

/* A bare number would be milliseconds to the settings' reader, and seconds to whoever wrote it. */
bool yaml_get_ms(struct yaml_file *f, const struct yaml *map, const char *key, int64_t max_ms, int64_t *out)
{
	const struct conf_field field = {.name = key, .type = CONF_MS, .min = 0, .max = max_ms};
	char complaint[CONF_COMPLAINT_SIZE];
	struct conf_value value;
	struct str text;

	if (!yaml_get_text(f, map, key, &text))
		return false;
	if (skip_digits(text, 0) == text.len && !str_eq(text, STR("0"))) {
		yaml_fail(f, yaml_get(map, key), "%s: %.*s has no unit: 30s, 5m, 4h, 2d", key, SHOWN_MAX, text.p);
		return false;
	}
	if (text.len != strlen(text.p) || conf_value_parse(&field, text.p, &value, complaint) < 0) {
		yaml_fail(f, yaml_get(map, key), "%s: %.*s %s", key, SHOWN_MAX, text.p, text.len != strlen(text.p) ? "is no duration" : complaint);
		return false;
	}
	*out = value.integer;
	return true;
}

bool yaml_word(struct yaml_file *f, const struct yaml *node, const char *const *words, size_t nr, size_t *out)
{
	struct buf all = BUF_INIT;
	struct str text;

	if (!yaml_text(f, node, &text))
		return false;
	for (size_t i = 0; i < nr; i++)
		if (str_eq(text, str_from(words[i]))) {
			*out = i;
			return true;
		}
	for (size_t i = 0; i < nr; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", words[i]);
	yaml_fail(f, node, NAMED "%.*s is none of " STR_FMT, NAME_OF(node), SHOWN_MAX, text.p, STR_ARG(buf_str(&all)));
	buf_fini(&all);
	return false;
}

bool yaml_get_word(struct yaml_file *f, const struct yaml *map, const char *key, const char *const *words, size_t nr, size_t *out)
{
	const struct yaml *node = yaml_get(map, key);

	return node && yaml_word(f, node, words, nr, out);
}

/* Takes text, unless it is there already. */
static bool take_text(struct yaml_file *f, const struct yaml *node, struct str *texts, size_t nr)
{
	if (!yaml_text(f, node, &texts[nr]))
		return false;
	for (size_t i = 0; i < nr; i++)
		if (str_eq(texts[i], texts[nr])) {
			yaml_fail(f, node, "%.*s stands there twice", SHOWN_MAX, texts[nr].p);
			return false;
		}
	return true;
}

bool yaml_get_texts(struct yaml_file *f, const struct yaml *map, const char *key, struct str **out, size_t *nr)
{
	const struct yaml *node = yaml_get(map, key), *first;
	struct str *texts;
	size_t n = 0;
	bool good = true;

	if (!node)
		return false;
	if (node->type == YAML_MAP || node->nr > TEXTS_MAX) {
		yaml_fail(f, node, "%s: must be a list of text, at most %d", key, TEXTS_MAX);
		return false;
	}
	first = node->type == YAML_TEXT ? node : node->child;
	texts = arena_calloc(&f->arena, node->type == YAML_TEXT ? 1 : node->nr, sizeof(*texts));
	if (!texts) {
		f->nomem = true;
		return false;
	}
	for (const struct yaml *child = first; child; child = node->type == YAML_TEXT ? NULL : child->next) {
		bool taken = take_text(f, child, texts, n);

		n += taken;
		good &= taken;
	}
	if (good) {
		*out = texts;
		*nr = n;
	}
	return good;
}
