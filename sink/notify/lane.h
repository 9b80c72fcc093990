/* lane.h - what waits for one receiver: its notifications, in which order they are tried, and when.
 *
 * Of one incident only the first may be tried, so that a receiver is never told the older after the newer. Among those, the one that has failed least
 * often goes first: one that a receiver chokes on lets the others by. After a failure the lane waits as a whole, longer with each in a row, and the
 * one that failed longer with each of its own. Waits are real milliseconds of clock_mono_ms(). Not thread-safe. */
#ifndef MILLRACE_NOTIFY_LANE_H
#define MILLRACE_NOTIFY_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/log.h"
#include "sink/notify/delivery.h"
#include "sink/notify/request.h"

enum { LANE_WAIT_BASE_MS = 1000, LANE_WAIT_MAX_MS = 5 * 60000 };

/* One notification. */
struct entry {
	struct entry *next;
	struct buf incident;         /* encoded, with the alerts that are to be told of alone */
	struct str site;             /* borrows a copy of its own */
	uint8_t id[16];              /* of the incident */
	int64_t sequence, version, beyond;
	enum incident_state state;
	int64_t since_ms, wall_ms;   /* when it was submitted: clock_mono_ms(), and the wall clock's */
	int64_t hold_ms;             /* no attempt before */
	unsigned attempts;           /* that have ended */
	bool cancelled;              /* is under way, and no longer wanted */
	int64_t begun_ms, took_ms;   /* the last attempt */
	char error[DELIVERY_ERROR_SIZE];
};

/* Copies of the job. NULL with *err: ERR_FATAL, or ERR_REJECT where the incident cannot be written. */
struct entry *entry_new(const struct delivery_job *job, int64_t mono_ms, int64_t wall_ms, struct err *err);
void entry_free(struct entry *e); /* NULL is a no-op */
size_t entry_bytes(const struct entry *e); /* that it takes */

struct lane {
	struct str id;               /* the receiver's; borrows a copy of its own */
	struct buf receiver;         /* encoded */
	struct entry *first;
	size_t nr;                   /* those under way included */
	struct entry *under_way;     /* one of them, or NULL */
	int64_t until_ms;            /* when that is cut off, if it is a mail on its way; 0: it is none, or not so far */
	struct request *request;     /* made with the first attempt */
	struct arena arena;          /* of what is under way, decoded */
	int64_t hold_ms;             /* no attempt before */
	unsigned failures;           /* in a row */
};

/* NULL with *err set: memory is short. */
struct lane *lane_new(const struct receiver *receiver, struct err *err);
void lane_free(struct lane *l); /* its request's transfer must be off; NULL is a no-op */

/* Goes by this record from now on. -1: *err is set, the old one stays. */
int lane_set_receiver(struct lane *l, const struct receiver *receiver, struct err *err);

/* Nothing waits any more for what has failed before: the reason may be gone. */
void lane_forgive(struct lane *l);

/* Takes an entry, as the last one of the lane. */
void lane_push(struct lane *l, struct entry *e);

/* Takes an entry out of the lane: it is the caller's then. */
void lane_take(struct lane *l, struct entry *e);

/* The last of this incident that is not under way, or NULL. */
struct entry *lane_last_of(const struct lane *l, const uint8_t incident[16]);

/* Which of them may be sent, by site. */
struct lane_leave {
	delivery_may_send_fn may_send; /* NULL: all */
	void *ctx;
};

/* The next to try, or NULL: none may be yet. */
struct entry *lane_pick(const struct lane *l, int64_t mono_ms, const struct lane_leave *leave);

/* When lane_pick() will find one; INT64_MAX: not before something changes. */
int64_t lane_due_ms(const struct lane *l, const struct lane_leave *leave);

/* An attempt has failed: when the next may be. asked_ms: what the receiver asks for, or -1. random: 64 random bits. Returns how long the
 * lane waits. */
int64_t lane_failed(struct lane *l, struct entry *e, int64_t mono_ms, int64_t asked_ms, uint64_t random);

/* An attempt was answered, whatever the answer: the receiver is there. */
void lane_answered(struct lane *l);

#endif
