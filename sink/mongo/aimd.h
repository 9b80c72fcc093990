/* aimd.h - how much the database may be asked to take: the bytes of one insert, and how many inserts at once.
 *
 * Bytes in flight are the product of both. They grow by addition while inserts come back in good time, and shrink by
 * multiplication when they do not: at first the batch down to a floor, then the writers; on the way up the writers come first.
 * What "in good time" is follows from the database itself: see aimd.c.
 * Pure: no I/O, and no clock of its own, times are handed in (monotonic milliseconds). Not thread-safe: gate.h holds the lock. */
#ifndef MILLRACE_SINK_MONGO_AIMD_H
#define MILLRACE_SINK_MONGO_AIMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The smallest batch that is made: some hundred documents. */
enum { AIMD_FLOOR_BYTES = 32 << 10, AIMD_SAMPLES = 3 };

struct aimd_conf {
	size_t max_bytes;   /* of a batch */
	size_t max_writers;
	int64_t target_ms;  /* an insert that takes no longer is fast enough, whatever the others took */
};

struct aimd {
	struct aimd_conf conf;
	size_t floor_bytes;
	size_t batch_bytes, writers; /* the limits now; read them by the functions below */
	size_t inflight;             /* inserts between aimd_begin() and aimd_end() */
	uint64_t round;              /* counts changes of the limits */
	size_t ended;                /* inserts of this round, and the longest that one took */
	double worst_ms;
	bool doubling;               /* slow start */
	unsigned samples;            /* of the reference that is being measured, at the lowest limits; AIMD_SAMPLES: it is known */
	int64_t referenced_ms;       /* when the reference was last measured */
	double reference_ms;         /* what an insert at the floor takes, when no other is under way; 0: not known */
	double deviation_ms;         /* by how much such inserts differ from that, on the average: the database's noise */
	double latency_ms;           /* moving average of all inserts; 0: none yet */
	double per_kib_fast_ms, per_kib_slow_ms; /* latency per KiB, of the last few inserts and of many; 0: none yet */
};

/* One insert under way. */
struct aimd_insert {
	int64_t begun_ms;
	uint64_t round;
	bool alone; /* at the lowest limits: no other of ours is under way, nor can begin before its end */
};

enum aimd_outcome {
	AIMD_WELL,
	AIMD_CONNECTED, /* well, but over a new connection: how long it took says nothing */
	AIMD_SILENT,    /* says nothing of the database's load */
	AIMD_FAILED,    /* the database could not do it */
	AIMD_LOST,      /* it could not be reached, or is not ours to write: begin small, when it comes back */
};

/* At the lowest limits, knowing nothing. */
void aimd_init(struct aimd *a, const struct aimd_conf *conf);

/* What an insert may carry now: documents until their bytes reach this, so that one document is always allowed. */
size_t aimd_batch_bytes(const struct aimd *a);

/* How many inserts may be under way now. */
size_t aimd_writers(const struct aimd *a);

/* An insert begins. */
void aimd_begin(struct aimd *a, int64_t now_ms, struct aimd_insert *in);

/* It has ended. bytes: of its documents; full: they were as many as an insert ever carries. */
void aimd_end(struct aimd *a, int64_t now_ms, const struct aimd_insert *in, size_t bytes, bool full, enum aimd_outcome outcome);

/* The latency above which an insert counts as late; 0: not known yet. */
double aimd_bound_ms(const struct aimd *a);

#endif
