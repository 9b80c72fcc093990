/* restore.c - see restore.h.
 *
 * verdict.c decides; here is how it learns what there is. Silence proves nothing: a partition has been read to its end only when
 * the end that the client tells of is where its leader ends it, as before an open transaction's records the client says "end" too; and
 * a snapshot is called lost only by an answer of the broker, not because no broker answered. And before a partition is refused for
 * what was read, committed() is asked once more: who was frozen meanwhile, and is no member any more without knowing it, compares what the next owner
 * has written, and deleted, with an outdated answer. */
#include "processor/restore.h"

#include <inttypes.h>
#include <stdlib.h>

#include "processor/budget.h"
#include "processor/snapshot.h"
#include "processor/snapshot_scan.h"

enum {
	ASK_MS = 200,        /* how long one question may hold up the partitions that run */
	ASK_AGAIN_MS = 300,
	CHUNKS_MS = 60000,   /* a committed snapshot must be readable within: markers reach the partitions of a transaction one after the other */
	MESSAGES_A_TURN = 64,
	RESERVE_MAX = 64 << 20, /* of what somebody says that a snapshot takes */
	PAUSE_MS = 5000,     /* longer than a turn of the loop takes, its checkpoint included */
};

enum stage {
	STAGE_NONE,
	STAGE_ASK,
	STAGE_ROOM,   /* waits for room for the snapshot that the metadata names */
	STAGE_CHUNKS, /* reads the snapshot that the metadata names */
	STAGE_SCAN,   /* reads the state topic's partition from its beginning */
	STAGE_BEGIN,  /* looks where the input begins ... */
	STAGE_END,    /* ... and where it ends */
	STAGE_DOUBT,  /* is to be refused, if the committed offset is still what it was */
};

struct restore {
	const struct cell_topics *topics;
	struct consumer *consumer;
	struct scout *scout;
	enum stage stage;
	int32_t partition;        /* the input's number ... */
	struct input in;          /* ... and where that is */
	int64_t again_mono_ms;    /* when to ask next */
	int64_t deadline_mono_ms; /* for the chunks, or for an open transaction to end */
	int64_t turned_mono_ms;   /* the last turn */
	int64_t heard_mono_ms;    /* the last answer about what is read, or when it was begun */
	int64_t eof;              /* where what is read has been read to its end; -1: it has not */
	struct consent allowed;   /* now */
	struct consent consent;   /* as it was when this restore began */

	int64_t committed;
	struct offset_meta meta;
	enum trouble trouble;
	struct err why; /* the trouble in words */
	struct err refusal; /* of STAGE_DOUBT */
	enum ending ending;
	int64_t begin; /* of the input */
	struct acceptance acceptance;
	bool accepted; /* acceptance says something */
	bool admitted; /* there is room */

	struct chunk_set chunks;
	struct snapshot_scan scan;
	struct buf metadata, metadata_again; /* as committed() gave it; and when it was asked once more */
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

/* Reads no more; the snapshot's memory is given back, as it may be large. */
static void stop_reading(struct restore *r)
{
	scout_recall(r->scout);
	buf_fini(&r->chunks.body);
	r->chunks = (struct chunk_set){0};
	snapshot_scan_fini(&r->scan);
	arena_clear(&r->scratch);
}

/* Back to the beginning. */
static void restore_end(struct restore *r)
{
	stop_reading(r);
	r->stage = STAGE_NONE;
}

void restore_free(struct restore *r)
{
	if (!r)
		return;
	restore_end(r);
	buf_fini(&r->metadata);
	buf_fini(&r->metadata_again);
	arena_fini(&r->scratch);
	free(r);
}

void restore_forget(struct restore *r, int32_t partition)
{
	if (r->stage != STAGE_NONE && r->partition == partition)
		restore_end(r);
}

void restore_allow(struct restore *r, const struct consent *consent)
{
	r->allowed = *consent;
}

size_t restore_needs(const struct restore *r, bool *waits)
{
	*waits = r->stage == STAGE_ROOM && !r->admitted;
	return r->stage == STAGE_ROOM || r->stage == STAGE_CHUNKS ? budget_restored(r->meta.bytes) : 0;
}

void restore_admit(struct restore *r)
{
	r->admitted = true;
}

const struct acceptance *restore_acceptance(const struct restore *r)
{
	return r->accepted ? &r->acceptance : NULL;
}

static void restore_begin(struct restore *r, int32_t partition)
{
	restore_end(r);
	r->stage = STAGE_ASK;
	r->partition = partition;
	r->in = topics_input(r->topics, partition);
	r->again_mono_ms = 0;
	r->accepted = r->admitted = false;
	r->consent = r->allowed;
	r->why = (struct err)ERR_INIT;
	r->scan = (struct snapshot_scan){.topic = r->in.topic, .epoch = r->topics->epoch, .partition = r->in.partition};
}

static bool allows_nothing(const struct restore *r)
{
	return !r->consent.accept && !r->consent.forget;
}

/* Refuses by what committed() has said just now. */
static enum restore_step refuse_now(struct restore *r, struct task *t)
{
	bool outdated = !consent_equal(&r->consent, &r->allowed);

