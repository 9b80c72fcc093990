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
#include "ingest/push_json.h"
#include "ingest/push_pb.h"
#include "ingest/split.h"

enum {
	KEPT_BYTES = 4 << 20,            /* larger buffers are given back after their payload */
	JOB_BYTES = sizeof(struct tally) /* what a job is charged for itself, about */
};

struct push {
	struct push_rooms rooms;
	struct push_limits limits;
	struct inflater inflater;
	struct buf inflated, records;
	struct arena arena;
};

struct push_job {
	struct push *push;
	struct ticket ticket;
	struct answer answer; /* for the good end */
	struct tally tally;
	char topic[KAFKA_TOPIC_SIZE];
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
	return p;
}

void push_free(struct push *p)
{
	if (!p)
		return;
	inflater_fini(&p->inflater);
	buf_fini(&p->inflated);
	buf_fini(&p->records);
	arena_fini(&p->arena);
	free(p);
}

void push_refuse(struct push *p, struct ticket *t, const struct refusal *no, struct answer *answer)
{
	answer_refuse(answer, no, admission_refuse(p->rooms.admission, t, no, NULL));
	admission_release(p->rooms.admission, t);
}

bool push_hangs(const struct push_job *job)
{
	return producer_gone(job->push->rooms.producer, job->topic);
}

void push_abandon(struct push_job *job, const struct refusal *no, struct answer *answer)
{
	answer_refuse(answer, no, admission_refuse(job->push->rooms.admission, &job->ticket, no, &job->tally));
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
			admission_accept(rooms->admission, &job->ticket, &job->tally);
		} else {
			refuse(&no, REASON_KAFKA_UNAVAILABLE, "%s", error);
			answer_refuse(&job->answer, &no, admission_refuse(rooms->admission, &job->ticket, &no, &job->tally));
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

static int decode(struct passage *way, struct str body)
{
	struct payload *payload = &way->payload;
	const struct ticket *t = way->ticket;

	payload_init(payload, &way->push->arena, t->received_at_ms);
	payload->shift_ms = t->sender.shift_ms;
	payload->scrub = way->push->rooms.scrub;
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
	if (rc < 0 || admission_route(p->rooms.admission, way->ticket,
				      payload->has_created_at ? payload->created_at_ms : payload->received_at_ms,
				      payload->accepted + payload->rejected, &p->arena, &way->route, &way->no) < 0)
		return -1;
	return split_payload(payload, &way->route, p->limits.record_bytes, &p->records, &way->parts, &way->no);
}

/* The job of a payload that is ready to go, charged for; its answer is written now, while the rejections are still there. */
static struct push_job *job_new(struct passage *way)
{
	struct push_job *job = calloc(1, sizeof(*job));

	if (!job) {
		refuse(&way->no, REASON_OVER_BUDGET, "out of memory for a payload");
		return NULL;
	}
	job->push = way->push;
	job->tally = way->tally;
	job->records = way->parts.len;
	job->record_bytes = split_record_bytes(&way->parts);
	snprintf(job->topic, sizeof(job->topic), "%s", way->route.topic);
	answer_accept(&job->answer, &way->payload);
	if (admission_charge(way->push->rooms.admission, way->ticket, (int64_t)(job->record_bytes + job->answer.body.len + JOB_BYTES),
			     &way->no) < 0) {
		job_free(job);
		return NULL;
	}
	return job;
}

/* Sends a job's parts. 1: on the way; 0: there are none, all is done; -1: refused. */
static int job_send(struct push_job *job, struct passage *way)
{
	struct err err = ERR_INIT;

	if (way->parts.len == 0)
		return 0;
	if (producer_send(job->push->rooms.producer, way->route.topic, way->route.site, &way->parts, on_delivered, job, &err) < 0)
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
	if (p->records.cap > KEPT_BYTES)
		buf_fini(&p->records);
}

/* Answers at once, and ends the ticket. */
static void answer_now(struct passage *way, struct push_job *job, const struct refusal *no, struct answer *now)
{
	struct push *p = way->push;

	if (no) {
		answer_refuse(now, no, admission_refuse(p->rooms.admission, way->ticket, no, way->decoded ? &way->tally : NULL));
	} else {
		admission_accept(p->rooms.admission, way->ticket, &job->tally);
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
