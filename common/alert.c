/* alert.c - see alert.h.
 *
 * Two runs of minutes count, that of warming and that of cooling, and never both: one number does for them, which is 0 when the alert is ok or open. */
#include "common/alert.h"

#define XXH_INLINE_ALL /* the state on the stack */
#include <xxhash.h>

/* A minute in which the condition holds. */
static enum alert_step judge_holds(struct alert_state *a, int32_t warm_up, int64_t minute_ms)
{
	if (a->phase == ALERT_OPEN || a->phase == ALERT_COOLING) {
		a->phase = ALERT_OPEN;
		a->run = 0;
		return ALERT_STAYS;
	}
	a->run++;
	a->phase = ALERT_WARMING;
	if (a->run < warm_up)
		return ALERT_STAYS;
	*a = (struct alert_state){.phase = ALERT_OPEN, .opened_ms = minute_ms};
	return ALERT_OPENS;
}

/* One in which it does not. */
static enum alert_step judge_holds_not(struct alert_state *a, int32_t cooldown)
{
	if (a->phase == ALERT_OK || a->phase == ALERT_WARMING) {
		a->phase = ALERT_OK;
		a->run = 0;
		return ALERT_STAYS;
	}
	a->run++;
	a->phase = ALERT_COOLING;
	if (a->run < cooldown)
		return ALERT_STAYS;
	a->phase = ALERT_OK;
	a->run = 0;
	return ALERT_CLOSES;
}

enum alert_step alert_judge(struct alert_state *a, enum alert_verdict verdict, int32_t warm_up, int32_t cooldown, int64_t minute_ms)
{
	switch (verdict) {
	case ALERT_HOLDS:
		return judge_holds(a, warm_up, minute_ms);
	case ALERT_HOLDS_NOT:
		return judge_holds_not(a, cooldown);
	default:
		return ALERT_STAYS;
	}
}

/* Length and bytes, as in a series' fingerprint. */
static void add_text(XXH3_state_t *state, struct str s)
{
	const uint8_t length[2] = {(uint8_t)(s.len & 0xff), (uint8_t)(s.len >> 8 & 0xff)};

	XXH3_128bits_update(state, length, sizeof(length));
	XXH3_128bits_update(state, s.p, s.len);
}

void alert_id(struct str site, struct str trigger, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], int64_t opened_ms,
	      enum alert_event_kind kind, uint8_t out[ALERT_ID_BYTES])
{
	uint8_t tail[9];
	XXH3_state_t state;
	XXH128_canonical_t canonical;

	for (int i = 0; i < 8; i++)
		tail[i] = (uint8_t)((uint64_t)opened_ms >> (56 - 8 * i));
	tail[8] = (uint8_t)kind;
	XXH3_128bits_reset(&state);
	add_text(&state, site);
	add_text(&state, trigger);
	XXH3_128bits_update(&state, fingerprint, SERIES_FINGERPRINT_BYTES);
	XXH3_128bits_update(&state, tail, sizeof(tail));
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
	memcpy(out, canonical.digest, ALERT_ID_BYTES);
}
