/* push.c - see push.h.
 *
 * A payload's memory has three lives. Inflated and decoded, it stands in buffers that are used again for the next one. Encoded, its
 * records are Kafka's client's until the last report. In between stays the job: the answer as it will be if all goes well, and a tally,
 * since neither can be made later from what is left. What lives longer than the call is charged to the ticket, which passes from the
 * request to the job with the records.
 *
 * Invariant: a payload is counted once, as accepted or refused, when its client is answered; also one that is answered before Kafka has
 * spoken. */
#include "ingest/push.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/kafka.h"
#include "ingest/check.h"
#include "ingest/complaint.h"
#include "ingest/otlp.h"
#include "ingest/otlp_json.h"
#include "ingest/push_json.h"
#include "ingest/push_pb.h"
#include "ingest/settle.h"
#include "ingest/split.h"

enum {
	KEPT_BYTES = 4 << 20,            /* larger buffers are given back after their payload */
	JOB_BYTES = sizeof(struct tally), /* what a job is charged for itself, about */
	STATUS_UNAVAILABLE = 503
};

struct push {
	struct push_rooms rooms;
	struct push_limits limits;
	struct inflater inflater;
	struct buf inflated, transcoded, records;
	struct arena arena;
	struct scrub_known *known;
};

struct push_job {
	struct push *push;
	struct ticket ticket;
	struct answer answer; /* for the good end */
	struct tally tally;
	struct complaint_about about;
	char topic[KAFKA_TOPIC_SIZE], events_topic[KAFKA_TOPIC_SIZE]; /* "": no part goes there */
	size_t records, record_bytes;
	push_done_fn done; /* NULL: nobody waits any more, and the payload has been counted */
	void *ctx;
};

/* A payload on its way through the rooms. */
struct passage {
	struct push *push;
	struct ticket *ticket;
	struct payload payload;
	struct split_route route;
	struct parts parts;
	bool decoded; /* its samples are known, and stand in tally */
	struct tally tally;
	struct refusal no;
};

struct push *push_new(const struct push_rooms *rooms, const struct push_limits *limits)
{
	struct push *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->rooms = *rooms;
	p->limits = *limits;
	p->arena.limit_bytes = limits->decoded_bytes;
	p->known = scrub_known_new();
	if (!p->known) {
		free(p);
		return NULL;
	}
	return p;
}

void push_free(struct push *p)
{
	if (!p)
		return;
	inflater_fini(&p->inflater);
	buf_fini(&p->inflated);
	buf_fini(&p->transcoded);
	buf_fini(&p->records);
	arena_fini(&p->arena);
	scrub_known_free(p->known);
	free(p);
}

static enum otlp_signal signal_of(enum admission_door door)
{
	return door == DOOR_METRICS ? OTLP_METRICS : door == DOOR_LOGS ? OTLP_LOGS : OTLP_TRACES;
}

/* How a ticket's client wants to be told. */
static struct answer_form form_of(const struct ticket *t)
{
	struct answer_form form = {.otlp = admission_is_otlp(t->door)};

	if (form.otlp) {
		form.protobuf = t->form == BODY_PROTOBUF;
		form.signal = signal_of(t->door);
	}
	return form;
}

/* Counts a refusal, and makes the answer of it. samples: where they are known. */
static void tell_refusal(struct push *p, const struct ticket *t, const struct refusal *no, const struct tally *samples, struct answer *answer)
{
	struct answer_form form = form_of(t);

	answer_refuse(answer, &form, no, admission_refuse(p->rooms.admission, t, no, samples));
}

/* Counts a payload that was taken. */
static void take(struct push *p, const struct ticket *t, const struct complaint_about *about, const struct tally *samples)
{
	admission_accept(p->rooms.admission, t, samples);
	complaint_rejected(p->rooms.log, admission_site(t), about, samples);
}

void push_refuse(struct push *p, struct ticket *t, const struct refusal *no, struct answer *answer)
{
	tell_refusal(p, t, no, NULL, answer);
	admission_release(p->rooms.admission, t);
}

bool push_hangs(const struct push_job *job)
{
	const struct producer *producer = job->push->rooms.producer;

	return producer_gone(producer, job->topic) || (job->events_topic[0] && producer_gone(producer, job->events_topic));
}

/* Why Kafka has not taken a job's payload is told by its client's word, and not a second time as a refusal. */
static void tell_unsent(const struct push_job *job, const char *error)
{
	complaint_unsent(job->push->rooms.log, admission_site(&job->ticket), &job->about, job->topic[0] ? job->topic : job->events_topic, error);
}

void push_abandon(struct push_job *job, const struct refusal *no, struct answer *answer)
{
	tell_unsent(job, no->detail[0] ? no->detail : reason_text(no->reason));
	tell_refusal(job->push, &job->ticket, no, &job->tally, answer);
	job->done = NULL;
}

