/* courier.h - brings payloads from the spool to the Push API, and acts on its answers.
 *
 * Every payload is in the spool before the courier sees it and leaves it by an answer alone, so nothing is lost with the courier. Two
 * posts run at most, one of the latest flush and one of backlog, never two of one payload. Live goes first: backlog begins only while no
 * live payload waits, newest first, and pauses after each post as long as it took. A live payload that is refused keeps both waiting, by
 * the server's Retry-After or by full jitter; one of backlog keeps backlog waiting, and lets others go first if it alone is refused.
 *
 * One thread, no locks. libcurl resolves names on a thread of its own (Debian's build has no c-ares); that thread is left behind, not
 * waited for, when a post ends before it. Waits here are real time: courier_turn() is told the time and tests may tell any. */
#ifndef MILLRACE_AGENT_COURIER_H
#define MILLRACE_AGENT_COURIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

struct spool;

enum {
	COURIER_CONNECT_MS = 10000,
	COURIER_WHOLE_MS = 60000,
	COURIER_KEY_RETRY_MS = 5 * 60000, /* after a 401, unless the key's file changes */
	COURIER_KEY_LOOK_MS = 1000,       /* how often that is looked at */
	COURIER_PAUSE_MIN_MS = 20,        /* between two posts of backlog; else as long as the first took */
	COURIER_PAUSE_MAX_MS = 10000,
	COURIER_LIVE_MAX = 256,           /* payloads of one flush; those beyond are backlog from the start */
	COURIER_FLUSH_SPREAD_MS = 10000,  /* flushes of all agents are spread over this */
};

struct courier_conf {
	const char *url;                        /* http or https; /v1/push is put behind its path. Copied, as all of these */
	const char *ca_file;                    /* PEM; NULL or empty: the system's */
	const char *key, *key_file;             /* one of them; the file is read again when it changes */
	int64_t connect_timeout_ms, timeout_ms; /* real; 0: as above */
};

/* For the status socket and the metrics. Times are virtual, 0: never. */
struct courier_status {
	int64_t last_attempt_ms, last_accepted_ms, last_failed_ms;
	int last_status;               /* of the last post's answer; 0: none came */
	char last_error[256];          /* why the last post failed; empty after one that did not */
	int64_t retry_in_ms;           /* real, until live payloads may be posted; 0: now */
	bool key_refused;              /* 401, until a post is taken */
	uint64_t posts;                /* begun */
	uint64_t accepted_payloads, accepted_samples; /* acknowledged */
	uint64_t rejected_samples;     /* of those: what the server says it did not take */
	uint64_t set_aside_payloads;   /* refused for good */
	uint64_t halved_payloads;
	size_t too_large_bytes;        /* of the smallest of them, before compression; 0: none. Payloads had better be smaller */
	uint64_t failed_posts;         /* to be tried again */
};

struct courier;

/* Borrows spool, clock and log for its life. NULL with *err: ERR_REJECT for an address or a key that cannot be used (named, but never
 * the key), ERR_FATAL otherwise. curl_global_init() is the program's. */
struct courier *courier_new(const struct courier_conf *conf, struct spool *spool, const struct clock *clock, const struct log *log,
			    struct err *err);
void courier_free(struct courier *c); /* NULL is a no-op; posts in flight are cut off, their payloads are in the spool */

/* The payloads of a flush, by spool id, in the order to send them; copies. What is left of the flush before becomes backlog. */
void courier_take_live(struct courier *c, const uint64_t *ids, size_t nr);

/* To be polled for POLLIN: ready when a turn would move a post on. One descriptor for the courier's life. */
int courier_fd(const struct courier *c);

/* Milliseconds until the next turn is due though the descriptor is silent; -1: none is. */
int courier_timeout_ms(const struct courier *c, int64_t mono_ms);

/* Moves posts on, acts on answers, begins what may begin. mono_ms: clock_mono_ms(). Never blocks, but for the spool's writes. */
void courier_turn(struct courier *c, int64_t mono_ms);

/* No further posts; those in flight have until within_ms (real) from now. Returns when they have ended, or then. All that is not
 * acknowledged is in the spool. */
void courier_stop(struct courier *c, int64_t within_ms);

/* The figures now. */
void courier_read_status(const struct courier *c, int64_t mono_ms, struct courier_status *out);

/* When the flush of the slot that ends at slot_end_ms is due: a fixed part of COURIER_FLUSH_SPREAD_MS later, drawn from what names the
 * machine and the agent (machine id, host, configuration's path), so that agents do not all post in the same second, and each always in
 * the same. */
int64_t courier_flush_at_ms(int64_t slot_end_ms, const char *machine);

#endif
