/* fuzz_payload.h - what must hold of a payload that a decoder took, whatever the format: nothing is lost, and the parts that are made
 * of it hold each sample and each event that is kept once, in the partition that the route gives its series or group. */
#ifndef MILLRACE_TESTS_FUZZ_PAYLOAD_H
#define MILLRACE_TESTS_FUZZ_PAYLOAD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/route.h"
#include "ingest/check.h"
#include "ingest/settle.h"
#include "ingest/split.h"

#define NOW_MS INT64_C(1795372012000)

enum { ARENA_BYTES = 32 << 20, RECORD_MAX_BYTES = 1000000 };

static const int32_t partitions[] = {0, 3, 11};
static const struct split_route route = {{"shop", 4}, "millrace.c.main.samples", "millrace.c.main.events", partitions, 3, 0};

#define MUST(what) \
	do {       \
		if (!(what)) \
			abort(); \
	} while (0)

/* What libFuzzer calls in a target, the second one where there is one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size); /* libFuzzer's own */

static inline size_t check_events(const struct part *part)
{
	struct arena arena = {.limit_bytes = ARENA_BYTES};
	struct event_batch b;
	struct err err = ERR_INIT;
	size_t events;

	MUST(part->record.len <= RECORD_MAX_BYTES && part->samples == 0);
	MUST(event_batch_decode(part->record, &arena, &b, &err) == 0);
	for (size_t i = 0; i < b.events_len; i++) {
		const struct event *e = &b.events[i];

		MUST(partitions[route_series_index(e->group, 3)] == part->partition);
		MUST(e->has_error + e->has_transaction + e->has_marker + e->has_check_in == 1);
		MUST(e->t >= NOW_MS - CHECK_PAST_MS && e->t <= NOW_MS + CHECK_FUTURE_MS);
	}
	events = b.events_len;
	MUST(events == part->events && events > 0);
	arena_fini(&arena);
	return events;
}

static inline size_t check_samples(const struct part *part)
{
	struct arena arena = {.limit_bytes = ARENA_BYTES};
	struct sample_batch b;
	struct err err = ERR_INIT;
	size_t samples;

	MUST(part->record.len <= RECORD_MAX_BYTES && part->events == 0);
	MUST(sample_batch_decode(part->record, &arena, &b, &err) == 0);
	for (size_t i = 0; i < b.series_len; i++)
		MUST(partitions[route_series_index(b.series[i].fingerprint, 3)] == part->partition);
	for (size_t i = 0; i < b.values_len; i++)
		MUST((size_t)b.values[i].series < b.series_len && b.values[i].t >= NOW_MS - CHECK_PAST_MS &&
		     b.values[i].t <= NOW_MS + CHECK_FUTURE_MS);
	for (size_t i = 0; i < b.summaries_len; i++)
		MUST((size_t)b.summaries[i].series < b.series_len && b.summaries[i].min <= b.summaries[i].max);
	samples = b.values_len + b.summaries_len;
	MUST(samples == part->samples && (samples > 0 || b.home) && (b.has_agent_id || !b.home));
	arena_fini(&arena);
	return samples;
}

/* Judges, settles, splits and checks what was decoded. */
static inline void check_taken(struct payload *p)
{
	struct parts parts = {0};
	struct buf records = BUF_INIT;
	struct refusal no = {.reason = NR_REASONS};
	size_t samples = 0, events = 0;

	MUST(p->received == p->accepted + p->rejected);
	MUST(p->accepted == p->values_len + p->summaries_len + p->events_len);
	if (check_payload(p, &no) == 0 && settle_events(p, route.site) == 0 &&
	    split_payload(p, &route, RECORD_MAX_BYTES, &records, &parts, &no) == 0) {
		for (size_t i = 0; i < parts.len; i++) {
			const struct part *part = &parts.part[i];

			if (part->topic == route.topic)
				samples += check_samples(part);
			else
				events += check_events(part);
		}
		MUST(samples == p->values_len + p->summaries_len && events == p->events_len);
	}
	buf_fini(&records);
}

#endif
