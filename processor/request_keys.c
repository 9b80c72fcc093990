/* request_keys.c - see request_keys.h.
 *
 * Beside dedup rather than in it: an agent is one entry for thousands of payloads and lives on with each of them, a key is an entry of its own and
 * has its hour from the start, or a client that uses one key for everything would never be heard again. */
#include "processor/request_keys.h"

#include <stdlib.h>

#include "common/memory.h"

enum {
	KEY_BYTES_MIN = 4, /* the least that one takes in a snapshot, so that a count is believed no further than that */
	SITE_BYTES_MIN = 1,
};

static const uint32_t no_number = UINT32_MAX;

struct hashes {
	uint8_t site[MAP_KEY_BYTES], key[MAP_KEY_BYTES];
};

/* key: 255 bytes at most. */
static void hashes_of(struct str site, struct str key, struct hashes *hashes)
{
	uint8_t both[MAP_KEY_BYTES + REQUEST_KEY_BYTES_MAX];

	map_key_of(site, hashes->site);
	memcpy(both, hashes->site, MAP_KEY_BYTES);
	memcpy(both + MAP_KEY_BYTES, key.p, key.len);
	map_key_of((struct str){(const char *)both, MAP_KEY_BYTES + key.len}, hashes->key);
}

static size_t site_bytes(const struct request_site *site)
{
	return memory_rounded(sizeof(*site) + site->id.len);
}

static size_t key_bytes(const struct request_key *key)
{
	return memory_rounded(sizeof(*key) + key->bytes.len);
}

static struct request_site *site_new(struct request_keys *k, const uint8_t *hash, struct str id)
{
	struct request_site *site = malloc(sizeof(*site) + id.len);

	if (!site)
		return NULL;
	*site = (struct request_site){.id = {(const char *)(site + 1), id.len}, .told_ms = -CLOCK_HOUR_MS};
	if (id.len)
		memcpy(site + 1, id.p, id.len);
	if (map_put(&k->sites, hash, site) < 0) {
		free(site);
		return NULL;
	}
	k->bytes += site_bytes(site);
	return site;
}

/* Enters a key of a site as the newest. NULL when memory is short. */
static struct request_key *key_new(struct request_keys *k, const uint8_t *hash, struct request_site *site, struct str bytes, int64_t came_ms)
{
	struct request_key *key = malloc(sizeof(*key) + bytes.len);

	if (!key)
		return NULL;
	*key = (struct request_key){.site = site, .came_ms = came_ms, .bytes = {(const char *)(key + 1), bytes.len}};
	memcpy(key + 1, bytes.p, bytes.len);
	if (map_put(&k->keys, hash, key) < 0) {
		free(key);
		return NULL;
	}
	*(k->newest ? &k->newest->newer : &k->oldest) = key;
	k->newest = key;
	site->nr_keys++;
	k->bytes += key_bytes(key);
	return key;
}

/* Forgets the oldest key, and its site with the last one. */
static void drop_oldest(struct request_keys *k)
{
	struct request_key *key = k->oldest;
	struct request_site *site = key->site;
	struct hashes hashes;

	hashes_of(site->id, key->bytes, &hashes);
	k->oldest = key->newer;
	if (!k->oldest)
		k->newest = NULL;
	k->bytes -= key_bytes(key);
	map_remove(&k->keys, hashes.key);
	free(key);
	if (--site->nr_keys)
		return;
	k->bytes -= site_bytes(site);
	map_remove(&k->sites, hashes.site);
	free(site);
}

void request_keys_fini(struct request_keys *k)
{
	const struct map_slot *slot;
	size_t at = 0;

	while (k->oldest)
		drop_oldest(k);
	while ((slot = map_next(&k->sites, &at)) != NULL) /* of a decoding that failed */
		free(slot->value);
	map_fini(&k->keys);
	map_fini(&k->sites);
}

int request_keys_check(const struct identity *who, struct err *err)
{
	size_t len = who->key.len;

	if (!who->has_key || (len >= 1 && len <= REQUEST_KEY_BYTES_MAX))
		return 0;
	return err_set(err, ERR_REJECT, "an Idempotency-Key of %zu bytes, 1 to %d are expected", len, REQUEST_KEY_BYTES_MAX);
}

/* site: NULL when nothing of it is remembered. */
static void refuse(struct request_site *site, int64_t watermark_ms, struct dedup_outcome *outcome)
{
	outcome->verdict = DEDUP_UNREMEMBERED;
	outcome->tell = site && watermark_ms - site->told_ms >= CLOCK_HOUR_MS;
	if (outcome->tell)
		site->told_ms = watermark_ms;
}

/* A key that is not known. */
static int take_first(struct request_keys *k, const struct hashes *hashes, const struct identity *who, int64_t watermark_ms,
		      struct dedup_outcome *outcome, struct err *err)
{
	struct request_site *site = map_get(&k->sites, hashes->site);

	if (site && !str_eq(site->id, who->site)) { /* a hash that two sites share: the first one has it */
		refuse(NULL, watermark_ms, outcome);
		return 0;
	}
	if ((site ? (int64_t)site->nr_keys : 0) >= k->keys_max) {
		refuse(site, watermark_ms, outcome);
		return 0;
	}
	if ((!site && !(site = site_new(k, hashes->site, who->site))) ||
	    !key_new(k, hashes->key, site, who->key, watermark_ms))
		return err_nomem(err, "an Idempotency-Key");
	return 0;
}

