/* delivery.h - brings notifications to receivers: webhooks by HTTP, mail by SMTP.
 *
 * Each receiver has a queue of its own and one request at a time, so one that hangs holds up nobody but itself. What fails is tried again, by full
 * jitter or by the receiver's Retry-After, until it is delivered, until the receiver says that it never will be (a 4xx but 408, 425, 429; a 5yz of
 * SMTP), or for DELIVERY_GIVE_UP_MS. Nothing is on disk: what has no outcome when the process ends is to be submitted again, with the same
 * sequence, and so the same idempotency key.
 *
 * One thread, no locks; nothing blocks but the reading of small files with secrets. libcurl resolves names on a thread of its own, which is left
 * behind, not waited for, when a request ends before it. All waits are real time. */
#ifndef MILLRACE_NOTIFY_DELIVERY_H
#define MILLRACE_NOTIFY_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/log.h"
#include "schemas/schemas.h"

enum {
	DELIVERY_QUEUE_MAX = 64,                      /* notifications a receiver, the one under way included */
	DELIVERY_BYTES_MAX = 32 << 20,                /* of all queues together */
	DELIVERY_WAITING_BYTES_MAX = 16 << 20,        /* beyond this only a receiver with nothing on its way is given something */
	DELIVERY_IN_FLIGHT_MAX = 256,                 /* requests at once, of as many receivers */
	DELIVERY_GIVE_UP_MS = 24 * 3600 * 1000,       /* real, since it was submitted */
	DELIVERY_ERROR_SIZE = 400,                    /* bytes of an error's text, with its NUL */
};

/* Strings are copied; NULL or empty where nothing else is said. */
struct delivery_conf {
	bool allow_http;              /* webhooks by http, too; and a mail's password without TLS */
	const char *allow_networks;   /* notify.allow_networks: "10.0.0.0/8, ::1/128" */
	const char *secrets_dir;      /* where secret_file, bearer_file, password_file stand; empty: none is read */
	const char *ca_file;          /* PEM; empty: the system's */
	const char *external_url;     /* of the alerts' page, for links; empty: none */
	const char *user_agent;       /* empty: millrace-notify/VERSION */
	int64_t timeout_ms;           /* of one request as a whole, names and all; 0: 10 s */
};

/* A notification to be. All borrowed for the call. */
struct delivery_job {
	const struct incident *incident;
	const struct receiver *receiver;
	int64_t sequence;
	enum incident_state state;                   /* what it tells */
	const struct incident_alert *const *alerts;  /* those it tells of, in this order; of incident->alerts, without what is silenced */
	size_t alerts_len;
};

enum delivery_outcome {
	DELIVERY_DELIVERED,
	DELIVERY_GAVE_UP,
	DELIVERY_CANCELLED,  /* by delivery_cancel() */
	DELIVERY_SUPERSEDED, /* its queue was full, and a later notification of the same incident took its place */
};

/* How a notification ended. Borrowed for the callback. */
struct delivery_done {
	uint8_t incident[16];
	struct str site;
	struct str receiver;
	int64_t sequence, version; /* the job's, and of its incident */
	enum incident_state state; /* the job's */
	enum delivery_outcome outcome;
	int32_t attempts;
	int64_t took_ms;           /* of the last attempt, real; 0: none was made */
	const char *error;         /* of the last attempt that failed; empty: none did. No secrets; UTF-8 */
};

/* Called from delivery_turn(), delivery_stop(), delivery_submit() (superseded) and delivery_cancel(); may call none of delivery_*. */
typedef void (*delivery_done_fn)(void *ctx, const struct delivery_done *done);

/* May something about this site be sent now? Asked before each attempt; what may not stays in its queue. */
typedef bool (*delivery_may_send_fn)(void *ctx, struct str site);

/* Since the start, and now. */
struct delivery_stats {
	uint64_t attempts, failed_attempts; /* ended */
	uint64_t delivered, gave_up, cancelled, superseded;
	uint64_t refused_addresses;         /* that the guard did not let be connected to */
	size_t queued, in_flight;           /* queued: those in flight, too */
	size_t bytes;                       /* that the queues hold */
	int64_t oldest_ms;                  /* real, how long the oldest has been waiting; 0: none is */
};

struct delivery;

/* Would delivery_new() refuse conf? ERR_REJECT, naming the setting. */
int delivery_check(const struct delivery_conf *conf, struct err *err);

/* Borrows log for its life. may_send NULL: always. NULL with *err: ERR_REJECT names a setting that cannot be used; ERR_FATAL otherwise.
 * curl_global_init() is the program's. */
struct delivery *delivery_new(const struct delivery_conf *conf, delivery_done_fn done, delivery_may_send_fn may_send, void *ctx,
			      const struct log *log, struct err *err);

/* Requests under way are cut off, and nobody is told of what is queued. Takes no time worth naming. NULL is a no-op. */
void delivery_free(struct delivery *d);

/* Queues a copy. 0: taken, done will be called once. 1: the queue is full and holds nothing of this incident that might give way, or all queues
 * together are: keep it, and come again later. -1: *err is set, memory is short. The receiver's record is from now on that of its whole queue. */
int delivery_submit(struct delivery *d, const struct delivery_job *job, struct err *err);

/* The receiver's record has changed: its queue goes by it from now on, and at once, however long it was to wait. What is under way ends as it began.
 * No-op where it has no queue. -1: *err is set, memory is short, and the old one stays. */
int delivery_take_receiver(struct delivery *d, const struct receiver *receiver, struct err *err);

/* Which are meant: those of this site (a Control's scope, say), or of this receiver (that is gone). */
typedef bool (*delivery_match_fn)(void *ctx, struct str site, struct str receiver, const uint8_t incident[16]);

/* Throws away what waits and matches (match NULL: everything); done is called for each. One that is under way is let end: it is cancelled
 * unless it is delivered. Returns how many. */
size_t delivery_cancel(struct delivery *d, delivery_match_fn match, void *ctx);

/* Cuts off and forgets everything, and tells nobody: another instance has taken over. */
void delivery_clear(struct delivery *d);

/* To be polled for POLLIN: ready when a turn would move a request on. One descriptor for life. */
int delivery_fd(const struct delivery *d);

/* Real milliseconds until a turn is due though the descriptor is silent; -1: none is. After may_send has changed its mind a turn is due at once. */
int delivery_timeout_ms(const struct delivery *d, int64_t mono_ms);

/* Moves requests on, tells of those that ended, begins what may begin. mono_ms: clock_mono_ms(). */
void delivery_turn(struct delivery *d, int64_t mono_ms);

/* Begins nothing any more; what is under way has until within_ms (real) from now. Returns when it has ended, or then. */
void delivery_stop(struct delivery *d, int64_t within_ms);

/* The figures now. mono_ms: clock_mono_ms(). */
void delivery_read_stats(const struct delivery *d, int64_t mono_ms, struct delivery_stats *out);

#endif
