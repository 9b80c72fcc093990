/* vault_rows.h - the rows of cells and sites: which are in force, and what Kafka last said of them.
 *
 * Of each key there are up to two versions. `now` is in force: it went through the doors. `next` waits: it is Kafka's last word, and has no
 * effect until it is applied. Who waits, and for how long, is the vault's to decide; here is only the changing of hands.
 *
 * Invariants:
 *  I1  `now` is what went through its door last, byte for byte; `usable` counts the sites whose `now` is usable.
 *  I2  `order` is the order in which rows came into force. Where two sites list one key, the later row has it (sites.c, I2), so
 *      this is also the order for a file that is to give the same table again.
 *  I3  `waiting` is the order in which Kafka's last words came; nr_waiting and nr_held count them by table, and what is held waits.
 *
 * Not thread-safe: one owner. Every function that can fail leaves the row in force as it was. */
#ifndef MILLRACE_INGEST_VAULT_ROWS_H
#define MILLRACE_INGEST_VAULT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/map.h"
#include "common/table.h"
#include "ingest/vault_file.h"

/* Where rows go that are to be in force: sites_take_cell() and sites_take_site(), or functions around them that hold a lock. A row's
 * timestamp and offset are 0. */
struct vault_doors {
	table_row_fn take_cell, take_site;
	void *ctx;
};

/* What a row said at one time. */
struct vault_version {
	bool usable;                 /* a site: enabled, and it has a key */
	uint8_t home[MAP_KEY_BYTES]; /* a site: map_key_of() the cell of its newest route */
	size_t len;
	char value[];
};

struct vault_row {
	TAILQ_ENTRY(vault_row) order, turn; /* in rows->order iff now; in rows->waiting iff waiting */
	struct vault_version *now, *next;   /* owned; NULL: no row */
	enum vault_table table;
	bool waiting, held;
	bool seen;   /* Kafka had something to say of this key */
	bool in_use; /* a cell: as of vault_rows_mark_cells() */
	size_t key_len;
	char key[];
};

TAILQ_HEAD(vault_row_list, vault_row);

struct vault_rows {
	struct vault_doors doors;
	struct map keys[VAULT_TABLES]; /* by map_key_of(key); own the rows */
	struct vault_row_list order, waiting;
	size_t usable, nr_waiting[VAULT_TABLES], nr_held[VAULT_TABLES];
	bool changed; /* something in force changed; for the owner to clear */
	struct arena scratch;
};

/* No rows; copies doors. */
void vault_rows_init(struct vault_rows *rows, const struct vault_doors *doors);

/* Frees all rows; they stay in force behind the doors. */
void vault_rows_fini(struct vault_rows *rows);

/* Makes row->value Kafka's last word on its key, and lets it wait behind all others. *out is the row, or NULL: a deletion of
 * what is not there. Errors as of sites_take_*(); then nothing has changed, but that the key was seen. */
int vault_rows_put(struct vault_rows *rows, enum vault_table table, const struct table_row *row, struct vault_row **out, struct err *err);

/* Lets the rows wait for their deletion of whose keys Kafka has said nothing. */
void vault_rows_delete_unseen(struct vault_rows *rows);

/* Would what waits take something away that requests need: make a usable site unusable, or delete a cell? */
bool vault_rows_is_removal(const struct vault_row *r);

/* How many sites would be usable if all that waits came into force. */
size_t vault_rows_usable_after(const struct vault_rows *rows);

/* Puts what waits in force. Frees r when nothing of it is left. -1: the door refused it, and what waited is forgotten. */
int vault_rows_apply(struct vault_rows *rows, struct vault_row *r, struct err *err);

/* Holds a removal, or one that is held already and has a new word to wait with: it goes on waiting. If it disables a site but lists keys, all
 * but the disabling comes into force, so that keys that it lacks are revoked. */
int vault_rows_hold(struct vault_rows *rows, struct vault_row *r, struct err *err);

/* Puts a row in force without Kafka's word: one of the file. */
int vault_rows_keep(struct vault_rows *rows, enum vault_table table, struct str key, struct str value, struct err *err);

/* Sets in_use of the cells: is a usable site routed to it? */
void vault_rows_mark_cells(struct vault_rows *rows);

#endif
