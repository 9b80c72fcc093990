/* writer.c - see writer.h.
 *
 * Invariants:
 *  I1  A batch leaves a writer only when nothing in it is pending, or when the queue is closed (the sink stops), or before an open breaker to
 *      have its dead letters sent: who comes to see why it is open finds them in deadletter.
 *  I2  Every attempt sends exactly the documents that are still pending, and only a reply that accounts for all of them settles
 *      any (verdict.h). So an answer that was lost costs a repetition, never a document.
 *  I3  Nothing is sent without a permit of the gate's.
 *
 * An attempt sends a piece of the batch: documents that are pending from a cursor on, round and round, so that some that come back every time
 * keep out no others. How large the piece is follows from the permit, which may be smaller than when the batch was filled: then it
 * goes in even parts. And from bisecting: a command that was refused for its content is sent again from the same place, half as
 * long; each piece that gets through doubles the next one. One bad document among n costs about 3 log2 n attempts, all of them bad 2 n. */
#include "sink/mongo/writer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "sink/mongo/indexes.h"
#include "sink/mongo/verdict.h"

enum {
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	INDEX_RETRY_MS = 2000,
	INDEX_CONFLICT_RETRY_MS = 30000,
	TURN_MS = 500, /* how often an idle writer looks whether indexes are due */
	START_FAILED_MS = 2000,
	REASON_SIZE = 512,
};

struct writer {
	struct writers *shared;
	pthread_t thread;
	bool makes_indexes;
	int64_t next_index_mono_ms;
	mongoc_client_t *client;
	mongoc_collection_t *collections[NR_SINK_COLLECTIONS];
	/* Of the attempt that is being made; each holds cap. */
	bson_t *docs;
	const bson_t **sent;
	size_t *entries; /* indexes in the batch */
	struct verdict_document *verdicts;
	size_t cap;
	size_t nr, bytes;            /* of the piece that is being sent */
	size_t cursor;               /* entry of the batch where the next piece begins */
	size_t piece_max;            /* documents of a piece, while bisecting */
	size_t condemned;            /* documents of this batch that were given up here */
	bool connected;              /* the last attempt was answered: this one needs no new connection */
	enum verdict_reason trouble; /* of the last attempt */
	int64_t troubled_mono_ms;    /* since when */
	unsigned attempts;           /* failed ones, since it began */
	unsigned pauses;             /* in a row */
	uint64_t jitter;             /* state of a random generator */
};

struct writers {
	struct database *db;
	const struct sink_conf *conf;
	const struct log *log;
	struct meters *meters;
	struct queue *todo, *done;
	struct gate *gate;
	atomic_int indexes; /* enum writers_indexes; written by the first writer */
	size_t nr, nr_running;
	struct writer writer[];
};

/* Makes room for an attempt with n documents. bson_t must lie at multiples of 128 bytes, which malloc does not promise. */
static int writer_reserve(struct writer *w, size_t n, struct err *err)
{
	if (n <= w->cap)
		return 0;
	free(w->docs);
	free(w->sent);
	free(w->entries);
	free(w->verdicts);
	w->docs = aligned_alloc(_Alignof(bson_t), n * sizeof(*w->docs));
	w->sent = calloc(n, sizeof(*w->sent));
	w->entries = calloc(n, sizeof(*w->entries));
	w->verdicts = calloc(n, sizeof(*w->verdicts));
	w->cap = w->docs && w->sent && w->entries && w->verdicts ? n : 0;
	return w->cap ? 0 : err_nomem(err, "a bulk write");
}

/* Entries without a document, which have their dead letters under way, are the poll thread's, also while the batch is here. */
static bool is_pending(const struct batch_entry *e)
{
	return e->doc_len > 0 && e->state == BATCH_PENDING;
}

static size_t pending_bytes(const struct batch *b)
{
	size_t bytes = 0;

	for (size_t i = 0; i < b->len; i++)
		if (is_pending(&b->entries[i]))
			bytes += b->entries[i].doc_len;
	return bytes;
}

/* Bytes from which a piece is large enough: even parts, so that no insert is made for a small rest. A little over what is allowed counts
 * as one part, since each insert has its price. */
static size_t part_bytes(size_t pending, size_t allowed)
{
	size_t most = allowed + (allowed / 4 > AIMD_FLOOR_BYTES / 2 ? allowed / 4 : AIMD_FLOOR_BYTES / 2);
	size_t parts = (pending + most - 1) / most;

	return parts > 1 ? (pending + parts - 1) / parts : pending;
}

