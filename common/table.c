/* table.c - see table.h.
 *
 * One consumer with a manual assignment reads partition 0 of every topic from its beginning. It
 * needs a group.id to be allowed to poll, but never joins that group and never commits: a table is
 * read anew at each start.
 *
 * Invariants:
 *  I1  A topic's end is reported by librdkafka only after every row up to it was handed to us, so
 *      the first end of a topic lies at or behind where it ended at tables_open(): then it is
 *      loaded.
 *  I2  Isolation is read_committed: a row of an aborted transaction was never written.
 *  I3  Offsets are never reset silently (auto.offset.reset=error): a topic that was cut off or
 *      made again has lost rows of which nobody told us, and rows held in memory may be gone. Only
 *      a new start gives a true table, so the error is fatal.
 *
 * Contact. A table that nobody changes brings no message for days, yet must count as fresh while
 * brokers answer. A connection that is up proves nothing (a frozen broker keeps it up for a
 * minute), but a consumer at its end is answered ten times a second (fetch.wait.max.ms). So each
 * second librdkafka's statistics are asked for one number, how many answers were received in all:
 * when it moved, the brokers are there. */
#include "common/table.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/events.h"
#include "common/kafka.h"

enum { CLOSE_TIMEOUT_MS = 5000, LOAD_TURN_MS = 100 };

struct table {
	char *topic; /* owned */
	table_row_fn row;
	void *ctx;
	int64_t since_ms; /* wall clock; 0: from its beginning */
	bool loaded;
};

struct tables {
	rd_kafka_t *rk;
	const struct clock *clock;
	int wake_fd;          /* -1: none; borrowed */
	bool opened;
	int64_t contact_mono_ms;
	long long answers;    /* received from brokers, as of the last statistics */
	uint64_t refused;
	size_t nr, nr_loaded;
	struct table table[]; /* nr of them */
};

/* What take() made of a message. */
enum taken { TAKEN_ROW, TAKEN_END, TAKEN_ERROR };

/* The total stands behind the brokers' own "rx" figures: it is the last one. -1 when there is
 * none. */
static long long stats_answers(const char *json)
{
	static const char key[] = "\"rx\":";
	const char *last = NULL;

	for (const char *p = json; (p = strstr(p, key)) != NULL; p += sizeof(key) - 1)
		last = p;
	return last ? strtoll(last + sizeof(key) - 1, NULL, 10) : -1;
}

/* On the owner's thread, out of rd_kafka_consumer_poll(). */
static int on_stats(rd_kafka_t *rk, char *json, size_t len, void *opaque)
{
	struct tables *t = opaque;
	long long answers = stats_answers(json);

	(void)rk;
	(void)len;
	if (answers > t->answers)
		t->contact_mono_ms = clock_mono_ms();
	t->answers = answers;
	return 0; /* librdkafka frees json */
}

static const struct kafka_prop fixed_props[] = {
	{"group.id", "millrace-tables"}, /* never joined */
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"enable.partition.eof", "true"},
	{"isolation.level", "read_committed"},
	{"auto.offset.reset", "error"},
	{"statistics.interval.ms", "1000"},
	{0},
};

int tables_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(kafka_conf(p, "tables", fixed_props, err));
}

static int client_open(struct tables *t, const struct program *p, struct err *err)
{
	rd_kafka_conf_t *conf = kafka_conf(p, "tables", fixed_props, err);

	if (!conf)
		return -1;
	/* Whatever kafka.* say for the data's consumer: a topic's end is told only when a fetch
	 * came back empty, and programs wait for it at their start. */
	rd_kafka_conf_set(conf, "fetch.wait.max.ms", "100", NULL, 0);
	rd_kafka_conf_set_stats_cb(conf, on_stats);
	rd_kafka_conf_set_opaque(conf, t);
	t->rk = kafka_open(RD_KAFKA_CONSUMER, conf, err);
	if (!t->rk)
		return -1;
	rd_kafka_poll_set_consumer(t->rk);
	return 0;
}

