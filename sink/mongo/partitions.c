/* partitions.c - see partitions.h.
 *
 *     AWAY --partition_assign()--> ASKING --partition_begin()--> OWNED --partition_revoke()--> AWAY
 *                                    +----(offsets.c: another epoch)---> REFUSED --partition_revoke()--> AWAY
 *
 * A slot is made when its partition is first assigned, and kept: it remembers the generation, by which a batch of an earlier
 * assignment is told from one of this. */
#include "sink/mongo/partitions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct partition *partitions_find(const struct partitions *p, enum sink_topic topic, int32_t id)
{
	return id >= 0 && id < PARTITIONS_MAX ? p->by_id[topic][id] : NULL;
}

struct partition *partitions_get(struct partitions *p, enum sink_topic topic, int32_t id, struct err *err)
{
	struct partition *part = partitions_find(p, topic, id);

	if (part)
		return part;
	if (id < 0 || id >= PARTITIONS_MAX) {
		err_set(err, ERR_FATAL, "partition %" PRId32 " of %s: a topic has at most %d", id, sink_topic_name(topic),
			PARTITIONS_MAX);
		return NULL;
	}
	part = calloc(1, sizeof(*part));
	if (!part) {
		err_nomem(err, "a partition");
		return NULL;
	}
	part->topic = topic;
	part->id = id;
	part->committed = -1;
	p->by_id[topic][id] = part;
	return part;
}

struct partition *partitions_next(const struct partitions *p, size_t *at)
{
	while (*at < (size_t)NR_SINK_TOPICS * PARTITIONS_MAX) {
		struct partition *part = p->by_id[*at / PARTITIONS_MAX][*at % PARTITIONS_MAX];

		++*at;
		if (part)
			return part;
	}
	return NULL;
}

size_t partitions_count(const struct partitions *p, enum partition_state state)
{
	struct partition *part;
	size_t at = 0, n = 0;

	while ((part = partitions_next(p, &at)) != NULL)
		n += part->state == state;
	return n;
}

/* What is known of a partition ends with its assignment, but for who it is and how often it was ours. */
static void reset(struct partition *part, enum partition_state state)
{
	struct partition fresh = {.topic = part->topic, .id = part->id, .generation = part->generation, .state = state, .committed = -1};

	ledger_fini(&part->ledger);
	*part = fresh;
}

void partition_assign(struct partition *part)
{
	part->generation++;
	reset(part, PARTITION_ASKING);
}

void partition_begin(struct partition *part, int64_t offset)
{
	part->state = PARTITION_OWNED;
	part->from_beginning = offset < 0;
	part->committed = offset;
	ledger_fini(&part->ledger);
	ledger_init(&part->ledger, offset < 0 ? 0 : offset);
	memset(part->places, 0, sizeof(part->places)); /* a new ledger knows no span of the batches being filled */
}

void partition_revoke(struct partition *part)
{
	reset(part, PARTITION_AWAY);
}

void partitions_fini(struct partitions *p)
{
	struct partition *part;
	size_t at = 0;

	while ((part = partitions_next(p, &at)) != NULL) {
		ledger_fini(&part->ledger);
		p->by_id[part->topic][part->id] = NULL;
		free(part);
	}
}
