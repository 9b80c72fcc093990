/* series.c - see series.h. */
#include "common/series.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL /* the state on the stack, and no call for a short string */
#include <xxhash.h>

static int by_key(const void *a, const void *b)
{
	return str_cmp(((const struct tag *)a)->key, ((const struct tag *)b)->key);
}

int series_sort_tags(struct tag *tags, size_t len)
{
	if (len > 1)
		qsort(tags, len, sizeof(*tags), by_key);
	for (size_t i = 1; i < len; i++)
		if (str_eq(tags[i - 1].key, tags[i].key))
			return -1;
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

static int is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' ||
	       c == '/' || c == '-';
}

int series_name_valid(struct str s)
{
	if (s.len < 1 || s.len > SERIES_STRING_MAX)
		return 0;
	for (size_t i = 0; i < s.len; i++)
		if (!is_name_byte(s.p[i]))
			return 0;
	return 1;
}
