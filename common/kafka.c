/* kafka.c - see kafka.h.
 *
 * Log lines. librdkafka calls log_cb from any of its threads with nothing but the client, and the
 * client's opaque belongs to the caller's own callbacks. So what a log line needs, struct
 * client_log, travels in the one other place that the public API reads back from a client: the
 * opaque of its default topic configuration. Until kafka_open() the program stands there, so that
 * a configuration that is thrown away leaves nothing behind. (An on_conf_destroy interceptor would
 * free it of itself, but a failing rd_kafka_new() frees the interceptors and leaves them in the
 * configuration: 2.0.2.)
 *
 * A broker that is away makes the same lines for as long as it is away: the log keeps back what
 * repeats (log_write_about()). See line_hash() for what "the same" is.
 *
 * Closing. rd_kafka_consumer_close() and rd_kafka_destroy() have no deadline and can hang in
 * 2.0.2, and the second can abort (see may_destroy()). The first is replaced by its asynchronous
 * form, the second runs in a thread of its own, and a client that does not end is left behind,
 * mute, as the program that it would log to may go away. */
#include "common/kafka.h"

#include <ctype.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

enum { CLIENT_ID_SIZE = 48, CLOSE_TURN_MS = 50, WAIT_TURN_MS = 100 };

struct client_log {
	pthread_mutex_t lock;          /* over all below: librdkafka logs from many threads */
	const struct program *program; /* NULL: left behind, says nothing any more */
};

/* What a client has unless the user's kafka.* say otherwise. A property for the other kind of
 * client is ignored by librdkafka. */
static const struct kafka_prop defaults[] = {
	{"socket.nagle.disable", "true"},
	{"log.connection.close", "false"}, /* brokers close idle connections all day */
	{"reconnect.backoff.max.ms", "2000"},
	{"queue.buffering.max.kbytes", "65536"}, /* librdkafka's is 1 GiB */
	{"compression.codec", "lz4"},
	{"queued.max.messages.kbytes", "16384"},
	{"queued.min.messages", "1000000"}, /* never the bound: low values throttle */
	{"enable.auto.commit", "false"}, /* who commits says what; and what is dropped at the close must not count as read */
	{"enable.auto.offset.store", "false"},
	{0},
};

/* Second names of properties that someone may fix: a user could go round the check by them. */
static const struct kafka_prop aliases[] = {
	{"metadata.broker.list", "bootstrap.servers"},
	{"request.required.acks", "acks"},
	{"delivery.timeout.ms", "message.timeout.ms"},
	{"queue.buffering.max.ms", "linger.ms"},
	{"compression.type", "compression.codec"},
	{"max.in.flight", "max.in.flight.requests.per.connection"},
	{"retries", "message.send.max.retries"},
	{"max.partition.fetch.bytes", "fetch.message.max.bytes"},
	{"auto.commit.enable", "enable.auto.commit"},
	{0},
};

/* librdkafka's "error" (3) is mostly a connection that it is going to make again: a warning here.
 * What a program cannot do, it hears from the call that failed, and logs itself. */
