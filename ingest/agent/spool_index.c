/* spool_index.c - see spool_index.h.
 *
 * A payload is nearly always the newest when it comes, so its place is looked for from that end. */
#include "ingest/agent/spool_index.h"

#include <stdlib.h>

void spool_index_init(struct spool_index *x)
{
	*x = (struct spool_index){.by_id = MAP_INIT, .by_identity = MAP_INIT};
	TAILQ_INIT(&x->entries);
}

void spool_entry_free(struct spool_entry *e)
{
	if (!e)
		return;
	free(e->body);
	free(e);
}

void spool_index_fini(struct spool_index *x)
{
	struct spool_entry *e;

	while ((e = TAILQ_FIRST(&x->entries))) {
		TAILQ_REMOVE(&x->entries, e, order);
		spool_entry_free(e);
	}
	map_fini(&x->by_id);
	map_fini(&x->by_identity);
}

static void id_key(uint64_t id, uint8_t key[MAP_KEY_BYTES])
{
	map_key_of((struct str){(const char *)&id, sizeof(id)}, key);
}

static void identity_key(const uint8_t *agent_id, uint64_t seq, uint8_t key[MAP_KEY_BYTES])
{
	char both[ENVELOPE_AGENT_ID_BYTES + sizeof(seq)];

	memcpy(both, agent_id, ENVELOPE_AGENT_ID_BYTES);
	memcpy(both + ENVELOPE_AGENT_ID_BYTES, &seq, sizeof(seq));
	map_key_of((struct str){both, sizeof(both)}, key);
}

static void count(struct spool_index *x, const struct spool_entry *e)
{
	x->len++;
	x->in_memory += e->in_memory;
	*(e->in_memory ? &x->memory_bytes : &x->disk_bytes) += e->bytes;
}

int spool_index_add(struct spool_index *x, struct spool_entry *e)
{
	uint8_t id[MAP_KEY_BYTES], identity[MAP_KEY_BYTES];
	struct spool_entry *before = TAILQ_LAST(&x->entries, spool_entries);

	e->id = x->last_id + 1;
	id_key(e->id, id);
	identity_key(e->label.agent_id, e->label.seq, identity);
	if (map_put(&x->by_id, id, e) < 0)
		return -1;
	if (map_put(&x->by_identity, identity, e) < 0) {
		map_remove(&x->by_id, id);
		return -1;
	}
	while (before && spool_label_cmp(&before->label, &e->label) > 0)
		before = TAILQ_PREV(before, spool_entries, order);
	if (before)
		TAILQ_INSERT_AFTER(&x->entries, before, e, order);
	else
		TAILQ_INSERT_HEAD(&x->entries, e, order);
	x->last_id++;
	count(x, e);
	return 0;
}

void spool_index_remove(struct spool_index *x, struct spool_entry *e)
{
	uint8_t key[MAP_KEY_BYTES];

	id_key(e->id, key);
	map_remove(&x->by_id, key);
	identity_key(e->label.agent_id, e->label.seq, key);
	map_remove(&x->by_identity, key);
	TAILQ_REMOVE(&x->entries, e, order);
	x->len--;
	x->in_memory -= e->in_memory;
	*(e->in_memory ? &x->memory_bytes : &x->disk_bytes) -= e->bytes;
}

void spool_index_moved(struct spool_index *x, struct spool_entry *e, uint64_t bytes)
{
	x->in_memory--;
	x->memory_bytes -= e->bytes;
	x->disk_bytes += bytes;
	free(e->body);
	e->body = NULL;
	e->bytes = bytes;
	e->in_memory = false;
}

struct spool_entry *spool_index_get(const struct spool_index *x, uint64_t id)
{
	uint8_t key[MAP_KEY_BYTES];

	id_key(id, key);
	return map_get(&x->by_id, key);
}

struct spool_entry *spool_index_find(const struct spool_index *x, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq)
{
	uint8_t key[MAP_KEY_BYTES];

	identity_key(agent_id, seq, key);
	return map_get(&x->by_identity, key);
}

struct spool_entry *spool_index_oldest(const struct spool_index *x, bool in_memory)
{
	struct spool_entry *e;

	if (in_memory ? x->in_memory == 0 : x->in_memory == x->len)
		return NULL;
	TAILQ_FOREACH(e, &x->entries, order)
		if (e->in_memory == in_memory)
			break;
	return e;
}
