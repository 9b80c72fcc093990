/* kafka_mock.h - what the tests of common/{kafka,table,report} share: librdkafka's mock cluster, a program that points to it and
 * whose log lands in memory, and a plain producer that knows nothing of common/kafka. */
#ifndef MILLRACE_TESTS_KAFKA_MOCK_H
#define MILLRACE_TESTS_KAFKA_MOCK_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/program.h"
#include "tests/unit/c11_threads.h"
#include "tests/unit/unit.h"

/* Request numbers of the protocol, for injected errors. */
enum { API_PRODUCE = 0, API_FETCH = 1, API_LIST_OFFSETS = 2, API_METADATA = 3, API_HEARTBEAT = 12, API_SYNC_GROUP = 14, API_INIT_PRODUCER_ID = 22 };

/* Of every record that mock_queue() makes. */
#define MOCK_TIMESTAMP_MS INT64_C(1795371600000)

struct mock {
	rd_kafka_t *rk; /* carries the cluster, and produces into it */
	rd_kafka_mock_cluster_t *cluster;
	struct program program;
};

/* A program with these kafka.* options ("kafka.acks=all"; ended by NULL), its log in memory. */
static inline void program_make(struct program *p, const char *const *options)
{
	static char *const no_environment[] = {NULL};
	struct err err = ERR_INIT;

	*p = (struct program){.name = "millrace-test", .instance = "one", .host = "host-1", .started_ms = 1795000000000};
	p->common.heartbeat_interval_ms = 60000;
	p->log = (struct log){.fd = memfd_create("log", MFD_CLOEXEC), .level = LOG_LEVEL_INFO, .program = p->name, .limit = log_limit_new(1000, 1)};
	p->conf = conf_new(NULL, 0);
	ck_assert_ptr_nonnull(p->conf);
	for (; *options; options++)
		ck_assert_msg(conf_set_option(p->conf, *options, &err) == 0, "%s", err.msg);
	ck_assert_msg(conf_load(p->conf, no_environment, &err) == 0, "%s", err.msg);
}

static inline void program_unmake(struct program *p)
{
	conf_free(p->conf);
	log_limit_free(p->log.limit);
	close(p->log.fd);
}

/* A cluster of one broker and a program that knows it. */
static inline void mock_init(struct mock *m)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char bootstrap[256], why[256];

	rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", NULL, 0);
	rd_kafka_conf_set(conf, "linger.ms", "0", NULL, 0);
	m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	ck_assert_msg(m->rk != NULL, "%s", why);
	m->cluster = rd_kafka_handle_mock_cluster(m->rk);
	snprintf(bootstrap, sizeof(bootstrap), "kafka.bootstrap.servers=%s", rd_kafka_mock_cluster_bootstraps(m->cluster));
	program_make(&m->program, (const char *const[]){bootstrap, "kafka.fetch.error.backoff.ms=50", NULL}); /* no waiting about */
}

static inline void mock_fini(struct mock *m)
{
	program_unmake(&m->program);
	rd_kafka_destroy(m->rk);
}

static inline void mock_topic(struct mock *m, const char *topic, int partitions)
{
	ck_assert_int_eq(rd_kafka_mock_topic_create(m->cluster, topic, partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* Queues a record for partition 0. value NULL: a tombstone. */
static inline void mock_queue(struct mock *m, const char *topic, const char *key, const char *value)
{
	rd_kafka_resp_err_t code =
		rd_kafka_producev(m->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				  RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
				  RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value ? strlen(value) : 0),
				  RD_KAFKA_V_TIMESTAMP(MOCK_TIMESTAMP_MS), RD_KAFKA_V_END);

	ck_assert_int_eq(code, RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* Returns when the cluster has all that was queued. */
static inline void mock_flush(struct mock *m)
{
	ck_assert_int_eq(rd_kafka_flush(m->rk, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static inline void mock_produce(struct mock *m, const char *topic, const char *key, const char *value)
{
	mock_queue(m, topic, key, value);
	mock_flush(m);
}

/* What the program has logged so far. */
static inline const char *program_log(const struct program *p, char *out, size_t size)
{
	ssize_t n = pread(p->log.fd, out, size - 1, 0);

	out[n < 0 ? 0 : n] = '\0';
	return out;
}

/* How often needle stands in text. */
static inline int count_of(const char *text, const char *needle)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, needle)) != NULL; p += strlen(needle))
		n++;
	return n;
}

#endif
