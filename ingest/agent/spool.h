/* spool.h - payloads that wait for the server, on disk, and in memory where the disk refuses.
 *
 * Every payload goes through here before it is posted, so that kill -9 loses none that was put. One file a payload (spool_file.h); the
 * directory listing is in order of creation. A payload leaves in one of three ways: spool_done(), the server has it; spool_replace(), its
 * halves are there; or it is given up, and is then a loss (losses.h), told to the server by a later payload. What is given up goes
 * oldest first, by bytes, number, age and the file system's free space; so does what memory holds beyond its share.
 *
 * `id` names a payload within this process. A payload may be given up while it is in flight: a call with an id that is gone is a no-op.
 * Errors of the disk are no errors here: spool_figures() and one log line say when it refuses and when it is back, and what was kept in
 * memory meanwhile goes to the disk then.
 * Not thread-safe: one owner. Calls wait for the disk: spool_put() three times, other calls once or not at all. */
#ifndef MILLRACE_AGENT_SPOOL_H
#define MILLRACE_AGENT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/str.h"
#include "ingest/agent/envelope.h"
#include "ingest/agent/losses.h"

enum { SPOOL_FILES_MAX = 32768 }; /* payloads; an index entry each, of some 150 bytes */

struct spool_conf {
	const char *dir;       /* spool.dir; made with mode 0700 when its parent is there. Copied */
	uint64_t max_bytes;    /* of all files; 256 MiB */
	int64_t max_age_ms;    /* by created_at, virtual; 24 h */
	double min_free;       /* of the file system, as a fraction; 0.05. 0: not asked for */
	uint64_t memory_bytes; /* of bodies kept while the disk refuses */
	int64_t retry_ms;      /* real; how long a disk that refuses is left alone; 5 s */
	const struct spool_io *io; /* NULL: the system's calls; a test's fail when it wants (spool_io.h). Borrowed */
};

#define SPOOL_CONF_DEFAULT \
	{.max_bytes = 256 << 20, .max_age_ms = 24 * CLOCK_HOUR_MS, .min_free = 0.05, .memory_bytes = 16 << 20, .retry_ms = 5000}

enum spool_state {
	SPOOL_DISK,      /* all is well */
	SPOOL_FULL,      /* no space, or below min_free though nothing of ours is left to give up */
	SPOOL_READ_ONLY, /* no permission, a read-only file system */
	SPOOL_FAILING,   /* any other error */
};

/* "disk", "full", "read_only", "failing". */
const char *spool_state_name(enum spool_state state);

struct spool_figures {
	size_t payloads, in_memory; /* in_memory among payloads */
	uint64_t bytes, memory_bytes;
	int64_t oldest_ms;          /* created_at of the oldest; 0: none */
	uint64_t dropped_payloads, dropped_samples;   /* given up since the start, rejected ones among them */
	uint64_t rejected_payloads, set_aside_files;  /* since the start: by the server; torn or foreign */
	enum spool_state state;
	char why[256];              /* the disk's last error while state is not SPOOL_DISK */
};

/* Payloads that spool_newest() leaves out: those in flight. */
struct spool_skip {
	const uint64_t *ids;
	size_t nr;
};

struct spool;

/* Opens the folder and takes its lock, which ends with the process; reads what is there. Torn files are set aside in rejected/. A folder
 * that cannot be made, opened or written is no error: memory holds payloads, and the folder is tried again. ERR_FATAL: another agent has
 * its lock, it is no folder, or memory is short. Borrows clock and log. */
struct spool *spool_new(const struct spool_conf *conf, const struct clock *clock, const struct log *log, struct err *err);

/* Leaves the files. What memory alone holds goes to the disk if it takes it now; else it is logged, and a loss for the next start. NULL is
 * a no-op. */
void spool_free(struct spool *s);

/* The losses, which the spool keeps and saves: what losses_take() hands to a payload is saved by the spool_put() of that payload, before
 * it is. */
struct losses *spool_losses(struct spool *s);

/* Keeps a payload; copies. 0: *id is set, and it is on the disk, synced, or in memory while the disk refuses. ERR_REJECT: it is larger
 * than the spool may be, has no valid identity, or is there already; ERR_FATAL: memory is short. Where it fails it is a loss, told like
 * any other. */
int spool_put(struct spool *s, const struct envelope *e, uint64_t *id, struct err *err);

/* Reads a payload: fills *out, whose body borrows body (cleared first). ERR_REJECT: gone, or torn and now set aside and a loss; go on with
 * another. ERR_RETRY: it could not be read now; the third time in a row it is set aside. */
int spool_get(struct spool *s, uint64_t id, struct envelope *out, struct buf *body, struct err *err);

/* The newest payload (by created_at, then seq) that is not in skip (NULL: none). False: there is none. */
bool spool_newest(const struct spool *s, const struct spool_skip *skip, uint64_t *id);

/* A post of it begins. Survives kill -9: the file's name says so, by a rename that is not synced. After a power failure, or in a spool
 * that was copied, all payloads count as attempted. */
void spool_attempted(struct spool *s, uint64_t id);

/* The server has it: it goes, and with it the losses that it told. */
void spool_done(struct spool *s, uint64_t id);

/* The server will never take it: set aside in rejected/, and a loss. status is HTTP's. The caller tells of it, once. */
void spool_reject(struct spool *s, uint64_t id, int status);

/* The halves take a payload's place, all or none at any crash. The first of them must have its `truncated`. ERR_RETRY: the disk refuses,
 * and nothing has changed: try again later. ERR_REJECT: id is gone, or a half is no valid payload. */
int spool_replace(struct spool *s, uint64_t id, const struct envelope *halves, size_t nr, struct err *err);

/* The lowest seq of this agent_id that waits; 0: none. For `floor`. */
uint64_t spool_lowest_seq(const struct spool *s, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES]);

/* Gives up the payloads of this agent_id whose seq is below; for a floor that must not lie further back. */
void spool_give_up_below(struct spool *s, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq);

/* The work of a turn, once a second or less often: age and free space, moving to the disk what memory holds, saving losses. */
void spool_turn(struct spool *s);

/* Fills in all figures. */
void spool_figures(const struct spool *s, struct spool_figures *out);

#endif