static enum log_level level_of(int syslog_level)
{
	if (syslog_level <= 2)
		return LOG_LEVEL_ERROR;
	if (syslog_level <= 4)
		return LOG_LEVEL_WARN;
	return syslog_level <= 6 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

/* FNV-1a of what a line says: the text without its thread and client name ("[thrd:app]:
 * rdkafka#consumer-2: ", which is how an error that FAIL told is told again by ERROR), without "
 * (after 3 ms in state ..)" and without digits. Never 0. */
static uint64_t line_hash(const rd_kafka_t *rk, const char *text)
{
	const char *name = rd_kafka_name(rk), *end = strstr(text, " (after ");
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (*text == '[' && strstr(text, "]: "))
		text = strstr(text, "]: ") + 3;
	if (strncmp(text, name, strlen(name)) == 0 && strncmp(text + strlen(name), ": ", 2) == 0)
		text += strlen(name) + 2;
	for (; *text && (!end || text < end); text++)
		if (!isdigit((unsigned char)*text))
			hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash ? hash : 1;
}

/* The opaque of conf's default topic configuration. The cast only satisfies a prototype that
 * forgot const. */
static void *topic_opaque(const rd_kafka_conf_t *conf)
{
	rd_kafka_topic_conf_t *topic = rd_kafka_conf_get_default_topic_conf((rd_kafka_conf_t *)(uintptr_t)conf);
	char text[32];
	size_t size = sizeof(text);
	void *p = NULL;

	if (!topic || rd_kafka_topic_conf_get(topic, "opaque", text, &size) != RD_KAFKA_CONF_OK || sscanf(text, "%p", &p) != 1)
		return NULL;
	return p;
}

/* Likewise, of a client. */
static struct client_log *log_of(const rd_kafka_t *rk)
{
	return topic_opaque(rd_kafka_conf((rd_kafka_t *)(uintptr_t)rk));
}

/* Any of librdkafka's threads. The lock is held while the line is written, so that log_mute() can
 * wait for it. */
static void on_log(const rd_kafka_t *rk, int syslog_level, const char *facility, const char *text)
{
	struct client_log *cl = rk ? log_of(rk) : NULL;
	enum log_level level = level_of(syslog_level);

	if (!cl)
		return;
	/* kafka.* serve producers and consumers alike, so that each is given properties of the
	 * other kind. */
	if (strstr(text, "property and will be ignored by this"))
		level = LOG_LEVEL_DEBUG;
	pthread_mutex_lock(&cl->lock);
	if (cl->program)
		log_write_about(&cl->program->log, level, "kafka_client", line_hash(rk, text),
				(const struct log_field[]){LOG_STR("client", rd_kafka_name(rk)), LOG_STR("facility", facility),
							   LOG_STR("text", text), {0}});
	pthread_mutex_unlock(&cl->lock);
}

static struct client_log *log_new(const struct program *p)
{
	struct client_log *cl = calloc(1, sizeof(*cl));

	if (!cl)
		return NULL;
	pthread_mutex_init(&cl->lock, NULL);
	cl->program = p;
	return cl;
}

static void log_free(struct client_log *cl)
{
	pthread_mutex_destroy(&cl->lock);
	free(cl);
}

/* Lets no further line out; none is being written when this returns. */
static void log_mute(struct client_log *cl)
{
	pthread_mutex_lock(&cl->lock);
	cl->program = NULL;
	pthread_mutex_unlock(&cl->lock);
}

static const char *canonical(const char *name)
{
	for (const struct kafka_prop *a = aliases; a->name; a++)
		if (strcmp(a->name, name) == 0)
			return a->value;
	return name;
}

/* librdkafka repeats a value in its reason only where values are words or numbers: no property
 * that holds a secret is of that kind. */
static int conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return 0;
	return err_set(err, ERR_REJECT, "kafka.%s: %s", name, why);
}

static int conf_set_all(rd_kafka_conf_t *conf, const struct kafka_prop *props, struct err *err)
{
	for (; props && props->name; props++)
		if (conf_set(conf, props->name, props->value, err) < 0)
			return -1;
	return 0;
}

/* Of a user's setting: the message names value and source. */
static int reject_users(const struct program *p, const char *name, const char *why, struct err *err)
{
	char key[KAFKA_TOPIC_SIZE];

	snprintf(key, sizeof(key), "kafka.%s", name);
	return conf_reject(p->conf, key, why, err);
}

static int conf_set_user(rd_kafka_conf_t *conf, const struct program *p, const struct kafka_prop *fixed, const char *name,
			 const char *value, struct err *err)
{
	char why[256], reason[320];

	for (const struct kafka_prop *f = fixed; f && f->name; f++)
		if (strcmp(canonical(f->name), canonical(name)) == 0) {
			snprintf(reason, sizeof(reason), "cannot be set: %s rests on %s = %s", p->name, f->name, f->value);
			return reject_users(p, name, reason, err);
		}
	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return 0;
	snprintf(reason, sizeof(reason), "is refused by Kafka's client: %s", why);
	return reject_users(p, name, reason, err);
}

