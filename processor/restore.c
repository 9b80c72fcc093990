/* restore.c - see restore.h.
 *
 * Every refusal here is a case in which going on would count something twice or lose it (checkpoint.h has the rules). */
#include "processor/restore.h"

#include <inttypes.h>
#include <stdlib.h>

#include "processor/chunks.h"
#include "processor/snapshot.h"

enum {
	ASK_MS = 200,        /* how long one question may hold up the partitions that run */
	ASK_AGAIN_MS = 300,
	CHUNKS_MS = 60000,   /* a committed snapshot must be readable within: markers reach the partitions of a transaction one after the other */
	MESSAGES_A_TURN = 64,
};

enum stage { STAGE_NONE, STAGE_ASK, STAGE_CHUNKS, STAGE_EMPTY, STAGE_BEGIN };

struct restore {
	const struct cell_topics *topics;
	struct consumer *consumer;
	struct scout *scout;
	enum stage stage;
	int32_t partition;
	int64_t again_mono_ms;    /* when to ask next */
	int64_t deadline_mono_ms; /* for the chunks */
	int64_t committed;
	struct offset_meta meta;
	struct chunk_set chunks;
	struct buf metadata;
	struct arena scratch;
};

struct restore *restore_new(const struct cell_topics *topics, struct consumer *consumer, struct scout *scout, struct err *err)
{
	struct restore *r = calloc(1, sizeof(*r));

	if (!r) {
		err_nomem(err, "restores");
		return NULL;
	}
	r->topics = topics;
	r->consumer = consumer;
	r->scout = scout;
	return r;
}

/* Back to the beginning; the snapshot's memory is given back, as it may be large. */
static void restore_end(struct restore *r)
{
	scout_recall(r->scout);
	buf_fini(&r->chunks.body);
	r->chunks = (struct chunk_set){0};
	arena_clear(&r->scratch);
	r->stage = STAGE_NONE;
}

void restore_free(struct restore *r)
{
	if (!r)
		return;
	restore_end(r);
	buf_fini(&r->metadata);
	arena_fini(&r->scratch);
	free(r);
}

void restore_forget(struct restore *r, int32_t partition)
{
	if (r->stage != STAGE_NONE && r->partition == partition)
		restore_end(r);
}

static enum restore_step refuse(struct restore *r, struct task *t, struct err *err)
{
	restore_end(r);
	if (err->kind == ERR_FATAL)
		return RESTORE_FAILED;
	t->phase = TASK_REFUSED;
	return RESTORE_REFUSED;
}

/* Judges a committed offset that has metadata. */
static int judge_committed(struct restore *r, const struct committed *c, struct err *err)
{
	if (!c->metadata.len)
		return err_set(err, ERR_REJECT, "offset %" PRId64 " is committed without metadata: an operator's reset must be confirmed", c->offset);
	if (offset_meta_parse(c->metadata, &r->meta, err) < 0)
		return -1;
	if (r->meta.epoch != r->topics->epoch)
		return err_set(err, ERR_REJECT, "the snapshot is of epoch %" PRId64 ", the cell's topics are of epoch %" PRId64 ": they were made again",
			       r->meta.epoch, r->topics->epoch);
	if (c->offset < r->meta.at)
		return err_set(err, ERR_REJECT, "offset %" PRId64 " is committed, before the snapshot's position %" PRId64, c->offset, r->meta.at);
	return 0;
}

static enum restore_step ask(struct restore *r, struct task *t, int64_t mono_ms, struct err *err)
{
	struct committed c;

	if (mono_ms < r->again_mono_ms)
		return RESTORE_WAITING;
	r->again_mono_ms = mono_ms + ASK_AGAIN_MS;
	if (consumer_committed(r->consumer, t->partition, ASK_MS, &c, &r->metadata, err) < 0)
		return err->kind == ERR_FATAL ? RESTORE_FAILED : RESTORE_WAITING;
	r->committed = c.offset;
	if (c.offset < 0) {
		if (scout_send(r->scout, r->topics->state, t->partition, RD_KAFKA_OFFSET_BEGINNING, err) < 0)
			return refuse(r, t, err);
		r->stage = STAGE_EMPTY;
		return RESTORE_WAITING;
	}
	if (judge_committed(r, &c, err) < 0 || scout_send(r->scout, r->topics->state, t->partition, r->meta.snapshot, err) < 0)
		return refuse(r, t, err);
	r->deadline_mono_ms = mono_ms + CHUNKS_MS;
	r->stage = STAGE_CHUNKS;
	return RESTORE_WAITING;
}

static struct str payload_of(const rd_kafka_message_t *message)
{
	return (struct str){message->payload ? message->payload : "", message->len};
}

