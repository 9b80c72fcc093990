/* sites.h - who may send, and where it goes: the tables of cells and sites, in memory.
 *
 * Filled row by row from the compacted topics (common/table.h). Keys are known by their SHA-256 only; a lookup costs one probe
 * of a hash table and one comparison in constant time. A row that cannot be understood leaves the one before in force.
 * Not thread-safe: admission's lock is held by whoever calls. A tenant that is held stays, with what it has used up, whatever
 * rows come; other pointers handed out hold until the next row. */
#ifndef MILLRACE_INGEST_SITES_H
#define MILLRACE_INGEST_SITES_H

#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"
#include "common/table.h"
#include "ingest/budget.h"
#include "ingest/rate.h"
#include "ingest/refusal.h"
#include "ingest/split.h"

enum { SITES_SHA256_BYTES = 32 };

struct sites;
struct tenant; /* a site, as ingest sees it */
struct cell; /* the records of schemas/ */
struct site;

/* What a site has used up: admission's, kept here so that it outlives the site's rows. */
struct tenant_use {
	struct rate payloads, samples;
	struct budget inflight; /* its own part of the bytes in flight */
};

/* What a site may: payloads and samples a second, 0 is no limit. */
struct tenant_limits {
	double payloads_per_s, samples_per_s;
};

/* No sites; NULL when memory is short. */
struct sites *sites_new(void);

/* Frees all sites and cells; NULL is a no-op. */
void sites_free(struct sites *s);

/* Take a row of millrace.cells and of millrace.sites; ctx is the struct sites. Row functions for struct table_spec. ERR_RETRY: written
 * by a newer version; ERR_REJECT: malformed. A site has as many live keys as its row lists. */
int sites_take_cell(void *ctx, const struct table_row *row, struct err *err);
int sites_take_site(void *ctx, const struct table_row *row, struct err *err); /* see above */

/* Reads a row that is no deletion and judges it as the above would, without taking it. out borrows the row and lives in scratch. */
int sites_read_cell(const struct table_row *row, struct arena *scratch, struct cell *out, struct err *err);
int sites_read_site(const struct table_row *row, struct arena *scratch, struct site *out, struct err *err); /* see above */

/* Changes with every cell's row; and the topics of samples and of events of all cells that have any, each with its NUL, appended to out. */
unsigned sites_cells_version(const struct sites *s);
void sites_topics(const struct sites *s, struct buf *out); /* see above */

/* How many sites there are. */
size_t sites_count(const struct sites *s);

/* SHA-256 of a key as a client sends it. */
void sites_hash_key(struct str key, uint8_t sha256[SITES_SHA256_BYTES]);

/* The site that has a key, or NULL: unknown, revoked, or its site is disabled. */
struct tenant *sites_find(const struct sites *s, const uint8_t sha256[SITES_SHA256_BYTES]);

/* Keeps a tenant from being freed, and lets go of it. */
void sites_hold(struct tenant *t);
void sites_release(struct tenant *t); /* see above */

/* A tenant's id (borrowed), limits, and use. */
struct str sites_id(const struct tenant *t);
struct tenant_limits sites_limits(const struct tenant *t); /* see above */
struct tenant_use *sites_use(struct tenant *t);            /* see above */

/* The cell that serves what was created at at_ms, borrowed. */
struct str sites_cell(const struct tenant *t, int64_t at_ms);

/* Its topic of samples, borrowed; NULL: it has none. */
const char *sites_topic(const struct sites *s, const struct tenant *t, int64_t at_ms);

/* Where what was created at at_ms goes: the latest route that was in force then, or the earliest when it is older than all. Refuses with
 * no_route when its cell is unknown or has no topics yet. out borrows from the tables. */
int sites_route(struct sites *s, struct tenant *t, int64_t at_ms, struct split_route *out, struct refusal *no);

#endif
