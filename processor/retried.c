/* retried.c - see retried.h.
 *
 * A client's Idempotency-Key comes as a header of HTTP and holds no NUL byte; our keys begin with one, so that nobody can make one up. */
#include "processor/retried.h"

#include <endian.h>

enum { KEY_SIZE = 32 };

static size_t add(uint8_t *key, size_t len, const void *bytes, size_t n)
{
	memcpy(key + len, bytes, n);
	return len + n;
}

/* The key that stands for the record; its length. */
static size_t make_key(const struct identity *who, const struct origin *origin, uint8_t key[KEY_SIZE])
{
	uint64_t first = htobe64((uint64_t)(who->agent_id ? who->seq : origin->offset)), epoch = htobe64((uint64_t)origin->epoch);
	size_t len = add(key, 0, who->agent_id ? "\0a" : "\0o", 2);

	len = add(key, len, &first, sizeof(first));
	return who->agent_id ? add(key, len, who->agent_id, DEDUP_AGENT_ID_BYTES) : add(key, len, &epoch, sizeof(epoch));
}

int retried_take(struct dedup *d, struct request_keys *k, const struct identity *who, const struct origin *origin, int64_t watermark_ms,
		 struct dedup_outcome *outcome, struct err *err)
{
	uint8_t key[KEY_SIZE];
	struct identity keyed = *who;
	uint64_t gaps = 0;

	if (request_keys_apply(who))
		return request_keys_take(k, who, watermark_ms, outcome, err);
	if (who->agent_id && !dedup_is_past(d, who)) {
		if (dedup_take(d, who, watermark_ms, outcome, err) < 0)
			return -1;
		if (outcome->verdict == DEDUP_DUPLICATE)
			return 0;
		gaps = outcome->gaps;
	}
	keyed.agent_id = NULL;
	keyed.has_key = true;
	keyed.key = (struct str){(const char *)key, make_key(who, origin, key)};
	if (request_keys_take(k, &keyed, watermark_ms, outcome, err) < 0)
		return -1;
	outcome->gaps = gaps;
	return 0;
}
