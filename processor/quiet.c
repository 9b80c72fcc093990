/* quiet.c - see quiet.h.
 *
 * There are few spans, as a partition is seldom left alone: they are walked. What is too much to remember exactly is remembered as more than it was (I2): an alert that
 * opens late is mended by the next minute, one that opened as we were not listening has woken somebody. */
#include "processor/quiet.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"

struct quiet_site {
	int64_t waiting_ms;
	size_t len;
	char id[];
};

enum { SITE_BYTES_MIN = 2 /* the least that one takes in a snapshot */ };

static size_t site_bytes(const struct quiet_site *s)
{
	return memory_rounded(sizeof(*s) + s->len);
}

void quiet_fini(struct quiet *q)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&q->waiting, &at)) != NULL)
		free(slot->value);
	map_fini(&q->waiting);
	*q = (struct quiet){0};
}

/* Adds a span that begins no earlier than any that is there, or wherever. Those that it touches become one with it. */
static void add(struct quiet_spans *s, struct quiet_span span)
{
	struct quiet_span all[QUIET_SPANS_MAX + 1];
	size_t nr = 0, i = 0;

	for (; i < s->nr && s->spans[i].to_ms < span.from_ms; i++)
		all[nr++] = s->spans[i];
	for (; i < s->nr && s->spans[i].from_ms <= span.to_ms; i++) {
		span.from_ms = s->spans[i].from_ms < span.from_ms ? s->spans[i].from_ms : span.from_ms;
		span.to_ms = s->spans[i].to_ms > span.to_ms ? s->spans[i].to_ms : span.to_ms;
	}
	all[nr++] = span;
	for (; i < s->nr; i++)
		all[nr++] = s->spans[i];
	if (nr > QUIET_SPANS_MAX) { /* (I2): the two oldest, whose minutes are the first to have been judged */
		all[1].from_ms = all[0].from_ms;
		memmove(all, all + 1, --nr * sizeof(all[0]));
	}
	memcpy(s->spans, all, nr * sizeof(all[0]));
	s->nr = nr;
}

static bool covers(const struct quiet_spans *s, int64_t minute_ms)
{
	for (size_t i = 0; i < s->nr; i++)
		if (s->spans[i].from_ms < minute_ms + CLOCK_MINUTE_MS && s->spans[i].to_ms > minute_ms)
			return true;
	return false;
}

static void forget(struct quiet_spans *s, int64_t closed_ms)
{
	size_t gone = 0;

	while (gone < s->nr && s->spans[gone].to_ms <= closed_ms)
		gone++;
	s->nr -= gone;
	memmove(s->spans, s->spans + gone, s->nr * sizeof(s->spans[0]));
}

void quiet_note_watermark(struct quiet *q, int64_t from_ms, int64_t to_ms)
{
	if (from_ms > 0 && to_ms - from_ms > QUIET_LEAST_MS)
		add(&q->still, (struct quiet_span){from_ms, to_ms});
}

void quiet_note_lost(struct quiet *q, int64_t minute_ms)
{
	add(&q->lost, (struct quiet_span){minute_ms, minute_ms + CLOCK_MINUTE_MS});
}

int quiet_note_waiting(struct quiet *q, struct str site, int64_t t_ms)
{
	uint8_t key[MAP_KEY_BYTES];
	struct quiet_site *s;

	map_key_of(site, key);
	s = map_get(&q->waiting, key);
	if (s) {
		s->waiting_ms = t_ms > s->waiting_ms ? t_ms : s->waiting_ms;
		return 0;
	}
	if (q->waiting.len == QUIET_SITES_MAX || site.len > QUIET_SITE_BYTES_MAX) {
		q->all_waiting = t_ms > q->all_waiting ? t_ms : q->all_waiting;
		return 0;
	}
	s = malloc(sizeof(*s) + site.len);
	if (!s || map_put(&q->waiting, key, s) < 0) {
		free(s);
		return -1;
	}
	s->waiting_ms = t_ms;
	s->len = site.len;
	if (site.len)
		memcpy(s->id, site.p, site.len);
	q->bytes += site_bytes(s);
	return 0;
}

bool quiet_is_still(const struct quiet *q, int64_t minute_ms)
{
	return covers(&q->still, minute_ms);
}

bool quiet_is_lost(const struct quiet *q, int64_t minute_ms)
{
	return covers(&q->lost, minute_ms);
}

bool quiet_waits(const struct quiet *q, struct str site, int64_t minute_ms)
{
	uint8_t key[MAP_KEY_BYTES];
	const struct quiet_site *s;

	if (q->all_waiting >= minute_ms && q->all_waiting)
		return true;
	map_key_of(site, key);
	s = map_get(&q->waiting, key);
	return s && s->waiting_ms >= minute_ms;
}