	restore_end(r);
	if (outdated) /* an operator has spoken meanwhile */
		return RESTORE_WAITING;
	t->phase = TASK_REFUSED;
	return RESTORE_REFUSED;
}

/* Refuses, for the reason in err, unless what was read does not fit only because the committed offset has moved on since. */
static enum restore_step refuse(struct restore *r, struct task *t, const struct err *err)
{
	if (err->kind == ERR_FATAL) {
		restore_end(r);
		return RESTORE_FAILED;
	}
	stop_reading(r);
	task_clear(t);
	r->refusal = *err;
	r->stage = STAGE_DOUBT;
	r->again_mono_ms = 0;
	return RESTORE_WAITING;
}

/* Reads another partition from an offset on. */
static enum restore_step read_on(struct restore *r, struct task *t, enum stage stage, const char *topic, int64_t offset, struct err *err)
{
	if (scout_send(r->scout, topic, r->in.partition, offset, err) < 0)
		return refuse(r, t, err);
	r->stage = stage;
	r->eof = -1;
	r->heard_mono_ms = r->turned_mono_ms;
	return RESTORE_WAITING;
}

static enum restore_step ask(struct restore *r, struct task *t, struct err *err)
{
	struct committed c;

	if (consumer_committed(r->consumer, t->partition, ASK_MS, &c, &r->metadata, err) < 0)
		return err->kind == ERR_FATAL ? RESTORE_FAILED : RESTORE_WAITING;
	r->committed = c.offset;
	r->meta = (struct offset_meta){0};
	r->trouble = verdict_offset(c.offset, c.metadata, r->topics->epoch, &r->meta, &r->why);
	if (r->trouble == TROUBLE_NONE) {
		r->stage = STAGE_ROOM;
		return RESTORE_WAITING;
	}
	if (r->trouble == TROUBLE_NEWER || (r->trouble != TROUBLE_NO_OFFSET && allows_nothing(r))) {
		*err = r->why;
		verdict_advise(r->trouble, FOUND_WHOLE, r->topics->cell, err); /* what there is, is looked for once it is asked for */
		return refuse_now(r, t);
	}
	return read_on(r, t, STAGE_SCAN, r->in.state, RD_KAFKA_OFFSET_BEGINNING, err);
}

/* Is the committed offset still the one that what was read has been judged by? */
static enum restore_step ask_again(struct restore *r, struct task *t, struct err *err)
{
	struct committed c;

	if (consumer_committed(r->consumer, t->partition, ASK_MS, &c, &r->metadata_again, err) < 0)
		return err->kind == ERR_FATAL ? RESTORE_FAILED : RESTORE_WAITING;
	if (c.offset != r->committed || !str_eq(c.metadata, buf_str(&r->metadata))) {
		restore_begin(r, t->partition);
		return RESTORE_WAITING;
	}
	*err = r->refusal;
	return refuse_now(r, t);
}

/* The stages that wait for an answer about the committed offset. */
static enum restore_step turn_asking(struct restore *r, struct task *t, int64_t mono_ms, struct err *err)
{
	if (mono_ms < r->again_mono_ms)
		return RESTORE_WAITING;
	r->again_mono_ms = mono_ms + ASK_AGAIN_MS;
	return r->stage == STAGE_ASK ? ask(r, t, err) : ask_again(r, t, err);
}

/* Begins to read the snapshot once there is room. Its buffer is as large as it will be at once: one that grows is copied, and twice there meanwhile. */
static enum restore_step turn_room(struct restore *r, struct task *t, int64_t mono_ms, struct err *err)
{
	if (!r->admitted)
		return RESTORE_WAITING;
	buf_reserve(&r->chunks.body, r->meta.bytes < RESERVE_MAX ? (size_t)r->meta.bytes : RESERVE_MAX);
	r->deadline_mono_ms = mono_ms + CHUNKS_MS;
	return read_on(r, t, STAGE_CHUNKS, r->in.state, r->meta.snapshot, err);
}

static struct str payload_of(const rd_kafka_message_t *message)
{
	return (struct str){message->payload ? message->payload : "", message->len};
}

/* Goes the way of an ending that is not a refusal: first the input's bounds are asked for. */
static enum restore_step go_on(struct restore *r, struct task *t, enum ending ending, struct err *err)
{
	r->ending = ending;
	return read_on(r, t, STAGE_BEGIN, r->in.topic, RD_KAFKA_OFFSET_BEGINNING, err);
}

/* The snapshot that the metadata names cannot be used, for the reason in err; found: by whose fault. */
static enum restore_step reject_snapshot(struct restore *r, struct task *t, enum found found, struct err *err)
{
	enum ending ending = verdict_ending(TROUBLE_SNAPSHOT, found, &r->consent);

