/* admission.h - who is let in before a byte of the body is read, and what is held until Kafka has spoken.
 *
 * Every request passes here with its headers: is there such a path, is this instance serving, is the way in open, is the key known, is the
 * body of a kind and size that we take, is its site within its rates, and is there room for it? What is let in holds a ticket, which is
 * charged with every byte that its payload takes (body, inflated body, records, the answer kept back) and is released when Kafka has
 * acknowledged or given up, not when the client was answered.
 *
 * Here is all that the serving threads share: the tables of sites, the budget, the rates, the calendar of those who are to come back. One
 * mutex is over it, held for well under a microsecond a call; the program holds it too while it changes the tables. A ticket
 * belongs to one thread at a time. */
#ifndef MILLRACE_INGEST_ADMISSION_H
#define MILLRACE_INGEST_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/controls.h"
#include "ingest/account.h"
#include "ingest/budget.h"
#include "ingest/inflate.h"
#include "ingest/refusal.h"
#include "ingest/sender.h"
#include "ingest/sites.h"

struct admission;

/* What admission works with; all borrowed until admission_free(). */
struct admission_rooms {
	struct sites *sites;
	struct account *account;
	struct controls *controls;
	const struct clock *clock;
};

struct admission_limits {
	int64_t max_body_bytes;
	int64_t budget_bytes;
};

/* What the program says of itself; atomics, from any thread. */
enum admission_state {
	ADMISSION_TABLES_LOADED, /* until then nobody is told that his key is unknown */
	ADMISSION_TABLES_FRESH,  /* the brokers were there lately */
	ADMISSION_DRAINING,      /* at its end */
	NR_ADMISSION_STATES
};

/* What a request wants, by its path. */
enum admission_door { DOOR_PUSH, DOOR_AUTH, DOOR_METRICS, DOOR_LOGS, DOOR_TRACES };

enum body_form { BODY_JSON, BODY_PROTOBUF };

/* A request as its headers tell; NULL: no such header. Borrowed. */
struct admission_head {
	const char *method, *path;
	const char *authorization, *x_api_key, *api_key; /* the last one from the query */
	const char *content_type, *content_encoding, *content_length, *transfer_encoding;
	const char *sent_at, *created_at; /* Millrace-Sent-At, Millrace-Created-At: of native payloads */
	const char *idempotency_key;      /* of OTLP's */
	unsigned lengths;                 /* headers that announce a length: Content-Length and Transfer-Encoding, each time */
	bool blank_in_name;               /* a header's name begins or ends with one */
	bool (*kafka_gone)(void *kafka, const char *topic); /* has the thread's producer had no answer for it for long? NULL: no */
	void *kafka;
};

/* What an admitted request may go on with; {0} before and after. */
struct ticket {
	enum admission_door door;
	struct tenant *tenant; /* held */
	uint8_t key_sha256[SITES_SHA256_BYTES];
	struct sender sender;
	enum body_form form;         /* also of the answer; JSON, where it is neither */
	enum inflate_encoding encoding;
	struct str idempotency_key;  /* p is NULL without one; the request's, which outlives its decoding only */
	int64_t received_at_ms;  /* virtual */
	int64_t announced_bytes; /* Content-Length; -1: chunked */
	int64_t charged_bytes;
};

/* All states false. NULL when memory is short. */
struct admission *admission_new(const struct admission_rooms *rooms, const struct admission_limits *limits);

/* NULL is a no-op. No ticket may be left. */
void admission_free(struct admission *a);

/* Sets a state. */
void admission_set(struct admission *a, enum admission_state state, bool value);

/* Held while the tables change: their row functions are called in between. */
void admission_lock(struct admission *a);
void admission_unlock(struct admission *a); /* see above */

/* Lets a request in, or refuses it. An announced body is charged at once, a chunked one as it arrives. The ticket is good for
 * admission_refuse() and admission_release() in either case. */
int admission_enter(struct admission *a, const struct admission_head *head, struct ticket *t, struct refusal *no);

/* Is this one of OTLP's doors? */
static inline bool admission_is_otlp(enum admission_door door)
{
	return door >= DOOR_METRICS;
}

/* The bytes of a chunked body so far, and those of a body that was announced, against the limit. */
int admission_check_body(const struct admission *a, int64_t bytes, struct refusal *no);

/* Charges more bytes, or refuses with over_budget and charges nothing. */
int admission_charge(struct admission *a, struct ticket *t, int64_t bytes, struct refusal *no);

/* Gives all of a ticket's bytes and its tenant back; again is a no-op. */
void admission_release(struct admission *a, struct ticket *t);

/* The way of a decoded payload, created at created_at_ms: asks once more whether the key is good and the way open, charges the samples to
 * the site's rate, and copies the route into memory of arena's. */
int admission_route(struct admission *a, struct ticket *t, int64_t created_at_ms, uint64_t samples, struct arena *arena,
		    struct split_route *out, struct refusal *no);

/* The id of the site that a ticket was issued to, borrowed until its release; "" while it has none. */
struct str admission_site(const struct ticket *t);

/* Counts a request that is refused, with its samples where they are known, and gives the seconds for Retry-After; 0: none. Before the
 * ticket's release. */
unsigned admission_refuse(struct admission *a, const struct ticket *t, const struct refusal *no, const struct tally *samples);

/* Counts a payload that was taken. Before the ticket's release. */
void admission_accept(struct admission *a, const struct ticket *t, const struct tally *samples);

/* The topics that payloads may go to, appended to out as by sites_topics(), if cells have changed since *version, which follows. */
bool admission_topics(struct admission *a, unsigned *version, struct buf *out);

/* Bytes that all tickets hold. */
int64_t admission_inflight_bytes(struct admission *a);

/* Sets the gauges; now and then. */
void admission_gauge(struct admission *a);

#endif
