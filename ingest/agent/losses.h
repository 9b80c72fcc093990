/* losses.h - payloads that were given up, until the server knows of them.
 *
 * A loss is a range of seqs of one agent_id, which need not be this process's. It is open until losses_take() hands it to a payload,
 * its carrier, which tells it in `truncated`; carried until that payload is acknowledged, when it is forgotten; and open again when the
 * carrier is lost itself. So every loss is told at least once, whatever is killed when; and twice only when the carrier's post arrived
 * without an answer and the carrier was then given up too. A report that comes twice names the same agent_id and seqs, so that the union
 * of all reports is exact.
 *
 * At risk: a payload that only memory holds. It is written down here, so that a process that is killed leaves it as a loss.
 *
 * All of it stands in one file that is allocated beforehand, so that it can be written when the disk is full (losses_file.h). Until
 * losses_save() returns 0, changes are in memory alone; the spool calls it where its order demands it. Bounded: beyond LOSSES_MAX
 * entries all open ranges of one agent_id become one, which is `attempted`, as payloads in between may have arrived; where no agent_id
 * has two, the oldest is counted as unnamed. Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_LOSSES_H
#define MILLRACE_AGENT_LOSSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ingest/agent/envelope.h"

enum {
	LOSSES_MAX = 4096,          /* entries, open, carried and at risk */
	LOSSES_AT_RISK_MAX = 1024,  /* of them at risk: payloads that memory alone may hold */
	LOSSES_A_PAYLOAD_MAX = 256, /* a bound for losses_take() that leaves a payload small */
};

/* What Truncation of push.proto says. */
struct loss {
	uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES];
	uint64_t from_seq, to_seq; /* both among the lost */
	uint64_t samples;
	bool attempted; /* some of them were sent without an answer, and may have arrived */
};

struct losses_figures {
	size_t ranges;                              /* open and carried */
	size_t at_risk;                             /* payloads that memory alone holds */
	uint64_t payloads, samples;                 /* in those ranges: not yet acknowledged */
	uint64_t unnamed_payloads, unnamed_samples; /* beyond all bounds: given up without a report, since the file was made */
};

struct losses;

/* None. NULL when memory is short. */
struct losses *losses_new(void);
void losses_free(struct losses *l); /* does not save; NULL is a no-op */

/* Adds an open loss; copies. What is already there of the same agent_id and seqs is not added again, by whole ranges. Never fails. */
void losses_add(struct losses *l, const struct loss *loss);

/* Is the payload known to be in an open or carried range? Not of one that was made of several. */
bool losses_has(const struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq);

/* Copies up to max open losses, oldest first, into out and makes the payload (agent_id, seq), which is not spooled yet, their carrier.
 * Returns how many. spool_put() saves this before it has that payload; one that is not put gives back. */
size_t losses_take(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq, struct loss *out, size_t max);

/* Whether there is an open loss: then a payload is worth sending though it has no samples. */
bool losses_open(const struct losses *l);

/* The server has the payload: forgets what it carried. */
void losses_acknowledged(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq);

/* The payload is gone without being acknowledged, or was not spooled after all: what it carried is open again. */
void losses_give_back(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq);

/* Another payload carries what this one did: halves of a payload that was too large. */
void losses_move(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq,
		 const uint8_t to_agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t to_seq);

/* The payload is in memory alone, from now on; again: its `attempted` changes. False when as many are: it must not be kept so. */
bool losses_at_risk(struct losses *l, const struct envelope *e);

/* It no longer is: on disk, acknowledged, or added as a loss. */
void losses_safe(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq);

/* Sums, for status and metrics. */
void losses_figures(const struct losses *l, struct losses_figures *out);

struct spool_io;

/* Reads what the folder's file says into l, behind what is there. No file: 0. ERR_REJECT: neither copy in it is whole, and it is set
 * anew by the next save; ERR_RETRY: it cannot be read. */
int losses_load(struct losses *l, const struct spool_io *io, int folder_fd, struct err *err);

enum losses_place { LOSSES_NOWHERE, LOSSES_IN_MEMORY, LOSSES_ON_DISK };
typedef enum losses_place (*losses_place_fn)(void *ctx, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq);

/* After losses_load(), once the spool knows its files: what is carried by, or at risk as, a payload that is nowhere is open; what is at
 * risk as a payload on disk is not. */
void losses_settle(struct losses *l, losses_place_fn place, void *ctx);

/* Writes all to the folder's file and waits for the disk, if anything has changed since the last time. ERR_RETRY: call again later. make: a
 * file that is not there is made; else errno is ENOENT, as its half a MiB is not to be tried again and again on a disk that is full. */
int losses_save(struct losses *l, const struct spool_io *io, int folder_fd, bool make, struct err *err);

#endif
