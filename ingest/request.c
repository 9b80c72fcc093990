/* request.c - see request.h.
 *
 * A refusal known from the headers is answered at once and costs the connection, as the body would follow; where the body is announced
 * as short it is read and dropped instead, so that an agent keeps its connection and surely sees the answer. */
#include "ingest/request.h"

#include <stdio.h>
#include <stdlib.h>

#include "ingest/head.h"

enum {
	DROP_MAX_BYTES = 65536, /* a body of a refused request that is read all the same */
	OVERRUN_FACTOR = 4,     /* a chunked body this many times over the limit ends its connection */
};

struct request *request_new(struct requests *all, struct MHD_Connection *connection)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->all = all;
	r->connection = connection;
	r->next = all->first;
	r->link = &all->first;
	if (r->next)
		r->next->link = &r->next;
	all->first = r;
	all->len++;
	return r;
}

void request_free(struct request *r)
{
	if (!r)
		return;
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	r->all->len--;
	admission_release(r->all->rooms->admission, &r->ticket);
	buf_fini(&r->body);
	answer_fini(&r->answer);
	free(r);
}

/* Fails for lack of memory only; the answer goes out without it then. */
static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	MHD_add_response_header(response, name, value);
}

static struct MHD_Response *make_response(struct request *r)
{
	struct answer *a = &r->answer;
	struct MHD_Response *response = MHD_create_response_from_buffer(a->body.len, a->body.p, MHD_RESPMEM_MUST_FREE);
	char seconds[16];

	if (!response)
		return NULL;
	a->body = (struct buf)BUF_INIT; /* the response's now */
	add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer_type(a));
	if (a->retry_after_s) {
		snprintf(seconds, sizeof(seconds), "%u", a->retry_after_s);
		add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	}
	if (a->status == MHD_HTTP_UNAUTHORIZED)
		add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		add_header(response, MHD_HTTP_HEADER_ALLOW, r->ticket.door == DOOR_AUTH ? MHD_HTTP_METHOD_GET : MHD_HTTP_METHOD_POST);
	if (r->closing)
		add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return response;
}

enum MHD_Result request_send(struct request *r)
{
	struct MHD_Response *response = make_response(r);
	enum MHD_Result rc;

	r->state = REQUEST_ANSWERED;
	if (!response)
		return MHD_NO;
	rc = MHD_queue_response(r->connection, (unsigned)r->answer.status, response);
	MHD_destroy_response(response);
	return rc;
}

/* From here on the body is of no interest, and its bytes are nobody's burden any more. */
void request_give_up(struct request *r, const struct refusal *no)
{
	push_refuse(r->all->rooms->push, &r->ticket, no, &r->answer);
	buf_fini(&r->body);
	r->state = REQUEST_DROPPING;
}

/* A body that is short enough to be read to its end, so that the connection stays good; one that is announced twice has no end. */
static bool droppable(const struct request *r, const struct refusal *no, bool expect)
{
	return r->ticket.announced_bytes > 0 && r->ticket.announced_bytes <= DROP_MAX_BYTES && !expect &&
	       no->reason != REASON_BAD_FRAMING && no->reason != REASON_CLIENT_CERTIFICATE;
}

static bool is_gone(void *kafka, const char *topic)
{
	return producer_gone(kafka, topic);
}

enum MHD_Result request_begin(struct request *r, const char *path, const char *method, bool trusted)
{
	struct admission_head head;
	struct refusal no;
	bool expect;
	int rc;

	head_read(r->connection, method, path, &head, &expect);
	head.kafka_gone = is_gone;
	head.kafka = r->all->rooms->producer;
	rc = trusted ? admission_enter(r->all->rooms->admission, &head, &r->ticket, &no)
		     : refuse(&no, REASON_CLIENT_CERTIFICATE, "%s", "");
	if (rc == 0)
		return MHD_YES;
	request_give_up(r, &no);
	if (droppable(r, &no, expect))
		return MHD_YES;
	r->closing |= r->ticket.announced_bytes != 0 && (head.lengths > 0 || expect);
	return request_send(r);
}

/* A connection that goes on sending far beyond its refusal is closed. */
enum MHD_Result request_take(struct request *r, const char *piece, size_t size)
{
	struct admission *admission = r->all->rooms->admission;
	struct refusal no;
	int64_t beyond;

	r->arrived_bytes += (int64_t)size;
	account_add(r->all->rooms->account, ACCOUNT_BODY_BYTES, size);
	if (r->state == REQUEST_DROPPING)
		return r->arrived_bytes <= OVERRUN_FACTOR * r->all->max_body_bytes ? MHD_YES : MHD_NO;
	beyond = r->arrived_bytes - r->ticket.charged_bytes; /* all of a chunked body; nothing of one that was announced truly */
	if (admission_check_body(admission, r->arrived_bytes, &no) < 0 ||
	    (r->ticket.door != DOOR_AUTH && beyond > 0 && admission_charge(admission, &r->ticket, beyond, &no) < 0)) {
		request_give_up(r, &no);
		return MHD_YES;
	}
	if (r->ticket.door == DOOR_AUTH) /* nobody will read it */
		return MHD_YES;
	if (r->body.cap == 0 && r->ticket.announced_bytes > 0)
		buf_reserve(&r->body, (size_t)r->ticket.announced_bytes);
	buf_add(&r->body, piece, size);
	return MHD_YES;
}

/* Kafka has spoken: the connection goes on. */
static void on_answer(void *ctx, struct answer *answer)
{
	struct request *r = ctx;

	r->job = NULL;
	r->answer = *answer;
	*answer = (struct answer)ANSWER_INIT;
	r->state = REQUEST_READY;
	r->all->waiting--;
	MHD_resume_connection(r->connection);
}

static enum MHD_Result finish_auth(struct request *r)
{
	answer_auth(&r->answer, admission_site(&r->ticket));
	admission_release(r->all->rooms->admission, &r->ticket);
	return request_send(r);
}

/* Whole, but not to be taken. */
static enum MHD_Result finish_refused(struct request *r, enum reason reason, const char *detail)
{
	struct refusal no;

	refuse(&no, reason, "%s", detail);
	request_give_up(r, &no);
	return request_send(r);
}

/* The body is needed no longer than push takes to decode it, though its bytes stay charged until Kafka has spoken. */
enum MHD_Result request_finish(struct request *r)
{
	if (r->ticket.door == DOOR_AUTH)
		return finish_auth(r);
	if (r->all->ending)
		return finish_refused(r, REASON_DRAINING, "");
	if (buf_failed(&r->body)) /* sticky since the piece that found no memory */
		return finish_refused(r, REASON_OVER_BUDGET, "out of memory for the body");
	r->job = push_start(r->all->rooms->push, &r->ticket, buf_str(&r->body), on_answer, r, &r->answer);
	buf_fini(&r->body);
	if (!r->job)
		return request_send(r);
	r->state = REQUEST_WAITING;
	r->all->waiting++;
	MHD_suspend_connection(r->connection);
	return MHD_YES;
}

void request_abandon(struct request *r, const struct refusal *no)
{
	push_abandon(r->job, no, &r->answer);
	r->job = NULL;
	r->state = REQUEST_READY;
	r->all->waiting--;
	MHD_resume_connection(r->connection);
}
