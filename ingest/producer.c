/* producer.c - see producer.h.
 *
 * Invariant: every delivery whose end was not told stands in the list `waiting`, so that none is forgotten when a client is
 * thrown away with records in it whose reports never came. */
#include "ingest/producer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/kafka.h"

enum {
	CLOSE_TIMEOUT_MS = 2000,
	PURGE_TIMEOUT_MS = 1000,
	BATCH_OVERHEAD_BYTES = 4096, /* what key and batch headers may add to one record */
	NUMBER_SIZE = 24,
};

/* What is under way to one topic. A topic is a cell's, and when one is gone the others are not: kept by topic, and as long as the producer. */
struct flow {
	struct flow *next;
	char topic[KAFKA_TOPIC_SIZE];
	size_t outstanding;       /* parts whose report is to come */
	int64_t progress_mono_ms; /* of the last acknowledgement, or of the first part since none was outstanding */
	bool gone;                /* until the next acknowledgement */
};

/* A part on its way: what its report is about. */
struct leg {
	struct delivery *delivery;
	struct flow *flow;
};

/* One payload's parts on their way. Freed with the last report. */
struct delivery {
	struct delivery *next, **link; /* link: what points here */
	producer_done_fn done;
	void *ctx;
	size_t outstanding;
	rd_kafka_resp_err_t failed; /* the first error, or 0 */
	struct leg legs[];          /* one a part */
};

struct producer {
	const struct program *program;
	const struct ingest_conf *conf;
	int wake_fd;
	rd_kafka_t *rk; /* NULL: broken, a new one is due */
	struct delivery *waiting;
	struct flow *flows;
};

static void delivery_begin(struct producer *pr, struct delivery *d)
{
	d->next = pr->waiting;
	d->link = &pr->waiting;
	if (d->next)
		d->next->link = &d->next;
	pr->waiting = d;
}

static void delivery_end(struct delivery *d)
{
	*d->link = d->next;
	if (d->next)
		d->next->link = d->link;
	d->done(d->ctx, !d->failed, d->failed ? rd_kafka_err2str(d->failed) : "");
	free(d);
}

/* A part was acknowledged or given up. The last one's report ends the delivery; one that failed has failed it before. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	const struct leg *leg = message->_private;
	struct delivery *d = leg->delivery;

	(void)rk;
	(void)opaque;
	leg->flow->outstanding--;
	if (!message->err) {
		leg->flow->progress_mono_ms = clock_mono_ms();
		leg->flow->gone = false;
	}
	if (message->err && !d->failed)
		d->failed = message->err;
	if (--d->outstanding == 0)
		delivery_end(d);
}

/* The program's loop sleeps in poll(): librdkafka writes to its descriptor when the queue stops being empty. */
static void wake_on_reports(struct producer *pr)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(pr->rk);
	uint64_t one = 1; /* what an eventfd takes */

	rd_kafka_queue_io_event_enable(queue, pr->wake_fd, &one, sizeof(one));
	rd_kafka_queue_destroy(queue);
}

/* What the promise of a 202 and the bound of memory rest on: nobody's kafka.* may change it. */
static rd_kafka_conf_t *make_conf(const struct program *p, const struct ingest_conf *c, struct err *err)
{
	char message_timeout[NUMBER_SIZE], linger[NUMBER_SIZE], message_max[NUMBER_SIZE], queue_kbytes[NUMBER_SIZE];
	const struct kafka_prop fixed[] = {
		{"enable.idempotence", "true"},
		{"acks", "all"},
		{"message.timeout.ms", message_timeout},
		{"linger.ms", linger},
		{"message.max.bytes", message_max},
		{"queue.buffering.max.kbytes", queue_kbytes},
		{0},
	};

	snprintf(message_timeout, NUMBER_SIZE, "%" PRId64, c->message_timeout_ms);
	snprintf(linger, NUMBER_SIZE, "%" PRId64, c->linger_ms);
	snprintf(message_max, NUMBER_SIZE, "%" PRId64, c->max_record_bytes + BATCH_OVERHEAD_BYTES);
	snprintf(queue_kbytes, NUMBER_SIZE, "%" PRId64, c->inflight_budget_bytes / 1024 + 1);
	return kafka_conf(p, "samples", fixed, err);
}

int producer_check(const struct program *p, const struct ingest_conf *conf, struct err *err)
{
	return kafka_conf_check(make_conf(p, conf, err));
}

static int client_open(struct producer *pr, struct err *err)
{
	rd_kafka_conf_t *conf = make_conf(pr->program, pr->conf, err);

	if (!conf)
		return -1;
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, pr);
	pr->rk = kafka_open(RD_KAFKA_PRODUCER, conf, err);
	if (!pr->rk)
		return -1;
	wake_on_reports(pr);
	return 0;
}