	if (err->kind == ERR_FATAL)
		return refuse(r, t, err);
	r->trouble = TROUBLE_SNAPSHOT;
	if (ending == END_REFUSED) {
		verdict_advise(TROUBLE_SNAPSHOT, found, r->topics->cell, err);
		return refuse(r, t, err);
	}
	task_clear(t);
	return go_on(r, t, ending, err);
}

/* The snapshot is whole: the task takes it over. */
static enum restore_step load(struct restore *r, struct task *t, int64_t mono_ms, struct err *err)
{
	struct str body = buf_str(&r->chunks.body);

	if (snapshot_decode(body, t, err) < 0)
		return reject_snapshot(r, t, snapshot_is_newer(body) ? FOUND_NEWER : FOUND_DAMAGED, err);
	if (t->position != r->meta.at) {
		err_set(err, ERR_REJECT, "the snapshot's position is %" PRId64 ", its metadata says %" PRId64, t->position, r->meta.at);
		return reject_snapshot(r, t, FOUND_DAMAGED, err);
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
	struct chunk_id id = {r->in.topic, r->topics->epoch, r->in.partition, r->meta.id};
	int rc;

	/* An end before the last chunk is no proof of loss: the transaction's marker may not have reached this partition yet. */
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		r->eof = message->offset;
		return RESTORE_WAITING;
	}
	if (message->err && message->err != RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
		return RESTORE_WAITING; /* brokers that are away; the client goes on by itself, up to our deadline */
	if (message->err || (r->chunks.next == 0 && message->offset != r->meta.snapshot)) {
		err_set(err, ERR_REJECT, "snapshot %" PRId64 " is not at offset %" PRId64 " of %s any more", r->meta.id, r->meta.snapshot,
			r->in.state);
		return reject_snapshot(r, t, FOUND_DAMAGED, err);
	}
	rc = chunks_take(&r->chunks, &id, r->meta.bytes, payload_of(message), &r->scratch, err);
	arena_clear(&r->scratch);
	if (rc < 0) {
		err_wrap(err, "%s offset %" PRId64, r->in.state, message->offset);
		return reject_snapshot(r, t, err->kind == ERR_RETRY ? FOUND_NEWER : FOUND_DAMAGED, err);
	}
	return rc ? load(r, t, mono_ms, err) : RESTORE_WAITING;
}

/* Has what is read been read to where its leader ends it? */
static bool read_out(const struct restore *r)
{
	int64_t end = r->eof >= 0 ? scout_end(r->scout) : -1;

	return end >= 0 && end <= r->eof;
}

static enum restore_step chunks_overdue(struct restore *r, struct task *t, struct err *err)
{
	bool proven = read_out(r);

