/* tail.c - the command `tail`; see commands.h.
 *
 * First the last records are looked for, partition by partition, backwards in growing steps: in a topic that is compacted, or has transactions, or of which few
 * records are wanted, offsets say little of how many there are. What comes then is read by one consumer of all partitions, of no group: nobody sees that we read. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/printable.h"
#include "deploy/ctl/tail.h"
#include "deploy/ctl/tail_line.h"
#include "deploy/ctl/topic_scan.h"

enum { TURN_MS = 200, CLOSE_MS = 3000, FIRST_LOOK = 32, LOOK_GROWS = 8, LOOK_MAX = 200000 };

struct tail {
	struct ctl *ctl;
	struct tail_style style;
	struct record_reader *reader;
	const struct topic_state *topic; /* lives in arena */
	struct arena arena;
	int64_t *next, *end; /* of each partition: where to go on, and what was its end as we began */
	bool *ended;         /* of each partition, without --follow: all was shown */
	struct tail_last last;
	int64_t shown, unread;
	sigset_t wanted;     /* the signals that end it, blocked */
};

static struct tail_record record_of(const struct tail *t, const rd_kafka_message_t *m)
{
	rd_kafka_timestamp_type_t type;
	int64_t at_ms = rd_kafka_message_timestamp(m, &type);

	return (struct tail_record){t->topic->name, m->partition, m->offset, type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : at_ms,
				    {m->key, m->key ? m->key_len : 0}, {m->payload, m->payload ? m->len : 0}};
}

/* Whoever read us is gone: end as any filter does, without a word. */
static int write_out(struct tail *t, struct str line, struct err *err)
{
	if (fwrite(line.p, 1, line.len, t->ctl->out) == line.len)
		return 0;
	if (errno == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return err_set(err, ERR_FATAL, "standard output cannot be written");
}

static int flush_out(struct tail *t, struct err *err)
{
	return fflush(t->ctl->out) == 0 ? 0 : write_out(t, STR("\n"), err);
}

static bool is_over(const struct tail *t)
{
	const struct timespec at_once = {0, 0};

	return sigtimedwait(&t->wanted, NULL, &at_once) > 0;
}

/* A look back of one partition. */
struct look {
	struct tail *t;
	size_t found;
};

static int keep(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct look *look = ctx;
	struct tail_record record = record_of(look->t, message);
	struct buf line = BUF_INIT;
	int rc = tail_line(look->t->reader, &look->t->style, &record, &line, err);

	if (rc == TAIL_SHOWN || rc == TAIL_UNREAD) {
		look->found++;
		tail_last_add(&look->t->last, &record, rc == TAIL_UNREAD, &line);
	}
	buf_fini(&line);
	return rc < 0 ? -1 : is_over(look->t);
}

/* Stretch by stretch, each before the one that was read; so no record is kept twice. */
static int look_back(struct tail *t, struct topic_scan *scan, int32_t partition, int64_t begin, struct err *err)
{
	struct look look = {.t = t};
	int64_t to = t->end[partition], step = FIRST_LOOK;

	while (to > begin && look.found < t->last.max && t->end[partition] - to < LOOK_MAX) {
		int64_t from = to - begin > step ? to - step : begin;

		if (topic_scan_read(scan, t->topic->name, partition, from, to, keep, &look, err) < 0)
			return -1;
		to = from;
		step *= LOOK_GROWS;
	}
	return 0;
}

/* Where to begin: --from's records, else behind the last ones, which are looked for here. */
static int place(struct tail *t, struct err *err)
{
	const struct args *args = &t->ctl->args;
	const struct clock *clock = &t->ctl->program.clock;
	const char *text = args_text(args, "from");
	struct topic_scan *scan;
	int64_t from_ms = 0, now_ms = clock_now_ms(clock);
	int rc = 0;

	if (text && moment_parse_past(text, now_ms, &from_ms, err) < 0)
		return -1;
	if (text) /* Kafka's times are real */
		from_ms = clock_wall_ms() - clock_real_duration_ms(clock, now_ms - from_ms);
	if (!(scan = topic_scan_new(&t->ctl->program, t->ctl->progress, err)))
		return -1;
	for (int32_t p = 0; p < t->topic->partitions && rc == 0; p++) {
		rc = topic_scan_bounds(scan, t->topic->name, p, from_ms, &t->next[p], &t->end[p], err);
		if (rc == 0 && !text && t->last.max)
			rc = look_back(t, scan, p, t->next[p], err);
		if (!text)
			t->next[p] = t->end[p];
	}
	topic_scan_free(scan);
	return rc;
}

static int print_last(struct tail *t, struct err *err)
{
	for (size_t i = 0; i < t->last.nr; i++) {
		bool unread;

		if (write_out(t, tail_last_line(&t->last, i, &unread), err) < 0)
			return -1;
		t->unread += unread;
	}
	t->shown += (int64_t)t->last.nr;
	return flush_out(t, err);
}

static rd_kafka_t *open_reader(struct tail *t, struct err *err)
{
	static const struct kafka_prop fixed[] = {
		{"group.id", "millrace-ctl"}, /* never joined */
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"enable.partition.eof", "true"},
		{"isolation.level", "read_committed"},
		{"auto.offset.reset", "earliest"}, /* what was deleted meanwhile is not there to be shown */
		{0},
	};
	rd_kafka_t *rk = kafka_open(RD_KAFKA_CONSUMER, kafka_conf(&t->ctl->program, "tail", fixed, err), err);
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	if (!rk)
		return NULL;
	rd_kafka_poll_set_consumer(rk);
	list = rd_kafka_topic_partition_list_new(t->topic->partitions);
	for (int32_t p = 0; p < t->topic->partitions; p++)
		rd_kafka_topic_partition_list_add(list, t->topic->name, p)->offset = t->next[p];
	code = rd_kafka_assign(rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return rk;
	kafka_code(err, code, t->topic->name);
	kafka_close(rk, CLOSE_MS);
	return NULL;
}

static int show(struct tail *t, const rd_kafka_message_t *message, struct err *err)
{
	struct tail_record record = record_of(t, message);
	struct buf line = BUF_INIT;
	int rc = tail_line(t->reader, &t->style, &record, &line, err);

	if (rc == TAIL_SHOWN || rc == TAIL_UNREAD)
		rc = write_out(t, buf_str(&line), err) < 0 ? -1 : rc;
	t->shown += rc == TAIL_SHOWN || rc == TAIL_UNREAD;
	t->unread += rc == TAIL_UNREAD;
	buf_fini(&line);
	return rc < 0 ? -1 : 0;
}

/* Without --follow a record behind the end that we found says that all before it was shown. */
static int take(struct tail *t, const rd_kafka_message_t *message, bool follow, struct err *err)
{
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		t->ended[message->partition] = true;
		return 0;
	}
	if (message->err && kafka_err_kind(message->err) == ERR_RETRY) { /* the client tries on by itself */
		ctl_hint("read: %s", rd_kafka_message_errstr(message));
		return 0;
	}
	if (message->err)
		return err_set(err, ERR_RETRY, "read: %s", rd_kafka_message_errstr(message));
	if (!follow && message->offset >= t->end[message->partition]) {
		t->ended[message->partition] = true;
		return 0;
	}
	return show(t, message, err);
}

