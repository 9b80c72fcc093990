/* cluster.c - see cluster.h.
 *
 * Who else wrote: rows are counted by their offsets. At the time of our write we had read up to feed.seen;
 * our record comes back at offset N. A row of the same key in between was written by somebody whose state
 * we had not read. */
#include "deploy/ctl/cluster.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "common/report.h"
#include "common/table.h"

enum {
	CONNECT_MS = 5000,
	LOAD_MS = 30000,
	WRITE_MS = 30000, /* a broker that has died leads, and is waited for as a copy, until Kafka's broker.session.timeout.ms, 9 s, is over */
	CLOSE_MS = 3000,
	TURN_MS = 100,
	TURN_ROWS = 1000,
};

/* Where one topic's rows go, and what to look for among them. */
struct feed {
	struct store *store;
	enum store_kind kind;
	int64_t seen;        /* offset of the last row; -1: none */
	struct str awaited;  /* key of the record being written; p NULL: none */
	int64_t awaited_at;  /* its offset */
	bool foreign;        /* somebody else's row of that key came first */
};

struct cluster {
	const struct program *program;
	struct progress *progress;
	rd_kafka_t *producer;
	struct tables *tables;
	struct store store;
	struct feed feeds[STORE_KINDS];
};

static const char *const topics[STORE_KINDS] = {
	[STORE_CELLS] = "millrace.cells", [STORE_SITES] = "millrace.sites", [STORE_CONTROLS] = "millrace.controls",
	[STORE_TRIGGERS] = "millrace.triggers", [STORE_RECEIVERS] = "millrace.receivers", [STORE_BEATS] = "millrace.heartbeats"};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct cluster_delivery *d = message->_private;

	(void)rk;
	(void)opaque;
	*d = (struct cluster_delivery){.done = true, .code = message->err, .offset = message->offset};
}

/* A row on its way into the store; also the place where a foreign write is noticed. */
static int on_row(void *ctx, const struct table_row *row, struct err *err)
{
	struct feed *feed = ctx;

	if (feed->awaited.p && row->offset < feed->awaited_at && str_eq(row->key, feed->awaited))
		feed->foreign = true;
	feed->seen = row->offset;
	return store_take_row(feed->store, feed->kind, row, err);
}

static const struct kafka_prop fixed_props[] = {
	{"acks", "all"},
	{"enable.idempotence", "true"},
	{0},
};

int cluster_check(const struct program *p, struct err *err)
{
	return tables_check(p, err) < 0 ? -1 : kafka_conf_check(kafka_conf(p, "admin", fixed_props, err));
}

static int await_kafka(struct cluster *c, struct err *err)
{
	int rc;

	progress_begin(c->progress, "waiting for Kafka");
	rc = kafka_wait(c->producer, CONNECT_MS, err);
	progress_end(c->progress);
	return rc;
}

struct cluster *cluster_new(const struct program *p, struct progress *progress, struct err *err)
{
	struct cluster *c = calloc(1, sizeof(*c));
	struct err unreachable = ERR_INIT;
	rd_kafka_conf_t *conf;

	if (!c) {
		err_nomem(err, "a connection");
		return NULL;
	}
	c->program = p;
	c->progress = progress;
	for (int kind = 0; kind < STORE_KINDS; kind++)
		c->feeds[kind] = (struct feed){.store = &c->store, .kind = (enum store_kind)kind, .seen = -1};
	conf = kafka_conf(p, "admin", fixed_props, err);
	if (conf) {
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
		rd_kafka_conf_set(conf, "message.max.bytes", "4194304", NULL, 0); /* what was in Kafka once may go there again */
	}
	c->producer = conf ? kafka_open(RD_KAFKA_PRODUCER, conf, err) : NULL;
	if (c->producer && await_kafka(c, &unreachable) == 0)
		return c;
	if (c->producer)
		err_set(err, unreachable.kind, "%s (--kafka HOST:PORT says where it is)", unreachable.msg);
	cluster_free(c);
	return NULL;
}

void cluster_free(struct cluster *c)
{
	if (!c)
		return;
	tables_free(c->tables);
	kafka_close(c->producer, CLOSE_MS);
	store_fini(&c->store);
	free(c);
}