/* Where a topic is read from that is not read from its beginning: the first row that is not older; behind the last where all are. */
static int find_since(const struct tables *t, const struct table *table, int timeout_ms, int64_t *offset, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(list, table->topic, 0);
	rd_kafka_resp_err_t code;

	at->offset = table->since_ms;
	code = rd_kafka_offsets_for_times(t->rk, list, timeout_ms);
	code = code ? code : at->err;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		*offset = at->offset; /* RD_KAFKA_OFFSET_END where there is none */
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : kafka_code(err, code, "ask where the rows of a time begin");
}

static int find_beginnings(const struct tables *t, rd_kafka_topic_partition_list_t *list, int timeout_ms, struct err *err)
{
	for (size_t i = 0; i < t->nr; i++) {
		rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(list, t->table[i].topic, 0);

		at->offset = RD_KAFKA_OFFSET_BEGINNING;
		if (t->table[i].since_ms && find_since(t, &t->table[i], timeout_ms, &at->offset, err) < 0)
			return -1;
	}
	return 0;
}

/* Each topic from its beginning, or its time, whatever was read before: nothing is committed (I3). */
static int tables_assign(struct tables *t, int timeout_ms, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)t->nr);
	int rc = find_beginnings(t, list, timeout_ms, err);
	rd_kafka_resp_err_t code = rc == 0 ? rd_kafka_assign(t->rk, list) : RD_KAFKA_RESP_ERR_NO_ERROR;

	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? rc : kafka_code(err, code, "assign the tables' topics");
}

/* Before anything is assigned only statistics and news of the brokers come, and must not pile up. What
 * keeps the tables from being opened is told by the attempt to. */
static void tables_serve(struct tables *t)
{
	rd_kafka_message_t *message;

	while ((message = rd_kafka_consumer_poll(t->rk, 0)) != NULL)
		rd_kafka_message_destroy(message);
}

static int tables_copy_specs(struct tables *t, const struct table_spec *specs, size_t nr, struct err *err)
{
	t->nr = nr;
	for (size_t i = 0; i < nr; i++) {
		t->table[i].topic = strdup(specs[i].topic);
		if (!t->table[i].topic)
			return err_nomem(err, "a table's name");
		t->table[i].row = specs[i].row;
		t->table[i].ctx = specs[i].ctx;
	}
	return 0;
}

struct tables *tables_new(const struct program *p, const struct table_spec *specs, size_t nr, struct err *err)
{
	struct tables *t = calloc(1, sizeof(*t) + nr * sizeof(t->table[0]));

	if (!t) {
		err_nomem(err, "tables");
		return NULL;
	}
	t->wake_fd = -1;
	t->clock = &p->clock;
	if (tables_copy_specs(t, specs, nr, err) < 0 || client_open(t, p, err) < 0) {
		tables_free(t);
		return NULL;
	}
	return t;
}

void tables_since(struct tables *t, size_t nr, int64_t wall_ms)
{
	t->table[nr].since_ms = wall_ms;
}

int tables_open(struct tables *t, int timeout_ms, struct err *err)
{
	if (t->opened)
		return 0;
	tables_serve(t);
	if (kafka_wait(t->rk, timeout_ms, err) < 0)
		return -1;
	for (size_t i = 0; i < t->nr; i++) /* assigning one that is not there would wait for ever */
		if (kafka_check_topic(t->rk, t->table[i].topic, 1, timeout_ms, err) < 0)
			return -1;
	if (tables_assign(t, timeout_ms, err) < 0)
		return -1;
	t->contact_mono_ms = clock_mono_ms();
	t->opened = true;
	return 0;
}

rd_kafka_t *tables_client(const struct tables *t)
{
	return t->rk;
}

bool tables_opened(const struct tables *t)
{
	return t->opened;
}

void tables_free(struct tables *t)
{
	if (!t)
		return;
	if (t->rk)
		tables_wake_on(t, -1);
	kafka_close(t->rk, CLOSE_TIMEOUT_MS);
	for (size_t i = 0; i < t->nr; i++)
		free(t->table[i].topic);
	free(t);
}

void tables_wake_on(struct tables *t, int fd)
{
	kafka_wake_on(t->rk, fd);
	t->wake_fd = fd;
	if (fd >= 0)
		events_wake(fd); /* for what was queued before */
}

