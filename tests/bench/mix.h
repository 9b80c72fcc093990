/* mix.h - the series of the benches: of an agent's 100, 40 are counters, 40 gauges, 20 distributions of about 11 buckets that stay
 * within 16 neighbours; three tags each. One definition, so that what the processor and the sink are measured with is alike. */
#ifndef MILLRACE_TESTS_BENCH_MIX_H
#define MILLRACE_TESTS_BENCH_MIX_H

#include <stdint.h>
#include <string.h>

#include "common/hist.h"
#include "common/series.h"
#include "common/str.h"
#include "schemas/schemas.h"

enum {
	MIX_SERIES = 100, /* of an agent */
	MIX_COUNTERS = 40,
	MIX_GAUGES = 40,
	MIX_DISTRIBUTIONS = 20,
	MIX_VALUES = MIX_COUNTERS + MIX_GAUGES,
	MIX_TAGS = 3,
	MIX_NEIGHBOURS = 16, /* buckets that a distribution's values ever fall into */
	MIX_OFFSET_MIN = 60, /* 2^(60/32): 4 ms; to 600 ms */
	MIX_OFFSET_SPREAD = 240,
};

/* splitmix64: from any state to the next. */
static inline uint64_t mix_draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Of an agent's series i. */
static inline enum series_kind mix_kind(size_t i)
{
	return i < MIX_COUNTERS ? SERIES_KIND_COUNTER : i < MIX_VALUES ? SERIES_KIND_GAUGE : SERIES_KIND_DISTRIBUTION;
}

/* Names and routes in all their pairs, as far as a kind has series. */
static inline const char *mix_name(size_t i, const char **route)
{
	static const char *const routes[] = {"/products/:id", "/basket", "/orders", "/orders/:id/pay", "/search", "/login",
					     "/images/:name", "/health"};
	static const char *const counters[] = {"http.server.requests", "http.server.errors", "sql.queries", "cache.hits", "cache.misses"};
	static const char *const gauges[] = {"process.resident_memory_bytes", "worker.queue_depth", "db.pool.connections_in_use",
					     "runtime.gc.heap_live_bytes", "load"};
	static const char *const distributions[] = {"http.server.duration_ms", "sql.query.duration_ms", "job.duration_ms"};
	static const struct {
		const char *const *names;
		size_t len, first;
	} kinds[] = {
		[SERIES_KIND_COUNTER] = {counters, sizeof(counters) / sizeof(counters[0]), 0},
		[SERIES_KIND_GAUGE] = {gauges, sizeof(gauges) / sizeof(gauges[0]), MIX_COUNTERS},
		[SERIES_KIND_DISTRIBUTION] = {distributions, sizeof(distributions) / sizeof(distributions[0]), MIX_VALUES},
	};
	enum series_kind kind = mix_kind(i);
	size_t number = i - kinds[kind].first;

	*route = routes[number / kinds[kind].len];
	return kinds[kind].names[number % kinds[kind].len];
}

/* The series of agent number, all of them on its site and host (both borrowed for as long as series are used); tags has room for
 * MIX_TAGS of each of the MIX_SERIES. */
static inline void mix_series(size_t number, const char *site, const char *host, struct series_ref *series, struct tag *tags)
{
	static const char *const services[] = {"checkout", "catalogue", "search", "accounts", "mailer"};

	for (size_t i = 0; i < MIX_SERIES; i++) {
		struct tag *own = &tags[i * MIX_TAGS];
		const char *route, *name = mix_name(i, &route);

		own[0] = (struct tag){STR("host"), str_from(host)};
		own[1] = (struct tag){STR("route"), str_from(route)};
		own[2] = (struct tag){STR("service"), str_from(services[number % (sizeof(services) / sizeof(services[0]))])};
		series[i] = (struct series_ref){.kind = mix_kind(i), .name = str_from(name), .tags = own, .tags_len = MIX_TAGS};
		series_fingerprint(&(struct series_id){str_from(site), (uint8_t)series[i].kind, series[i].name, own, MIX_TAGS},
				   series[i].fingerprint);
	}
}

/* The window of a minute of one series, as the processor would write it. What a is to say of site, epoch and times is the caller's to add;
 * counts has room for MIX_NEIGHBOURS and is borrowed with series for as long as a is used. */
static inline void mix_aggregate(uint64_t *random, const struct series_ref *series, int64_t *counts, struct aggregate *a)
{
	uint64_t bits = mix_draw(random), place = series->fingerprint[0];
	double value = series->kind == SERIES_KIND_COUNTER ? (double)(bits % 5000) : (double)(bits >> 24) / 1024;

	*a = (struct aggregate){.kind = series->kind, .name = series->name, .tags = series->tags, .tags_len = series->tags_len,
		.window_ms = 60000, .count = 20, .sum = 20 * value, .has_min = true, .min = value / 2, .has_max = true,
		.max = value * 3 / 2, .has_last = true, .last = value};
	memcpy(a->fingerprint, series->fingerprint, sizeof(a->fingerprint));
	if (series->kind != SERIES_KIND_DISTRIBUTION)
		return;
	a->count = 0;
	for (size_t i = 0; i < MIX_NEIGHBOURS; i++)
		a->count += counts[i] = 1 + (int64_t)((bits >> 4 * i) % 16) * 20;
	a->has_histogram = true;
	a->histogram = (struct histogram){.scale = 5, .offset = (int32_t)(MIX_OFFSET_MIN + mix_draw(&place) % MIX_OFFSET_SPREAD),
					  .counts = counts, .counts_len = MIX_NEIGHBOURS};
	a->min = hist_lower_bound(a->histogram.offset + 1);
	a->max = a->last = hist_lower_bound(a->histogram.offset + MIX_NEIGHBOURS);
	a->sum = (double)a->count * (a->min + a->max) / 2;
}

#endif
