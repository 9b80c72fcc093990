/* reopening.c - see reopening.h. */
#include "processor/reopening.h"

enum {
	PAUSE_MS = 1000,
	FENCED_PAUSE_MS = 15000,  /* longer than consumer.c's session.timeout.ms */
	PAUSE_MAX_MS = 300000,
	STEADY_MS = 2 * PAUSE_MAX_MS, /* who was left in peace for so long begins with short pauses again */
};

void reopening_note_open(struct reopening *r, int64_t mono_ms)
{
	r->opened_mono_ms = mono_ms;
}

int64_t reopening_note_failure(struct reopening *r, bool fenced, int64_t mono_ms)
{
	int64_t least = fenced ? FENCED_PAUSE_MS : PAUSE_MS;

	if (mono_ms - r->opened_mono_ms >= STEADY_MS)
		r->pause_ms = 0;
	r->pause_ms *= 2;
	if (r->pause_ms < least)
		r->pause_ms = least;
	if (r->pause_ms > PAUSE_MAX_MS)
		r->pause_ms = PAUSE_MAX_MS;
	r->until_mono_ms = mono_ms + r->pause_ms;
	return r->pause_ms;
}

bool reopening_due(const struct reopening *r, int64_t mono_ms)
{
	return mono_ms >= r->until_mono_ms;
}
