/* desk_state.h - what a desk consists of, for desk.c and desk_turn.c. */
#ifndef MILLRACE_NOTIFY_DESK_STATE_H
#define MILLRACE_NOTIFY_DESK_STATE_H

#include "sink/notify/acks.h"
#include "sink/notify/cases.h"
#include "sink/notify/desk.h"
#include "sink/notify/plan.h"
#include "sink/notify/rate.h"
#include "sink/notify/receivers.h"
#include "sink/notify/silences.h"

struct desk {
	struct desk_controls controls;
	struct receivers receivers;
	struct silences silences;
	struct acks acks;
	struct rate rate;
	struct cases cases;
	struct told_queue dirty, handed; /* Sent records to write, and in the transaction */
	struct told_queue ready;         /* decided and committed */
	size_t nr_ready;
	uint64_t under_way;
	struct arena scratch;            /* cleared at each use */
	struct desk_figures counted;     /* the counters of it */
};

/* There is a Sent to write of t. */
void desk_write_sent(struct desk *d, struct told *t);

/* t's job may be given out. */
void desk_make_ready(struct desk *d, struct told *t);

/* What the controls say of a case's site now. */
bool desk_pauses(const struct desk *d, const struct one_case *c);
bool desk_drops(const struct desk *d, const struct one_case *c); /* see above */

#endif
