/* vault.h - keeps the tables of cells and sites through a start without Kafka, and through accidents.
 *
 * Stands between the reader of the topics (common/table.h) and the tables that answer requests (sites.h): rows come in by
 * vault_take_*(), and what is to be in force goes on through the doors. It keeps the rows' bytes and writes them to a file, so that an
 * instance that starts while Kafka is gone knows its sites; and it holds back what would empty the table.
 *
 * Shrinking. A site is usable when its row is there, enabled, and has a key. A row that makes a usable site unusable is a removal. All
 * else is in force at once, the revocation of one of two keys among it. Removals wait until none has come for a second (at most half a
 * minute, as a botched command writes many) and are judged together: all are held when they would leave fewer than half of the
 * sites that were usable five minutes ago, or none (shrink.h has the rule for few sites). While one is held, so are all that come. At the
 * end of loading, what Kafka has is judged against the file in the same way: a topic that was made again looks like a table without rows.
 * Held rows come into force when an operator accepts (control ingest/accept_shrink), and are forgotten when a later row for the same key
 * is no removal. A row that disables a site but lists keys is held in this one point: keys that it lacks are revoked.
 * A cell's row goes when no usable site is routed to it; else it is held too, which holds up no site.
 *
 * Not thread-safe: one owner. Requests ask nothing here; only the doors touch what they use. */
#ifndef MILLRACE_INGEST_VAULT_H
#define MILLRACE_INGEST_VAULT_H

#include <stddef.h>
#include <stdint.h>

#include "ingest/vault_rows.h"

enum { VAULT_QUIET_MS = 1000, VAULT_PATIENCE_MS = 30000, VAULT_SAVE_EVERY_MS = 5000 };

struct vault;

/* What is held. */
struct vault_shrink {
	size_t rows;          /* of sites and cells; 0: nothing */
	size_t before, after; /* usable sites before the first removal that was held, and after all of them; 0 and 0: only cells are held */
};

/* No rows. Copies doors and path; path "" or NULL: no file. NULL when memory is short. */
struct vault *vault_new(const struct vault_doors *doors, const char *path);

/* Frees all rows; does not save. NULL is a no-op. */
void vault_free(struct vault *v);

/* Row functions for struct table_spec; ctx is the struct vault. Until vault_loaded() rows are only gathered. Errors as of
 * sites_take_*(): the row before stays in force. */
int vault_take_cell(void *ctx, const struct table_row *row, struct err *err);
int vault_take_site(void *ctx, const struct table_row *row, struct err *err); /* see above */

/* Puts the rows of the file in force. Call once, before the first row. No file: 0. ERR_REJECT: it is damaged, ERR_RETRY: it cannot be
 * read; nothing of it is in force then, and the program can go on without. ERR_FATAL: out of memory. Rows that this version
 * does not understand are left out. */
int vault_load_file(struct vault *v, struct err *err);

/* Kafka's tables have been read to their end: puts in force what they say, and takes out what they have not, unless that is a shrink.
 * Call once. -1 with *err set by the last row that a door refused (the others are in force); ERR_FATAL: out of memory. */
int vault_loaded(struct vault *v, int64_t mono_ms, struct err *err);

/* The work of a turn, at mono_ms (clock_mono_ms()): judges removals that have waited, and writes the file when something changed, at most
 * every VAULT_SAVE_EVERY_MS. Call it once a second or more often. ERR_RETRY naming the file: it could not be written, and will be
 * tried again; else as vault_loaded(). */
int vault_tick(struct vault *v, int64_t mono_ms, struct err *err);

/* Writes the file now if it lacks anything; waits for the disk. For the program's end. ERR_RETRY when it could not. */
int vault_save(struct vault *v, struct err *err);

/* Tells whether an operator's control accepts a shrink. From the next tick on, and as long as it does, nothing is held. */
void vault_accept_shrink(struct vault *v, bool in_force);

/* How many rows are held, and numbers for the alarm in *out, which may be NULL. */
size_t vault_shrink_held(const struct vault *v, struct vault_shrink *out);

#endif
