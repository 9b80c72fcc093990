/* lag.c - see lag.h.
 *
 * Ends are asked for by rd_kafka_offsets_for_times() with the two special times of the protocol (-1 the
 * end, -2 the beginning): one request a broker and a deadline, where rd_kafka_query_watermark_offsets()
 * takes two a partition and may never return (2.0.2). Broker by broker and group by group, so that what one of them does not answer is
 * missing, and no more.
 *
 * Who asks must be a consumer: when a coordinator has moved, 2.0.2's handler of the answer tells the asking client's own group to look for
 * it, and of a client that has none it tells a null pointer. */
#include "common/lag.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

enum { ASK_MS = 10000, TIME_END = -1, TIME_BEGIN = -2 };

/* What each program's group reads. */
static const char *const reads[LAG_GROUPS][6] = {{"samples", "events"}, {"minutely", "hourly", "exemplars", "alerts", "incidents"}, {"alerts"}}; /* NULL ends */
static const char *const programs[LAG_GROUPS] = {"processor", "sink", "notify"};

static const char *text_of(struct arena *arena, const char *fmt, const char *a, struct str b)
{
	char text[160];

	snprintf(text, sizeof(text), fmt, a, (int)(b.len < 64 ? b.len : 64), b.p);
	return arena_str(arena, str_from(text)).p;
}

/* Lists what a group should read, topic by topic, as far as the topics are there. A topic that is missing
 * has no lag; status_find_problems() tells of a cell that lacks all of them. */
static int plan_group(struct lag_group *group, int which, struct str cell, const struct topic_list *topics, struct arena *arena,
		      struct err *err)
{
	char zcell[64], name[KAFKA_TOPIC_SIZE];
	size_t nr = 0;

	snprintf(zcell, sizeof(zcell), "%.*s", (int)(cell.len < 60 ? cell.len : 60), cell.p);
	*group = (struct lag_group){.program = programs[which], .cell = cell};
	group->name = text_of(arena, "millrace-%s-%.*s", programs[which], cell);
	for (size_t i = 0; reads[which][i]; i++) {
		const struct topic_state *state = topic_list_find(topics, kafka_cell_topic(name, zcell, reads[which][i]));

		nr += state ? (size_t)state->partitions : 0;
	}
	group->partitions = arena_calloc(arena, nr, sizeof(*group->partitions));
	if (!group->name || !group->partitions)
		return err_nomem(err, "a list of partitions");
	for (size_t i = 0; reads[which][i]; i++) {
		const struct topic_state *state = topic_list_find(topics, kafka_cell_topic(name, zcell, reads[which][i]));

		for (int32_t p = 0; state && p < state->partitions; p++)
			group->partitions[group->nr++] = (struct lag_partition){.topic = reads[which][i], .partition = p, .committed = -1};
	}
	return 0;
}

int lag_plan(struct str cell, const struct topic_list *topics, struct arena *arena, struct lag_group out[LAG_GROUPS], struct err *err)
{
	for (int which = 0; which < LAG_GROUPS; which++)
		if (plan_group(&out[which], which, cell, topics, arena, err) < 0)
			return -1;
	return 0;
}

/* Ingest's topics alone are written without transactions. */
static bool has_markers(const char *topic)
{
	return strcmp(topic, "samples") != 0 && strcmp(topic, "events") != 0;
}

static int64_t lost_of(const struct lag_partition *p)
{
	int64_t cut = p->fault || p->committed < 0 ? 0 : p->begin - p->committed;

	return cut > has_markers(p->topic) ? cut : 0;
}

void lag_sum(struct lag_group *group)
{
	group->total = group->lost = 0;
	group->worst = group->oldest = group->next = NULL;
	group->nr_unknown = 0;
	for (size_t i = 0; i < group->nr; i++) {
		struct lag_partition *p = &group->partitions[i];
		int64_t from = p->committed > p->begin ? p->committed : p->begin; /* what retention has cut cannot be read any more */

		p->lag = p->fault || p->end <= from ? 0 : p->end - from;
		p->lost = lost_of(p);
		p->age_ms = p->lag ? -1 : 0;
		p->retention_ms = p->left_ms = -1;
		group->total += p->lag;
		group->lost += p->lost;
		group->nr_unknown += p->lag > 0;
		if (p->lag && (!group->worst || p->lag > group->worst->lag))
			group->worst = p;
	}
}

const char *lag_topic_of_cell(const char *topic, struct str cell)
{
	static const char prefix[] = "millrace.c.";
	const char *rest = topic + sizeof(prefix) - 1;

	if (strncmp(topic, prefix, sizeof(prefix) - 1) != 0 || strncmp(rest, cell.p, cell.len) != 0 || rest[cell.len] != '.')
		return NULL;
	return rest + cell.len + 1;
}

static struct lag_partition *find_partition(struct lag_group *group, const char *topic, int32_t partition)
{
	const char *name = lag_topic_of_cell(topic, group->cell);

