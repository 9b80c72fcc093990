/* spool_keep.h - inside the spool: what the rooms of spool.h share, and how a payload is kept or given up.
 *
 * Included by spool*.c alone. A payload's ways out end on the list of those gone, from which its file is removed once the losses are
 * saved. */
#ifndef MILLRACE_AGENT_SPOOL_KEEP_H
#define MILLRACE_AGENT_SPOOL_KEEP_H

#include "ingest/agent/spool.h"
#include "ingest/agent/spool_folder.h"
#include "ingest/agent/spool_index.h"

enum { SPOOL_GIVEN_UP_A_CALL = 256 }; /* at most, for age and for room: a turn is short, and there is another */

struct spool {
	struct spool_conf conf;
	char *dir; /* owned */
	const struct clock *clock;
	const struct log *log;
	struct spool_folder folder; /* closed: not attached yet */
	struct spool_index index;
	struct spool_entries gone; /* no longer held, but their files are there */
	struct losses *losses;
	bool splitting;    /* a split payload is committed, and its halves do not all have their names */
	bool stale;        /* files that were not written or removed as they should may lie in the folder */
	enum spool_state state;
	char why[256];
	int64_t retry_mono_ms;
	unsigned troubles;  /* counted, so that a turn without any can be told */
	uint64_t dropped_payloads, dropped_samples, rejected_payloads, set_aside;
	uint64_t untold_payloads, untold_samples; /* given up and not logged yet */
};

/* Notes, and says once, that the disk refuses; code is its errno. */
void spool_keep_trouble(struct spool *s, const char *what, int code);

/* Is the disk to be asked now: attached, and well or left alone for long enough? */
bool spool_keep_usable(const struct spool *s);

/* From when on the age of a payload counts: created_at, or seen_ms (virtual) if that is earlier, or now if both lie ahead. */
int64_t spool_keep_age_from(const struct spool *s, int64_t created_at_ms, int64_t seen_ms);

/* Gives an entry up: it is a loss. ending NULL: for room; else its file goes to rejected/ with that ending. -1: the disk refuses,
 * and it is still held (for room alone). spool_keep_settle() has to follow. */
int spool_keep_lose(struct spool *s, struct spool_entry *e, const char *ending);

/* Takes an entry out without a loss; its file goes with the next spool_keep_settle(). */
void spool_keep_drop(struct spool *s, struct spool_entry *e);

/* Saves the losses if they have changed, and then removes the files of those gone. */
void spool_keep_settle(struct spool *s);

/* Makes room for a file of bytes (0: for what is there) by giving up the oldest. False: there is none. */
bool spool_keep_room(struct spool *s, uint64_t bytes);

/* Keeps a payload on disk, in that stage, or in memory; copies. NULL with errno: ENOSPC, the disk or memory refuses it; ENOMEM. */
struct spool_entry *spool_keep_on_disk(struct spool *s, const struct envelope *e, enum spool_stage stage);
struct spool_entry *spool_keep_in_memory(struct spool *s, const struct envelope *e); /* see above */

/* Moves to the disk what memory holds, oldest first, a few at a time. */
void spool_keep_flush(struct spool *s);

/* For a process that stops: moves to the disk what memory holds, if the disk takes it now, saves the losses, and logs what dies with
 * memory. */
void spool_keep_end(struct spool *s);

/* Deletes files of ours that are no payload's, left where a removal failed. False: the disk refuses. */
bool spool_keep_sweep(struct spool *s);

/* Ends a committed split: the halves get their names, then the split file goes. */
void spool_keep_end_split(struct spool *s);

/* The loss that the payload is, once it is given up. */
struct loss spool_keep_loss(const struct spool_label *label, uint64_t samples, bool attempted);

/* Opens the folder and takes in what is there. ERR_FATAL as of spool_new(); ERR_RETRY. In spool_start.c. */
int spool_start_attach(struct spool *s, struct err *err);

#endif
