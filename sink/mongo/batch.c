/* batch.c - see batch.h.
 *
 * Documents lie one behind the other in one buffer, as the driver wants pointers to them only for the length of a call, and the buffer may
 * move while the batch is filled: entries therefore hold places, not pointers.
 * pending and condemned are kept beside the entries' states, so that "is it done?" costs nothing; invariant: they are the number
 * of entries in those states. A message that is kept keeps the buffer in which Kafka's client has it, with all that was fetched together: what
 * is dropped beside it, or goes into the batch of another collection, weighs, too, or a few records among many would hold many times what they seem to. What a batch weighs is an estimate on
 * the high side, for a bound on memory, not for accounts. */
#include "sink/mongo/batch.h"

#include <stdlib.h>

enum {
	ENTRIES_MIN = 64,
	SPANS_MIN = 8,
	/* An entry, and librdkafka's own part of a message that is kept (an operation, references, headers). */
	ENTRY_BYTES = sizeof(struct batch_entry) + 512,
};

struct batch *batch_new(enum sink_collection collection, uint64_t number, struct err *err)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (!b) {
		err_nomem(err, "a batch");
		return NULL;
	}
	b->collection = collection;
	b->number = number;
	b->bytes = sizeof(*b);
	return b;
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->len; i++)
		if (b->entries[i].message)
			rd_kafka_message_destroy(b->entries[i].message);
	free(b->entries);
	free(b->spans);
	buf_fini(&b->documents);
	arena_fini(&b->notes);
	free(b);
}

/* Makes room for one more element. */
static void *grow(void *array, size_t len, size_t *cap, size_t min, size_t size, struct err *err)
{
	size_t more = *cap ? *cap * 2 : min;

	if (len < *cap)
		return array;
	array = reallocarray(array, more, size);
	if (!array)
		err_nomem(err, "a batch");
	else
		*cap = more;
	return array;
}

int batch_add_span(struct batch *b, const struct batch_span *span, struct err *err)
{
	struct batch_span *spans = grow(b->spans, b->nr_spans, &b->cap_spans, SPANS_MIN, sizeof(*spans), err);

	if (!spans)
		return -1;
	b->spans = spans;
	spans[b->nr_spans] = *span;
	return (int)b->nr_spans++;
}

int batch_add(struct batch *b, uint32_t span, rd_kafka_message_t *message, struct str document, struct err *err)
{
	struct batch_entry *entries = grow(b->entries, b->len, &b->cap, ENTRIES_MIN, sizeof(*entries), err);
	size_t at = b->documents.len;

	if (!entries)
		return -1;
	b->entries = entries;
	buf_add(&b->documents, document.p, document.len);
	if (buf_failed(&b->documents))
		return err_nomem(err, "a batch's documents");
	entries[b->len] = (struct batch_entry){.message = message, .doc_at = at, .doc_len = document.len, .span = span,
					       .state = BATCH_PENDING};
	b->bytes += ENTRY_BYTES + document.len + (message ? message->len + message->key_len : 0);
	b->pending++;
	return (int)b->len++;
}

void batch_pass(struct batch *b, size_t bytes)
{
	if (!b->len)
		return;
	b->bytes += bytes;
	b->beside_bytes += bytes;
}

void batch_drop(struct batch *b, uint32_t span, size_t bytes)
{
	b->spans[span].dropped++;
	batch_pass(b, bytes);
}

void batch_condemn(struct batch *b, size_t entry, const char *code, const char *reason)
{
	struct batch_entry *e = &b->entries[entry];
	struct str copy = arena_str(&b->notes, str_from(reason));

	e->state = BATCH_CONDEMNED;
	e->code = code;
	e->reason = copy.p ? copy.p : "";
	b->pending--;
	b->condemned++;
}

void batch_settle(struct batch *b, size_t entry, enum batch_state state)
{
	if (state == BATCH_DEAD)
		b->condemned--;
	else
		b->pending--;
	b->entries[entry].state = state;
}

void batch_outcome(const struct batch *b, uint32_t span, struct ledger_outcome *out)
{
	*out = (struct ledger_outcome){.dropped = b->spans[span].dropped};
	for (size_t i = 0; i < b->len; i++) {
		if (b->entries[i].span != span)
			continue;
		out->stored += b->entries[i].state == BATCH_STORED;
		out->already_stored += b->entries[i].state == BATCH_ALREADY;
		out->dead_lettered += b->entries[i].state == BATCH_DEAD;
	}
}
