/* label.c - see label.h.
 *
 * Runs once for each way in which a series is written, not for each sample (store.c), so it is made to be read. */
#include "ingest/agent/label.h"

static bool is_control(char c)
{
	return (uint8_t)c < 0x20 || c == 0x7f;
}

/* A copy of s, which is short enough for one, in the label's own bytes. */
static struct str keep(struct label *l, struct str s)
{
	char *to = l->bytes + l->used;

	if (s.len)
		memcpy(to, s.p, s.len);
	l->used += s.len;
	return (struct str){to, s.len};
}

/* Likewise as a name. */
static struct str keep_name(struct label *l, struct str s)
{
	char *to = l->bytes + l->used;
	struct str kept = keep(l, s);

	if (series_name_valid(kept))
		return kept;
	for (size_t i = 0; i < s.len; i++)
		if (!series_name_valid((struct str){to + i, 1}))
			to[i] = '_';
	return kept;
}

/* Likewise as a tag's value. */
static struct str keep_value(struct label *l, struct str s)
{
	char *to = l->bytes + l->used;
	struct str kept = keep(l, s);
	bool utf8 = str_is_utf8(s);

	for (size_t i = 0; i < s.len; i++)
		if (is_control(to[i]) || (!utf8 && (uint8_t)to[i] >= 0x80))
			to[i] = '_';
	return kept;
}

static bool has_key(const struct label *l, struct str key)
{
	for (size_t i = 0; i < l->tags_len; i++)
		if (str_eq(l->tags[i].key, key))
			return true;
	return false;
}

/* Adds a tag unless its key is there. False: it cannot be one. */
static bool add_tag(struct label *l, struct str key, struct str value)
{
	size_t used = l->used;
	struct str kept;

	if (key.len < 1 || key.len > SERIES_STRING_MAX || value.len > SERIES_STRING_MAX)
		return false;
	kept = keep_name(l, key);
	if (has_key(l, kept)) {
		l->used = used;
		return true;
	}
	if (l->tags_len == SERIES_TAGS_MAX)
		return false;
	l->tags[l->tags_len++] = (struct tag){kept, keep_value(l, value)};
	return true;
}

/* The tags of a line. */
static bool add_raw(struct label *l, struct str raw)
{
	while (raw.len) {
		const char *comma = memchr(raw.p, ',', raw.len);
		size_t len = comma ? (size_t)(comma - raw.p) : raw.len;
		const char *colon = memchr(raw.p, ':', len);
		size_t key_len = colon ? (size_t)(colon - raw.p) : len;
		struct str value = colon ? (struct str){colon + 1, len - key_len - 1} : STR("true");

		if (len && !add_tag(l, (struct str){raw.p, key_len}, value))
			return false;
		raw.p += comma ? len + 1 : len;
		raw.len -= comma ? len + 1 : len;
	}
	return true;
}

enum cause label_make(struct label *out, struct str name, struct str raw_tags, const struct tag *more, size_t more_len)
{
	out->tags_len = out->used = 0;
	if (name.len < 1 || name.len > SERIES_STRING_MAX)
		return CAUSE_NAME;
	for (size_t i = 0; i < name.len; i++)
		if (is_control(name.p[i]))
			return CAUSE_NAME;
	out->name = keep_name(out, name);
	if (!add_raw(out, raw_tags))
		return CAUSE_TAGS;
	for (size_t i = 0; i < more_len; i++)
		if (!add_tag(out, more[i].key, more[i].value))
			return CAUSE_TAGS;
	series_sort_tags(out->tags, out->tags_len);
	return CAUSE_NONE;
}
