/* slots.c - see slots.h.
 *
 * After a leap forward all that was told is of slots that are over. After a leap back it is of slots to come: it would wait, in memory
 * alone, until the clock is there again, which may be an hour or never. So it goes at once; what ingest finds too far ahead it rejects by
 * name. */
#include "ingest/agent/slots.h"

#include <stdbool.h>

int64_t slots_end_after(int64_t now_ms)
{
	return now_ms / SLOTS_MS * SLOTS_MS + SLOTS_MS;
}

int64_t slots_due(struct slots *s, int64_t now_ms, int64_t flush_at_ms)
{
	bool set_back = s->end_ms - now_ms > SLOTS_SETTLED_MS;

	if (!set_back && now_ms < flush_at_ms)
		return 0;
	s->late += now_ms - s->end_ms > SLOTS_SETTLED_MS;
	s->end_ms = slots_end_after(now_ms);
	return set_back ? INT64_MAX : s->end_ms - SLOTS_MS;
}
