/* newest.c - see newest.h.
 *
 * A row is one block of its own, so that what is replaced is freed at once: a topic that is not compacted yet may hold many versions of large records. */
#include "deploy/ctl/newest.h"

#include <stdlib.h>
#include <string.h>

void newest_fini(struct newest *n)
{
	const struct map_slot *slot;

	for (size_t at = 0; (slot = map_next(&n->rows, &at)) != NULL;)
		free(slot->value);
	map_fini(&n->rows);
}

int newest_take(struct newest *n, struct str key, struct str value, struct err *err)
{
	uint8_t hash[MAP_KEY_BYTES];
	struct newest_row *row;
	void *old;

	map_key_of(key, hash);
	if (!value.p) {
		free(map_remove(&n->rows, hash));
		return 0;
	}
	row = malloc(sizeof(*row) + key.len + value.len);
	if (!row)
		return err_nomem(err, "a topic's rows");
	row->key = (struct str){(char *)(row + 1), key.len};
	row->value = (struct str){row->key.p + key.len, value.len};
	if (key.len)
		memcpy(row + 1, key.p, key.len);
	if (value.len)
		memcpy((char *)(row + 1) + key.len, value.p, value.len);
	old = map_get(&n->rows, hash);
	if (map_put(&n->rows, hash, row) < 0) {
		free(row);
		return err_nomem(err, "a topic's rows");
	}
	free(old);
	return 0;
}

static int on_record(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	if (!message->key)
		return 0; /* a table has no such record */
	return newest_take(ctx, (struct str){message->key, message->key_len}, (struct str){message->payload, message->len}, err);
}

int newest_read(struct newest *n, struct topic_scan *scan, const char *topic, struct err *err)
{
	int64_t from, to;

	if (topic_scan_bounds(scan, topic, 0, 0, &from, &to, err) < 0)
		return -1;
	return topic_scan_read(scan, topic, 0, from, to, on_record, n, err);
}

const struct newest_row *newest_find(const struct newest *n, struct str key)
{
	uint8_t hash[MAP_KEY_BYTES];

	map_key_of(key, hash);
	return map_get(&n->rows, hash);
}

static int compare(const void *a, const void *b)
{
	const struct newest_row *const *x = a, *const *y = b;

	return str_cmp((*x)->key, (*y)->key);
}

const struct newest_row **newest_list(const struct newest *n, size_t *nr, struct err *err)
{
	const struct newest_row **list = calloc(n->rows.len + 1, sizeof(*list));
	const struct map_slot *slot;

	*nr = 0;
	if (!list) {
		err_nomem(err, "a list of a topic's rows");
		return NULL;
	}
	for (size_t at = 0; (slot = map_next(&n->rows, &at)) != NULL;)
		list[(*nr)++] = slot->value;
	qsort(list, *nr, sizeof(*list), compare);
	return list;
}
