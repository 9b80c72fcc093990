/* shares.c - see shares.h.
 *
 * Why so:
 *  - The consumer's queue is looked at before a fetch is sent only. What comes on top is, for each broker, a fetch of fetch_bytes, compressed
 *    and unpacked. Far below 16 MiB the client stalls for up to a second each time the queue is full, as was measured: so it gets an eighth.
 *  - The producer counts keys and values, and takes as much again for each small record; requests under way hold a copy. A record that
 *    is larger than its queue would never go out: LEAST_PRODUCE_KBYTES is more than the largest, a dead letter (feed.c).
 *  - A checkpoint's share is for one partition that has a sixth of the state. What a larger one's takes beyond it is charged to the state
 *    (budget.c); several share a transaction only if it is enough for all of them.
 *  - The state gets what is left, half of it and more in all but the smallest budgets. */
#include "processor/shares.h"

#define MIB (INT64_C(1) << 20)

enum {
	FETCH_LEAST = 1000000,      /* fetch.max.bytes may not be below message.max.bytes */
	LEAST_QUEUE_KBYTES = 3072, MOST_QUEUE_KBYTES = 262144,
	LEAST_PRODUCE_KBYTES = 2560, MOST_PRODUCE_KBYTES = 262144,
	MOST_MESSAGES = 100000,
	FETCHED_MESSAGE_PART = 4,   /* of the queue: what the client takes for its records beside their bytes */
	FETCHES = 4,                /* of fetch_bytes: two brokers' answers, each unpacked to three times its size, are two thirds of it queued */
	PRODUCED_MESSAGE_BYTES = 512, /* a fragment and what the client takes for it */
	STATE_LEAST_PART = 12,      /* of the budget */
};

static int64_t between(int64_t n, int64_t least, int64_t most)
{
	return n < least ? least : n > most ? most : n;
}

static void size_clients(struct shares *s, int64_t rest)
{
	s->fetch_queue_kbytes = between(rest / 8 / 1024, LEAST_QUEUE_KBYTES, MOST_QUEUE_KBYTES);
	s->fetch_bytes = between(rest / 64, FETCH_LEAST, 2 * MIB);
	s->partition_fetch_bytes = s->fetch_bytes / 16;
	s->scout_queue_kbytes = between(rest / 32 / 1024, 1024, 8192);
	s->produce_kbytes = between(rest / 16 / 1024, LEAST_PRODUCE_KBYTES, MOST_PRODUCE_KBYTES);
	s->produce_messages = between(rest / 8 / PRODUCED_MESSAGE_BYTES, 1000, MOST_MESSAGES);
}

struct shares shares_of(int64_t memory_budget_bytes)
{
	int64_t rest = between(memory_budget_bytes - 16 * MIB, 0, INT64_MAX), state;
	struct shares s = {.bytes = {[SHARE_PROGRAM] = 16 * MIB}};

	size_clients(&s, rest);
	s.bytes[SHARE_FETCHED] = (size_t)(s.fetch_queue_kbytes * 1024 * (FETCHED_MESSAGE_PART + 1) / FETCHED_MESSAGE_PART + s.fetch_bytes * FETCHES);
	s.bytes[SHARE_PRODUCED] = (size_t)(s.produce_kbytes * 1024 * 2);
	s.bytes[SHARE_CHECKPOINT] = (size_t)(rest / 10);
	state = memory_budget_bytes;
	for (enum share i = 0; i < SHARE_STATE; i++)
		state -= (int64_t)s.bytes[i];
	s.bytes[SHARE_STATE] = (size_t)between(state, memory_budget_bytes / STATE_LEAST_PART, INT64_MAX);
	return s;
}

const char *share_name(enum share share)
{
	static const char *const names[NR_SHARES] = {
		[SHARE_PROGRAM] = "program", [SHARE_FETCHED] = "fetched", [SHARE_PRODUCED] = "produced", [SHARE_CHECKPOINT] = "checkpoint",
		[SHARE_STATE] = "state",
	};

	return names[share];
}