	err_set(err, ERR_REJECT, "snapshot %" PRId64 " at offset %" PRId64 " of %s is incomplete: %" PRId32 " of %" PRId32 " chunks",
		r->meta.id, r->meta.snapshot, r->in.state, r->chunks.next, r->chunks.of);
	if (proven)
		return reject_snapshot(r, t, FOUND_DAMAGED, err);
	err_wrap(err, "brokers have not told all there is");
	return refuse(r, t, err);
}

/* One message while the state topic's partition is read from its beginning. */
static enum restore_step take_scan(struct restore *r, struct task *t, const rd_kafka_message_t *message, int64_t mono_ms, struct err *err)
{
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		r->eof = message->offset;
		r->deadline_mono_ms = mono_ms + CHUNKS_MS;
	}
	if (message->err)
		return RESTORE_WAITING;
	r->eof = -1;
	if (!allows_nothing(r)) {
		int rc = snapshot_scan_take(&r->scan, message->offset, payload_of(message), &r->scratch, err);

		return rc < 0 ? refuse(r, t, err) : RESTORE_WAITING;
	}
	err_set(err, ERR_REJECT, "no offset is committed, but %s has state at offset %" PRId64 ": the group's offsets were deleted or have expired",
		r->in.state, message->offset);
	verdict_advise(r->trouble, FOUND_WHOLE, r->topics->cell, err);
	return refuse(r, t, err);
}

/* What was found, in words for a refusal. */
static int say_found(const struct restore *r, struct err *err)
{
	const char *trouble = r->trouble == TROUBLE_NO_OFFSET ? "no offset is committed" : r->why.msg;

	switch (r->scan.found) {
	case FOUND_NOTHING:
		return err_set(err, ERR_REJECT, "%s; %s holds no snapshot", trouble, r->in.state);
	case FOUND_NEWER:
		return err_set(err, ERR_REJECT, "%s; the newest snapshot in %s, at offset %" PRId64 ", is a newer build's", trouble,
			       r->in.state, r->scan.first);
	default:
		return err_set(err, ERR_REJECT, "%s; the newest snapshot in %s, at offset %" PRId64 ", is damaged or does not fit, and what was "
			       "emitted since an older one would count twice", trouble, r->in.state, r->scan.first);
	}
}

/* All is known but the input's bounds. */
static enum restore_step judge(struct restore *r, struct task *t, struct err *err)
{
	enum ending ending = verdict_ending(r->trouble, r->scan.found, &r->consent);
	struct err why = ERR_INIT;

	if (ending_keeps(ending) && snapshot_decode(buf_str(&r->scan.chunks.body), t, &why) < 0) {
		if (why.kind == ERR_FATAL) {
			*err = why;
			return refuse(r, t, err);
		}
		task_clear(t);
		r->scan.found = FOUND_DAMAGED;
		ending = verdict_ending(r->trouble, r->scan.found, &r->consent);
	}
	snapshot_scan_fini(&r->scan);
	if (ending != END_REFUSED)
		return go_on(r, t, ending, err);
	say_found(r, err);
	verdict_advise(r->trouble, r->scan.found, r->topics->cell, err);
	return refuse(r, t, err);
}

/* Nothing more has come: is that all there is? */
static enum restore_step scan_turn(struct restore *r, struct task *t, int64_t mono_ms, struct err *err)
{
	if (read_out(r))
		return judge(r, t, err);
	if (r->eof < 0 || mono_ms <= r->deadline_mono_ms)
		return RESTORE_WAITING;
	err_set(err, ERR_REJECT, "a transaction is open in %s, so that its newest snapshot is not known", r->in.state);
	return refuse(r, t, err);
}

static int64_t position_of(const struct restore *r, const struct task *t)
{
	switch (r->ending) {
	case END_KEPT:
		return t->position;
	case END_EMPTY_AT_BEGIN:
		return r->begin;
	case END_EMPTY_AT_SNAPSHOT:
		return r->meta.at;
	default:
		return r->committed;
	}
}

/* The position lies outside of the input. A snapshot's own: it is of another input. One that was set: it must be set again. */
static enum restore_step reject_position(struct restore *r, struct task *t, int64_t position, int64_t end, struct err *err)
{
	if (r->ending == END_KEPT) {
		r->scan.found = FOUND_DAMAGED;
		task_clear(t);
		return judge(r, t, err);
	}
	err_set(err, ERR_REJECT, "offset %" PRId64 " lies outside of the input, which goes from %" PRId64 " to %" PRId64 ": another one must be set",
		position, r->begin, end);
	return refuse(r, t, err);
}

/* The highest id of this epoch that is known. The next checkpoint takes the one after it: an id names one snapshot, or chunks of two could be
 * taken for one, and a commit that stands for an attempt that is in doubt (checkpoint.h, rule C). */
static int64_t last_id(const struct restore *r)
{
	int64_t committed = r->meta.epoch == r->topics->epoch ? r->meta.id : 0;

	return committed > r->scan.last_id ? committed : r->scan.last_id;
}

/* The bounds are known: the task begins, as new, where it was decided. */
static enum restore_step conclude(struct restore *r, struct task *t, int64_t end, struct err *err)
{
	int64_t position = position_of(r, t);
	const struct consent accept = {.accept = r->consent.accept};
	bool kept = ending_keeps(r->ending), accepted = verdict_ending(r->trouble, r->scan.found, &accept) == r->ending;