/* Applies the user's kafka.*: refuses what the caller fixes, and demands to know where Kafka is. A
 * fixed key is refused even when it is set to the very value that is needed, so that a program's
 * next version may fix another one. */
static int conf_set_users(rd_kafka_conf_t *conf, const struct program *p, const struct kafka_prop *fixed, struct err *err)
{
	const char *name, *value;
	bool where_known = false;

	for (size_t i = 0; conf_kafka_at(p->conf, i, &name, &value); i++) {
		if (conf_set_user(conf, p, fixed, name, value, err) < 0)
			return -1;
		if (strcmp(canonical(name), "bootstrap.servers") == 0 || strcmp(name, "test.mock.num.brokers") == 0)
			where_known = true;
	}
	if (where_known)
		return 0;
	return err_set(err, ERR_REJECT, "kafka.bootstrap.servers is not set: give --set kafka.bootstrap.servers=HOST:PORT or "
		       "MILLRACE_KAFKA_BOOTSTRAP_SERVERS=HOST:PORT in the environment");
}

rd_kafka_conf_t *kafka_conf(const struct program *p, const char *role, const struct kafka_prop *fixed, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_conf_t *topic = rd_kafka_topic_conf_new();
	const char *dash = strchr(p->name, '-');
	char client_id[CLIENT_ID_SIZE];

	rd_kafka_topic_conf_set_opaque(topic, (void *)(uintptr_t)p);
	rd_kafka_conf_set_default_topic_conf(conf, topic);
	rd_kafka_conf_set_log_cb(conf, on_log);
	snprintf(client_id, sizeof(client_id), "mr-%s-%s", dash ? dash + 1 : p->name, role);
	if (conf_set(conf, "client.id", client_id, err) < 0 ||
	    conf_set_all(conf, defaults, err) < 0 || conf_set_users(conf, p, fixed, err) < 0 ||
	    conf_set_all(conf, fixed, err) < 0) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	return conf;
}

int kafka_conf_check(rd_kafka_conf_t *conf)
{
	if (!conf)
		return -1;
	rd_kafka_conf_destroy(conf);
	return 0;
}

rd_kafka_t *kafka_open(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err)
{
	struct client_log *cl;
	rd_kafka_t *rk;
	char why[256];

	if (!conf)
		return NULL;
	cl = log_new(topic_opaque(conf)); /* the program that kafka_conf() put there */
	if (!cl) {
		rd_kafka_conf_destroy(conf);
		err_nomem(err, "a Kafka client's log");
		return NULL;
	}
	rd_kafka_topic_conf_set_opaque(rd_kafka_conf_get_default_topic_conf(conf), cl);
	rk = rd_kafka_new(type, conf, why, sizeof(why));
	if (!rk) {
		enum err_kind kind = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__INVALID_ARG ? ERR_REJECT : ERR_FATAL;

		err_set(err, kind, "cannot make a Kafka client: %s", why);
		rd_kafka_conf_destroy(conf);
		log_free(cl);
	}
	return rk;
}

/* Leaves the group and gives back the assignment, serving the rebalance callbacks meanwhile. False
 * when the time is over. Records that were fetched and never polled come through the same queue:
 * rd_kafka_queue_poll_callback() would abort on them, so it is served as a consumer would, and
 * they are dropped. */
static bool consumer_close(rd_kafka_t *rk, int64_t deadline_mono_ms)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(rk, queue);
	bool closed = error != NULL; /* a consumer without a group, or one that is closed already */

	if (error)
		rd_kafka_error_destroy(error);
	while (!closed && clock_mono_ms() < deadline_mono_ms) {
		rd_kafka_message_t *message = rd_kafka_consume_queue(queue, CLOSE_TURN_MS);

		if (message)
			rd_kafka_message_destroy(message);
		closed = rd_kafka_consumer_closed(rk) == 1;
	}
	rd_kafka_queue_destroy(queue);
	return closed;
}