static void job_free(struct push_job *job)
{
	answer_fini(&job->answer);
	free(job);
}

/* All parts of a payload are acknowledged, or one was given up: then the payload as a whole was not taken, and of its
 * retry the processor drops the parts that were, by (agent_id, seq). */
static void on_delivered(void *ctx, bool ok, const char *error)
{
	struct push_job *job = ctx;
	struct push_rooms *rooms = &job->push->rooms;
	struct refusal no;

	if (ok) {
		account_add(rooms->account, ACCOUNT_RECORDS, job->records);
		account_add(rooms->account, ACCOUNT_RECORD_BYTES, job->record_bytes);
	}
	if (job->done) {
		if (ok) {
			take(job->push, &job->ticket, &job->about, &job->tally);
		} else {
			tell_unsent(job, error);
			refuse(&no, REASON_KAFKA_UNAVAILABLE, "%s", error);
			tell_refusal(job->push, &job->ticket, &no, &job->tally, &job->answer);
		}
		job->done(job->ctx, &job->answer);
	}
	admission_release(rooms->admission, &job->ticket);
	job_free(job);
}

/* Inflated bytes count as in flight from the moment they are there. */
static int charge_inflated(void *ctx, size_t more_bytes, struct refusal *no)
{
	struct passage *way = ctx;

	return admission_charge(way->push->rooms.admission, way->ticket, (int64_t)more_bytes, no);
}

/* The body as its sender meant it. */
static int inflate(struct passage *way, struct str *body)
{
	struct push *p = way->push;
	const struct inflate_limits limits = {.max_bytes = p->limits.inflated_bytes, .max_ratio = p->limits.inflate_ratio,
					      .charge = charge_inflated, .charge_ctx = way};

	if (way->ticket->encoding == INFLATE_IDENTITY)
		return 0;
	if (inflate_body(&p->inflater, way->ticket->encoding, *body, &limits, &p->inflated, &way->no) < 0)
		return -1;
	account_add(p->rooms.account, ACCOUNT_INFLATED_BYTES, p->inflated.len);
	*body = buf_str(&p->inflated);
	return 0;
}

/* A request of OTLP's, which may be empty: there is nothing to be judged of it as a whole. */
static int decode_otlp(struct passage *way, struct str body)
{
	struct push *p = way->push;
	const struct ticket *t = way->ticket;
	enum otlp_signal signal = signal_of(t->door);

	way->payload.has_idempotency_key = t->idempotency_key.p != NULL;
	if (way->payload.has_idempotency_key)
		way->payload.idempotency_key = t->idempotency_key;
	if (t->form == BODY_JSON) {
		if (otlp_json_transcode(signal, body, &p->transcoded, p->limits.inflated_bytes, &way->no) < 0)
			return -1;
		body = buf_str(&p->transcoded);
	}
	if (otlp_decode(signal, body, &way->payload, p->rooms.otlp, &way->no) < 0)
		return -1;
	way->decoded = true;
	return 0;
}

static int decode_native(struct passage *way, struct str body)
{
	struct payload *payload = &way->payload;
	const struct ticket *t = way->ticket;

	payload->shift_ms = t->sender.shift_ms;
	if ((t->form == BODY_PROTOBUF ? push_pb_parse(body, payload, &way->no) : push_json_parse(body, payload, &way->no)) < 0)
		return -1;
	way->decoded = true;
	if (check_payload(payload, &way->no) < 0)
		return -1;
	if (t->sender.has_created_at && (!payload->has_created_at || payload->created_at_ms != t->sender.created_at_ms))
		return refuse(&way->no, REASON_CREATED_AT_MISMATCH, "the header says %lld, the payload %lld",
			      (long long)t->sender.created_at_ms, (long long)payload->created_at_ms);
	return 0;
}

static int decode(struct passage *way, struct str body)
{
	struct payload *payload = &way->payload;
	const struct ticket *t = way->ticket;

	payload_init(payload, &way->push->arena, t->received_at_ms);
	payload->scrub = way->push->rooms.scrub;
	payload->known = way->push->known;
	return admission_is_otlp(t->door) ? decode_otlp(way, body) : decode_native(way, body);
}

/* Body to parts. What picks a part's partition depends on nothing but payload and routing history, so that a retry goes the same way. */
static int make_parts(struct passage *way, struct str body)
{
	struct push *p = way->push;
	struct payload *payload = &way->payload;
	int rc = inflate(way, &body) < 0 ? -1 : decode(way, body);

	if (way->decoded) {
		way->tally = account_tally(payload);
		account_receive(p->rooms.account, admission_site(way->ticket), &way->tally);
		if (payload->shift_ms)
			account_add(p->rooms.account, ACCOUNT_SKEWED_PAYLOADS, 1);
	}
	if (rc == 0 && settle_events(payload, admission_site(way->ticket)) < 0)
		rc = payload_refuse_size(payload, &way->no);
	if (rc < 0 || admission_route(p->rooms.admission, way->ticket,
				      payload->has_created_at ? payload->created_at_ms : payload->received_at_ms,
				      payload->accepted + payload->rejected, &p->arena, &way->route, &way->no) < 0)
		return -1;
	return split_payload(payload, &way->route, p->limits.record_bytes, &p->records, &way->parts, &way->no);
}

