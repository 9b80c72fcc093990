/* event_intake.c - see event_intake.h. Nothing is refused after the first change, as in intake.c. */
#include "processor/event_intake.h"

#include "processor/event_check.h"
#include "processor/repeats.h"

/* A sign of life, if it is one. */
static int take_sign(const struct intake_state *to, struct str site, const struct event *event, struct err *err)
{
	if (!event->has_check_in || !to->check_ins)
		return 0;
	return check_ins_take(to->check_ins, site, event->group, event->check_in.event, event->t, err);
}

/* Takes all events of a batch that is new. */
static int take_events(const struct intake_state *to, const struct event_batch *batch, int64_t watermark_ms, struct intake_counts *counts,
		       struct err *err)
{
	const struct exemplars_now now = {to->windows->closed_ms, watermark_ms};

	for (size_t i = 0; i < batch->events_len; i++) {
		int rc = exemplars_add(to->exemplars, batch->site, &batch->events[i], &now, counts->dropped, err);

		if (rc < 0 || take_sign(to, batch->site, &batch->events[i], err) < 0)
			return -1;
		counts->events++;
		counts->late += (uint64_t)rc;
	}
	return 0;
}

int event_intake_record(const struct intake_state *to, struct str record, const struct origin *origin, int64_t watermark_ms,
			struct arena *scratch, struct intake_counts *counts, struct err *err)
{
	struct event_batch batch;
	struct intake_counts own = {0};
	struct identity who;
	int64_t earliest_ms;

	if (event_batch_decode(record, scratch, &batch, err) < 0)
		return -1;
	earliest_ms = batch.received_at > INTAKE_BACK_MS ? batch.received_at - INTAKE_BACK_MS : 0;
	if (event_check(&batch, earliest_ms, watermark_ms + INTAKE_AHEAD_MS, err) < 0)
		return -1;
	who = identity_of_events(&batch);
	own.site = batch.site;
	own.has_agent_id = batch.has_agent_id;
	own.seq = batch.seq;
	memcpy(own.agent_id, batch.agent_id, sizeof(own.agent_id));
	own.waiting_ms = identity_waiting_ms(&who, watermark_ms);
	if (repeats_take(to->dedup, to->request_keys, &who, origin, watermark_ms, &own.dedup, &own.by_key, err) < 0)
		return -1;
	if (own.dedup.verdict == DEDUP_DUPLICATE)
		own.duplicate_events = batch.events_len;
	else if (take_events(to, &batch, watermark_ms, &own, err) < 0)
		return -1;
	*counts = own;
	return 0;
}
