/* lag.c - see lag.h.
 *
 * A partition that is fetched learns its end with every fetch. One that is not, since the database hangs, learns nothing, and just
 * then somebody looks at its lag: Kafka is asked. Not by rd_kafka_query_watermark_offsets(), which may never return in 2.0.2.
 *
 * The age of the oldest record is known where it was taken and is not settled: the ledger has its timestamp. Where all that was taken is settled, it
 * is a record that Kafka has not handed over, and a bound must do:
 *  - it is no older than the last record that was taken, as timestamps rise but for the writers' clocks, and no older than the last look at which
 *    there was no lag: the later of the two;
 *  - since the assignment nothing was taken and there was a lag at every look (a paused sink that was started anew): at least as old as the first
 *    look. The age is too small then, until the first record is taken. */
#include "sink/mongo/lag.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

enum { INTERVAL_MS = 1000, ASK_INTERVAL_MS = 5000, ASK_TIMEOUT_MS = 1000 };

struct lag {
	rd_kafka_t *rk;
	struct partitions *parts;
	const char *const *topics;
	const struct clock *clock;
	int64_t next_mono_ms, next_ask_mono_ms;
	int64_t total;
};

struct lag *lag_new(rd_kafka_t *rk, struct partitions *parts, const char *const *topics, const struct clock *clock,
		    struct err *err)
{
	struct lag *l = calloc(1, sizeof(*l));

	if (l)
		*l = (struct lag){.rk = rk, .parts = parts, .topics = topics, .clock = clock};
	else
		err_nomem(err, "the table of lags");
	return l;
}

void lag_free(struct lag *l)
{
	free(l);
}

/* Where a fetched partition ends, as its last fetch said; -1 when none did yet. */
static int64_t end_of(const struct lag *l, const struct partition *part)
{
	int64_t low, high;

	if (rd_kafka_get_watermark_offsets(l->rk, l->topics[part->topic], part->id, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	return high;
}

int64_t lag_oldest_ms(const struct partition *part, const struct clock *clock)
{
	int64_t oldest_ms = ledger_oldest_ms(&part->ledger), since_ms = part->level_ms;

	if (oldest_ms > 0)
		return clock_map_ms(clock, oldest_ms);
	if (part->ledger.last_ms > 0 && clock_map_ms(clock, part->ledger.last_ms) > since_ms)
		since_ms = clock_map_ms(clock, part->ledger.last_ms);
	return since_ms ? since_ms : part->measured_ms;
}

static void set_seconds(const struct lag *l, struct partition *part, bool level)
{
	int64_t now_ms = clock_now_ms(l->clock), oldest_ms;

	if (!part->measured_ms)
		part->measured_ms = now_ms;
	if (level)
		part->level_ms = now_ms;
	oldest_ms = level ? now_ms : lag_oldest_ms(part, l->clock);
	metric_set(part->lag_seconds, now_ms > oldest_ms ? (double)(now_ms - oldest_ms) / 1000 : 0);
}

/* Before a partition's begin is known, all that it holds counts. */
static void set(const struct lag *l, struct partition *part, int64_t end)
{
	bool known = part->state == PARTITION_OWNED && !part->from_beginning;
	int64_t lag = end - (known ? ledger_committable(&part->ledger) : 0);

	if (end < 0)
		return;
	metric_set(part->lag, lag > 0 ? (double)lag : 0);
	set_seconds(l, part, lag <= 0);
}

static void ask_ends(struct lag *l)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	struct partition *part;
	bool answered;
	size_t at = 0;

	while ((part = partitions_next(l->parts, &at)) != NULL)
		if (part->state != PARTITION_AWAY && !part->fetched)
			rd_kafka_topic_partition_list_add(list, l->topics[part->topic], part->id)->offset = RD_KAFKA_OFFSET_END;
	answered = list->cnt && rd_kafka_offsets_for_times(l->rk, list, ASK_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
	for (int i = 0; answered && i < list->cnt; i++)
		for (int k = 0; k < NR_SINK_TOPICS; k++)
			if (!list->elems[i].err && strcmp(l->topics[k], list->elems[i].topic) == 0)
				set(l, partitions_find(l->parts, (enum sink_topic)k, list->elems[i].partition), list->elems[i].offset);
	rd_kafka_topic_partition_list_destroy(list);
}

void lag_measure(struct lag *l)
{
	int64_t now = clock_mono_ms();
	struct partition *part;
	size_t at = 0;

	if (now < l->next_mono_ms)
		return;
	if (now >= l->next_ask_mono_ms) {
		ask_ends(l);
		l->next_ask_mono_ms = clock_mono_ms() + ASK_INTERVAL_MS;
	}
	l->total = 0;
	while ((part = partitions_next(l->parts, &at)) != NULL) {
		if (part->fetched)
			set(l, part, end_of(l, part));
		if (part->state != PARTITION_AWAY)
			l->total += (int64_t)metric_value(part->lag);
	}
	l->next_mono_ms = now + INTERVAL_MS;
}

int64_t lag_total(const struct lag *l)
{
	return l->total;
}
