/* acks.c - see acks.h.
 *
 * An instance that stands by reads acknowledgements of incidents that it knows nothing about, so a row stays though nobody asks for it.
 * The topic forgets after thirty days; the bound is for whoever acknowledges faster. */
#include "sink/notify/acks.h"

#include <stdlib.h>

#include "common/silence.h"
#include "common/rows.h"

struct ack_row {
	struct row row;
	struct ack ack; /* borrows row */
	TAILQ_ENTRY(ack_row) order;
};

void acks_init(struct acks *a)
{
	*a = (struct acks){.by_incident = MAP_INIT};
	TAILQ_INIT(&a->order);
}

static void drop(struct acks *a, struct ack_row *row)
{
	map_remove(&a->by_incident, row->ack.incident);
	TAILQ_REMOVE(&a->order, row, order);
	row_free(&row->row);
}

void acks_fini(struct acks *a)
{
	while (!TAILQ_EMPTY(&a->order))
		drop(a, TAILQ_FIRST(&a->order));
	map_fini(&a->by_incident);
}

/* What an operator wrote goes into records and mails: one line of text, as in a silence. */
static int read_row(struct ack_row *new, struct err *err)
{
	if (ack_decode(new->row.message, &new->row.arena, &new->ack, err) < 0 ||
	    silence_check_text("author", new->ack.author, 1, SILENCE_AUTHOR_MAX, err) < 0 ||
	    silence_check_text("reason", new->ack.reason, 0, SILENCE_REASON_MAX, err) < 0)
		return err_wrap(err, "ack");
	if (memcmp(new->row.id.p, new->ack.incident, sizeof(new->ack.incident)) != 0)
		return err_set(err, ERR_REJECT, "ack: the key is not its incident's id");
	return 0;
}

int acks_take(struct acks *a, const struct table_row *row, struct err *err)
{
	struct ack_row *new, *old;

	if (row->key.len != MAP_KEY_BYTES)
		return err_set(err, ERR_REJECT, "ack: a key of %zu bytes", row->key.len);
	old = map_get(&a->by_incident, (const uint8_t *)row->key.p);
	if (!row->value.p) {
		if (old)
			drop(a, old);
		return 0;
	}
	new = (struct ack_row *)row_new(sizeof(*new), row->key, row->value, err);
	if (!new)
		return -1;
	if (read_row(new, err) < 0) {
		row_free(&new->row);
		return -1;
	}
	if (map_put(&a->by_incident, new->ack.incident, new) < 0) {
		row_free(&new->row);
		return err_nomem(err, "acks");
	}
	if (old) { /* one that is said again is not old */
		TAILQ_REMOVE(&a->order, old, order);
		row_free(&old->row);
	}
	TAILQ_INSERT_TAIL(&a->order, new, order);
	if (a->by_incident.len > ACKS_MAX)
		drop(a, TAILQ_FIRST(&a->order));
	return 0;
}

const struct ack *acks_find(const struct acks *a, const uint8_t incident[16])
{
	const struct ack_row *row = map_get(&a->by_incident, incident);

	return row ? &row->ack : NULL;
}
