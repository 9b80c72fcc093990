/* payload.c - see payload.h.
 *
 * Lists double inside the arena and leave their smaller selves behind: twice the memory at worst, for one that is freed as a whole
 * soon after. The arena's limit counts all of it, so that a hostile payload meets a refusal and not the kernel's. */
#include "ingest/payload.h"

#include <string.h>

void payload_init(struct payload *p, struct arena *arena, int64_t received_at_ms)
{
	*p = (struct payload){.arena = arena, .received_at_ms = received_at_ms};
}

void *payload_grow(struct arena *arena, void *items, size_t len, size_t *cap, size_t item_bytes)
{
	size_t wider = *cap ? *cap * 2 : 16;
	void *copy;

	if (len < *cap)
		return items;
	copy = wider <= SIZE_MAX / item_bytes ? arena_alloc_raw(arena, wider * item_bytes) : NULL;
	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, items, len * item_bytes);
	*cap = wider;
	return copy;
}

int payload_reject(struct payload *p, const char *list, uint32_t index, int64_t point, enum reason reason, uint64_t samples)
{
	struct payload_rejection *all;

	p->received += samples;
	p->rejected += samples;
	p->rejected_by[reason] += samples;
	if (p->rejections_len == PAYLOAD_REJECTIONS_MAX) /* counted, but not named: an answer has an end */
		return 0;
	all = payload_grow(p->arena, p->rejections, p->rejections_len, &p->rejections_cap, sizeof(*all));
	if (!all)
		return -1;
	p->rejections = all;
	all[p->rejections_len++] = (struct payload_rejection){list, index, point, reason};
	return 0;
}

struct series_ref *payload_add_series(struct payload *p)
{
	struct series_ref *all = payload_grow(p->arena, p->series, p->series_len, &p->series_cap, sizeof(*all));

	if (!all)
		return NULL;
	p->series = all;
	return &all[p->series_len++];
}

static void count_accepted(struct payload *p)
{
	p->received++;
	p->accepted++;
}

int payload_add_value(struct payload *p, int64_t t_ms, double v)
{
	struct value_sample *all = payload_grow(p->arena, p->values, p->values_len, &p->values_cap, sizeof(*all));

	if (!all)
		return -1;
	p->values = all;
	all[p->values_len++] = (struct value_sample){.series = (int32_t)(p->series_len - 1), .t = t_ms, .v = v};
	count_accepted(p);
	return 0;
}

int payload_derive_summary(struct payload *p, const struct summary_sample *s)
{
	struct summary_sample *all =
		payload_grow(p->arena, p->summaries, p->summaries_len, &p->summaries_cap, sizeof(*all));

	if (!all)
		return -1;
	p->summaries = all;
	all[p->summaries_len] = *s;
	all[p->summaries_len++].series = (int32_t)(p->series_len - 1);
	return 0;
}

int payload_add_summary(struct payload *p, const struct summary_sample *s)
{
	if (payload_derive_summary(p, s) < 0)
		return -1;
	count_accepted(p);
	return 0;
}

int payload_add_event(struct payload *p, const struct payload_event *e)
{
	struct payload_event *all = payload_grow(p->arena, p->events, p->events_len, &p->events_cap, sizeof(*all));

	if (!all)
		return -1;
	p->events = all;
	all[p->events_len++] = *e;
	p->accepted_events[e->kind]++;
	count_accepted(p);
	return 0;
}

const char *payload_event_name(enum payload_event_kind kind)
{
	static const char *const names[NR_PAYLOAD_EVENT_KINDS] = {"error", "transaction", "marker", "check_in"};

	return names[kind];
}

int payload_add_truncation(struct payload *p, const struct payload_truncation *t)
{
	struct payload_truncation *all =
		payload_grow(p->arena, p->truncations, p->truncations_len, &p->truncations_cap, sizeof(*all));

	if (!all)
		return -1;
	p->truncations = all;
	all[p->truncations_len++] = *t;
	return 0;
}

int payload_refuse_size(const struct payload *p, struct refusal *no)
{
	if (p->arena->starved)
		return refuse(no, REASON_OVER_BUDGET, "out of memory for a payload");
	return refuse(no, REASON_BODY_TOO_LARGE, "the payload takes more than %zu bytes once it is decoded; split it",
		      p->arena->limit_bytes);
}

int64_t payload_truncated_samples(const struct payload *p)
{
	int64_t total = 0;

	for (size_t i = 0; i < p->truncations_len; i++)
		if (__builtin_add_overflow(total, p->truncations[i].samples, &total))
			return INT64_MAX;
	return total;
}

int64_t payload_truncated_payloads(const struct payload *p)
{
	int64_t total = 0;

	for (size_t i = 0; i < p->truncations_len; i++)
		if (__builtin_add_overflow(total, p->truncations[i].to_seq - p->truncations[i].from_seq + 1, &total))
			return INT64_MAX;
	return total;
}