static void *destroy_main(void *rk)
{
	rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	return NULL;
}

/* Destroys in a thread of its own, waiting until the deadline, but long enough for a client that
 * has nothing to do: the close before may have used up the time. False: the thread goes on alone. */
static bool destroy_until(rd_kafka_t *rk, int64_t deadline_mono_ms)
{
	int64_t left_ms = deadline_mono_ms - clock_mono_ms();
	int64_t until_ms = clock_wall_ms() + (left_ms > CLOSE_TURN_MS ? left_ms : CLOSE_TURN_MS);
	struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	pthread_t thread;

	if (pthread_create(&thread, NULL, destroy_main, rk) != 0) {
		destroy_main(rk);
		return true;
	}
	if (pthread_timedjoin_np(thread, NULL, &until) == 0)
		return true;
	pthread_detach(thread);
	return false;
}

/* Destroying a member of a cooperative-sticky group aborts the process when the member joined and
 * was given nothing yet, not even an empty share (librdkafka issue 4312, mended in 2.3.0). Whether
 * it was cannot be asked, so a member that owns partitions is known to be safe, and one that owns
 * none is taken for one of those. To be asked before the close. */
static bool may_destroy(rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *list = NULL;
	char strategy[64] = "";
	size_t size = sizeof(strategy);
	bool subscribed, owns;

	if (rd_kafka_conf_get(rd_kafka_conf(rk), "partition.assignment.strategy", strategy, &size) != RD_KAFKA_CONF_OK ||
	    !strstr(strategy, "cooperative-sticky"))
		return true;
	subscribed = rd_kafka_subscription(rk, &list) == RD_KAFKA_RESP_ERR_NO_ERROR && list->cnt > 0;
	if (list)
		rd_kafka_topic_partition_list_destroy(list);
	if (!subscribed)
		return true;
	list = NULL;
	owns = rd_kafka_assignment(rk, &list) == RD_KAFKA_RESP_ERR_NO_ERROR && list->cnt > 0;
	if (list)
		rd_kafka_topic_partition_list_destroy(list);
	return owns;
}

bool kafka_close(rd_kafka_t *rk, int timeout_ms)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	struct client_log *cl;
	bool ended;

	if (!rk)
		return true;
	cl = log_of(rk);
	if (rd_kafka_type(rk) == RD_KAFKA_CONSUMER) {
		bool safe = may_destroy(rk);

		ended = consumer_close(rk, deadline) && safe && destroy_until(rk, deadline);
	} else {
		ended = destroy_until(rk, deadline);
	}
	if (cl && ended)
		log_free(cl);
	else if (cl)
		log_mute(cl); /* and leave it to the client */
	return ended;
}

void kafka_abandon(rd_kafka_t *rk)
{
	struct client_log *cl = log_of(rk);

	if (cl)
		log_mute(cl);
}

const char *kafka_cell_topic(char out[KAFKA_TOPIC_SIZE], const char *cell, const char *name)
{
	snprintf(out, KAFKA_TOPIC_SIZE, "millrace.c.%s.%s", cell, name);
	return out;
}

enum err_kind kafka_err_kind(rd_kafka_resp_err_t code)
{
	switch (code) {
	/* This record, or this call, will be refused for ever. */
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR__BAD_MSG:
	case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
		return ERR_REJECT;
	/* The client cannot be used any more, or Kafka is not what we need. */
	case RD_KAFKA_RESP_ERR__FATAL:
	case RD_KAFKA_RESP_ERR__FENCED:
	case RD_KAFKA_RESP_ERR__DESTROY:
	case RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE:
	case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
	case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
	case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
	case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
	case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
		return ERR_FATAL;
	/* Brokers that are away or busy; also what an operator can put right while we wait:
	 * rights, topics, full disks. */
	default:
		return ERR_RETRY;
	}
}