	for (size_t i = 0; name && i < group->nr; i++)
		if (group->partitions[i].partition == partition && strcmp(group->partitions[i].topic, name) == 0)
			return &group->partitions[i];
	return NULL;
}

/* The metadata comes with a length and without a NUL. */
static int take_commit(struct lag_partition *p, const rd_kafka_topic_partition_t *tp, struct arena *arena)
{
	p->committed = tp->offset;
	if (tp->metadata && tp->metadata_size)
		p->metadata = arena_str(arena, (struct str){tp->metadata, tp->metadata_size});
	return tp->metadata_size && !p->metadata.p ? -1 : 0;
}

/* Offsets of partitions that are not on our list (of a topic that was made smaller, or that this version
 * does not know) are passed over. */
static int take_commits(struct lag_group *group, rd_kafka_event_t *event, struct arena *arena, struct err *err)
{
	size_t nr;
	const rd_kafka_group_result_t **results =
		rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &nr);
	const rd_kafka_error_t *error = nr ? rd_kafka_group_result_error(results[0]) : NULL;
	const rd_kafka_topic_partition_list_t *list = nr && !error ? rd_kafka_group_result_partitions(results[0]) : NULL;

	if (error)
		return err_set(err, ERR_RETRY, "offsets of group %s: %s", group->name, rd_kafka_error_string(error));
	for (int i = 0; list && i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *tp = &list->elems[i];
		struct lag_partition *p = find_partition(group, tp->topic, tp->partition);

		if (p && tp->err)
			p->fault = arena_str(arena, str_from(rd_kafka_err2str(tp->err))).p;
		else if (p && tp->offset >= 0 && take_commit(p, tp, arena) < 0)
			return err_nomem(err, "offsets");
	}
	return 0;
}

/* Asks for all that a group has committed, in one request; 2.0.2 takes one group a call. The answer comes into the queue. */
static rd_kafka_queue_t *ask_commits(rd_kafka_t *rk, const struct lag_group *group)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
	rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group->name, NULL);

	rd_kafka_AdminOptions_set_request_timeout(options, ASK_MS, NULL, 0);
	rd_kafka_ListConsumerGroupOffsets(rk, &request, 1, options, queue);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
	rd_kafka_AdminOptions_destroy(options);
	return queue;
}

/* A group that never was has no offsets, and is no error. Frees the queue. */
static int await_commits(rd_kafka_queue_t *queue, struct lag_group *group, int64_t until_mono_ms, struct arena *arena, struct err *err)
{
	int64_t left_ms = until_mono_ms - clock_mono_ms();
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, left_ms > 0 ? (int)left_ms : 0);
	int rc = -1;

	if (!event)
		err_set(err, ERR_RETRY, "offsets of group %s: no answer within %d s", group->name, ASK_MS / 1000);
	else if (rd_kafka_event_error(event))
		err_set(err, ERR_RETRY, "offsets of group %s: %s", group->name, rd_kafka_event_error_string(event));
	else
		rc = take_commits(group, event, arena, err);
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	return rc;
}

/* What is not known of a group is not known of its partitions. */
static int fail_group(struct lag_group *group, const struct err *why, struct arena *arena)
{
	const char *text = arena_str(arena, str_from(why->msg)).p;

	for (size_t i = 0; text && i < group->nr; i++)
		group->partitions[i].fault = group->partitions[i].fault ? group->partitions[i].fault : text;
	return text ? 0 : -1;
}

/* Of all groups side by side, as each has a coordinator of its own: one that is frozen costs its deadline once, and nobody else's answer. */
static int read_commits(rd_kafka_t *rk, struct lag_group *groups, size_t nr, struct arena *arena, struct err *err)
{
	rd_kafka_queue_t **queues = calloc(nr + 1, sizeof(*queues));
	int64_t until_mono_ms = clock_mono_ms() + ASK_MS;
	size_t failed = 0;
	int rc = 0;

	if (!queues)
		return err_nomem(err, "offsets");
	for (size_t g = 0; g < nr; g++)
		queues[g] = ask_commits(rk, &groups[g]);
	for (size_t g = 0; g < nr; g++) {
		struct err why = ERR_INIT;

		if (await_commits(queues[g], &groups[g], until_mono_ms, arena, &why) == 0)
			continue;
		failed++;
		*err = why;
		if (fail_group(&groups[g], &why, arena) < 0)
			rc = err_nomem(err, "offsets");
	}
	free(queues);
	return rc < 0 || (nr && failed == nr) ? -1 : 0;
}

const char *lag_topic_name(const struct lag_group *group, const struct lag_partition *p, char out[KAFKA_TOPIC_SIZE])
{
	char cell[64];

	snprintf(cell, sizeof(cell), "%.*s", (int)(group->cell.len < 60 ? group->cell.len : 60), group->cell.p);
	return kafka_cell_topic(out, cell, p->topic);
}

