/* store.c - see store.h.
 *
 * A row's bytes are copied into the arena and decoded from there, so that the decoded strings borrow the
 * copy and live as long as the store: no deep copying of records by hand, field by field. What was replaced
 * stays behind in the arena. That is a leak by design: a run of this tool lasts a second, and what it has
 * once handed out must not move. */
#include "deploy/ctl/store.h"

#include <stdlib.h>

#include "common/control.h"
#include "common/receiver.h"
#include "common/trigger.h"

void store_fini(struct store *s)
{
	for (int kind = 0; kind < STORE_KINDS; kind++)
		map_fini(&s->index[kind]);
	arena_fini(&s->arena);
	*s = (struct store)STORE_INIT;
}

/* A zeroed item under this key (copied), in place of any other. */
static struct store_item *add_item(struct store *s, enum store_kind kind, struct str key, struct err *err)
{
	struct store_item *item = arena_alloc(&s->arena, sizeof(*item));
	uint8_t hash[MAP_KEY_BYTES];

	if (item)
		item->key = arena_str(&s->arena, key);
	map_key_of(key, hash);
	if (!item || !item->key.p || map_put(&s->index[kind], hash, item) < 0) {
		err_nomem(err, "the control plane's tables");
		return NULL;
	}
	return item;
}

/* Six record types, one shape: the kind says which member of v is meant. */
static int decode_item(enum store_kind kind, struct str value, struct arena *arena, struct store_item *item, struct err *err)
{
	switch (kind) {
	case STORE_CELLS:
		return cell_decode(value, arena, &item->v.cell, err);
	case STORE_SITES:
		return site_decode(value, arena, &item->v.site, err);
	case STORE_CONTROLS:
		return control_decode(value, arena, &item->v.control, err);
	case STORE_TRIGGERS:
		return trigger_decode(value, arena, &item->v.trigger, err);
	case STORE_RECEIVERS:
		return receiver_decode(value, arena, &item->v.receiver, err);
	default:
		return heartbeat_decode(value, arena, &item->v.beat, err);
	}
}

/* Does the record say the same name as its key? Compaction works by key: a record under a wrong one would
 * shadow another. */
static bool key_fits(enum store_kind kind, const struct store_item *item)
{
	switch (kind) {
	case STORE_CELLS:
		return str_eq(item->key, item->v.cell.name);
	case STORE_SITES:
		return str_eq(item->key, item->v.site.id);
	case STORE_CONTROLS:
		return str_eq(item->key, item->v.control.id);
	case STORE_TRIGGERS:
		return str_eq(item->key, item->v.trigger.id);
	case STORE_RECEIVERS:
		return str_eq(item->key, item->v.receiver.id);
	default:
		return true;
	}
}

/* By the rules that those hold it to who obey it: what they pass over is not to be shown as if it were in force. */
static int check_item(enum store_kind kind, const struct store_item *item, struct err *err)
{
	switch (kind) {
	case STORE_CONTROLS:
		return control_check(&item->v.control, err);
	case STORE_TRIGGERS:
		return trigger_check(&item->v.trigger, err);
	case STORE_RECEIVERS:
		return receiver_check(&item->v.receiver, err);
	default:
		return 0;
	}
}

/* Keeps the item, marked unreadable. Its v is not to be looked at. */
static int fail_item(struct store *s, struct store_item *item, const char *reason, struct err *err)
{
	struct str copy = arena_str(&s->arena, str_from(reason));

	if (!copy.p)
		return err_nomem(err, "the control plane's tables");
	item->fault = copy.p;
	return 0;
}

int store_take_row(struct store *s, enum store_kind kind, const struct table_row *row, struct err *err)
{
	struct store_item *item;
	struct err fault = ERR_INIT;
	uint8_t hash[MAP_KEY_BYTES];
	struct str value;

	if (!row->value.p) {
		map_key_of(row->key, hash);
		map_remove(&s->index[kind], hash);
		return 0;
	}
	item = add_item(s, kind, row->key, err);
	value = item ? arena_str(&s->arena, row->value) : (struct str){0};
	if (!item)
		return -1;
	if (!value.p)
		return err_nomem(err, "the control plane's tables");
	item->timestamp_ms = row->timestamp_ms;
	item->offset = row->offset;
	if (decode_item(kind, value, &s->arena, item, &fault) == 0) {
		if (!key_fits(kind, item))
			return fail_item(s, item, "its key is another name than its own", err);
		if (check_item(kind, item, &fault) == 0)
			return 0;
	}
	if (fault.kind == ERR_FATAL)
		return err_nomem(err, "the control plane's tables");
	item->newer = fault.kind == ERR_RETRY;
	return fail_item(s, item, fault.msg, err);
}

int store_put_cell(struct store *s, const struct cell *cell, struct err *err)
{
	struct store_item *item = add_item(s, STORE_CELLS, cell->name, err);

	if (!item)
		return -1;
	item->v.cell = *cell;
	return 0;
}

int store_put_site(struct store *s, const struct site *site, struct err *err)
{
	struct store_item *item = add_item(s, STORE_SITES, site->id, err);

	if (!item)
		return -1;
	item->v.site = *site;
	return 0;
}

int store_put_trigger(struct store *s, const struct trigger *trigger, struct err *err)
{
	struct store_item *item = add_item(s, STORE_TRIGGERS, trigger->id, err);

	if (!item)
		return -1;
	item->v.trigger = *trigger;
	return 0;
}

int store_put_receiver(struct store *s, const struct receiver *receiver, struct err *err)
{
	struct store_item *item = add_item(s, STORE_RECEIVERS, receiver->id, err);

	if (!item)
		return -1;
	item->v.receiver = *receiver;
	return 0;
}

const struct store_item *store_item(const struct store *s, enum store_kind kind, struct str key)
{
	uint8_t hash[MAP_KEY_BYTES];

	map_key_of(key, hash);
	return map_get(&s->index[kind], hash);
}

const struct cell *store_cell(const struct store *s, struct str name)
{
	const struct store_item *item = store_item(s, STORE_CELLS, name);

	return item && !item->fault ? &item->v.cell : NULL;
}

const struct site *store_site(const struct store *s, struct str id)
{
	const struct store_item *item = store_item(s, STORE_SITES, id);

	return item && !item->fault ? &item->v.site : NULL;
}

const struct trigger *store_trigger(const struct store *s, struct str id)
{
	const struct store_item *item = store_item(s, STORE_TRIGGERS, id);

	return item && !item->fault ? &item->v.trigger : NULL;
}

const struct receiver *store_receiver(const struct store *s, struct str id)
{
	const struct store_item *item = store_item(s, STORE_RECEIVERS, id);

	return item && !item->fault ? &item->v.receiver : NULL;
}

static int by_key(const void *a, const void *b)
{
	const struct store_item *const *left = a, *const *right = b;

	return str_cmp((*left)->key, (*right)->key);
}

const struct store_item **store_list(const struct store *s, enum store_kind kind, size_t *nr, struct err *err)
{
	const struct map *index = &s->index[kind];
	const struct store_item **list = calloc(index->len + 1, sizeof(const struct store_item *));
	const struct map_slot *slot;
	size_t at = 0;

	*nr = 0;
	if (!list) {
		err_nomem(err, "a list");
		return NULL;
	}
	while ((slot = map_next(index, &at)))
		list[(*nr)++] = slot->value;
	qsort(list, *nr, sizeof(*list), by_key);
	return list;
}
