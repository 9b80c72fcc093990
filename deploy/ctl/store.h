/* store.h - the control plane's tables in memory: cells, sites, controls, triggers, receivers, and who has a heartbeat.
 *
 * Filled from the compacted topics (live) or from an export (wanted); the two are what `apply` compares.
 * Knows nothing of Kafka. Invariants: one item a key; a new row of a key replaces the old one; what an item
 * points to lives in the store's arena, so a replaced item stays readable until store_fini(). A row that
 * cannot be read stays as an item with a fault: it is neither forgotten (an export without it would be a
 * bad backup) nor in the way of the others. Not thread-safe: one owner. */
#ifndef MILLRACE_CTL_STORE_H
#define MILLRACE_CTL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/map.h"
#include "common/str.h"
#include "common/table.h"
#include "schemas/schemas.h"

enum store_kind { STORE_CELLS, STORE_SITES, STORE_CONTROLS, STORE_TRIGGERS, STORE_RECEIVERS, STORE_BEATS, STORE_KINDS };

struct store_item {
	struct str key;
	int64_t timestamp_ms; /* Kafka's, in virtual time; 0 when not from Kafka */
	int64_t offset;       /* of its row in the topic, likewise */
	const char *fault;    /* why the record cannot be read; NULL: v holds it */
	bool newer;           /* the fault is a schema that only a newer millrace-ctl knows: not ours to replace */
	union {
		struct cell cell;
		struct site site;
		struct control control;
		struct trigger trigger;
		struct receiver receiver;
		struct heartbeat beat;
	} v;
};

struct store {
	struct arena arena;
	struct map index[STORE_KINDS]; /* of the key's hash to struct store_item * */
};

#define STORE_INIT {0}

/* Frees everything; the store is as after STORE_INIT. */
void store_fini(struct store *s);

/* Takes one row of a topic of this kind: a record, or a deletion. Copies. An unreadable record becomes an
 * item with a fault, and is no error; only a lack of memory is. */
int store_take_row(struct store *s, enum store_kind kind, const struct table_row *row, struct err *err);

/* Puts a record. Copies the struct; what it points to is borrowed, and must live as long as the
 * store. */
int store_put_cell(struct store *s, const struct cell *cell, struct err *err);
int store_put_site(struct store *s, const struct site *site, struct err *err);             /* see above */
int store_put_trigger(struct store *s, const struct trigger *trigger, struct err *err);    /* see above */
int store_put_receiver(struct store *s, const struct receiver *receiver, struct err *err); /* see above */

/* The item of a key, with or without a fault, or NULL. Borrowed. */
const struct store_item *store_item(const struct store *s, enum store_kind kind, struct str key);

/* The record of a name, or NULL when there is none that can be read. Borrowed. */
const struct cell *store_cell(const struct store *s, struct str name);
const struct site *store_site(const struct store *s, struct str id);         /* see above */
const struct trigger *store_trigger(const struct store *s, struct str id);   /* see above */
const struct receiver *store_receiver(const struct store *s, struct str id); /* see above */

/* All items of a kind, sorted bytewise by key, *nr of them; the caller frees the array (not the items).
 * NULL: out of memory. */
const struct store_item **store_list(const struct store *s, enum store_kind kind, size_t *nr, struct err *err);

#endif
