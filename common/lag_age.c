/* lag_age.c - see lag_age.h.
 *
 * One consumer is given all partitions at once, each at its committed offset; the first record of each answers, and the partition is paused
 * then. Two groups may be behind in one partition (a cell's sink and notifier in its alerts), which a consumer can read at one place at a
 * time only: those are asked in a second round, by a client of its own, as 2.0.2 does not always go on with a partition that was paused and
 * is assigned again. Each round has its own time, of which opening and closing a client take nothing, however busy the machine is. A partition
 * whose end comes first has nothing but control records left, so nothing waits.
 *
 * Batches are fetched whole, so the bytes asked for are few: one batch at least comes whatever its size. */
#include "common/lag_age.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

enum { ROUND_MS = 2000, ROUNDS_MAX = 3, TURN_MS = 100, CLOSE_MS = 3000 };

/* One partition of one group. */
struct question {
	char topic[KAFKA_TOPIC_SIZE];
	struct lag_partition *p;
	enum { WAITING, ASKED, ANSWERED } state;
};

struct asking {
	const struct program *program;
	lag_age_fn told;
	void *ctx;
	rd_kafka_t *rk;
	struct question *questions;
	size_t nr, nr_left; /* nr_left: not asked yet */
	size_t nr_asked, nr_answered; /* in this round */
};

static const struct kafka_prop fixed_props[] = {
	{"group.id", "millrace-lag"}, /* never joined */
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"enable.partition.eof", "true"},
	{"isolation.level", "read_committed"},
	{"auto.offset.reset", "error"},
	{0},
};

/* An operator's own settings of these are for programs that read everything. */
static const struct kafka_prop small_props[] = {
	{"fetch.message.max.bytes", "131072"},
	{"queued.min.messages", "1"},
	{"queued.max.messages.kbytes", "65536"},
	{0},
};

static rd_kafka_t *open_reader(const struct program *p, struct err *err)
{
	rd_kafka_conf_t *conf = kafka_conf(p, "lag", fixed_props, err);
	rd_kafka_t *rk;

	for (const struct kafka_prop *prop = small_props; conf && prop->name; prop++)
		rd_kafka_conf_set(conf, prop->name, prop->value, NULL, 0);
	rk = kafka_open(RD_KAFKA_CONSUMER, conf, err);
	if (rk)
		rd_kafka_poll_set_consumer(rk);
	return rk;
}

/* Lists what is behind by nobody knows how long. */
static int list_questions(struct asking *a, struct lag_group *groups, size_t nr, struct err *err)
{
	size_t most = 0;

	for (size_t g = 0; g < nr; g++)
		most += groups[g].nr;
	a->questions = calloc(most + 1, sizeof(*a->questions));
	if (!a->questions)
		return err_nomem(err, "a list of partitions");
	for (size_t g = 0; g < nr; g++)
		for (size_t i = 0; i < groups[g].nr; i++) {
			struct question *q = &a->questions[a->nr];

			if (!groups[g].partitions[i].lag || groups[g].partitions[i].age_ms >= 0)
				continue;
			q->p = &groups[g].partitions[i];
			lag_topic_name(&groups[g], q->p, q->topic);
			a->nr++;
		}
	return 0;
}

/* Assigns all that waits, but no partition twice. */
static int begin_round(struct asking *a, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)a->nr);
	rd_kafka_resp_err_t code;

	a->nr_asked = a->nr_answered = 0;
	for (size_t i = 0; i < a->nr; i++) {
		struct question *q = &a->questions[i];

		if (q->state != WAITING || rd_kafka_topic_partition_list_find(list, q->topic, q->p->partition))
			continue;
		rd_kafka_topic_partition_list_add(list, q->topic, q->p->partition)->offset =
			q->p->committed > q->p->begin ? q->p->committed : q->p->begin;
		q->state = ASKED;
		a->nr_asked++;
	}
	code = rd_kafka_assign(a->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : kafka_code(err, code, "read the oldest records");
}

static void pause_partition(rd_kafka_t *rk, const char *topic, int32_t partition)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, topic, partition);
	rd_kafka_pause_partitions(rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static int64_t age_of(const struct asking *a, const rd_kafka_message_t *message)
{
	int64_t wall_ms = rd_kafka_message_timestamp(message, NULL), age_ms;

	if (wall_ms < 0)
		return -1;
	age_ms = clock_now_ms(&a->program->clock) - clock_map_ms(&a->program->clock, wall_ms);
	return age_ms > 0 ? age_ms : 0;
}

/* The first word about a partition counts; an error leaves its age unknown. */
static void take(struct asking *a, const rd_kafka_message_t *message)
{
	const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : NULL;

	for (size_t i = 0; topic && i < a->nr; i++) {
		struct question *q = &a->questions[i];

		if (q->state != ASKED || q->p->partition != message->partition || strcmp(q->topic, topic) != 0)
			continue;
		if (!message->err)
			q->p->age_ms = age_of(a, message);
		else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			q->p->age_ms = 0;
		q->state = ANSWERED;
		a->nr_answered++;
		if (a->told)
			a->told(a->ctx, a->nr_answered, a->nr_asked);
		pause_partition(a->rk, topic, message->partition);
		return;
	}
}

static void await_answers(struct asking *a)
{
	int64_t until_ms = clock_mono_ms() + ROUND_MS;

	while (a->nr_answered < a->nr_asked && clock_mono_ms() < until_ms) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(a->rk, TURN_MS);

		if (!message)
			continue;
		take(a, message);
		rd_kafka_message_destroy(message);
	}
}

