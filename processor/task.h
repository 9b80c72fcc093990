/* task.h - all state of one input partition.
 *
 * A task lives exactly as long as its partition's assignment; it knows nothing of Kafka's client, so that everything that decides what is
 * counted can be tested as bytes in, windows out.
 *
 * Invariants:
 *  I1  Each record is taken once and in order: position is the next offset that will be, whatever the client hands over
 *      (task_guard()).
 *  I2  Between checkpoints the state (windows, dedup, request_keys, baselines, exemplars, alerts and what they go by, watermark_ms, position) is a pure function of the snapshot it was
 *      restored from and the records taken since; but for which series of a site over its cap are counted together (series_caps.h, I3). Only
 *      task_close() uses the wall clock and the settings, as a part of a checkpoint.
 *  I3  What task_close() has closed is in the outbox until the transaction that emits it is known to be committed: an aborted
 *      checkpoint emits the same again. The closing itself is not undone; samples that come meanwhile are late. So both outcomes of an
 *      attempt that is in doubt fit the state, and records may go on being taken.
 *  I4  task_flush() is a part of a checkpoint too, and only moves windows and exemplars out early: what is counted does not depend on it, and of
 *      which events there are exemplars only where a slower transaction comes later for one that has left.
 *  I5  Minutes are judged in task_close(), each once, before their windows go out (judge.h); what becomes known of alerts then waits as windows do (I3).
 * Not thread-safe: the one thread owns it. */
#ifndef MILLRACE_PROCESSOR_TASK_H
#define MILLRACE_PROCESSOR_TASK_H

#include "common/offset_meta.h"
#include "processor/alert_outbox.h"
#include "processor/alerts.h"
#include "processor/baseline.h"
#include "processor/check_ins.h"
#include "processor/dedup.h"
#include "processor/exemplars.h"
#include "processor/intake.h"
#include "processor/judging.h"
#include "processor/quiet.h"
#include "processor/request_keys.h"
#include "processor/series_lists.h"
#include "processor/shadow.h"
#include "processor/topics.h"
#include "processor/window_store.h"

enum task_phase {
	TASK_PENDING, /* waits for its restore */
	TASK_NEW,     /* restored as empty: reads nothing before its first checkpoint is committed */
	TASK_READY,   /* restored: is to be started at its position */
	TASK_RUNNING, /* reads */
	TASK_HELD,    /* a record of an unknown schema: looked at again later */
	TASK_REFUSED, /* its state must not be used: an operator's matter */
};

/* A dead letter, encoded, waiting for the next checkpoint. */
struct letter {
	struct letter *next;
	size_t len;
	uint8_t bytes[];
};

struct letters {
	struct letter *first, **end; /* end: where the next one is hung; NULL means &first */
	size_t nr, bytes; /* bytes: allocated */
};

/* A checkpoint that was begun and is not known to be committed. */
struct attempt {
	bool in_doubt; /* the outcome must be asked for */
	struct offset_meta meta;
	size_t outbox_len; /* what it emits: the first so many panes, specimens, alerts' events and letters */
	size_t nr_specimens, nr_alerts, nr_letters;
};

struct task {
	int32_t partition;     /* an input, by its number (topics.h) */
	enum input_kind kind;  /* of samples: without exemplars; of events: without windows, baselines, lists. Check-ins are among events */
	enum task_phase phase;
	int64_t retry_mono_ms; /* held and refused: when to look again */
	bool complained;       /* refused: has been said */

	int64_t position;     /* (I1) */
	int64_t refetched_at; /* the position that was fetched again because of a gap; -1: none */
	int64_t rewound_at;   /* likewise because older records came */
	int64_t watermark_ms; /* event time, from records and closings */
	struct window_store windows;
	struct dedup dedup;
	struct request_keys request_keys;
	struct baselines baselines;
	struct series_lists lists; /* no state: a cache */
	struct exemplars exemplars;
	struct alerts alerts;
	struct check_ins check_ins;
	struct quiet quiet;
	struct shadow shadow;

	bool at_end;             /* the partition has been read to its end ... */
	int64_t end_mono_ms;     /* ... and its leader said so then (real) */
	int64_t level_ms;        /* when it was last seen there (virtual; no state, task_behind_ms() goes by it); 0: never */
	int64_t probed_mono_ms;  /* when it was last asked to say so again; 0: never */

	struct pane_list outbox; /* (I3) */
	struct specimens specimens; /* likewise */
	struct alert_outbox alert_outbox; /* likewise */
	struct letters letters;
	struct attempt attempt;
	int64_t committed_mono_ms;     /* when we last committed an offset, of a checkpoint or the position alone; 0: not since the restore */
	struct offset_meta saved;      /* of the last checkpoint that is known; id 0: none */
	int64_t committed;             /* the offset that is known to be committed; -1: none */
	int64_t checkpoint_mono_ms;    /* when that was (real) */
	int64_t checkpoint_watermark_ms;
	size_t owed_bytes;             /* what the budget wants the next checkpoint to take out of memory; 0: nothing */

