/* fuzz_statsd.c - any bytes as a StatsD datagram.
 *
 * Each line is counted once, whatever it is; what is taken lies within the datagram; and what the store makes of it is what the server
 * takes: names and tags by its rules, numbers that are finite, counts that add up. Taken by a store with little room, so that overflow, and
 * sets and histograms that may not grow, are met too. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/agent/datagrams.h"
#include "ingest/agent/statsd.h"
#include "ingest/agent/store.h"

#define NOW INT64_C(1795372000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Lines that are not empty, counted another way. */
static uint64_t count_lines(const uint8_t *data, size_t size)
{
	uint64_t lines = 0;
	size_t len = 0;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && data[i] != '\n') {
			len++;
			continue;
		}
		lines += len > 1 || (len == 1 && data[i - 1] != '\r');
		len = 0;
	}
	return lines;
}

static bool within(struct str s, const uint8_t *data, size_t size)
{
	return s.len == 0 || ((const uint8_t *)s.p >= data && (const uint8_t *)s.p + s.len <= data + size);
}

static void check_lines(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size};
	struct statsd_metric m;
	enum statsd_what what;
	enum cause why;

	while ((what = statsd_next(&rest, &m, &why)) != STATSD_END) {
		must(what != STATSD_REFUSED || (why != CAUSE_NONE && *cause_name(why)));
		if (what != STATSD_METRIC)
			continue;
		must(m.name.len >= 1 && m.name.len <= 255 && within(m.name, data, size) && within(m.tags, data, size));
		must(m.weight >= 1 && m.weight <= STATSD_WEIGHT_MAX && m.t_ms >= 0);
		must(m.kind != STATSD_SET || (m.member.len && within(m.member, data, size)));
		do
			must(isfinite(m.value));
		while (statsd_value(&m));
		must(m.values.len == 0);
	}
	must(rest.len == 0);
}

static void check_point(const struct store_point *pt, enum store_kind kind)
{
	uint64_t total;

	if (pt->has_v) {
		must(isfinite(pt->v) && (kind != STORE_COUNTER || pt->v >= 0));
		return;
	}
	must(pt->count >= 1 && pt->min <= pt->last && pt->last <= pt->max && isfinite(pt->sum) && store_slot(pt->last_at) == pt->t);
	must(!pt->has_histogram || (hist_check_dense(&pt->histogram, &total, NULL) == 0 && total == pt->count));
	must(pt->has_histogram == (kind == STORE_DISTRIBUTION));
}

static void check_metric(void *ctx, const struct store_metric *m)
{
	size_t *points = ctx;

	++*points;
	must(series_name_valid(m->name) && m->tags_len <= SERIES_TAGS_MAX);
	for (size_t i = 0; i < m->tags_len; i++) {
		must(series_name_valid(m->tags[i].key) && m->tags[i].value.len <= SERIES_STRING_MAX && str_is_utf8(m->tags[i].value));
		must(i == 0 || str_cmp(m->tags[i - 1].key, m->tags[i].key) < 0);
	}
	check_point(&m->point, m->kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct store_conf conf = {.series_max = 4, .memory_bytes = 24 << 10};
	struct store *s = store_new(&conf, NULL);
	struct datagrams d = DATAGRAMS_INIT(s);
	size_t points = 0;

	must(s != NULL);
	check_lines(data, size);
	for (int again = 1; again <= 2; again++) { /* the second time by the short way */
		datagrams_take(&d, (struct str){(const char *)data, size}, NOW);
		must(d.lines == (uint64_t)again * count_lines(data, size));
	}
	must(store_figures(s).samples == d.samples && store_figures(s).series <= 4);
	must(d.samples + datagrams_refused(&d) + d.events + d.service_checks >= d.lines);
	store_cut(s, INT64_MAX, check_metric, &points);
	must((points > 0) == (d.samples > 0) && points <= d.samples);
	store_free(s);
	return 0;
}
