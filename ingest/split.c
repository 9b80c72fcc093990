/* split.c - see split.h.
 *
 * Two passes, as samples lie in the payload in two lists while a batch wants its own: the first finds each series' place
 * (its part, and its index in there; the same series named by two metrics has one place) and counts, the second fills. Events need no
 * places: their groups have been named before. A payload without any, as most are, pays nothing for them.
 *
 * Every part is encoded as one record first. Few are too large for that, and only for them is divide.h. */
#include "ingest/split.h"

#include <string.h>

#include "common/map.h"
#include "common/route.h"
#include "common/series.h"
#include "ingest/divide.h"

struct place {
	size_t part;
	int32_t index; /* in the part's series list */
};

struct splitter {
	struct payload *payload;
	const struct split_route *route;
	struct sample_batch *batches; /* one for each partition of the route */
	struct event_batch *events;   /* likewise; NULL: there are none */
	struct place *places;         /* one for each series of the payload */
	struct map known;             /* fingerprint to the place of a series met before */
	bool starved;                 /* the map found no memory */
	size_t record_max_bytes;
	struct buf *records;
	struct parts *out;
	size_t parts_cap;
};

/* Too large is only what passes the arena's limit. */
static int refuse_memory(const struct splitter *sp, struct refusal *no)
{
	const struct arena *arena = sp->payload->arena;

	if (sp->starved || arena->starved)
		return refuse(no, REASON_OVER_BUDGET, "out of memory for a payload's parts");
	return refuse(no, REASON_BODY_TOO_LARGE, "the payload takes more than %zu bytes once it is split; send less at once",
		      arena->limit_bytes);
}

static void fingerprint(struct series_ref *s, struct str site)
{
	struct series_id id = {
		.site = site, .kind = (uint8_t)s->kind, .name = s->name, .tags = s->tags, .tags_len = s->tags_len};

	series_fingerprint(&id, s->fingerprint);
}

/* Takes the secrets out of a series as it was sent. What is left is another series, that all senders of such secrets share. The tags' order is that of
 * their keys, which stay. */
static int scrub_series(struct splitter *sp, struct series_ref *s)
{
	struct payload *p = sp->payload;
	int changed;

	if (s->tags_len == 0 || (p->known && scrub_known_has(p->known, s->fingerprint)))
		return 0;
	changed = scrub_tags(p->scrub, &p->scrubbed, p->arena, s->tags, s->tags_len, SERIES_STRING_MAX); /* what stands for a secret may be longer */
	if (changed > 0)
		fingerprint(s, sp->route->site);
	else if (changed == 0 && p->known)
		scrub_known_add(p->known, s->fingerprint);
	return changed < 0 ? -1 : 0;
}

/* First all fingerprints: so what they lead to comes from memory while the next are computed. */
static int name_series(struct splitter *sp)
{
	struct payload *p = sp->payload;

	for (size_t i = 0; i < p->series_len; i++) {
		fingerprint(&p->series[i], sp->route->site);
		if (p->known)
			scrub_known_prefetch(p->known, p->series[i].fingerprint);
	}
	for (size_t i = 0; i < p->unscrubbed_len && p->scrub; i++)
		if (scrub_series(sp, &p->series[i]) < 0)
			return -1;
	p->unscrubbed_len = 0;
	return 0;
}

/* Indexes are given out in the payload's order, part by part, so that they depend on nothing but the payload. */
static int place_series(struct splitter *sp)
{
	struct payload *p = sp->payload;

	sp->starved = map_reserve(&sp->known, p->series_len) < 0;
	if (sp->starved || name_series(sp) < 0)
		return -1;
	for (size_t i = 0; i < p->series_len; i++) {
		struct series_ref *s = &p->series[i];
		struct place *met = map_get(&sp->known, s->fingerprint);

		if (met) {
			sp->places[i] = *met;
			continue;
		}
		sp->places[i].part = route_series_index(s->fingerprint, sp->route->partitions_len);
		sp->places[i].index = (int32_t)sp->batches[sp->places[i].part].series_len++;
		map_put(&sp->known, s->fingerprint, &sp->places[i]); /* into the room that was reserved */
	}
	return 0;
}

static void count_samples(struct splitter *sp)
{
	const struct payload *p = sp->payload;

	for (size_t i = 0; i < p->values_len; i++)
		sp->batches[sp->places[p->values[i].series].part].values_len++;
	for (size_t i = 0; i < p->summaries_len; i++)
		sp->batches[sp->places[p->summaries[i].series].part].summaries_len++;
}

/* Makes room for what was counted; the filling counts again from zero. */
static int make_room(struct splitter *sp)
{
	for (size_t i = 0; i < sp->route->partitions_len; i++) {
		struct sample_batch *b = &sp->batches[i];

		b->series = arena_calloc(sp->payload->arena, b->series_len, sizeof(*b->series));
		b->values = arena_calloc(sp->payload->arena, b->values_len, sizeof(*b->values));
		b->summaries = arena_calloc(sp->payload->arena, b->summaries_len, sizeof(*b->summaries));
		if (!b->series || !b->values || !b->summaries)
			return -1;
		b->values_len = b->summaries_len = 0;
	}
	return 0;
}