/* Points at the documents of the next piece (I2); nothing is copied. */
static void writer_collect(struct writer *w, const struct batch *b, const struct gate_permit *permit)
{
	size_t enough = part_bytes(pending_bytes(b), permit->bytes);
	size_t max = w->piece_max < permit->documents ? w->piece_max : permit->documents;

	w->nr = w->bytes = 0;
	for (size_t k = 0; k < b->len && w->nr < max && (w->nr == 0 || w->bytes < enough); k++) {
		size_t i = (w->cursor + k) % b->len;
		const struct batch_entry *e = &b->entries[i];

		if (!is_pending(e))
			continue;
		bson_init_static(&w->docs[w->nr], b->documents.p + e->doc_at, e->doc_len);
		w->sent[w->nr] = &w->docs[w->nr];
		w->bytes += e->doc_len;
		w->entries[w->nr++] = i;
	}
}

/* Carries a verdict over to the batch. A document that may not be given up now, as too many were, stays pending. */
static void writer_apply(struct writer *w, struct batch *b, struct gate_permit *permit)
{
	for (size_t i = 0; i < w->nr; i++) {
		const struct verdict_document *d = &w->verdicts[i];
		char reason[REASON_SIZE];

		switch (d->outcome) {
		case VERDICT_STORED:
			batch_settle(b, w->entries[i], BATCH_STORED);
			break;
		case VERDICT_ALREADY:
			batch_settle(b, w->entries[i], BATCH_ALREADY);
			break;
		case VERDICT_POISON:
			if (!gate_letter(w->shared->gate, permit))
				break;
			snprintf(reason, sizeof(reason), "the database refuses its document with code %" PRId32 ": %s", d->code, d->text);
			batch_condemn(b, w->entries[i], "document_refused", reason);
			w->condemned++;
			break;
		case VERDICT_RETRY:
			break;
		}
	}
}

/* Each trouble is logged once, when it begins or becomes another, and once when it is over. */
static void writer_note(struct writer *w, const struct batch *b, const struct verdict *v, const char *text)
{
	const struct log *log = w->shared->log;
	const char *collection = sink_collection_name(b->collection);

	if (v->retry) {
		w->attempts++;
		metric_add(w->shared->meters->retries[v->reason], 1);
	}
	if (v->retry && v->reason != w->trouble) {
		log_write(log, v->reason == VERDICT_REASON_OTHER_INDEX ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "insert_repeats",
			  (const struct log_field[]){LOG_STR("collection", collection), LOG_STR("reason", verdict_reason_name(v->reason)),
						     LOG_INT("code", v->code), LOG_UINT("documents", v->retry), LOG_STR("error", text),
						     {0}});
		if (w->trouble == VERDICT_REASON_NONE)
			w->troubled_mono_ms = clock_mono_ms();
	} else if (!v->retry && w->trouble != VERDICT_REASON_NONE) {
		log_info(log, "insert_recovered", LOG_STR("collection", collection), LOG_UINT("attempts", w->attempts),
			 LOG_INT("after_ms", clock_mono_ms() - w->troubled_mono_ms));
	}
	w->trouble = v->retry ? v->reason : VERDICT_REASON_NONE;
	if (!v->retry)
		w->attempts = 0;
}

/* Where the next piece begins, and how many documents it may have. */
static void writer_move_on(struct writer *w, const struct batch *b, const struct verdict *v)
{
	if (v->bisect) {
		w->cursor = w->entries[0];
		w->piece_max = w->nr / 2;
		return;
	}
	w->cursor = (w->entries[w->nr - 1] + 1) % b->len;
	if (w->piece_max <= SIZE_MAX / 2)
		w->piece_max *= 2;
}

static void writer_measure(struct writer *w, const struct batch *b, const struct gate_permit *permit, const struct verdict *v)
{
	const struct writers *s = w->shared;
	int64_t ms = clock_mono_ms() - permit->insert.begun_ms;

	if (v->reason != VERDICT_REASON_NETWORK) {
		metric_add(s->meters->inserts, 1);
		metric_add_ms(s->meters->insert_time, (uint64_t)ms);
	}
	log_debug(s->log, "inserted", LOG_STR("collection", sink_collection_name(b->collection)), LOG_UINT("documents", w->nr),
		  LOG_UINT("bytes", w->bytes), LOG_INT("ms", ms), LOG_BOOL("probe", permit->probe), LOG_BOOL("new_connection", !w->connected),
		  LOG_STR("trouble", verdict_reason_name(v->reason)));
}