int request_keys_take(struct request_keys *k, const struct identity *who, int64_t watermark_ms, struct dedup_outcome *outcome,
		      struct err *err)
{
	const struct request_key *known;
	struct hashes hashes;

	*outcome = (struct dedup_outcome){.verdict = DEDUP_NEW};
	if (!request_keys_apply(who))
		return 0;
	hashes_of(who->site, who->key, &hashes);
	known = map_get(&k->keys, hashes.key);
	if (!known)
		return take_first(k, &hashes, who, watermark_ms, outcome, err);
	/* XXH3 is no cryptographic hash: whoever makes two keys collide must not have another site's requests dropped. */
	if (str_eq(known->bytes, who->key) && str_eq(known->site->id, who->site))
		outcome->verdict = DEDUP_DUPLICATE;
	else
		refuse(NULL, watermark_ms, outcome);
	return 0;
}

void request_keys_close(struct request_keys *k, int64_t watermark_ms, int64_t keys_max)
{
	while (k->oldest && watermark_ms - k->oldest->came_ms >= REQUEST_KEYS_KEEP_MS)
		drop_oldest(k);
	k->keys_max = keys_max;
}

size_t request_keys_bytes(const struct request_keys *k)
{
	return k->bytes + (k->keys.nr_slots + k->sites.nr_slots) * sizeof(struct map_slot);
}

/* Numbers the sites in the order in which the keys name them, and writes them. */
static void encode_sites(const struct request_keys *k, struct buf *out)
{
	uint32_t nr = 0;

	for (const struct request_key *key = k->oldest; key; key = key->newer)
		key->site->number = no_number;
	codec_write_long(out, (int64_t)k->sites.len);
	for (const struct request_key *key = k->oldest; key; key = key->newer) {
		if (key->site->number != no_number)
			continue;
		key->site->number = nr++;
		codec_write_bytes(out, key->site->id);
	}
}

void request_keys_encode(const struct request_keys *k, int64_t watermark_ms, struct buf *out)
{
	codec_write_long(out, k->keys_max);
	encode_sites(k, out);
	codec_write_long(out, (int64_t)k->keys.len);
	for (const struct request_key *key = k->oldest; key; key = key->newer) {
		codec_write_long(out, key->site->number);
		codec_write_long(out, watermark_ms - key->came_ms);
		codec_write_bytes(out, key->bytes);
	}
}

static int decode_site(struct request_keys *k, struct codec_reader *r, struct request_site **site, struct err *err)
{
	struct str id = codec_read_string(r);
	uint8_t hash[MAP_KEY_BYTES];

	if (!codec_reader_ok(r))
		return -1;
	map_key_of(id, hash);
	if (map_get(&k->sites, hash)) {
		codec_fault(r, "a site stands there twice");
		return -1;
	}
	*site = site_new(k, hash, id);
	return *site ? 0 : err_nomem(err, "the sites of a snapshot");
}

static int decode_key(struct request_keys *k, struct codec_reader *r, struct request_site **sites, int64_t watermark_ms, struct err *err)
{
	int64_t number = codec_read_long(r), ago_ms = codec_read_long(r);
	struct str bytes = codec_read_bytes(r);
	struct hashes hashes;

	if (number < 0 || number >= (int64_t)k->sites.len || ago_ms < 0 || ago_ms > watermark_ms ||
	    (k->newest && watermark_ms - ago_ms < k->newest->came_ms) || bytes.len < 1 || bytes.len > REQUEST_KEY_BYTES_MAX)
		codec_fault(r, "a key that cannot be there");
	if (!codec_reader_ok(r))
		return -1;
	hashes_of(sites[number]->id, bytes, &hashes);
	if (map_get(&k->keys, hashes.key)) {
		codec_fault(r, "a key stands there twice");
		return -1;
	}
	return key_new(k, hashes.key, sites[number], bytes, watermark_ms - ago_ms) ? 0 : err_nomem(err, "the keys of a snapshot");
}

/* sites: room for as many as there are. */
static int decode_all(struct request_keys *k, struct codec_reader *r, struct request_site **sites, size_t nr_sites, int64_t watermark_ms,
		      struct err *err)
{
	size_t nr;

	for (size_t i = 0; i < nr_sites; i++)
		if (decode_site(k, r, &sites[i], err) < 0)
			return -1;
	nr = codec_read_count(r, KEY_BYTES_MIN);
	if (map_reserve(&k->keys, nr) < 0)
		return err_nomem(err, "the keys of a snapshot");
	for (size_t i = 0; i < nr; i++)
		if (decode_key(k, r, sites, watermark_ms, err) < 0)
			return -1;
	for (size_t i = 0; i < nr_sites; i++)
		if (!sites[i]->nr_keys) /* it would stay for ever */
			codec_fault(r, "a site without keys");
	return codec_reader_ok(r) ? 0 : -1;
}

int request_keys_decode(struct request_keys *k, struct codec_reader *r, int64_t watermark_ms, struct err *err)
{
	size_t nr_sites;
	struct request_site **sites;
	int rc;

	k->keys_max = codec_read_long(r);
	if (k->keys_max < 0 || k->keys_max > REQUEST_KEYS_LIMIT)
		codec_fault(r, "a cap out of range");
	nr_sites = codec_read_count(r, SITE_BYTES_MIN);
	if (!codec_reader_ok(r))
		return -1;
	sites = calloc(nr_sites + 1, sizeof(struct request_site *));
	rc = sites ? decode_all(k, r, sites, nr_sites, watermark_ms, err) : err_nomem(err, "the sites of a snapshot");
	free(sites);
	return rc;
}
