/* tenure.h - whether this instance is the one that notifies for its cell, as a state machine without Kafka.
 *
 *   standby   the group has given the cell to another instance, or to nobody yet
 *   waiting   it is ours, but somebody has fenced us: the group gets the time of a session to find out who is right
 *   acquiring it is ours; the producer is registered and the state is read
 *   active    it is ours, and the state in memory is that of the topics
 *
 * A term lasts from an assignment to its revocation. Whatever was read or planned in one term means nothing in another one, and nothing after
 * tenure_broken(): whoever keeps such things remembers the term, and throws them away when it is not this one. */
#ifndef MILLRACE_SINK_NOTIFY_TENURE_H
#define MILLRACE_SINK_NOTIFY_TENURE_H

#include <stdbool.h>
#include <stdint.h>

enum tenure_phase { TENURE_STANDBY, TENURE_WAITING, TENURE_ACQUIRING, TENURE_ACTIVE };

/* How long a fenced owner waits: the group's session time-out (owner.c) and some. Real. */
enum { TENURE_WAIT_MS = 12000 };

/* Zeroed it is standby, in no term. */
struct tenure {
	bool mine, acquired;
	uint64_t term; /* rises with whatever ends one, and whatever begins one */
	int64_t not_before_mono_ms;
};

/* The group has given us the cell; or again, after it may have been another's meanwhile. */
void tenure_assigned(struct tenure *t);

/* The group has taken it away, or we left. */
void tenure_revoked(struct tenure *t);

/* What acquiring takes is done. Only in TENURE_ACQUIRING. */
void tenure_acquired(struct tenure *t);

/* The state in memory cannot be trusted any more: a transaction's outcome is not known, or fenced: another producer of our name has come. */
void tenure_broken(struct tenure *t, bool fenced, int64_t mono_ms);

/* Where it stands at mono_ms. */
enum tenure_phase tenure_phase(const struct tenure *t, int64_t mono_ms);

/* "standby", .. */
const char *tenure_phase_name(enum tenure_phase phase);

#endif