int kafka_error(struct err *err, rd_kafka_error_t *error, const char *what)
{
	enum err_kind kind = kafka_err_kind(rd_kafka_error_code(error));

	if (rd_kafka_error_is_fatal(error))
		kind = ERR_FATAL;
	else if (rd_kafka_error_is_retriable(error) || rd_kafka_error_txn_requires_abort(error))
		kind = ERR_RETRY;
	err_set(err, kind, "%s: %s (%s)", what, rd_kafka_error_string(error), rd_kafka_error_name(error));
	rd_kafka_error_destroy(error);
	return -1;
}

int kafka_code(struct err *err, rd_kafka_resp_err_t code, const char *what)
{
	return err_set(err, kafka_err_kind(code), "%s: %s (%s)", what, rd_kafka_err2str(code), rd_kafka_err2name(code));
}

static int judge_topic(const struct rd_kafka_metadata *metadata, const char *topic, int32_t partitions, struct err *err)
{
	const struct rd_kafka_metadata_topic *mt = metadata->topics;

	if (metadata->topic_cnt != 1 || mt->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || mt->partition_cnt == 0)
		return err_set(err, ERR_RETRY, "topic %s does not exist: run millrace-ctl topics apply", topic);
	if (mt->err)
		return kafka_code(err, mt->err, topic);
	if (mt->partition_cnt != partitions)
		return err_set(err, ERR_REJECT, "topic %s has %d partitions, not %d", topic, mt->partition_cnt, partitions);
	return 0;
}

int kafka_check_topic(rd_kafka_t *rk, const char *topic, int32_t partitions, int timeout_ms, struct err *err)
{
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code;
	int rc;

	if (!rkt)
		return kafka_code(err, rd_kafka_last_error(), topic);
	code = rd_kafka_metadata(rk, 0, rkt, &metadata, timeout_ms);
	rd_kafka_topic_destroy(rkt);
	if (code)
		return kafka_code(err, code, topic);
	rc = judge_topic(metadata, topic, partitions, err);
	rd_kafka_metadata_destroy(metadata);
	return rc;
}

void kafka_wake_on(rd_kafka_t *rk, int fd)
{
	static const uint64_t one = 1; /* what an eventfd takes */
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);

	rd_kafka_queue_io_event_enable(queue, fd, fd < 0 ? NULL : &one, fd < 0 ? 0 : sizeof(one));
	rd_kafka_queue_destroy(queue);
}

rd_kafka_event_t *kafka_await_event(rd_kafka_queue_t *queue, int timeout_ms, const char *what, struct err *err)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);

	if (!event) {
		err_set(err, ERR_RETRY, "%s: no answer within %d s", what, timeout_ms / 1000);
		return NULL;
	}
	if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
		return event;
	err_set(err, kafka_err_kind(rd_kafka_event_error(event)), "%s: %s", what, rd_kafka_event_error_string(event));
	rd_kafka_event_destroy(event);
	return NULL;
}

int kafka_wait(rd_kafka_t *rk, int timeout_ms, struct err *err)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	char brokers[256] = "";
	size_t size = sizeof(brokers);

	for (;;) {
		const struct rd_kafka_metadata *metadata;
		int64_t left_ms = deadline - clock_mono_ms();
		rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, NULL, &metadata, left_ms > 1 ? (int)left_ms : 1);

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
			rd_kafka_metadata_destroy(metadata);
			return 0;
		}
		if (clock_mono_ms() + WAIT_TURN_MS >= deadline) {
			rd_kafka_conf_get(rd_kafka_conf(rk), "metadata.broker.list", brokers, &size);
			return err_set(err, ERR_RETRY, "Kafka at %s does not answer within %d ms: %s", brokers, timeout_ms,
				       rd_kafka_err2str(code));
		}
		/* A broker that answers with errors gives no event to wait for. */
		poll(NULL, 0, WAIT_TURN_MS);
	}
}
