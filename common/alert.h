/* alert.h - the life of one alert: ok -> warming -> open -> cooling -> ok, a minute at a time.
 *
 * A minute is judged once, in order. Holds: the condition's value is there and compares. Holds not: it does not, or there is no value. Unknown: nobody can tell
 * (the minute of a route's change, ingest closed, data still waiting at agents, memory was short): nothing moves, as if the minute had not been.
 *
 *   state    holds                                   holds not
 *   ok       warming 1; open if warm-up <= 1         ok
 *   warming  one more; open when warm-up is reached  ok
 *   open     open                                    cooling 1; closed if cooldown <= 1
 *   cooling  open                                    one more; closed when cooldown is reached
 *
 * So between an opening and its closing there is no other, and a state is its phase, its run and the minute it opened in. Pure; any thread. */
#ifndef MILLRACE_ALERT_H
#define MILLRACE_ALERT_H

#include <stdint.h>

#include "common/series.h"
#include "common/str.h"
#include "schemas/schemas.h"

enum { ALERT_ID_BYTES = 16 };

enum alert_phase { ALERT_OK, ALERT_WARMING, ALERT_OPEN, ALERT_COOLING };
enum alert_verdict { ALERT_HOLDS, ALERT_HOLDS_NOT, ALERT_UNKNOWN };
enum alert_step { ALERT_STAYS, ALERT_OPENS, ALERT_CLOSES };

/* Zeroed it is ok. */
struct alert_state {
	enum alert_phase phase;
	int32_t run;          /* minutes of warming or cooling so far */
	int64_t opened_ms;    /* the minute that opened it; open and cooling. Stays after ALERT_CLOSES, for the event */
};

/* Judges minute_ms. warm_up, cooldown: minutes, 0 is 1. After ALERT_CLOSES the phase is ok. */
enum alert_step alert_judge(struct alert_state *a, enum alert_verdict verdict, int32_t warm_up, int32_t cooldown, int64_t minute_ms);

/* The id of an event: XXH3-128, seed 0, canonical order, of site, trigger (each: length u16 little-endian, bytes), fingerprint, opened_at (8 bytes,
 * big-endian) and kind (1 byte). */
void alert_id(struct str site, struct str trigger, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], int64_t opened_ms,
	      enum alert_event_kind kind, uint8_t out[ALERT_ID_BYTES]);

#endif