int cluster_load(struct cluster *c, unsigned kinds, struct err *err)
{
	struct table_spec specs[STORE_KINDS];
	size_t nr = 0;
	int rc;

	for (int kind = 0; kind < STORE_KINDS; kind++)
		if (kinds & CLUSTER_BIT(kind))
			specs[nr++] = (struct table_spec){.topic = topics[kind], .row = on_row, .ctx = &c->feeds[kind]};
	c->tables = tables_new(c->program, specs, nr, err);
	progress_begin(c->progress, "reading %zu tables", nr);
	rc = c->tables && tables_load(c->tables, LOAD_MS, err) == 0 ? 0 : -1;
	progress_end(c->progress);
	return rc;
}

const struct store *cluster_store(const struct cluster *c)
{
	return &c->store;
}

rd_kafka_t *cluster_client(const struct cluster *c)
{
	return c->producer;
}

rd_kafka_t *cluster_consumer(const struct cluster *c)
{
	return tables_client(c->tables);
}

/* NULL when memory is short. */
static rd_kafka_headers_t *make_headers(const struct cluster_record *record)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(record->nr_headers);

	for (size_t i = 0; headers && i < record->nr_headers; i++) {
		const struct header *h = &record->headers[i];

		if (rd_kafka_header_add(headers, h->name.p, (ssize_t)h->name.len, h->has_value ? h->value.p : NULL,
					h->has_value ? (ssize_t)h->value.len : 0) == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		rd_kafka_headers_destroy(headers);
		return NULL;
	}
	return headers;
}

int cluster_send(struct cluster *c, const struct cluster_record *record, struct cluster_delivery *d, struct err *err)
{
	rd_kafka_headers_t *headers = record->nr_headers ? make_headers(record) : NULL;
	rd_kafka_vu_t parts[] = {
		{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = record->topic},
		{.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)record->key.p, record->key.len}},
		{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)record->value.p, record->value.len}},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = d},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
	};
	size_t nr = sizeof(parts) / sizeof(parts[0]);
	rd_kafka_error_t *error;

	if (record->nr_headers && !headers)
		return err_nomem(err, "a record's headers");
	*d = (struct cluster_delivery){0};
	error = rd_kafka_produceva(c->producer, parts, headers ? nr : nr - 1);
	if (!error)
		return 0;
	if (headers)
		rd_kafka_headers_destroy(headers); /* they are the client's on success only */
	kafka_error(err, error, "write");
	return err_wrap(err, "topic %s", record->topic);
}