/* Parts of samples come first (split.h). */
static void note_topics(struct push_job *job, const struct parts *parts)
{
	const struct part *first = parts->part, *last = first + parts->len;

	if (parts->len && !first->events)
		snprintf(job->topic, sizeof(job->topic), "%s", first->topic);
	if (parts->len && last[-1].events)
		snprintf(job->events_topic, sizeof(job->events_topic), "%s", last[-1].topic);
}

/* The job of a payload that is ready to go, charged for; its answer is written now, while the rejections are still there. */
static struct push_job *job_new(struct passage *way)
{
	struct push_job *job = calloc(1, sizeof(*job));
	struct answer_form form;

	if (!job) {
		refuse(&way->no, REASON_OVER_BUDGET, "out of memory for a payload");
		return NULL;
	}
	job->push = way->push;
	job->tally = way->tally;
	job->about = complaint_about(&way->payload);
	job->records = way->parts.len;
	job->record_bytes = split_record_bytes(&way->parts);
	note_topics(job, &way->parts);
	form = form_of(way->ticket);
	answer_accept(&job->answer, &form, &way->payload);
	if (admission_charge(way->push->rooms.admission, way->ticket, (int64_t)(job->record_bytes + job->answer.body.len + JOB_BYTES),
			     &way->no) < 0) {
		job_free(job);
		return NULL;
	}
	return job;
}

/* Sends a job's parts. 1: on the way; 0: there are none, all is done; -1: refused. Whether Kafka is gone for samples was asked before the body; that a
 * payload has events is known only now. */
static int job_send(struct push_job *job, struct passage *way)
{
	struct err err = ERR_INIT;

	if (way->parts.len == 0)
		return 0;
	if (job->events_topic[0] && producer_gone(job->push->rooms.producer, job->events_topic))
		return refuse(&way->no, REASON_KAFKA_UNAVAILABLE, "Kafka has not answered for a while");
	if (producer_send(job->push->rooms.producer, way->route.site, &way->parts, on_delivered, job, &err) < 0)
		return refuse(&way->no, REASON_KAFKA_UNAVAILABLE, "%s", err.msg);
	return 1;
}

/* Frees what the payload took; a large one must not keep its memory for ever. */
static void forget_payload(struct passage *way)
{
	struct push *p = way->push;

	if (p->arena.used_bytes > KEPT_BYTES)
		arena_fini(&p->arena);
	else
		arena_clear(&p->arena);
	if (p->inflated.cap > KEPT_BYTES)
		buf_fini(&p->inflated);
	if (p->transcoded.cap > KEPT_BYTES)
		buf_fini(&p->transcoded);
	if (p->records.cap > KEPT_BYTES)
		buf_fini(&p->records);
}

/* That this side has no room for bodies it does not even decode is told once a second, for all of them (account_log()). */
static void tell_of(const struct passage *way, const struct refusal *no)
{
	struct complaint_about about = complaint_about(&way->payload);

	if (way->decoded || reason_status(no->reason) != STATUS_UNAVAILABLE)
		complaint_refused(way->push->rooms.log, admission_site(way->ticket), &about, no->reason, way->decoded ? &way->tally : NULL);
}

/* Answers at once, and ends the ticket. */
static void answer_now(struct passage *way, struct push_job *job, const struct refusal *no, struct answer *now)
{
	struct push *p = way->push;

	if (no) {
		tell_of(way, no);
		tell_refusal(p, way->ticket, no, way->decoded ? &way->tally : NULL, now);
	} else {
		take(p, way->ticket, &job->about, &job->tally);
		*now = job->answer;
		job->answer = (struct answer)ANSWER_INIT;
	}
	admission_release(p->rooms.admission, way->ticket);
	if (job)
		job_free(job);
}

struct push_job *push_start(struct push *p, struct ticket *t, struct str body, push_done_fn done, void *ctx, struct answer *now)
{
	struct passage way = {.push = p, .ticket = t};
	struct push_job *job = NULL;
	int sent = make_parts(&way, body);

	if (sent == 0) {
		job = job_new(&way);
		sent = job ? job_send(job, &way) : -1;
	}
	if (sent == 1) {
		job->ticket = *t;
		job->ticket.idempotency_key = (struct str){0};
		job->done = done;
		job->ctx = ctx;
		*t = (struct ticket){0};
	} else {
		answer_now(&way, job, sent < 0 ? &way.no : NULL, now);
		job = NULL;
	}
	forget_payload(&way);
	return job;
}