static bool has_all(const struct tail *t)
{
	for (int32_t p = 0; p < t->topic->partitions; p++)
		if (!t->ended[p])
			return false;
	return true;
}

/* Lines go out when nothing more is there at once, so that a flood is written in large pieces and a single record without delay. */
static int follow_on(struct tail *t, rd_kafka_t *rk, bool follow, struct err *err)
{
	int rc = 0;

	while (rc == 0 && !is_over(t) && (follow || !has_all(t))) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 0);

		if (!message)
			rc = flush_out(t, err);
		if (!message && rc == 0)
			message = rd_kafka_consumer_poll(rk, TURN_MS);
		if (!message)
			continue;
		rc = take(t, message, follow, err);
		rd_kafka_message_destroy(message);
	}
	return rc < 0 ? -1 : flush_out(t, err);
}

static int read_on(struct tail *t, struct err *err)
{
	bool follow = !args_given(&t->ctl->args, "no-follow");
	rd_kafka_t *rk;
	int rc;

	for (int32_t p = 0; p < t->topic->partitions; p++)
		t->ended[p] = t->next[p] >= t->end[p];
	if (!follow && has_all(t))
		return 0;
	if (!(rk = open_reader(t, err)))
		return -1;
	rc = follow_on(t, rk, follow, err);
	kafka_close(rk, CLOSE_MS);
	return rc;
}

static int prepare(struct tail *t, struct err *err)
{
	const struct args *args = &t->ctl->args;
	struct topic_list list;
	size_t last = args_given(args, "from") ? 0 : (size_t)args_int(args, "last");

	t->style = (struct tail_style){t->ctl->json, !t->ctl->json && grid_wants_colour(t->ctl->out), args_text(args, "site"), args_text(args, "name")};
	if (args_given(args, "from") && args_given(args, "last"))
		return err_set(err, ERR_FATAL, "either --from or --last");
	if (topic_list_read(cluster_client(t->ctl->cluster), &t->arena, &list, err) < 0 ||
	    !(t->topic = tail_find_topic(&list, args->operands[0], args_text(args, "cell"), err)) || !(t->reader = record_reader_new(err)))
		return -1;
	t->next = arena_calloc(&t->arena, (size_t)t->topic->partitions, sizeof(*t->next));
	t->end = arena_calloc(&t->arena, (size_t)t->topic->partitions, sizeof(*t->end));
	t->ended = arena_calloc(&t->arena, (size_t)t->topic->partitions, sizeof(*t->ended));
	if (!t->next || !t->end || !t->ended)
		return err_nomem(err, "the partitions");
	if (last && tail_last_init(&t->last, last, err) < 0)
		return -1;
	return 0;
}

/* Our own end by a signal is between two records, with a word of how it went. */
static void wait_for_signals(struct tail *t)
{
	sigemptyset(&t->wanted);
	sigaddset(&t->wanted, SIGINT);
	sigaddset(&t->wanted, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &t->wanted, NULL);
}

int tail_run(struct ctl *ctl, struct err *err)
{
	struct tail t = {.ctl = ctl};
	int rc = -1;

	wait_for_signals(&t);
	if (prepare(&t, err) == 0 && place(&t, err) == 0 && print_last(&t, err) == 0)
		rc = read_on(&t, err);
	if (rc == 0)
		ctl_hint("%s: %" PRId64 " records%s", t.topic->name, t.shown, t.unread ? ", some of which cannot be read" : "");
	tail_last_fini(&t.last);
	record_reader_free(t.reader);
	arena_fini(&t.arena);
	return rc < 0 ? -1 : t.unread > 0;
}
