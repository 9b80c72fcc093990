/* divide.c - see divide.h.
 *
 * Only the codec knows how long a record is. So a part is cut into as many pieces as its length calls for, and a piece that is too large all the same is
 * halved until it is not.
 *
 * Samples are put in order first, by series and time. By series, because then a chunk repeats one series of those before it at most, and
 * all chunks together are about as long as the part was, however a request mixes its series. By time, because the processor puts cumulative points in order
 * within one record, and of a later record's takes none that is older. */
#include "ingest/divide.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/map.h"

static const char key_mark[] = {0, 'c'}; /* no client's key has a NUL byte: it comes as a header of HTTP */

enum { CHUNK_KEY_BYTES = sizeof(key_mark) + sizeof(uint32_t) + MAP_KEY_BYTES };

/* A sample's place in the order. */
struct item {
	int64_t t_ms;
	int32_t series;
	bool summary;
	size_t at; /* in its list */
};

struct divider {
	struct division *to;
	int (*encode)(struct divider *dv, size_t from, size_t end, struct err *err); /* a chunk of these items */
	const struct sample_batch *samples; /* the whole: one of the two */
	const struct event_batch *events;
	const struct item *items;  /* of samples */
	struct sample_batch chunk; /* likewise: its lists have room for any piece */
	uint8_t key[CHUNK_KEY_BYTES];
};

/* The key of the chunk that comes next. */
static struct str chunk_key(struct divider *dv, struct str whole)
{
	uint32_t number = htobe32((uint32_t)dv->to->chunks_len);
	uint8_t *at = dv->key;

	if (dv->to->chunks_len == 0)
		return whole;
	memcpy(at, key_mark, sizeof(key_mark));
	memcpy(at + sizeof(key_mark), &number, sizeof(number));
	map_key_of(whole, at + sizeof(key_mark) + sizeof(number)); /* a key itself may have all the bytes that one may have */
	return (struct str){(const char *)dv->key, sizeof(dv->key)};
}

static int encode_samples(struct divider *dv, size_t from, size_t end, struct err *err)
{
	const struct sample_batch *whole = dv->samples;
	struct sample_batch *b = &dv->chunk;

	b->series_len = b->values_len = b->summaries_len = 0;
	for (const struct item *item = dv->items + from; item < dv->items + end; item++) {
		if (b->series_len == 0 || item->series != item[-1].series)
			b->series[b->series_len++] = whole->series[item->series];
		if (item->summary) {
			b->summaries[b->summaries_len] = whole->summaries[item->at];
			b->summaries[b->summaries_len++].series = (int32_t)b->series_len - 1;
		} else {
			b->values[b->values_len] = whole->values[item->at];
			b->values[b->values_len++].series = (int32_t)b->series_len - 1;
		}
	}
	if (whole->has_idempotency_key)
		b->idempotency_key = chunk_key(dv, whole->idempotency_key);
	return sample_batch_encode(b, dv->to->records, err);
}

static int encode_events(struct divider *dv, size_t from, size_t end, struct err *err)
{
	struct event_batch b = *dv->events;

	b.events += from;
	b.events_len = end - from;
	if (b.has_idempotency_key)
		b.idempotency_key = chunk_key(dv, b.idempotency_key);
	return event_batch_encode(&b, dv->to->records, err);
}

/* Chunks repeat what stands in each record: all of them must not take more than a payload may. */
static int add_chunk(struct division *d, size_t items, size_t bytes, struct refusal *no)
{
	size_t limit_bytes = d->payload->arena->limit_bytes;
	struct chunk *chunks = payload_grow(d->payload->arena, d->chunks, d->chunks_len, &d->chunks_cap, sizeof(*chunks));

	if (!chunks || (limit_bytes && d->records->len > limit_bytes))
		return payload_refuse_size(d->payload, no);
	d->chunks = chunks;
	chunks[d->chunks_len++] = (struct chunk){items, bytes};
	return 0;
}

