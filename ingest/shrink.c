/* shrink.c - see shrink.h.
 *
 * What counts is the beginning of the window, not its highest point: rows that came and went within it were not lost by anyone. */
#include "ingest/shrink.h"

#include <string.h>

enum { STEP_MS = SHRINK_WINDOW_MS / SHRINK_STEPS };

void shrink_reset(struct shrink *s, size_t count, int64_t mono_ms)
{
	for (int i = 0; i < SHRINK_STEPS; i++)
		s->counts[i] = count;
	s->step_at_ms = mono_ms + STEP_MS;
}

void shrink_roll(struct shrink *s, size_t count, int64_t mono_ms)
{
	if (mono_ms - s->step_at_ms >= SHRINK_WINDOW_MS)
		shrink_reset(s, count, mono_ms); /* nobody looked for a whole window */
	for (; mono_ms >= s->step_at_ms; s->step_at_ms += STEP_MS) {
		memmove(s->counts, s->counts + 1, (SHRINK_STEPS - 1) * sizeof(s->counts[0]));
		s->counts[SHRINK_STEPS - 1] = count;
	}
}

size_t shrink_before(const struct shrink *s)
{
	return s->counts[0];
}

bool shrink_refused(size_t before, size_t after)
{
	if (after == 0)
		return before > 1;
	return before >= SHRINK_FLOOR && after * 2 < before;
}
