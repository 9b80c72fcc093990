/* committed.h - what a processor's committed offset is worth, as its metadata says it (common/offset_meta.h).
 *
 * The same judgement as the processor's own at a restore, but for what only the snapshot's chunks show. Pure; any thread. */
#ifndef MILLRACE_CTL_COMMITTED_H
#define MILLRACE_CTL_COMMITTED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/offset_meta.h"
#include "common/lag.h"

enum committed_state {
	COMMITTED_SOUND,   /* a checkpoint's, as far as its metadata shows */
	COMMITTED_NONE,    /* nothing committed: a new partition, or the group's offsets are lost */
	COMMITTED_RESET,   /* without metadata: not by a processor */
	COMMITTED_FOREIGN, /* metadata of a newer version, or of somebody else */
	COMMITTED_EPOCH,   /* of topics that there were before */
	COMMITTED_BEFORE,  /* moved to before the snapshot's position */
	COMMITTED_UNKNOWN, /* Kafka did not say */
};

struct committed {
	enum committed_state state;
	bool has_meta; /* meta was read */
	struct offset_meta meta;
	char words[160]; /* what is wrong; "" when sound */
};

/* Judges one partition of a processor's group; epoch is the cell's. */
void committed_judge(const struct lag_partition *p, int64_t epoch, struct committed *out);

/* Will a processor refuse the partition until an operator confirms it? */
bool committed_is_refused(const struct committed *c);

/* One word for scripts: "sound", "none", "reset", "foreign", "epoch", "before", "unknown". */
const char *committed_state_name(enum committed_state state);

#endif