/* Deliveries must not outlive the call: what is not acknowledged by then is given up, and reported so. */
void cluster_settle(struct cluster *c)
{
	if (rd_kafka_flush(c->producer, WRITE_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	rd_kafka_purge(c->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	while (rd_kafka_outq_len(c->producer) > 0)
		rd_kafka_poll(c->producer, TURN_MS);
}

int cluster_judge(const struct cluster_delivery *d, const char *topic, struct err *err)
{
	switch (d->code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return 0;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		return err_set(err, ERR_RETRY, "topic %s does not exist: run millrace-ctl topics apply", topic);
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		return err_set(err, ERR_REJECT, "topic %s does not take so large a record", topic);
	default:
		return err_set(err, ERR_RETRY, "topic %s: Kafka has not acknowledged the record within %d s (%s); whether it is there, "
			       "the next look will tell", topic, WRITE_MS / 1000, rd_kafka_err2str(d->code));
	}
}

int cluster_write(struct cluster *c, const char *topic, struct str key, struct str value, int64_t *offset, struct err *err)
{
	const struct cluster_record record = {.topic = topic, .key = key, .value = value};
	struct cluster_delivery d;

	if (cluster_send(c, &record, &d, err) < 0)
		return -1;
	cluster_settle(c);
	if (cluster_judge(&d, topic, err) < 0)
		return -1;
	if (offset)
		*offset = d.offset;
	return 0;
}

/* Follows a table until it shows the record that was just written. */
static int await_row(struct cluster *c, struct feed *feed, struct str key, int64_t offset, struct err *err)
{
	int64_t deadline = clock_mono_ms() + WRITE_MS;
	bool foreign;

	feed->awaited = key;
	feed->awaited_at = offset;
	feed->foreign = false;
	while (feed->seen < offset && clock_mono_ms() < deadline)
		if (cluster_follow(c, TURN_MS, err) < 0)
			return -1;
	foreign = feed->foreign;
	feed->awaited = (struct str){0};
	if (feed->seen < offset)
		return err_set(err, ERR_RETRY, "%s: the record is acknowledged (offset %" PRId64 ") but does not come back within %d s",
			       topics[feed->kind], offset, WRITE_MS / 1000);
	if (foreign)
		return err_set(err, ERR_REJECT, "%s: somebody else changed \"" STR_FMT "\" at the same time, and this change has replaced "
			       "theirs: look at it again", topics[feed->kind], STR_ARG(key));
	return 0;
}

/* The last look before a write is our own table: what a newer millrace-ctl wrote may hold fields that we
 * would drop. */
static int write_row(struct cluster *c, enum store_kind kind, struct str key, struct str value, struct err *err)
{
	const struct store_item *item = store_item(&c->store, kind, key);
	int64_t offset;
	int rc;

	if (item && item->newer)
		return err_set(err, ERR_REJECT, "%s: \"" STR_FMT "\" was written by a newer millrace-ctl (%s): use that one", topics[kind],
			       STR_ARG(key), item->fault);
	progress_begin(c->progress, "writing to %s", topics[kind]);
	rc = cluster_write(c, topics[kind], key, value, &offset, err);
	if (rc == 0)
		rc = await_row(c, &c->feeds[kind], key, offset, err);
	progress_end(c->progress);
	return rc;
}

int cluster_put_cell(struct cluster *c, const struct cell *cell, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc = cell_encode(cell, &value, err);

	if (rc == 0)
		rc = write_row(c, STORE_CELLS, cell->name, buf_str(&value), err);
	buf_fini(&value);
	return rc;
}

int cluster_put_site(struct cluster *c, const struct site *site, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc = site_encode(site, &value, err);

	if (rc == 0)
		rc = write_row(c, STORE_SITES, site->id, buf_str(&value), err);
	buf_fini(&value);
	return rc;
}

int cluster_put_control(struct cluster *c, const struct control *control, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc = control_encode(control, &value, err);

	if (rc == 0)
		rc = write_row(c, STORE_CONTROLS, control->id, buf_str(&value), err);
	buf_fini(&value);
	return rc;
}

int cluster_put_trigger(struct cluster *c, const struct trigger *trigger, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc = trigger_encode(trigger, &value, err);

	if (rc == 0)
		rc = write_row(c, STORE_TRIGGERS, trigger->id, buf_str(&value), err);
	buf_fini(&value);
	return rc;
}

int cluster_put_receiver(struct cluster *c, const struct receiver *receiver, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc = receiver_encode(receiver, &value, err);

	if (rc == 0)
		rc = write_row(c, STORE_RECEIVERS, receiver->id, buf_str(&value), err);
	buf_fini(&value);
	return rc;
}

int cluster_remove(struct cluster *c, enum store_kind kind, struct str key, struct err *err)
{
	return write_row(c, kind, key, (struct str){0}, err);
}

int cluster_follow(struct cluster *c, int timeout_ms, struct err *err)
{
	struct err row = ERR_INIT;

	if (tables_poll(c->tables, timeout_ms, TURN_ROWS, &row) < 0 && row.kind == ERR_FATAL)
		return err_set(err, row.kind, "%s", row.msg);
	return 0;
}

int64_t cluster_seen(const struct cluster *c, enum store_kind kind)
{
	return c->feeds[kind].seen;
}

int cluster_notice(struct cluster *c, const struct notice *notice, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc = notice_encode(notice, &value, err);

	if (rc == 0)
		rc = cluster_write(c, TOPIC_NOTICES, (struct str){0}, buf_str(&value), NULL, err);
	buf_fini(&value);
	return rc;
}
