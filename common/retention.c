/* retention.c - see retention.h.
 *
 * The admin call is asynchronous: its answer comes into a queue of our own, which is looked at in the owner's loop. One question is under way at a
 * time, and the client ends each by its own socket.timeout.ms. */
#include "common/retention.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/kafka.h"

enum { INTERVAL_MS = 600000, RETRY_MS = 30000 };

struct kept {
	char topic[KAFKA_TOPIC_SIZE];
	const char *label; /* topic, or the literal behind its last dot */
	struct metric *gauge; /* NULL: no limit, or none is known */
};

struct retention {
	const struct log *log;
	rd_kafka_t *rk;
	rd_kafka_queue_t *answers;
	struct metrics *metrics;
	const char *metric;
	int64_t next_mono_ms;
	bool asked;  /* no answer yet */
	bool failed; /* the last time, and that has been told */
	size_t nr;
	struct kept topics[RETENTION_TOPICS_MAX];
};

struct retention *retention_new(const struct program *p, rd_kafka_t *rk, struct metrics *metrics, const char *metric, bool whole,
				const char *const *names, size_t nr, struct err *err)
{
	struct retention *r = calloc(1, sizeof(*r));

	if (!r) {
		err_nomem(err, "the table of retentions");
		return NULL;
	}
	*r = (struct retention){.log = &p->log, .rk = rk, .metrics = metrics, .metric = metric, .nr = nr};
	for (size_t i = 0; i < nr; i++) {
		kafka_cell_topic(r->topics[i].topic, p->common.cell, names[i]);
		r->topics[i].label = whole ? r->topics[i].topic : names[i];
	}
	r->answers = rd_kafka_queue_new(rk);
	return r;
}

void retention_free(struct retention *r)
{
	if (!r)
		return;
	rd_kafka_queue_destroy(r->answers);
	free(r);
}

static struct kept *find(struct retention *r, const char *topic)
{
	for (size_t i = 0; i < r->nr; i++)
		if (strcmp(r->topics[i].topic, topic) == 0)
			return &r->topics[i];
	return NULL;
}

bool retention_take(struct retention *r, const char *topic, const char *policy, const char *retention_ms)
{
	struct kept *kept = find(r, topic);
	char *end = NULL;
	int64_t ms;

	if (!kept || !policy || !retention_ms)
		return false;
	errno = 0;
	ms = strtoll(retention_ms, &end, 10);
	if (errno || end == retention_ms || *end)
		return false;
	if (ms < 0 || !strstr(policy, "delete")) {
		metrics_remove(r->metrics, kept->gauge);
		kept->gauge = NULL;
		return true;
	}
	if (!kept->gauge)
		kept->gauge = metrics_gauge(r->metrics, r->metric, "topic", kept->label, NULL);
	metric_set(kept->gauge, (double)ms / 1000);
	return true;
}

static void ask(struct retention *r)
{
	rd_kafka_ConfigResource_t *resources[RETENTION_TOPICS_MAX];

	for (size_t i = 0; i < r->nr; i++)
		resources[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, r->topics[i].topic);
	rd_kafka_DescribeConfigs(r->rk, resources, r->nr, NULL, r->answers);
	rd_kafka_ConfigResource_destroy_array(resources, r->nr);
	r->asked = true;
}

/* What Kafka says of one topic. 0, or an error and its text. */
static rd_kafka_resp_err_t take_topic(struct retention *r, const rd_kafka_ConfigResource_t *resource, const char **why)
{
	const char *policy = NULL, *retention_ms = NULL;
	const rd_kafka_ConfigEntry_t **entries;
	size_t nr = 0;

	*why = rd_kafka_ConfigResource_error_string(resource);
	if (rd_kafka_ConfigResource_error(resource))
		return rd_kafka_ConfigResource_error(resource);
	entries = rd_kafka_ConfigResource_configs(resource, &nr);
	for (size_t i = 0; i < nr; i++) {
		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "cleanup.policy") == 0)
			policy = rd_kafka_ConfigEntry_value(entries[i]);
		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "retention.ms") == 0)
			retention_ms = rd_kafka_ConfigEntry_value(entries[i]);
	}
	*why = "cleanup.policy or retention.ms is missing, or makes no sense";
	return retention_take(r, rd_kafka_ConfigResource_name(resource), policy, retention_ms) ? RD_KAFKA_RESP_ERR_NO_ERROR
											       : RD_KAFKA_RESP_ERR__BAD_MSG;
}

static void take_answer(struct retention *r, rd_kafka_event_t *event, int64_t mono_ms)
{
	rd_kafka_resp_err_t failed = rd_kafka_event_error(event), code;
	const char *why = rd_kafka_event_error_string(event), *topic_why;
	const rd_kafka_ConfigResource_t **resources;
	size_t nr = 0;

	resources = failed ? NULL : rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &nr);
	for (size_t i = 0; i < nr; i++)
		if ((code = take_topic(r, resources[i], &topic_why)) != RD_KAFKA_RESP_ERR_NO_ERROR) {
			failed = code;
			why = topic_why;
		}
	if (failed && !r->failed)
		log_warn(r->log, "retention_unknown", LOG_STR("code", rd_kafka_err2name(failed)), LOG_STR("error", why ? why : ""),
			 LOG_STR("metric", r->metric));
	r->failed = failed != RD_KAFKA_RESP_ERR_NO_ERROR;
	r->next_mono_ms = mono_ms + (failed ? RETRY_MS : INTERVAL_MS);
	r->asked = false;
}

void retention_turn(struct retention *r, int64_t mono_ms)
{
	rd_kafka_event_t *event;

	if (!r->asked && mono_ms >= r->next_mono_ms)
		ask(r);
	if (!r->asked || (event = rd_kafka_queue_poll(r->answers, 0)) == NULL)
		return;
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT)
		take_answer(r, event, mono_ms);
	rd_kafka_event_destroy(event);
}