/* A series met twice is written twice to the same place: both are the same. */
static void fill(struct splitter *sp)
{
	const struct payload *p = sp->payload;

	for (size_t i = 0; i < p->series_len; i++)
		sp->batches[sp->places[i].part].series[sp->places[i].index] = p->series[i];
	for (size_t i = 0; i < p->values_len; i++) {
		const struct place *at = &sp->places[p->values[i].series];
		struct sample_batch *b = &sp->batches[at->part];

		b->values[b->values_len] = p->values[i];
		b->values[b->values_len++].series = at->index;
	}
	for (size_t i = 0; i < p->summaries_len; i++) {
		const struct place *at = &sp->places[p->summaries[i].series];
		struct sample_batch *b = &sp->batches[at->part];

		b->summaries[b->summaries_len] = p->summaries[i];
		b->summaries[b->summaries_len++].series = at->index;
	}
}

/* What stands in every part: who sent it, which payload it is of. The processor knows repeats by it, partition by partition. */
static void label(const struct splitter *sp, struct sample_batch *b)
{
	const struct payload *p = sp->payload;

	b->site = sp->route->site;
	b->has_agent_id = p->has_agent_id;
	memcpy(b->agent_id, p->agent_id, sizeof(b->agent_id));
	b->seq = p->has_agent_id ? p->seq : 0;
	b->floor = p->has_agent_id ? p->floor : 0;
	b->created_at = p->has_created_at ? p->created_at_ms : p->received_at_ms;
	b->received_at = p->received_at_ms;
	b->routed_since = sp->route->since_ms;
	b->has_idempotency_key = p->has_idempotency_key;
	b->idempotency_key = p->idempotency_key;
}

/* The same, for a part of events. */
static void label_events(const struct splitter *sp, struct event_batch *b)
{
	const struct payload *p = sp->payload;

	b->site = sp->route->site;
	b->has_agent_id = p->has_agent_id;
	memcpy(b->agent_id, p->agent_id, sizeof(b->agent_id));
	b->seq = p->has_agent_id ? p->seq : 0;
	b->floor = p->has_agent_id ? p->floor : 0;
	b->created_at = p->has_created_at ? p->created_at_ms : p->received_at_ms;
	b->received_at = p->received_at_ms;
	b->has_idempotency_key = p->has_idempotency_key;
	b->idempotency_key = p->idempotency_key;
}

/* The record's place is known only when the buffer grows no more. */
static int add_part(struct splitter *sp, const struct part *part, size_t bytes, struct refusal *no)
{
	struct part *parts = payload_grow(sp->payload->arena, sp->out->part, sp->out->len, &sp->parts_cap, sizeof(*parts));

	if (!parts)
		return refuse_memory(sp, no);
	sp->out->part = parts;
	parts[sp->out->len] = *part;
	parts[sp->out->len++].record.len = bytes;
	return 0;
}

/* Adds a part of one record: the one that begins at start. Measured after encoding: only the codec knows how long a record is. */
static int add_whole(struct splitter *sp, const struct part *part, size_t start, struct refusal *no)
{
	size_t bytes = sp->records->len - start;

	if (bytes > sp->record_max_bytes)
		return refuse(no, REASON_RECORD_TOO_LARGE, "%zu %s for partition %d take %zu bytes, more than the %zu of a record; split the payload",
			      part->events ? part->events : part->samples, part->events ? "events" : "samples", (int)part->partition, bytes,
			      sp->record_max_bytes);
	return add_part(sp, part, bytes, no);
}

/* Of an agent's payload a partition takes one record: its seq says that there are no more. */
static bool must_divide(const struct splitter *sp, size_t start)
{
	return sp->records->len - start > sp->record_max_bytes && sp->payload->divisible && !sp->payload->has_agent_id;
}

/* Adds chunks in place of the part whose record begins at start. samples: NULL for a part of events. */
static int add_chunks(struct splitter *sp, const struct part *part, const struct sample_batch *samples, const struct event_batch *events, size_t start,
		      struct refusal *no)
{
	struct division d = {.payload = sp->payload, .record_max_bytes = sp->record_max_bytes, .records = sp->records};
	size_t bytes = sp->records->len - start;
	struct part chunk = *part;

	sp->records->len = start;
	if ((samples ? divide_samples(&d, samples, bytes, no) : divide_events(&d, events, bytes, no)) < 0)
		return -1;
	for (size_t i = 0; i < d.chunks_len; i++) {
		*(samples ? &chunk.samples : &chunk.events) = d.chunks[i].items;
		if (add_part(sp, &chunk, d.chunks[i].bytes, no) < 0)
			return -1;
	}
	return 0;
}