/* Sends one piece. True: the writer should pause before the next one. */
static bool writer_attempt(struct writer *w, struct batch *b, struct gate_permit *permit)
{
	struct writers *s = w->shared;
	struct gate_news news;
	bson_error_t error = {0};
	struct verdict v;
	bson_t reply;
	bool pause;

	writer_collect(w, b, permit);
	/* What it returns is of no use: see verdict.h. The reply is always initialised. */
	mongoc_collection_insert_many(w->collections[b->collection], w->sent, w->nr, database_insert_opts(s->db), &reply, &error);
	verdict_judge(&reply, &error, w->verdicts, w->nr, &v);
	writer_measure(w, b, permit, &v);
	writer_apply(w, b, permit);
	writer_note(w, b, &v, error.message);
	writer_move_on(w, b, &v);
	news = (struct gate_news){&v, w->bytes, w->nr >= (size_t)s->conf->batch_documents, !w->connected};
	pause = gate_leave(s->gate, permit, &news);
	w->connected = v.reason != VERDICT_REASON_NETWORK && v.reason != VERDICT_REASON_NOT_PRIMARY;
	bson_destroy(&reply);
	return pause;
}

/* 100 ms, 200 ms, .. 5 s, each shortened by up to a half at random, so that writers do not come back in step. */
static int64_t writer_backoff_ms(struct writer *w)
{
	unsigned doublings = w->pauses < 7 ? w->pauses - 1 : 6;
	int64_t ms = (int64_t)BACKOFF_MIN_MS << doublings;

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	w->jitter ^= w->jitter << 13;
	w->jitter ^= w->jitter >> 7;
	w->jitter ^= w->jitter << 17;
	return ms / 2 + (int64_t)(w->jitter % (uint64_t)(ms / 2 + 1));
}

/* Makes room for a piece with all of the batch, waiting for memory if need be: the batch itself is safe. False: the sink stops. */
static bool writer_prepare(struct writer *w, const struct batch *b)
{
	struct err err = ERR_INIT;

	w->cursor = w->condemned = 0;
	w->piece_max = SIZE_MAX;
	while (writer_reserve(w, b->len, &err) < 0)
		if (queue_wait_closed(w->shared->todo, BACKOFF_MAX_MS))
			return false;
	return true;
}

/* Waits for leave to send; but documents that were given up must not wait for as long as the breaker is open (I1). */
static bool writer_enter(struct writer *w, struct gate_permit *permit)
{
	return w->condemned ? gate_enter_unless_open(w->shared->gate, permit) : gate_enter(w->shared->gate, permit);
}

/* Repeats until nothing is pending, or else what (I1) says. The first attempt of a batch goes out as soon as the gate allows; what paused
 * the last one was over when it got through. */
static void writer_store(struct writer *w, struct batch *b)
{
	struct gate_permit permit;

	if (!writer_prepare(w, b))
		return;
	while (b->pending && writer_enter(w, &permit)) {
		w->pauses = writer_attempt(w, b, &permit) ? w->pauses + 1 : 0;
		if (w->pauses && queue_wait_closed(w->shared->todo, writer_backoff_ms(w)))
			return;
	}
}

/* Every start makes the indexes anew: what is there stays, what an operator dropped comes back. */
static void writer_make_indexes(struct writer *w)
{
	struct writers *s = w->shared;
	int64_t now = clock_mono_ms();
	struct err err = ERR_INIT;
	int before = atomic_load(&s->indexes), after;

	if (!w->makes_indexes || before == WRITERS_INDEXES_READY || now < w->next_index_mono_ms || !gate_is_open_to_all(s->gate))
		return;
	if (indexes_make(w->client, database_name(s->db), s->conf, s->log, &err) == 0) {
		atomic_store(&s->indexes, WRITERS_INDEXES_READY);
		log_info(s->log, "indexes_ready", LOG_STR("database", database_name(s->db)));
		return;
	}
	after = err.kind == ERR_REJECT ? WRITERS_INDEXES_CONFLICT : WRITERS_INDEXES_PENDING;
	if (w->next_index_mono_ms == 0 || after != before)
		log_write(s->log, after == WRITERS_INDEXES_CONFLICT ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "indexes_missing",
			  (const struct log_field[]){LOG_STR("error", err.msg), {0}});
	atomic_store(&s->indexes, after);
	w->next_index_mono_ms = clock_mono_ms() + (after == WRITERS_INDEXES_CONFLICT ? INDEX_CONFLICT_RETRY_MS : INDEX_RETRY_MS);
}

