/* push.c - see push.h.
 *
 * A payload's memory has three lives. Decoded, it stands in the arena, for this one call. Encoded, its records are Kafka's client's
 * until the last report. In between stays the job: the answer as it will be if all goes well, and a tally, since neither can be made
 * later from what is left. All three are charged to the ticket, which passes from the request to the job with the records. */
#include "ingest/push.h"

#include <stdlib.h>

#include "ingest/check.h"
#include "ingest/push_json.h"
#include "ingest/split.h"

enum {
	DECODED_RATIO = 8,               /* a decoded payload may take this many times the largest body */
	ARENA_KEPT_BYTES = 4 << 20,      /* a larger arena is given back after its payload */
	JOB_BYTES = sizeof(struct tally) /* what a job is charged for itself, about */
};

struct push {
	struct push_rooms rooms;
	size_t max_record_bytes;
	struct arena arena;
};

struct push_job {
	struct push *push;
	struct ticket ticket;
	struct answer answer; /* for the good end */
	struct tally tally;
	size_t records, record_bytes;
	push_done_fn done; /* NULL: nobody waits any more */
	void *ctx;
};

struct push *push_new(const struct push_rooms *rooms, size_t max_body_bytes, size_t max_record_bytes)
{
	struct push *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->rooms = *rooms;
	p->max_record_bytes = max_record_bytes;
	p->arena.limit_bytes = DECODED_RATIO * max_body_bytes;
	return p;
}

void push_free(struct push *p)
{
	if (!p)
		return;
	arena_fini(&p->arena);
	free(p);
}

void push_forget(struct push_job *job)
{
	if (job)
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
		account_accept(rooms->account, &job->tally);
		account_records(rooms->account, job->records, job->record_bytes);
	} else {
		refuse(&no, REASON_KAFKA_UNAVAILABLE, "%s", error);
		account_refuse(rooms->account, no.reason, &job->tally);
		answer_refuse(&job->answer, &no);
	}
	admission_release(rooms->admission, &job->ticket);
	if (job->done)
		job->done(job->ctx, &job->answer);
	job_free(job);
}

/* Body to parts. On refusal *decoded tells whether samples are known. */
static int make_parts(struct push *p, const struct ticket *t, struct str body, struct payload *payload,
		      struct split_route *route, struct parts *parts, bool *decoded, struct refusal *no)
{
	struct tenant *tenant = admission_tenant(p->rooms.admission, t, no);

	if (!tenant)
		return -1;
	payload_init(payload, &p->arena, clock_now_ms(p->rooms.clock));
	if (push_json_parse(body, payload, no) < 0)
		return -1;
	*decoded = true;
	if (check_payload(payload, no) < 0)
		return -1;
	if (sites_route(p->rooms.sites, tenant, payload->has_created_at ? payload->created_at_ms : payload->received_at_ms,
			route, no) < 0)
		return -1;
	return split_payload(payload, route, p->max_record_bytes, parts, no);
}

/* The job of a payload that is ready to go, charged for; its answer is written now, while the rejections are still there. */
static struct push_job *job_new(struct push *p, struct ticket *t, const struct payload *payload, const struct parts *parts,
				struct refusal *no)
{
	struct push_job *job = calloc(1, sizeof(*job));

	if (!job) {
		refuse(no, REASON_OVER_BUDGET, "out of memory for a payload");
		return NULL;
	}
	job->push = p;
	job->tally = account_tally(payload);
	job->records = parts->len;
	job->record_bytes = split_record_bytes(parts);
	answer_accept(&job->answer, payload);
	if (admission_charge(p->rooms.admission, t, (int64_t)(job->record_bytes + job->answer.body.len + JOB_BYTES), no) < 0) {
		job_free(job);
		return NULL;
	}
	return job;
}

/* Sends a job's parts. 1: on the way; 0: there are none, all is done; -1: refused. */
static int job_send(struct push_job *job, const struct split_route *route, struct parts *parts, struct refusal *no)
{
	struct err err = ERR_INIT;

	if (parts->len == 0)
		return 0;
	if (producer_send(job->push->rooms.producer, route->topic, route->site, parts, on_delivered, job, &err) < 0)
		return refuse(no, REASON_KAFKA_UNAVAILABLE, "%s", err.msg);
	return 1;
}

/* Frees what the payload took; a large one must not keep its memory for ever. */
static void forget_payload(struct push *p, struct parts *parts)
{
	bool large = p->arena.used_bytes > ARENA_KEPT_BYTES;

	split_fini(parts);
	if (large)
		arena_fini(&p->arena);
	else
		arena_clear(&p->arena);
}

/* Answers at once and ends the ticket. */
static void answer_now(struct push *p, struct ticket *t, struct push_job *job, const struct tally *tally,
		       const struct refusal *no, struct answer *now)
{
	if (no) {
		account_refuse(p->rooms.account, no->reason, tally);
		answer_refuse(now, no);
	} else {
		account_accept(p->rooms.account, &job->tally);
		*now = job->answer;
		job->answer = (struct answer)ANSWER_INIT;
	}
	admission_release(p->rooms.admission, t);
	if (job)
		job_free(job);
}

struct push_job *push_start(struct push *p, struct ticket *t, struct str body, push_done_fn done, void *ctx, struct answer *now)
{
	struct payload payload = {0};
	struct split_route route = {0};
	struct parts parts = {0};
	struct refusal no;
	bool decoded = false;
	struct push_job *job = NULL;
	struct tally tally;
	int sent = make_parts(p, t, body, &payload, &route, &parts, &decoded, &no);

	if (sent == 0) {
		job = job_new(p, t, &payload, &parts, &no);
		sent = job ? job_send(job, &route, &parts, &no) : -1;
	}
	tally = account_tally(&payload);
	forget_payload(p, &parts);
	if (sent == 1) {
		job->ticket = *t;
		job->done = done;
		job->ctx = ctx;
		*t = (struct ticket){0};
		return job;
	}
	answer_now(p, t, job, decoded ? &tally : NULL, sent < 0 ? &no : NULL, now);
	return NULL;
}