	uint64_t late_samples, dead_letters, gap_records; /* since assignment */
};

/* What of the settings, and of what operators say, a closing depends on. */
struct close_rules {
	int64_t grace_ms;       /* how long windows stay open behind their end; virtual */
	struct late_rules late;
	int64_t agents_max;     /* the caps that dedup and request_keys go by from then on */
	int64_t request_keys_max;
	int64_t series_site_max, series_record_max; /* and series_caps; 0: none */
	struct judging judging; /* what minutes are judged by; its rules NULL: they are not */
};

/* A record as a task takes it. */
struct record {
	int64_t offset;
	int64_t timestamp_ms; /* Kafka's, virtual; negative: unknown */
	struct str value;
	const struct origin *origin; /* of a dead letter that was sent again; NULL of a first one */
};

/* What is to be done with a record, or with an end, at an offset. */
enum task_guard {
	GUARD_TAKE,    /* it is the next one */
	GUARD_SKIP,    /* it was taken before */
	GUARD_REFETCH, /* it lies ahead, or the client is reading what was taken before: fetch again from the position, once */
	GUARD_GAP,     /* fetched again, and the broker still has nothing in between: it is lost; the position has moved there */
};

/* A task in TASK_PENDING; NULL when memory is short. */
struct task *task_new(int32_t partition, enum input_kind kind);

/* NULL is a no-op. */
void task_free(struct task *t);

/* Gives up all state: the task is as from task_new() again, but for what has been said. */
void task_clear(struct task *t);

/* Judges an offset against the position (I1); GUARD_GAP moves it and counts what is missing. */
enum task_guard task_guard(struct task *t, int64_t offset);

/* Takes the record at the position: moves the watermark, counts its samples or events unless it is a duplicate, moves the position. -1: ERR_REJECT, the
 * record is for the dead letters, nothing of it was counted and the position has moved past it; ERR_RETRY, its schema is unknown, nothing has
 * changed; ERR_FATAL, memory. scratch is cleared; counts borrows the record. */
int task_take(struct task *t, const struct record *record, struct arena *scratch, struct intake_counts *counts, struct err *err);

/* Passes over the record at the position as task_take() does over one that it rejects: its caller has refused it. */
void task_pass(struct task *t, const struct record *record);

/* Appends a dead letter; copies. -1 when memory is short. */
int task_add_letter(struct task *t, struct str letter);

/* The time by which windows close: the watermark, or now_ms, if later, when the partition has been read to its end and its leader has
 * said so less than trust_ms (real) ago. mono_ms: real time now. */
int64_t task_effective_watermark(const struct task *t, int64_t now_ms, int64_t mono_ms, int64_t trust_ms);

/* How old the oldest record may be that was not taken, in virtual time: none is older than the watermark, nor than the last look at which the partition
 * had been read to its end; 0 there. Where neither is known, since the first look. Looks; about once a second. */
int64_t task_behind_ms(struct task *t, int64_t now_ms);

/* Judges the minutes that close, and closes all that is due at watermark_ms, into the outbox, and forgets agents, request keys and baselines whose time is over; the watermark
 * follows. -1 with ERR_FATAL when memory is short. */
int task_close(struct task *t, int64_t watermark_ms, const struct close_rules *rules, struct err *err);

/* Moves all windows, open and late, into the outbox as fragments, without closing any (window_store_flush()), and all exemplars (exemplars_flush()).
 * What triggers will ask about is kept back (shadow.h). -1 with ERR_FATAL. */
int task_flush(struct task *t, struct err *err);

/* Bytes of what task_flush() moves into the outbox. */
size_t task_flushable_bytes(const struct task *t);

/* Memory is short, or not any more: what no flush frees is not to grow (series_caps_crowd(), exemplars_crowd()). */
void task_crowd(struct task *t, bool crowded);

/* Does the outbox hold what a flush put there? A second one would find little before they are gone. */
bool task_is_flushed(const struct task *t);

/* Bytes of memory: windows, series and lists of them, dedup, request keys, baselines, exemplars, alerts, letters, outbox. Allocated bytes, in the allocator's size
 * classes (common/memory.h); tests/unit/processor/test_accounting.c holds it against the allocator's own count. Looks at panes, not at windows. */
size_t task_bytes(const struct task *t);

/* Of these, what triggers need and no flush frees: alerts, check-ins, quiet spans, windows kept back. */
size_t task_alerting_bytes(const struct task *t);

/* Windows, exemplars and alerts' events in the state and the outbox: a measure of what a checkpoint writes. */
size_t task_windows(const struct task *t);

/* Has the state moved since the last checkpoint, or is something waiting to go out? */
bool task_dirty(const struct task *t);

/* The attempt was committed: frees what it emitted; meta becomes the saved one. mono_ms: real time now. */
void task_committed(struct task *t, int64_t mono_ms);

/* The attempt came to nothing: everything stays as it is for the next one. */
void task_aborted(struct task *t);

#endif
