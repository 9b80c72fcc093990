/* bundle.c - see bundle.h.
 *
 * Invariants, cited as (I1)..:
 *  I1  A message is a row of packed Payloads, one behind the other: one with the identity, then one for each entry of a list. By
 *      protobuf's rules that is the same as one Payload with all of them, so no entry is held unpacked, or packed twice.
 *  I2  No payload's floor is above the seq of another that may still be sent: the first payload's seq bounds the floor of all that
 *      follow.
 *  I3  A seq that was drawn ends as a payload that was taken, or as a loss. */
#include "ingest/agent/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/agent/event_queue.h"
#include "ingest/agent/losses.h"
#include "ingest/agent/metric_pb.h"
#include "ingest/agent/spool.h"
#include "ingest/agent/squeeze.h"
#include "pb/push.pb-c.h"

struct bundle {
	struct bundle_conf conf;
	struct buf message, entry, body;
	struct metric_pb metric;

	/* Of the flush that is being made: */
	const struct bundle_flush *f;
	struct bundle_result *result;
	struct err *err;       /* the first failure; NULL once it is set, or nobody asks */
	int rc;
	uint64_t lowest;       /* lowest seq that may still be sent; 0: none */
	bool first;            /* no payload was begun */
	struct envelope e;     /* the payload that is being built */
	bool building;
	uint64_t lost_samples; /* of entries for which there was no memory */
};

struct bundle *bundle_new(const struct bundle_conf *conf, struct err *err)
{
	struct bundle *b = calloc(1, sizeof(*b));

	if (!b) {
		err_nomem(err, "a bundle");
		return NULL;
	}
	b->conf = *conf;
	if (b->conf.max_bytes == 0)
		b->conf.max_bytes = BUNDLE_MAX_BYTES_DEFAULT;
	return b;
}

void bundle_free(struct bundle *b)
{
	if (!b)
		return;
	buf_fini(&b->message);
	buf_fini(&b->entry);
	buf_fini(&b->body);
	free(b);
}

void bundle_limit(struct bundle *b, size_t max_bytes)
{
	size_t bytes = max_bytes > BUNDLE_MAX_BYTES_LEAST ? max_bytes : BUNDLE_MAX_BYTES_LEAST;

	if (bytes < b->conf.max_bytes)
		b->conf.max_bytes = bytes;
}

/* Chained errors: the first one of a flush is told. */
static void fail(struct bundle *b, const struct err *why)
{
	b->rc = -1;
	if (b->err)
		*b->err = *why;
	b->err = NULL;
}

/* Adds a loss of a payload that was never built. */
static void lose(struct bundle *b, uint64_t seq, uint64_t samples)
{
	struct loss loss = {.from_seq = seq, .to_seq = seq, .samples = samples};

	b->result->lost_payloads++;
	b->result->lost_samples += samples;
	if (!b->f->spool)
		return;
	memcpy(loss.agent_id, b->f->identity->agent_id, sizeof(loss.agent_id));
	losses_give_back(spool_losses(b->f->spool), loss.agent_id, seq);
	losses_add(spool_losses(b->f->spool), &loss);
}

static uint64_t draw_seq(struct bundle *b, uint64_t *floor)
{
	struct identity *id = b->f->identity;
	uint64_t seq;

	identity_stamp(id, b->lowest, &seq, floor);
	if (b->lowest == 0)
		b->lowest = seq; /* (I2) */
	if (b->lowest < *floor && b->f->spool)
		spool_give_up_below(b->f->spool, id->agent_id, *floor);
	return seq;
}

/* protobuf-c reads strings, and never writes them. */
static char *text(const char *z)
{
	return (char *)(uintptr_t)(z ? z : "");
}

static size_t take_losses(struct bundle *b, struct loss out[LOSSES_A_PAYLOAD_MAX])
{
	size_t room = b->conf.max_bytes / 2 / BUNDLE_TRUNCATION_BYTES;

	if (!b->first || !b->f->spool)
		return 0;
	room = room < 1 ? 1 : room < LOSSES_A_PAYLOAD_MAX ? room : LOSSES_A_PAYLOAD_MAX;
	return losses_take(spool_losses(b->f->spool), b->e.agent_id, b->e.seq, out, room);
}