static struct table *table_of(struct tables *t, const rd_kafka_message_t *message)
{
	const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "";

	for (size_t i = 0; i < t->nr; i++)
		if (strcmp(t->table[i].topic, topic) == 0)
			return &t->table[i];
	return NULL;
}

/* Hands one row over. */
static enum taken take_row(struct tables *t, const struct table *table, const rd_kafka_message_t *message, struct err *err)
{
	int64_t wall_ms = rd_kafka_message_timestamp(message, NULL);
	struct table_row row = {
		.key = {message->key ? message->key : "", message->key_len},
		.value = {message->payload, message->len},
		.timestamp_ms = wall_ms < 0 ? 0 : clock_map_ms(t->clock, wall_ms),
		.offset = message->offset,
	};

	if (table->row(table->ctx, &row, err) == 0)
		return TAKEN_ROW;
	t->refused++;
	err_wrap(err, "%s offset %" PRId64, table->topic, message->offset);
	return TAKEN_ERROR;
}

/* Judges one message of the consumer: a row, a topic's end, or an error, of which librdkafka goes
 * on by itself unless (I3). */
static enum taken take(struct tables *t, const rd_kafka_message_t *message, struct err *err)
{
	struct table *table = table_of(t, message);

	if (!message->err && table) {
		t->contact_mono_ms = clock_mono_ms();
		return take_row(t, table, message, err);
	}
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && table) {
		t->contact_mono_ms = clock_mono_ms();
		t->nr_loaded += !table->loaded; /* (I1) */
		table->loaded = true;
		return TAKEN_END;
	}
	if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) /* (I3) */
		err_set(err, ERR_FATAL, "topic %s was cut off or made again (%s): the table in memory may be wrong, start again",
			table ? table->topic : "?", rd_kafka_message_errstr(message));
	else
		err_set(err, kafka_err_kind(message->err), "read %s: %s (%s)", table ? table->topic : "tables",
			rd_kafka_message_errstr(message), rd_kafka_err2name(message->err));
	return TAKEN_ERROR;
}

int tables_poll(struct tables *t, int timeout_ms, int max_rows, struct err *err)
{
	bool failed = false;
	int rows = 0;

	if (!t->opened) {
		tables_serve(t);
		return 0;
	}
	for (int wait_ms = timeout_ms; rows < max_rows; wait_ms = 0) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(t->rk, wait_ms);
		enum taken taken;

		if (!message)
			return failed ? -1 : rows;
		taken = take(t, message, err);
		rd_kafka_message_destroy(message);
		if (taken == TAKEN_ERROR && err && err->kind == ERR_FATAL)
			return -1; /* at once: a later, lesser error would take its place */
		failed |= taken == TAKEN_ERROR;
		rows += taken == TAKEN_ROW;
	}
	/* The queue wakes its owner only when something comes into it while it is empty, and it
	 * may not be empty now. */
	if (t->wake_fd >= 0)
		events_wake(t->wake_fd);
	return failed ? -1 : rows;
}

bool tables_loaded(const struct tables *t)
{
	return t->opened && t->nr_loaded == t->nr;
}

int tables_load(struct tables *t, int timeout_ms, struct err *err)
{
	struct err last = ERR_INIT;
	int64_t deadline;

	if (tables_open(t, timeout_ms, err) < 0)
		return -1;
	deadline = clock_mono_ms() + timeout_ms;
	while (!tables_loaded(t)) {
		if (tables_poll(t, LOAD_TURN_MS, INT_MAX, &last) < 0 && last.kind == ERR_FATAL) {
			if (err)
				*err = last;
			return -1;
		}
		if (!tables_loaded(t) && clock_mono_ms() >= deadline)
			return err_set(err, ERR_RETRY, "%zu of %zu tables not read to their end within %d ms%s%s", t->nr - t->nr_loaded,
				       t->nr, timeout_ms, last.kind ? "; last error: " : "", last.msg);
	}
	return 0;
}

int64_t tables_contact_mono_ms(const struct tables *t)
{
	return t->contact_mono_ms;
}

uint64_t tables_refused(const struct tables *t)
{
	return t->refused;
}