/* Ends as soon as the queue is closed, though batches may be left in it: by then the time for them is over. */
static void *writer_main(void *ctx)
{
	struct writer *w = ctx;
	struct writers *s = w->shared;

	while (!queue_wait_closed(s->todo, 0)) {
		struct batch *b;

		writer_make_indexes(w);
		b = (struct batch *)queue_pop(s->todo, TURN_MS);
		if (!b)
			continue;
		writer_store(w, b);
		queue_push(s->done, &b->item);
	}
	return NULL;
}

static void writer_fini(struct writer *w)
{
	for (int i = 0; i < NR_SINK_COLLECTIONS; i++)
		if (w->collections[i])
			mongoc_collection_destroy(w->collections[i]);
	database_give_client(w->shared->db, w->client);
	free(w->docs);
	free(w->sent);
	free(w->entries);
	free(w->verdicts);
}

/* Connects nothing yet: the driver does that at the first write. */
static int writer_start(struct writers *s, struct err *err)
{
	struct writer *w = &s->writer[s->nr];

	*w = (struct writer){.shared = s, .makes_indexes = s->nr == 0, .jitter = (uint64_t)clock_wall_ms() * 2654435761u + s->nr + 1};
	w->client = database_take_client(s->db, err);
	if (!w->client)
		return -1;
	for (int i = 0; i < NR_SINK_COLLECTIONS; i++)
		w->collections[i] = mongoc_client_get_collection(w->client, database_name(s->db), sink_collection_name((enum sink_collection)i));
	if (pthread_create(&w->thread, NULL, writer_main, w) != 0) {
		writer_fini(w);
		return err_set(err, ERR_FATAL, "cannot start writer %zu", s->nr);
	}
	s->nr++;
	s->nr_running++;
	return 0;
}

struct writers *writers_new(struct database *db, const struct sink_conf *conf, const struct log *log, struct meters *meters,
			    int wake_fd, struct err *err)
{
	struct writers *w = calloc(1, sizeof(*w) + (size_t)conf->writers * sizeof(w->writer[0]));

	if (!w) {
		err_nomem(err, "the writers");
		return NULL;
	}
	w->db = db;
	w->conf = conf;
	w->log = log;
	w->meters = meters;
	w->todo = queue_new(-1, err);
	w->done = w->todo ? queue_new(wake_fd, err) : NULL;
	w->gate = w->done ? gate_new(conf, err) : NULL;
	while (w->gate && w->nr < (size_t)conf->writers && writer_start(w, err) == 0)
		;
	if (w->nr < (size_t)conf->writers) {
		if (!w->gate || writers_stop(w, START_FAILED_MS))
			writers_free(w);
		return NULL;
	}
	return w;
}

bool writers_stop(struct writers *w, int64_t timeout_ms)
{
	int64_t until_ms = clock_wall_ms() + timeout_ms;
	struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	struct queue_item *item;

	queue_close(w->todo);
	gate_close(w->gate);
	for (; w->nr_running; w->nr_running--)
		if (pthread_timedjoin_np(w->writer[w->nr_running - 1].thread, NULL, &until) != 0)
			return false;
	while ((item = queue_pop(w->todo, 0)) != NULL)
		queue_push(w->done, item);
	return true;
}

void writers_free(struct writers *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->nr; i++)
		writer_fini(&w->writer[i]);
	gate_free(w->gate);
	queue_free(w->todo);
	queue_free(w->done);
	free(w);
}

void writers_give(struct writers *w, struct batch *b)
{
	queue_push(w->todo, &b->item);
}

struct batch *writers_take(struct writers *w, int64_t timeout_ms)
{
	return (struct batch *)queue_pop(w->done, timeout_ms);
}

bool writers_busy(struct writers *w)
{
	return queue_len(w->todo) >= w->nr;
}

enum writers_indexes writers_indexes(const struct writers *w)
{
	return (enum writers_indexes)atomic_load(&w->indexes);
}

size_t writers_batch_bytes(struct writers *w)
{
	return gate_batch_bytes(w->gate);
}

void writers_letter_made(struct writers *w)
{
	gate_letter_made(w->gate);
}

bool writers_unread(struct writers *w)
{
	return gate_unread(w->gate);
}

void writers_look(struct writers *w, struct gate_view *view)
{
	gate_look(w->gate, view);
}
