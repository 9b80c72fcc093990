/* silences.c - see silences.h.
 *
 * Picking first makes the question about a thousand alerts cheap, as hardly any silence is about a given trigger. Room for what may be picked is
 * made when a row is taken, so that no question can fail. */
#include "sink/notify/silences.h"

#include <stdlib.h>

#include "common/silence.h"
#include "common/trigger.h"

struct silence_row {
	struct row row;
	struct silence s; /* borrows row */
};

void silences_fini(struct silences *s)
{
	rows_fini(&s->rows);
	free(s->picked);
	*s = (struct silences)SILENCES_INIT;
}

static const struct silence *silence_at(const struct silences *s, size_t i)
{
	return &((const struct silence_row *)s->rows.at[i])->s;
}

/* Held to the rules of who writes one. */
static int read_row(struct silence_row *new, struct err *err)
{
	if (silence_decode(new->row.message, &new->row.arena, &new->s, err) < 0 || silence_check(&new->s, err) < 0)
		return err_wrap(err, "silence " STR_FMT, (int)(new->row.id.len < 64 ? new->row.id.len : 64), new->row.id.p);
	if (!str_eq(new->s.id, new->row.id))
		return err_set(err, ERR_REJECT, "silence: the key is not its id");
	return 0;
}

/* Room for one that was written at written_ms. */
static int make_room(struct silences *s, int64_t written_ms, struct err *err)
{
	size_t first = 0;

	if (s->rows.len < SILENCES_MAX)
		return 0;
	for (size_t i = 1; i < s->rows.len; i++)
		if (silence_at(s, i)->ends_at < silence_at(s, first)->ends_at)
			first = i;
	if (silence_at(s, first)->ends_at > written_ms)
		return err_set(err, ERR_REJECT, "silences: over %d", SILENCES_MAX);
	rows_remove(&s->rows, s->rows.at[first]->id);
	return 0;
}

static int put(struct silences *s, struct silence_row *new, struct err *err)
{
	const struct silence **picked;

	if (!rows_find(&s->rows, new->row.id) && make_room(s, new->s.created_at, err) < 0)
		return -1;
	picked = reallocarray(s->picked, s->rows.len + 1, sizeof(*picked));
	if (!picked)
		return err_nomem(err, "silences");
	s->picked = picked;
	return rows_put(&s->rows, &new->row, err);
}

int silences_take(struct silences *s, const struct table_row *row, struct err *err)
{
	struct silence_row *new;

	s->nr_picked = 0;
	if (!row->value.p) {
		rows_remove(&s->rows, row->key);
		return 0;
	}
	new = (struct silence_row *)row_new(sizeof(*new), row->key, row->value, err);
	if (!new)
		return -1;
	if (read_row(new, err) == 0 && put(s, new, err) == 0)
		return 0;
	row_free(&new->row);
	return -1;
}

void silences_pick(struct silences *s, struct str site, struct str trigger)
{
	s->nr_picked = 0;
	for (size_t i = 0; i < s->rows.len; i++) {
		const struct silence *one = silence_at(s, i);

		if ((!one->has_site || str_eq(one->site, site)) && (!one->has_trigger || str_eq(one->trigger, trigger)))
			s->picked[s->nr_picked++] = one;
	}
}

/* Half open, as all times are here; see silences.h for the beginning. */
static bool in_force(const struct silence *one, int64_t at_ms)
{
	int64_t from_ms = one->starts_at > one->created_at ? one->starts_at : one->created_at;

	return from_ms <= at_ms && at_ms < one->ends_at;
}

bool silences_cover(const struct silences *s, const struct tag *tags, size_t tags_len, int64_t at_ms)
{
	for (size_t i = 0; i < s->nr_picked; i++) {
		const struct silence *one = s->picked[i];

		if (in_force(one, at_ms) && (one->tags_len == 0 || (tags && trigger_selects(one->tags, one->tags_len, tags, tags_len))))
			return true;
	}
	return false;
}

int64_t silences_end_ms(const struct silences *s, int64_t now_ms)
{
	int64_t first_ms = INT64_MAX;

	for (size_t i = 0; i < s->nr_picked; i++)
		if (in_force(s->picked[i], now_ms) && s->picked[i]->ends_at < first_ms)
			first_ms = s->picked[i]->ends_at;
	return first_ms;
}
