/* series.c - see series.h. */
#include "common/series.h"

#include <string.h>
#define XXH_INLINE_ALL /* the state on the stack, and no call for a short string */
#include <xxhash.h>

/* Most keys differ in their first byte. */
static inline int compare_keys(struct str a, struct str b)
{
	if (a.len && b.len && a.p[0] != b.p[0])
		return (uint8_t)a.p[0] < (uint8_t)b.p[0] ? -1 : 1;
	return str_cmp(a, b);
}

/* By insertion: tags are few, and most agents send them sorted, which takes one comparison each. */
int series_sort_tags(struct tag *tags, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		struct tag t = tags[i];
		size_t j = i;

		while (j && compare_keys(tags[j - 1].key, t.key) > 0)
			j--;
		if (j && str_eq(tags[j - 1].key, t.key))
			return -1;
		if (j == i)
			continue;
		memmove(&tags[j + 1], &tags[j], (i - j) * sizeof(*tags));
		tags[j] = t;
	}
	return 0;
}

static uint8_t *put_str(uint8_t *to, struct str s)
{
	to[0] = (uint8_t)(s.len & 0xff);
	to[1] = (uint8_t)(s.len >> 8 & 0xff);
	if (s.len)
		memcpy(to + 2, s.p, s.len);
	return to + 2 + s.len;
}

/* The canonical form has a bound for all that ingest lets in, so a series of usual size is hashed from one flat buffer, which
 * costs a fifth of XXH3's streaming state; a site name that would not fit goes the slow way. */
enum { FLAT_SITE_MAX = 255, FLAT_BYTES = 2 * (SERIES_STRING_MAX + 2) + 1 + SERIES_TAGS_MAX * 2 * (SERIES_STRING_MAX + 2) };

static XXH128_hash_t hash_flat(const struct series_id *id)
{
	uint8_t flat[FLAT_BYTES];
	uint8_t *end = put_str(flat, id->site);

	*end++ = id->kind;
	end = put_str(end, id->name);
	for (size_t i = 0; i < id->tags_len; i++)
		end = put_str(put_str(end, id->tags[i].key), id->tags[i].value);
	return XXH3_128bits(flat, (size_t)(end - flat));
}

static void stream_str(XXH3_state_t *state, struct str s)
{
	const uint8_t length[2] = {(uint8_t)(s.len & 0xff), (uint8_t)(s.len >> 8 & 0xff)};

	XXH3_128bits_update(state, length, sizeof(length));
	XXH3_128bits_update(state, s.p, s.len);
}

static XXH128_hash_t hash_stream(const struct series_id *id)
{
	XXH3_state_t state; /* on the stack: XXH3_createState() could fail */

	XXH3_128bits_reset(&state);
	stream_str(&state, id->site);
	XXH3_128bits_update(&state, &id->kind, 1);
	stream_str(&state, id->name);
	for (size_t i = 0; i < id->tags_len; i++) {
		stream_str(&state, id->tags[i].key);
		stream_str(&state, id->tags[i].value);
	}
	return XXH3_128bits_digest(&state);
}

static int fits_flat(const struct series_id *id)
{
	if (id->site.len > FLAT_SITE_MAX || id->name.len > SERIES_STRING_MAX || id->tags_len > SERIES_TAGS_MAX)
		return 0;
	for (size_t i = 0; i < id->tags_len; i++)
		if (id->tags[i].key.len > SERIES_STRING_MAX || id->tags[i].value.len > SERIES_STRING_MAX)
			return 0;
	return 1;
}

void series_fingerprint(const struct series_id *id, uint8_t out[SERIES_FINGERPRINT_BYTES])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, fits_flat(id) ? hash_flat(id) : hash_stream(id));
	memcpy(out, canonical.digest, SERIES_FINGERPRINT_BYTES);
}

uint64_t series_fingerprint_low(const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES])
{
	uint64_t low = 0;

	for (int i = 8; i < SERIES_FINGERPRINT_BYTES; i++)
		low = low << 8 | fingerprint[i];
	return low;
}

#define EACH(byte) ((uint64_t)(byte) * UINT64_C(0x0101010101010101))

/* Marks, by its high bit, each byte of word that lies in [low, high]. All bytes are below 0x80, so that no sum carries over. */
static inline uint64_t mark_range(uint64_t word, uint8_t low, uint8_t high)
{
	return (word + EACH(0x80 - low)) & ~(word + EACH(0x7f - high));
}

/* Marks each byte that is of [A-Za-z0-9_.:/-]. Of these, -./0-9: are neighbours, and a letter's case is one bit. */
static inline uint64_t mark_name_bytes(uint64_t word)
{
	uint64_t low = word & EACH(0x7f);

	return (mark_range(low | EACH(0x20), 'a', 'z') | mark_range(low, '-', ':') | mark_range(low, '_', '_')) & ~word;
}

/* Eight bytes at a time: every sample has some forty of them to look at. */
int series_name_valid(struct str s)
{
	uint64_t named = EACH(0x80), word;
	size_t i = 0;

	if (s.len < 1 || s.len > SERIES_STRING_MAX)
		return 0;
	for (; i + sizeof(word) < s.len; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		named &= mark_name_bytes(word);
	}
	return (named & mark_name_bytes(str_load_tail(s, i, '_'))) == EACH(0x80);
}
