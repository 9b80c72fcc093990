/* journal.c - see journal.h.
 *
 * An entry whose delivery failed or timed out may be in the topic all the same: it is sent again, and readers pass over a key that they have seen
 * (common/status_incident.h). */
#include "sink/status/journal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "common/status_incident.h"

enum { RETRY_MS = 2000, CLOSE_MS = 3000 };

/* An entry that waits. */
struct written {
	char key[STATUS_KEY_SIZE];
	size_t len;
	char bytes[];
};

struct journal {
	const struct program *program;
	rd_kafka_t *rk;
	struct written *waiting[JOURNAL_MAX]; /* oldest first */
	size_t nr;
	bool under_way;        /* waiting[0] is */
	int64_t next_mono_ms;  /* it is not sent again before */
	struct err failed;     /* why it was not taken; kind 0: it was */
};

static const struct kafka_prop fixed_props[] = {
	{"enable.idempotence", "true"},
	{"acks", "all"},
	{0},
};

static const struct kafka_prop own_props[] = {
	{"message.timeout.ms", "15000"}, /* then we send it again ourselves */
	{"linger.ms", "0"},
	{0},
};

/* On the owner's thread, out of rd_kafka_poll(). */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct journal *j = opaque;

	(void)rk;
	j->under_way = false;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		j->next_mono_ms = clock_mono_ms() + RETRY_MS;
		err_set(&j->failed, ERR_RETRY, "write an entry to " TOPIC_STATUS ": %s", rd_kafka_err2str(message->err));
		return;
	}
	free(j->waiting[0]);
	memmove(j->waiting, j->waiting + 1, --j->nr * sizeof(j->waiting[0]));
}

int journal_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(kafka_conf(p, "journal", fixed_props, err));
}

static int client_open(struct journal *j, struct err *err)
{
	rd_kafka_conf_t *conf = kafka_conf(j->program, "journal", fixed_props, err);

	if (!conf)
		return -1;
	for (const struct kafka_prop *own = own_props; own->name; own++)
		rd_kafka_conf_set(conf, own->name, own->value, NULL, 0);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, j);
	j->rk = kafka_open(RD_KAFKA_PRODUCER, conf, err);
	return j->rk ? 0 : -1;
}

struct journal *journal_new(const struct program *p, struct err *err)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j) {
		err_nomem(err, "the journal");
		return NULL;
	}
	j->program = p;
	if (client_open(j, err) == 0)
		return j;
	free(j);
	return NULL;
}

bool journal_free(struct journal *j, int timeout_ms)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;
	bool closed;

	if (!j)
		return true;
	while (j->rk && j->nr && clock_mono_ms() < until_ms) {
		journal_turn(j, NULL);
		rd_kafka_poll(j->rk, 50);
	}
	closed = kafka_close(j->rk, CLOSE_MS);
	if (!closed)
		return false;
	for (size_t i = 0; i < j->nr; i++)
		free(j->waiting[i]);
	free(j);
	return true;
}

size_t journal_room(const struct journal *j)
{
	return JOURNAL_MAX - (j->nr > JOURNAL_OWN_MAX ? j->nr : JOURNAL_OWN_MAX);
}

int journal_add(struct journal *j, struct str key, struct str entry, bool own, struct err *err)
{
	struct written *w;

	if (j->nr >= (own ? JOURNAL_OWN_MAX : JOURNAL_MAX))
		return err_set(err, ERR_RETRY, "%zu entries wait for Kafka: no more are taken", j->nr);
	if (key.len >= sizeof(w->key))
		return err_set(err, ERR_REJECT, "the key of an entry is too long");
	w = malloc(sizeof(*w) + entry.len);
	if (!w)
		return err_nomem(err, "an entry");
	memcpy(w->key, key.p, key.len);
	w->key[key.len] = '\0';
	w->len = entry.len;
	memcpy(w->bytes, entry.p, entry.len);
	j->waiting[j->nr++] = w;
	return 0;
}

static void send_first(struct journal *j)
{
	const struct written *w = j->waiting[0];
	rd_kafka_resp_err_t code = rd_kafka_producev(j->rk, RD_KAFKA_V_TOPIC(TOPIC_STATUS), RD_KAFKA_V_PARTITION(0),
						     RD_KAFKA_V_KEY((void *)(uintptr_t)w->key, strlen(w->key)),
						     RD_KAFKA_V_VALUE((void *)(uintptr_t)w->bytes, w->len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

	j->under_way = code == RD_KAFKA_RESP_ERR_NO_ERROR;
	if (j->under_way)
		return;
	j->next_mono_ms = clock_mono_ms() + RETRY_MS;
	err_set(&j->failed, ERR_RETRY, "write an entry to " TOPIC_STATUS ": %s", rd_kafka_err2str(code));
}

/* After a fatal error, which an idempotent producer can come to through no fault of ours (librdkafka issue 4438), only another client helps. */
static int reopen(struct journal *j, struct err *err)
{
	char why[256];

	if (j->rk && rd_kafka_fatal_error(j->rk, why, sizeof(why)) == RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	kafka_close(j->rk, CLOSE_MS);
	j->rk = NULL;
	j->under_way = false;
	return client_open(j, err);
}

int journal_turn(struct journal *j, struct err *err)
{
	if (reopen(j, err) < 0)
		return -1;
	rd_kafka_poll(j->rk, 0);
	if (j->nr && !j->under_way && clock_mono_ms() >= j->next_mono_ms)
		send_first(j);
	if (!j->failed.kind)
		return 0;
	if (err)
		*err = j->failed;
	j->failed = (struct err)ERR_INIT;
	return -1;
}

size_t journal_waiting(const struct journal *j)
{
	return j->nr;
}

struct str journal_at(const struct journal *j, size_t i)
{
	return (struct str){j->waiting[i]->bytes, j->waiting[i]->len};
}