static int encode_samples(struct splitter *sp, size_t i, struct refusal *no)
{
	bool home = sp->payload->has_agent_id && i == route_series_index(sp->payload->agent_id, sp->route->partitions_len);
	struct sample_batch *b = &sp->batches[i];
	const struct part part = {
		.topic = sp->route->topic, .partition = sp->route->partitions[i], .samples = b->values_len + b->summaries_len};
	size_t start = sp->records->len;
	struct err err = ERR_INIT;

	if (b->series_len == 0 && !home)
		return 0;
	label(sp, b);
	b->home = home;
	if (sample_batch_encode(b, sp->records, &err) < 0)
		return refuse(no, REASON_OVER_BUDGET, "%s", err.msg);
	return must_divide(sp, start) ? add_chunks(sp, &part, b, NULL, start, no) : add_whole(sp, &part, start, no);
}

static int encode_events(struct splitter *sp, size_t i, struct refusal *no)
{
	struct event_batch *b = &sp->events[i];
	const struct part part = {.topic = sp->route->events_topic, .partition = sp->route->partitions[i], .events = b->events_len};
	size_t start = sp->records->len;
	struct err err = ERR_INIT;

	if (b->events_len == 0)
		return 0;
	label_events(sp, b);
	if (event_batch_encode(b, sp->records, &err) < 0)
		return refuse(no, REASON_OVER_BUDGET, "%s", err.msg);
	return must_divide(sp, start) ? add_chunks(sp, &part, NULL, b, start, no) : add_whole(sp, &part, start, no);
}

static void place_records(struct parts *out, const struct buf *records)
{
	const char *at = buf_str(records).p;

	for (size_t i = 0; i < out->len; i++) {
		out->part[i].record.p = at;
		at += out->part[i].record.len;
	}
}

static int encode_parts(struct splitter *sp, struct refusal *no)
{
	size_t partitions = sp->route->partitions_len;
	int rc = 0;

	sp->parts_cap = sp->events ? 2 * partitions : partitions;
	sp->out->part = arena_calloc(sp->payload->arena, sp->parts_cap, sizeof(*sp->out->part));
	if (!sp->out->part)
		return refuse_memory(sp, no);
	for (size_t i = 0; i < partitions && rc == 0; i++)
		rc = encode_samples(sp, i, no);
	for (size_t i = 0; i < partitions && rc == 0 && sp->events; i++)
		rc = encode_events(sp, i, no);
	if (rc == 0)
		place_records(sp->out, sp->records);
	return rc;
}

static int split_samples(struct splitter *sp)
{
	struct payload *p = sp->payload;

	sp->batches = arena_calloc(p->arena, sp->route->partitions_len, sizeof(*sp->batches));
	sp->places = arena_calloc(p->arena, p->series_len, sizeof(*sp->places));
	if (!sp->batches || !sp->places || place_series(sp) < 0)
		return -1;
	count_samples(sp);
	if (make_room(sp) < 0)
		return -1;
	fill(sp);
	return 0;
}

/* By group, and in the payload's order: so that a group's events are counted and kept in one place. */
static int split_events(struct splitter *sp)
{
	const struct payload *p = sp->payload;
	size_t partitions = sp->route->partitions_len;

	sp->events = arena_calloc(p->arena, partitions, sizeof(*sp->events));
	if (!sp->events)
		return -1;
	for (size_t i = 0; i < p->events_len; i++)
		sp->events[route_series_index(p->events[i].event.group, partitions)].events_len++;
	for (size_t i = 0; i < partitions; i++) {
		struct event_batch *b = &sp->events[i];

		b->events = arena_calloc(p->arena, b->events_len, sizeof(*b->events));
		if (!b->events)
			return -1;
		b->events_len = 0; /* the filling counts again from zero */
	}
	for (size_t i = 0; i < p->events_len; i++) {
		struct event_batch *b = &sp->events[route_series_index(p->events[i].event.group, partitions)];

		b->events[b->events_len++] = p->events[i].event;
	}
	return 0;
}

int split_payload(struct payload *p, const struct split_route *route, size_t record_max_bytes, struct buf *records, struct parts *out,
		  struct refusal *no)
{
	struct splitter sp = {
		.payload = p, .route = route, .known = MAP_INIT, .record_max_bytes = record_max_bytes, .records = records, .out = out};
	int rc;

	*out = (struct parts){0};
	buf_clear(records);
	if (p->series_len == 0 && p->events_len == 0 && !p->has_agent_id) /* no reason to refuse: the rejections are the answer */
		return 0;
	if (split_samples(&sp) < 0 || (p->events_len && split_events(&sp) < 0))
		rc = refuse_memory(&sp, no);
	else
		rc = encode_parts(&sp, no);
	map_fini(&sp.known);
	return rc;
}

size_t split_record_bytes(const struct parts *parts)
{
	size_t bytes = 0;

	for (size_t i = 0; i < parts->len; i++)
		bytes += parts->part[i].record.len;
	return bytes;
}