static int compare(const void *a, const void *b)
{
	const struct quiet_site *x = *(struct quiet_site *const *)a, *y = *(struct quiet_site *const *)b;

	return str_cmp((struct str){x->id, x->len}, (struct str){y->id, y->len});
}

/* All sites, by their ids; the caller frees. NULL when memory is short. */
static struct quiet_site **sorted(const struct quiet *q)
{
	struct quiet_site **sites = calloc(q->waiting.len + 1, sizeof(struct quiet_site *));
	const struct map_slot *slot;
	size_t at = 0, nr = 0;

	while (sites && (slot = map_next(&q->waiting, &at)) != NULL)
		sites[nr++] = slot->value;
	if (sites)
		qsort(sites, nr, sizeof(struct quiet_site *), compare);
	return sites;
}

static void drop_site(struct quiet *q, struct quiet_site *s)
{
	uint8_t key[MAP_KEY_BYTES];

	map_key_of((struct str){s->id, s->len}, key);
	map_remove(&q->waiting, key);
	q->bytes -= site_bytes(s);
	free(s);
}

void quiet_close(struct quiet *q, int64_t closed_ms)
{
	size_t nr = q->waiting.len;
	struct quiet_site **sites = nr ? sorted(q) : NULL;

	forget(&q->still, closed_ms);
	forget(&q->lost, closed_ms);
	if (q->all_waiting < closed_ms)
		q->all_waiting = 0;
	for (size_t i = 0; sites && i < nr; i++) /* memory that is short keeps them until the next closing */
		if (sites[i]->waiting_ms < closed_ms)
			drop_site(q, sites[i]);
	free(sites);
	if (!q->waiting.len)
		map_fini(&q->waiting);
	map_trim(&q->waiting);
}

size_t quiet_bytes(const struct quiet *q)
{
	return q->bytes + map_bytes(&q->waiting);
}

static void encode_spans(const struct quiet_spans *s, struct buf *out)
{
	codec_write_long(out, (int64_t)s->nr);
	for (size_t i = 0; i < s->nr; i++) {
		codec_write_long(out, s->spans[i].from_ms);
		codec_write_long(out, s->spans[i].to_ms);
	}
}

void quiet_encode(const struct quiet *q, struct buf *out)
{
	struct quiet_site **sites = sorted(q);

	encode_spans(&q->still, out);
	encode_spans(&q->lost, out);
	codec_write_long(out, q->all_waiting);
	codec_write_long(out, (int64_t)q->waiting.len);
	out->failed |= !sites;
	for (size_t i = 0; sites && i < q->waiting.len; i++) {
		codec_write_bytes(out, (struct str){sites[i]->id, sites[i]->len});
		codec_write_long(out, sites[i]->waiting_ms);
	}
	free(sites);
}

static int64_t read_time(struct codec_reader *r)
{
	int64_t t = codec_read_long(r);

	if (t < 0 || t > INT64_MAX / 2)
		codec_fault(r, "a time out of range");
	return codec_reader_ok(r) ? t : 0;
}

static void decode_spans(struct quiet_spans *s, struct codec_reader *r)
{
	size_t nr = codec_read_count(r, 2);

	if (nr > QUIET_SPANS_MAX)
		codec_fault(r, "more quiet spans than there can be");
	for (; s->nr < nr && codec_reader_ok(r); s->nr++) {
		struct quiet_span *span = &s->spans[s->nr];

		span->from_ms = read_time(r);
		span->to_ms = read_time(r);
		if (span->to_ms <= span->from_ms || (s->nr && span->from_ms <= span[-1].to_ms))
			codec_fault(r, "quiet spans that are not in order");
	}
}

int quiet_decode(struct quiet *q, struct codec_reader *r, struct err *err)
{
	size_t nr;

	decode_spans(&q->still, r);
	decode_spans(&q->lost, r);
	q->all_waiting = read_time(r);
	nr = codec_read_count(r, SITE_BYTES_MIN);
	if (nr > QUIET_SITES_MAX)
		codec_fault(r, "more waiting sites than there can be");
	for (size_t i = 0; i < nr && codec_reader_ok(r); i++) {
		struct str site = codec_read_string(r);
		int64_t waiting_ms = read_time(r);

		if (site.len > QUIET_SITE_BYTES_MAX)
			codec_fault(r, "a site's id that is none");
		if (codec_reader_ok(r) && quiet_note_waiting(q, site, waiting_ms) < 0)
			return err_nomem(err, "the waiting sites of a snapshot");
	}
	if (codec_reader_ok(r) && q->waiting.len != nr)
		codec_fault(r, "a waiting site stands there twice");
	return codec_reader_ok(r) ? 0 : -1;
}