	/* What lies before the beginning is a gap like any other, but for an input that may be another one. */
	if (position > end || (r->trouble == TROUBLE_EPOCH && position < r->begin))
		return reject_position(r, t, position, end, err);
	r->acceptance = (struct acceptance){r->ending, position, kept ? r->scan.id.snapshot_id : 0, kept ? t->position : 0, {0}};
	memcpy(r->acceptance.why, accepted ? r->consent.why_accept : r->consent.why_forget, CONTROLS_WHY_SIZE);
	r->accepted = true;
	t->gap_records += acceptance_skipped(&r->acceptance);
	t->position = position;
	t->saved = (struct offset_meta){.epoch = r->topics->epoch, .id = last_id(r)};
	t->phase = TASK_NEW;
	restore_end(r);
	return RESTORE_DONE;
}

/* One message while the input's beginning is looked for: the first record, or the end where there is none, stands at it. */
static enum restore_step take_begin(struct restore *r, struct task *t, const rd_kafka_message_t *message, struct err *err)
{
	if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return RESTORE_WAITING;
	r->begin = message->offset;
	if (r->trouble != TROUBLE_NO_OFFSET || r->scan.found != FOUND_NOTHING)
		return read_on(r, t, STAGE_END, r->in.topic, RD_KAFKA_OFFSET_END, err);
	t->position = r->begin;
	t->phase = TASK_NEW;
	restore_end(r);
	return RESTORE_DONE;
}

static enum restore_step take(struct restore *r, struct task *t, const rd_kafka_message_t *message, int64_t mono_ms, struct err *err)
{
	/* Retention has deleted a beginning before it was read; the client reads on no more. */
	if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && r->stage != STAGE_CHUNKS) {
		task_clear(t);
		restore_begin(r, t->partition);
		return RESTORE_WAITING;
	}
	switch (r->stage) {
	case STAGE_CHUNKS:
		return take_chunk(r, t, message, mono_ms, err);
	case STAGE_SCAN:
		return take_scan(r, t, message, mono_ms, err);
	case STAGE_BEGIN:
		return take_begin(r, t, message, err);
	case STAGE_END: /* a record that came since stands at what was the end */
		return message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF ? RESTORE_WAITING : conclude(r, t, message->offset, err);
	default:
		return RESTORE_WAITING;
	}
}

/* The deadline is for those whom we wait for: what passed while we were frozen is not their fault. */
static void allow_for_pause(struct restore *r, int64_t mono_ms)
{
	int64_t pause_ms = mono_ms - r->turned_mono_ms;

	if (pause_ms > PAUSE_MS) {
		r->deadline_mono_ms += pause_ms;
		r->heard_mono_ms += pause_ms;
	}
	r->turned_mono_ms = mono_ms;
}

/* Does nobody answer for what is read, as when a partition has no leader? Others wait for their restores behind this one. The chunks have a deadline
 * of their own, and so has an end that has been seen. */
static bool is_silent(const struct restore *r, int64_t mono_ms)
{
	bool reads = (r->stage == STAGE_SCAN && r->eof < 0) || r->stage == STAGE_BEGIN || r->stage == STAGE_END;

	return reads && mono_ms - r->heard_mono_ms > CHUNKS_MS;
}

static enum restore_step give_way(struct restore *r, struct task *t, struct err *err)
{
	err_set(err, ERR_REJECT, "%s does not answer for partition %" PRId32, r->stage == STAGE_SCAN ? r->in.state : r->in.topic,
		r->in.partition);
	return refuse(r, t, err);
}

enum restore_step restore_turn(struct restore *r, struct task *t, int64_t mono_ms, struct err *err)
{
	enum restore_step step = RESTORE_WAITING;

	allow_for_pause(r, mono_ms);
	if (r->stage == STAGE_NONE || r->partition != t->partition)
		restore_begin(r, t->partition);
	if (r->stage == STAGE_ASK || r->stage == STAGE_DOUBT)
		return turn_asking(r, t, mono_ms, err);
	if (r->stage == STAGE_ROOM)
		return turn_room(r, t, mono_ms, err);
	for (int i = 0; i < MESSAGES_A_TURN && step == RESTORE_WAITING && r->stage != STAGE_NONE; i++) {
		rd_kafka_message_t *message = scout_poll(r->scout);

		if (!message)
			break;
		if (!message->err || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			r->heard_mono_ms = mono_ms;
		step = take(r, t, message, mono_ms, err);
		rd_kafka_message_destroy(message);
	}
	if (step == RESTORE_WAITING && is_silent(r, mono_ms))
		return give_way(r, t, err);
	if (step == RESTORE_WAITING && r->stage == STAGE_SCAN)
		return scan_turn(r, t, mono_ms, err);
	if (step == RESTORE_WAITING && r->stage == STAGE_CHUNKS && mono_ms > r->deadline_mono_ms)
		return chunks_overdue(r, t, err);
	return step;
}