/* The snapshot is whole: the task takes it over. */
static enum restore_step load(struct restore *r, struct task *t, int64_t mono_ms, struct err *err)
{
	if (snapshot_decode(buf_str(&r->chunks.body), t, err) < 0)
		return refuse(r, t, err);
	if (t->position != r->meta.at) {
		err_set(err, ERR_REJECT, "the snapshot's position is %" PRId64 ", its metadata says %" PRId64, t->position, r->meta.at);
		return refuse(r, t, err);
	}
	t->saved = r->meta;
	t->committed = r->committed;
	t->checkpoint_mono_ms = mono_ms;
	t->checkpoint_watermark_ms = t->watermark_ms;
	t->phase = TASK_READY;
	restore_end(r);
	return RESTORE_DONE;
}

/* One message while chunks are awaited. */
static enum restore_step take_chunk(struct restore *r, struct task *t, const rd_kafka_message_t *message, int64_t mono_ms, struct err *err)
{
	struct chunk_id id = {r->topics->samples, r->topics->epoch, t->partition, r->meta.id};
	int rc;

	/* An end before the last chunk is no proof of loss: the transaction's marker may not have reached this partition yet. */
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return RESTORE_WAITING;
	if (message->err && message->err != RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
		return RESTORE_WAITING; /* brokers that are away; the client goes on by itself, up to our deadline */
	if (message->err || (r->chunks.next == 0 && message->offset != r->meta.snapshot)) {
		err_set(err, ERR_REJECT, "snapshot %" PRId64 " is not at offset %" PRId64 " of %s any more", r->meta.id, r->meta.snapshot,
			r->topics->state);
		return refuse(r, t, err);
	}
	rc = chunks_take(&r->chunks, &id, r->meta.bytes, payload_of(message), &r->scratch, err);
	arena_clear(&r->scratch);
	if (rc < 0) {
		err_wrap(err, "%s offset %" PRId64, r->topics->state, message->offset);
		return refuse(r, t, err);
	}
	return rc ? load(r, t, mono_ms, err) : RESTORE_WAITING;
}

/* One message while the state topic's partition must turn out empty: then nobody has owned this partition before. */
static enum restore_step take_empty(struct restore *r, struct task *t, const rd_kafka_message_t *message, struct err *err)
{
	if (!message->err) {
		err_set(err, ERR_REJECT, "no offset is committed, but %s has state at offset %" PRId64 ": the group's offsets were deleted or have expired",
			r->topics->state, message->offset);
		return refuse(r, t, err);
	}
	if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return RESTORE_WAITING;
	if (scout_send(r->scout, r->topics->samples, t->partition, RD_KAFKA_OFFSET_BEGINNING, err) < 0)
		return refuse(r, t, err);
	r->stage = STAGE_BEGIN;
	return RESTORE_WAITING;
}

/* One message while the input's beginning is looked for: the first record, or the end where there is none, stands at it. */
static enum restore_step take_begin(struct restore *r, struct task *t, const rd_kafka_message_t *message)
{
	if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return RESTORE_WAITING;
	t->position = message->offset;
	t->phase = TASK_NEW;
	restore_end(r);
	return RESTORE_DONE;
}

static enum restore_step take(struct restore *r, struct task *t, const rd_kafka_message_t *message, int64_t mono_ms, struct err *err)
{
	switch (r->stage) {
	case STAGE_CHUNKS:
		return take_chunk(r, t, message, mono_ms, err);
	case STAGE_EMPTY:
		return take_empty(r, t, message, err);
	case STAGE_BEGIN:
		return take_begin(r, t, message);
	default:
		return RESTORE_WAITING;
	}
}

enum restore_step restore_turn(struct restore *r, struct task *t, int64_t mono_ms, struct err *err)
{
	enum restore_step step = RESTORE_WAITING;

	if (r->stage == STAGE_NONE || r->partition != t->partition) {
		restore_end(r);
		r->stage = STAGE_ASK;
		r->partition = t->partition;
		r->again_mono_ms = 0;
	}
	if (r->stage == STAGE_ASK)
		return ask(r, t, mono_ms, err);
	for (int i = 0; i < MESSAGES_A_TURN && step == RESTORE_WAITING; i++) {
		rd_kafka_message_t *message = scout_poll(r->scout);

		if (!message)
			break;
		step = take(r, t, message, mono_ms, err);
		rd_kafka_message_destroy(message);
	}
	if (step == RESTORE_WAITING && r->stage == STAGE_CHUNKS && mono_ms > r->deadline_mono_ms) {
		err_set(err, ERR_REJECT, "snapshot %" PRId64 " at offset %" PRId64 " of %s is incomplete: %" PRId32 " of %" PRId32 " chunks",
			r->meta.id, r->meta.snapshot, r->topics->state, r->chunks.next, r->chunks.of);
		return refuse(r, t, err);
	}
	return step;
}
