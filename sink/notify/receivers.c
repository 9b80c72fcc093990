/* receivers.c - see receivers.h.
 *
 * A row is replaced as a whole, but the number of its jobs goes over to the next one, and outlives even its deletion: else a receiver that is deleted and
 * made again could have twice as many on their way as the delivery holds. */
#include "sink/notify/receivers.h"

#include "common/receiver.h"

void receivers_fini(struct receivers *rs)
{
	rows_fini(&rs->rows);
}

/* Gone or not. */
static struct receiver_row *any(const struct receivers *rs, struct str id)
{
	return (struct receiver_row *)rows_find(&rs->rows, id);
}

static void drop(struct receivers *rs, struct str id)
{
	struct receiver_row *old = any(rs, id);

	if (old && old->under_way > 0)
		old->gone = true;
	else
		rows_remove(&rs->rows, id);
}

/* Whoever wrote it may have been another version, or nobody of ours: held to the same rules as by who applies one. */
static int read_row(struct receiver_row *new, struct err *err)
{
	if (receiver_decode(new->row.message, &new->row.arena, &new->r, err) < 0 || receiver_check(&new->r, err) < 0)
		return err_wrap(err, "receiver " STR_FMT, (int)(new->row.id.len < 64 ? new->row.id.len : 64), new->row.id.p);
	if (!str_eq(new->r.id, new->row.id))
		return err_set(err, ERR_REJECT, "receiver: the key is not its id");
	return 0;
}

int receivers_take(struct receivers *rs, const struct table_row *row, struct err *err)
{
	struct receiver_row *new, *old = any(rs, row->key);

	if (!row->value.p) {
		drop(rs, row->key);
		return 0;
	}
	if (!old && rs->rows.len >= RECEIVERS_MAX)
		return err_set(err, ERR_REJECT, "receivers: over %d", RECEIVERS_MAX);
	new = (struct receiver_row *)row_new(sizeof(*new), row->key, row->value, err);
	if (!new)
		return -1;
	new->under_way = old ? old->under_way : 0;
	if (read_row(new, err) == 0 && rows_put(&rs->rows, &new->row, err) == 0)
		return 0;
	row_free(&new->row);
	return -1;
}

struct receiver_row *receivers_find(const struct receivers *rs, struct str id)
{
	struct receiver_row *found = any(rs, id);

	return found && !found->gone ? found : NULL;
}

struct receiver_row *receivers_next(const struct receivers *rs, size_t *at)
{
	while (*at < rs->rows.len) {
		struct receiver_row *r = (struct receiver_row *)rs->rows.at[(*at)++];

		if (!r->gone)
			return r;
	}
	return NULL;
}

static bool among(struct str id, const struct str *ids, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (str_eq(id, ids[i]))
			return true;
	return false;
}

/* A trigger that names its receivers means those, also where a site or a severity would leave them out. */
bool receiver_gets(const struct receiver *r, const struct incident *incident)
{
	if (incident->receivers_len > 0)
		return among(r->id, incident->receivers, incident->receivers_len);
	if (r->only_named || (r->sites_len > 0 && !among(incident->site, r->sites, r->sites_len)))
		return false;
	for (size_t i = 0; i < r->severities_len; i++)
		if (r->severities[i] == incident->severity)
			return true;
	return r->severities_len == 0;
}

void receivers_begin(struct receivers *rs, struct str id)
{
	struct receiver_row *r = any(rs, id);

	if (r)
		r->under_way++;
}

void receivers_end(struct receivers *rs, struct str id)
{
	struct receiver_row *r = any(rs, id);

	if (!r || r->under_way == 0)
		return;
	r->under_way--;
	if (r->gone && r->under_way == 0)
		rows_remove(&rs->rows, id);
}

void receivers_end_all(struct receivers *rs)
{
	for (size_t i = rs->rows.len; i-- > 0;) {
		struct receiver_row *r = (struct receiver_row *)rs->rows.at[i];

		r->under_way = 0;
		if (r->gone)
			rows_remove(&rs->rows, r->row.id);
	}
}