/* Ends the client and with it every delivery: after the close no report can come any more. */
static void client_close(struct producer *pr)
{
	if (!pr->rk)
		return;
	rd_kafka_purge(pr->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_flush(pr->rk, PURGE_TIMEOUT_MS);
	kafka_close(pr->rk, CLOSE_TIMEOUT_MS);
	pr->rk = NULL;
	for (struct flow *f = pr->flows; f; f = f->next)
		f->outstanding = 0;
	while (pr->waiting) {
		pr->waiting->failed = RD_KAFKA_RESP_ERR__DESTROY;
		delivery_end(pr->waiting);
	}
}

struct producer *producer_new(const struct program *p, const struct ingest_conf *conf, int wake_fd, struct err *err)
{
	struct producer *pr = calloc(1, sizeof(*pr));

	if (!pr) {
		err_nomem(err, "the producer");
		return NULL;
	}
	*pr = (struct producer){.program = p, .conf = conf, .wake_fd = wake_fd};
	if (client_open(pr, err) < 0) {
		producer_free(pr);
		return NULL;
	}
	return pr;
}

void producer_free(struct producer *pr)
{
	if (!pr)
		return;
	client_close(pr);
	for (struct flow *f = pr->flows, *next; f; f = next) {
		next = f->next;
		free(f);
	}
	free(pr);
}

/* Queues one part. librdkafka copies the record into its message, which is one allocation; a record of its own would be two. A full queue is
 * not waited for: the client is told to come back. */
static rd_kafka_resp_err_t send_part(struct producer *pr, struct str key, const struct part *part, struct leg *leg)
{
	rd_kafka_resp_err_t code =
		rd_kafka_producev(pr->rk, RD_KAFKA_V_TOPIC(part->topic), RD_KAFKA_V_PARTITION(part->partition), RD_KAFKA_V_KEY(key.p, key.len),
				  RD_KAFKA_V_VALUE((void *)(uintptr_t)part->record.p, part->record.len),
				  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(leg), RD_KAFKA_V_END);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && leg->flow->outstanding++ == 0)
		leg->flow->progress_mono_ms = clock_mono_ms();
	return code;
}

static struct flow *find_flow(const struct producer *pr, const char *topic)
{
	struct flow *f = pr->flows;

	while (f && strcmp(f->topic, topic) != 0)
		f = f->next;
	return f;
}

/* The flow of a topic, made when it is new; NULL when memory is short. */
static struct flow *need_flow(struct producer *pr, const char *topic)
{
	struct flow *f = find_flow(pr, topic);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	snprintf(f->topic, sizeof(f->topic), "%s", topic);
	f->next = pr->flows;
	pr->flows = f;
	return f;
}

/* Parts of one topic stand side by side, and name it by the same pointer. NULL when memory is short. */
static struct delivery *delivery_new(struct producer *pr, const struct parts *parts)
{
	struct delivery *d = calloc(1, sizeof(*d) + parts->len * sizeof(d->legs[0]));

	for (size_t i = 0; d && i < parts->len; i++) {
		bool again = i && parts->part[i].topic == parts->part[i - 1].topic;

		d->legs[i] = (struct leg){d, again ? d->legs[i - 1].flow : need_flow(pr, parts->part[i].topic)};
		if (!d->legs[i].flow) {
			free(d);
			return NULL;
		}
	}
	return d;
}

int producer_send(struct producer *pr, struct str key, const struct parts *parts, producer_done_fn done, void *ctx, struct err *err)
{
	struct delivery *d;

	if (!pr->rk)
		return err_set(err, ERR_RETRY, "the producer is being made anew");
	d = delivery_new(pr, parts);
	if (!d)
		return err_set(err, ERR_RETRY, "out of memory for a delivery");
	d->done = done;
	d->ctx = ctx;
	for (size_t i = 0; i < parts->len && !d->failed; i++) {
		d->failed = send_part(pr, key, &parts->part[i], &d->legs[i]);
		d->outstanding += !d->failed;
	}
	if (d->outstanding > 0) { /* also when one could not be queued: the others' reports end it, as failed */
		delivery_begin(pr, d);
		return 0;
	}
	kafka_code(err, d->failed, "produce");
	free(d);
	return -1;
}

void producer_warm(struct producer *pr, const char *topic)
{
	rd_kafka_topic_t *rkt = pr->rk ? rd_kafka_topic_new(pr->rk, topic, NULL) : NULL;

	if (rkt)
		rd_kafka_topic_destroy(rkt); /* the client keeps what it has learned */
}

int producer_poll(struct producer *pr, struct err *err)
{
	char why[256];
	rd_kafka_resp_err_t code;

	if (!pr->rk)
		return client_open(pr, err);
	rd_kafka_poll(pr->rk, 0);
	code = rd_kafka_fatal_error(pr->rk, why, sizeof(why));
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	client_close(pr);
	return err_set(err, ERR_RETRY, "the producer broke: %s (%s)", why, rd_kafka_err2name(code));
}

bool producer_hangs(struct producer *pr, int64_t mono_ms)
{
	bool any = false;

	for (struct flow *f = pr->flows; f; f = f->next)
		if (f->outstanding > 0 && mono_ms - f->progress_mono_ms > pr->conf->stall_timeout_ms)
			any = f->gone = true;
	return any;
}

bool producer_gone(const struct producer *pr, const char *topic)
{
	const struct flow *f = find_flow(pr, topic);

	return f && f->gone && f->outstanding > 0;
}

bool producer_flush(struct producer *pr, int timeout_ms)
{
	return !pr->rk || rd_kafka_flush(pr->rk, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
}