/* Not deeper than a number of items can be halved. */
static int encode_piece(struct divider *dv, size_t from, size_t end, struct refusal *no)
{
	struct division *d = dv->to;
	size_t start = d->records->len, middle = from + (end - from) / 2, bytes;
	struct err err = ERR_INIT;

	if (dv->encode(dv, from, end, &err) < 0)
		return refuse(no, REASON_OVER_BUDGET, "%s", err.msg);
	bytes = d->records->len - start;
	if (bytes <= d->record_max_bytes)
		return add_chunk(d, end - from, bytes, no);
	if (end - from == 1)
		return refuse(no, REASON_RECORD_TOO_LARGE, "one %s alone takes %zu bytes, more than the %zu of a record", dv->events ? "event" : "sample",
			      bytes, d->record_max_bytes);
	d->records->len = start;
	return encode_piece(dv, from, middle, no) < 0 ? -1 : encode_piece(dv, middle, end, no);
}

static size_t nr_pieces(const struct division *d, size_t whole_bytes, size_t nr_items)
{
	size_t wanted = whole_bytes / d->record_max_bytes + 1;

	return wanted < nr_items ? wanted : nr_items;
}

static int encode_pieces(struct divider *dv, size_t nr_items, size_t pieces, struct refusal *no)
{
	for (size_t i = 0; i < pieces; i++)
		if (encode_piece(dv, nr_items * i / pieces, nr_items * (i + 1) / pieces, no) < 0)
			return -1;
	return 0;
}

static int by_series_and_time(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	if (x->t_ms != y->t_ms)
		return x->t_ms < y->t_ms ? -1 : 1;
	if (x->summary != y->summary)
		return x->summary ? 1 : -1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* NULL when memory is short. */
static const struct item *sort_items(struct arena *arena, const struct sample_batch *b)
{
	struct item *items = arena_calloc(arena, b->values_len + b->summaries_len, sizeof(*items));

	if (!items)
		return NULL;
	for (size_t i = 0; i < b->values_len; i++)
		items[i] = (struct item){b->values[i].t, b->values[i].series, false, i};
	for (size_t i = 0; i < b->summaries_len; i++)
		items[b->values_len + i] = (struct item){b->summaries[i].t, b->summaries[i].series, true, i};
	qsort(items, b->values_len + b->summaries_len, sizeof(*items), by_series_and_time);
	return items;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* -1 when memory is short. */
static int make_room(struct divider *dv, size_t piece_items)
{
	struct arena *arena = dv->to->payload->arena;
	struct sample_batch *b = &dv->chunk;

	*b = *dv->samples;
	b->series = arena_calloc(arena, least(b->series_len, piece_items), sizeof(*b->series));
	b->values = arena_calloc(arena, least(b->values_len, piece_items), sizeof(*b->values));
	b->summaries = arena_calloc(arena, least(b->summaries_len, piece_items), sizeof(*b->summaries));
	return b->series && b->values && b->summaries ? 0 : -1;
}

int divide_samples(struct division *d, const struct sample_batch *whole, size_t whole_bytes, struct refusal *no)
{
	size_t nr_items = whole->values_len + whole->summaries_len, pieces = nr_pieces(d, whole_bytes, nr_items);
	struct divider dv = {.to = d, .encode = encode_samples, .samples = whole};

	if (pieces == 0) /* nothing but series */
		return 0;
	dv.items = sort_items(d->payload->arena, whole);
	if (!dv.items || make_room(&dv, nr_items / pieces + 1) < 0)
		return payload_refuse_size(d->payload, no);
	return encode_pieces(&dv, nr_items, pieces, no);
}

int divide_events(struct division *d, const struct event_batch *whole, size_t whole_bytes, struct refusal *no)
{
	struct divider dv = {.to = d, .encode = encode_events, .events = whole};

	return encode_pieces(&dv, whole->events_len, nr_pieces(d, whole_bytes, whole->events_len), no);
}