/* The Payload with what is told once. */
static void add_head(struct bundle *b, struct buf *out)
{
	Millrace__Push__Payload head = MILLRACE__PUSH__PAYLOAD__INIT;
	Millrace__Push__Truncation all[LOSSES_A_PAYLOAD_MAX], *list[LOSSES_A_PAYLOAD_MAX];
	struct loss losses[LOSSES_A_PAYLOAD_MAX];
	uint8_t *to;

	head.n_truncated = take_losses(b, losses);
	head.truncated = list;
	for (size_t i = 0; i < head.n_truncated; i++) {
		all[i] = (Millrace__Push__Truncation)MILLRACE__PUSH__TRUNCATION__INIT;
		all[i].agent_id = (ProtobufCBinaryData){sizeof(losses[i].agent_id), losses[i].agent_id};
		all[i].from_seq = losses[i].from_seq;
		all[i].to_seq = losses[i].to_seq;
		all[i].samples = losses[i].samples;
		all[i].attempted = losses[i].attempted;
		list[i] = &all[i];
	}
	head.agent_id = (ProtobufCBinaryData){sizeof(b->e.agent_id), b->e.agent_id};
	head.seq = b->e.seq;
	head.floor = b->e.floor;
	head.created_at = b->e.created_at_ms;
	head.host = text(b->conf.host);
	head.environment = text(b->conf.environment);
	head.revision = text(b->conf.revision);
	to = buf_reserve(out, millrace__push__payload__get_packed_size(&head));
	if (to)
		out->len += millrace__push__payload__pack(&head, to);
}

static void begin_payload(struct bundle *b)
{
	b->e = (struct envelope){.created_at_ms = b->f->created_at_ms};
	memcpy(b->e.agent_id, b->f->identity->agent_id, sizeof(b->e.agent_id));
	b->e.seq = draw_seq(b, &b->e.floor);
	buf_clear(&b->message);
	add_head(b, &b->message);
	b->first = false;
	b->building = true;
}

static void end_payload(struct bundle *b)
{
	struct err err = ERR_INIT;

	b->building = false;
	if (buf_failed(&b->message))
		err_set(&err, ERR_RETRY, "a payload of %llu samples: no memory", (unsigned long long)b->e.samples);
	if (err.kind != 0 || squeeze_bytes(buf_str(&b->message), &b->body, &err) < 0) {
		lose(b, b->e.seq, b->e.samples);
		fail(b, &err);
		return;
	}
	b->e.body = buf_str(&b->body);
	if (b->f->take(b->f->ctx, &b->e, &err) < 0) {
		b->result->lost_payloads++;
		b->result->lost_samples += b->e.samples;
		fail(b, &err);
		return;
	}
	b->result->payloads++;
	b->result->samples += b->e.samples;
	b->result->body_bytes += b->body.len;
}

/* One packed entry of a list, one sample; it begins a payload where it does not fit any more. */
static void add_entry(struct bundle *b, struct str entry)
{
	if (b->building && b->e.samples > 0 && b->message.len + entry.len > b->conf.max_bytes)
		end_payload(b);
	if (!b->building)
		begin_payload(b);
	buf_add(&b->message, entry.p, entry.len);
	b->e.samples++;
}

static void on_metric(void *ctx, const struct store_metric *m)
{
	struct bundle *b = ctx;

	buf_clear(&b->entry);
	if (metric_pb_pack(&b->metric, m, &b->entry) < 0)
		b->lost_samples++;
	else
		add_entry(b, buf_str(&b->entry));
}

static void add_events(struct bundle *b)
{
	struct event event;

	while (event_queue_first(b->f->events, &event)) {
		add_entry(b, event.field);
		event_queue_drop(b->f->events);
	}
}

/* Samples that no payload holds become a loss under a seq that no payload gets. */
static void report_lost(struct bundle *b, uint64_t samples)
{
	uint64_t floor;

	if (samples > 0)
		lose(b, draw_seq(b, &floor), samples);
}

int bundle_make(struct bundle *b, const struct bundle_flush *f, struct bundle_result *out, struct err *err)
{
	struct err nomem = ERR_INIT;

	*out = (struct bundle_result){0};
	b->f = f;
	b->result = out;
	b->err = err;
	b->rc = 0;
	b->first = true;
	b->building = false;
	b->lost_samples = 0;
	b->lowest = f->spool ? spool_lowest_seq(f->spool, f->identity->agent_id) : 0;
	if (f->events && f->spool)
		report_lost(b, event_queue_take_lost(f->events)); /* the queue's owner has told of it: no failure of this flush */
	store_cut(f->store, f->slot_end_ms, on_metric, b);
	if (f->events)
		add_events(b);
	if (b->lost_samples > 0) {
		report_lost(b, b->lost_samples);
		err_set(&nomem, ERR_RETRY, "%llu samples: no memory to pack them", (unsigned long long)b->lost_samples);
		fail(b, &nomem);
	}
	if (!b->building && b->first && f->spool && losses_open(spool_losses(f->spool)))
		begin_payload(b);
	if (b->building)
		end_payload(b);
	return b->rc;
}
