/* repeats.c - see repeats.h. One order for samples and events alike: what is counted once must not depend on what a payload holds. */
#include "processor/repeats.h"

#include "processor/retried.h"

int repeats_check(const struct identity *who, struct err *err)
{
	return dedup_check(who, err) < 0 || request_keys_check(who, err) < 0 ? -1 : 0;
}

int repeats_take(struct dedup *d, struct request_keys *k, const struct identity *who, const struct origin *origin, int64_t watermark_ms,
		 struct dedup_outcome *outcome, bool *by_key, struct err *err)
{
	*by_key = origin || request_keys_apply(who);
	if (origin)
		return retried_take(d, k, who, origin, watermark_ms, outcome, err);
	return *by_key ? request_keys_take(k, who, watermark_ms, outcome, err) : dedup_take(d, who, watermark_ms, outcome, err);
}
