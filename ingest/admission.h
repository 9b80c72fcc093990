/* admission.h - who is let in before a byte of the body is read.
 *
 * Every request passes here with its headers: is there such a path, is this instance serving, is the key known, is the body of a
 * kind and size that we take, and is there room for it? What is let in holds a ticket, which is charged with every byte that its
 * payload takes (body, records, the answer kept back) and is released when Kafka has acknowledged or given up, not when the
 * client was answered. (Per-site rates, live before backlog, the valve: their place is here.) Not thread-safe: one owner. */
#ifndef MILLRACE_INGEST_ADMISSION_H
#define MILLRACE_INGEST_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/account.h"
#include "ingest/refusal.h"
#include "ingest/sites.h"

struct admission {
	struct sites *sites;     /* borrowed */
	struct account *account; /* borrowed */
	int64_t max_body_bytes;
	int64_t budget_bytes;
	int64_t inflight_bytes; /* charged to tickets */
	bool tables_loaded;     /* set by the program; until then nobody is told that his key is unknown */
	bool tables_fresh;      /* likewise: the brokers were there lately */
	bool draining;          /* set by the program at its end */
};

/* A request as its headers tell; NULL: no such header. Borrowed. */
struct admission_head {
	const char *method, *path;
	const char *authorization, *x_api_key, *api_key; /* the last one from the query */
	const char *content_type, *content_encoding, *content_length;
};

/* What an admitted request may go on with; {0} before and after. */
struct ticket {
	uint8_t key_sha256[SITES_SHA256_BYTES];
	int64_t announced_bytes; /* Content-Length; -1: chunked */
	int64_t charged_bytes;
};

/* Lets a request in, or refuses it. An announced body is charged at once, a chunked one as it arrives. */
int admission_enter(struct admission *a, const struct admission_head *head, struct ticket *t, struct refusal *no);

/* The bytes of a chunked body so far, and those of a body that was announced, against the limit. */
int admission_check_body(const struct admission *a, int64_t bytes, struct refusal *no);

/* Charges more bytes, or refuses with over_budget and charges nothing. */
int admission_charge(struct admission *a, struct ticket *t, int64_t bytes, struct refusal *no);

/* Gives all of a ticket's bytes back; again is a no-op. */
void admission_release(struct admission *a, struct ticket *t);

/* The site a ticket was issued to, as the table knows it now, or NULL with the refusal: its key may have been revoked meanwhile. */
struct tenant *admission_tenant(const struct admission *a, const struct ticket *t, struct refusal *no);

#endif