/* Takes the answer, or the lack of one, for those of a group's partitions that were asked for. */
static void take_offsets(struct lag_group *group, int32_t leader, const rd_kafka_topic_partition_list_t *list, rd_kafka_resp_err_t code, int time)
{
	char name[KAFKA_TOPIC_SIZE];

	for (size_t i = 0; i < group->nr; i++) {
		struct lag_partition *p = &group->partitions[i];
		const rd_kafka_topic_partition_t *tp;

		if (p->fault || p->leader != leader)
			continue;
		tp = code ? NULL : rd_kafka_topic_partition_list_find(list, lag_topic_name(group, p, name), p->partition);
		if (!tp || tp->err)
			p->fault = code || tp ? rd_kafka_err2str(code ? code : tp->err) : "not asked";
		else if (time == TIME_END)
			p->end = tp->offset > 0 ? tp->offset : 0;
		else
			p->begin = tp->offset > 0 ? tp->offset : 0;
	}
}

/* Fills in the beginnings or the ends of all groups' partitions that one broker leads. */
static rd_kafka_resp_err_t ask_leader(rd_kafka_t *rk, struct lag_group *groups, size_t nr, int32_t leader, int time)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(64);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	char name[KAFKA_TOPIC_SIZE];

	for (size_t g = 0; g < nr; g++)
		for (size_t i = 0; i < groups[g].nr; i++) {
			const struct lag_partition *p = &groups[g].partitions[i];

			if (!p->fault && p->leader == leader)
				rd_kafka_topic_partition_list_add(list, lag_topic_name(&groups[g], p, name), p->partition)->offset = time;
		}
	if (list->cnt)
		code = rd_kafka_offsets_for_times(rk, list, ASK_MS);
	for (size_t g = 0; g < nr; g++)
		take_offsets(&groups[g], leader, list, code, time);
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

/* The next broker that leads some, in the order of numbers; INT32_MAX: there is none. */
static int32_t next_leader(const struct lag_group *groups, size_t nr, int32_t last)
{
	int32_t next = INT32_MAX;

	for (size_t g = 0; g < nr; g++)
		for (size_t i = 0; i < groups[g].nr; i++)
			if (groups[g].partitions[i].leader > last && groups[g].partitions[i].leader < next)
				next = groups[g].partitions[i].leader;
	return next;
}

/* Broker by broker: the call for several fails as a whole when one of them does not answer, or a partition has no leader. */
static int read_offsets(rd_kafka_t *rk, struct lag_group *groups, size_t nr, int time, struct err *err)
{
	rd_kafka_resp_err_t code, failed = RD_KAFKA_RESP_ERR_NO_ERROR;
	bool answered = false;

	for (int32_t leader = next_leader(groups, nr, -1); leader != INT32_MAX; leader = next_leader(groups, nr, leader)) {
		code = ask_leader(rk, groups, nr, leader, time);
		answered |= code == RD_KAFKA_RESP_ERR_NO_ERROR;
		failed = code ? code : failed;
	}
	return answered || !failed ? 0 : kafka_code(err, failed, "ask for the ends of partitions");
}

static void take_leaders(struct lag_group *group, const struct rd_kafka_metadata_topic *mt)
{
	for (int i = 0; i < mt->partition_cnt; i++) {
		struct lag_partition *p = find_partition(group, mt->topic, mt->partitions[i].id);

		if (p)
			p->leader = mt->partitions[i].leader;
	}
}

/* Which broker leads what. A partition that none leads is not asked for. */
static int read_leaders(rd_kafka_t *rk, struct lag_group *groups, size_t nr, struct err *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 1, NULL, &metadata, ASK_MS);

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_code(err, code, "ask for the leaders of partitions");
	for (size_t g = 0; g < nr; g++) {
		for (size_t i = 0; i < groups[g].nr; i++)
			groups[g].partitions[i].leader = -1;
		for (int t = 0; t < metadata->topic_cnt; t++)
			if (lag_topic_of_cell(metadata->topics[t].topic, groups[g].cell))
				take_leaders(&groups[g], &metadata->topics[t]);
		for (size_t i = 0; i < groups[g].nr; i++)
			if (groups[g].partitions[i].leader < 0)
				groups[g].partitions[i].fault = "no broker leads it";
	}
	rd_kafka_metadata_destroy(metadata);
	return 0;
}

int lag_read(rd_kafka_t *rk, struct lag_group *groups, size_t nr, struct arena *arena, struct err *err)
{
	if (rd_kafka_type(rk) != RD_KAFKA_CONSUMER)
		return err_set(err, ERR_FATAL, "offsets of groups are asked by a consumer: another client would crash when a coordinator moves");
	if (read_leaders(rk, groups, nr, err) < 0 || read_offsets(rk, groups, nr, TIME_BEGIN, err) < 0 ||
	    read_offsets(rk, groups, nr, TIME_END, err) < 0 || read_commits(rk, groups, nr, arena, err) < 0)
		return -1;
	for (size_t g = 0; g < nr; g++)
		lag_sum(&groups[g]);
	return 0;
}
