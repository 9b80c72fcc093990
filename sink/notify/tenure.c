/* tenure.c - see tenure.h.
 *
 * Why a fenced owner waits instead of leaving the group: two instances can both believe to be the owner for as long as a session lasts, when the
 * former one was frozen. If it registers its producer then, it fences the true owner; would that one register again at once, the two could go on so.
 * The group's word settles it: within a session time-out the frozen one is told that it has lost its place, and the true owner is still the owner.
 * Neither can write meanwhile what the other one's offsets do not allow (journal.h). */
#include "sink/notify/tenure.h"

void tenure_assigned(struct tenure *t)
{
	t->mine = true;
	t->acquired = false;
	t->not_before_mono_ms = 0;
	t->term++;
}

void tenure_revoked(struct tenure *t)
{
	t->mine = t->acquired = false;
	t->not_before_mono_ms = 0;
	t->term++;
}

void tenure_acquired(struct tenure *t)
{
	t->acquired = t->mine;
}

void tenure_broken(struct tenure *t, bool fenced, int64_t mono_ms)
{
	t->acquired = false;
	if (fenced)
		t->not_before_mono_ms = mono_ms + TENURE_WAIT_MS;
	t->term++;
}

enum tenure_phase tenure_phase(const struct tenure *t, int64_t mono_ms)
{
	if (!t->mine)
		return TENURE_STANDBY;
	if (t->acquired)
		return TENURE_ACTIVE;
	return mono_ms < t->not_before_mono_ms ? TENURE_WAITING : TENURE_ACQUIRING;
}

const char *tenure_phase_name(enum tenure_phase phase)
{
	static const char *const names[] = {
		[TENURE_STANDBY] = "standby", [TENURE_WAITING] = "waiting", [TENURE_ACQUIRING] = "acquiring", [TENURE_ACTIVE] = "active"};

	return names[phase];
}