static int ask_all(struct asking *a, struct err *err)
{
	int rc = 0;

	for (int round = 0; rc == 0 && a->nr_left && round < ROUNDS_MAX; round++) {
		a->rk = open_reader(a->program, err);
		rc = a->rk ? begin_round(a, err) : -1;
		if (rc == 0)
			await_answers(a);
		kafka_close(a->rk, CLOSE_MS);
		a->nr_left -= rc == 0 ? a->nr_asked : 0;
	}
	return rc;
}

int lag_age_read(const struct program *p, struct lag_group *groups, size_t nr, lag_age_fn told, void *ctx, struct err *err)
{
	struct asking a = {.program = p, .told = told, .ctx = ctx};
	int rc = list_questions(&a, groups, nr, err);

	a.nr_left = a.nr;
	if (rc == 0)
		rc = ask_all(&a, err);
	free(a.questions);
	return rc;
}

struct keeping {
	struct lag_group *groups;
	size_t nr;
};

static void on_setting(void *ctx, const char *topic, const char *setting, const char *value)
{
	const struct keeping *r = ctx;

	if (strcmp(setting, "retention.ms") != 0)
		return;
	for (size_t g = 0; g < r->nr; g++) {
		const char *name = lag_topic_of_cell(topic, r->groups[g].cell);

		for (size_t i = 0; name && i < r->groups[g].nr; i++)
			if (strcmp(r->groups[g].partitions[i].topic, name) == 0)
				r->groups[g].partitions[i].retention_ms = strtoll(value, NULL, 10);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each topic once: Kafka refuses a request that names one twice. Borrows the topics; the caller frees the array. */
static const char **list_topics(const struct lag_group *groups, size_t nr, struct arena *arena, size_t *nr_topics)
{
	char name[KAFKA_TOPIC_SIZE];
	const char **topics;
	size_t all = 0, kept = 0;

	for (size_t g = 0; g < nr; g++)
		all += groups[g].nr;
	topics = calloc(all + 1, sizeof(*topics));
	for (size_t g = 0; topics && g < nr; g++)
		for (size_t i = 0; i < groups[g].nr; i++)
			if (groups[g].partitions[i].partition == 0 &&
			    (topics[kept] = arena_str(arena, str_from(lag_topic_name(&groups[g], &groups[g].partitions[i], name))).p) != NULL)
				kept++;
	*nr_topics = 0;
	if (kept)
		qsort(topics, kept, sizeof(*topics), by_text);
	for (size_t i = 0; i < kept; i++)
		if (i == 0 || strcmp(topics[i], topics[*nr_topics - 1]) != 0)
			topics[(*nr_topics)++] = topics[i];
	return topics;
}

int lag_retention_read(rd_kafka_t *rk, struct lag_group *groups, size_t nr, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct keeping r = {groups, nr};
	size_t nr_topics = 0;
	const char **topics = list_topics(groups, nr, &arena, &nr_topics);
	int rc = topics ? 0 : err_nomem(err, "a list of topics");

	if (rc == 0 && nr_topics)
		rc = topic_list_settings(rk, topics, nr_topics, on_setting, &r, err);
	free(topics);
	arena_fini(&arena);
	return rc;
}

void lag_age_sum(struct lag_group *group, const struct clock *clock)
{
	group->oldest = group->next = NULL;
	group->nr_unknown = 0;
	for (size_t i = 0; i < group->nr; i++) {
		struct lag_partition *p = &group->partitions[i];
		bool waits = p->lag && p->age_ms > 0;
		int64_t left_ms = waits && p->retention_ms >= 0 ? p->retention_ms - clock_real_duration_ms(clock, p->age_ms) : -1;

		p->left_ms = waits && p->retention_ms >= 0 && left_ms < 0 ? 0 : left_ms;
		group->nr_unknown += p->lag && p->age_ms < 0;
		if (waits && (!group->oldest || p->age_ms > group->oldest->age_ms))
			group->oldest = p;
		if (p->left_ms >= 0 && (!group->next || p->left_ms < group->next->left_ms))
			group->next = p;
	}
}
