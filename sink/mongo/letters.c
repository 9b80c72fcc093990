/* letters.c - see letters.h.
 *
 * A letter is in exactly one of two places: with the report, which calls on_done() exactly once, or in the list of those to be sent again.
 * It is freed when Kafka has it. The entry keeps code, reason and the whole record until then, so sending again needs nothing new.
 * Trouble is logged once, until a letter gets through. */
#include "sink/mongo/letters.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"

enum { REPEAT_MS = 1000 };

struct letter {
	struct letter *next; /* among those that are to be sent again */
	struct letters *letters;
	struct batch *batch;
	size_t entry;
};

struct letters {
	const struct program *program;
	struct report *report;
	int64_t epoch;
	letters_done_fn done;
	void *ctx;
	struct letter *again;
	int64_t again_mono_ms; /* not before */
	size_t pending;
	struct arena scratch;
	bool complained;
};

struct letters *letters_new(const struct program *p, struct report *r, int64_t epoch, letters_done_fn done, void *ctx)
{
	struct letters *l = calloc(1, sizeof(*l));

	if (l)
		*l = (struct letters){.program = p, .report = r, .epoch = epoch, .done = done, .ctx = ctx};
	return l;
}

void letters_free(struct letters *l)
{
	if (!l)
		return;
	while (l->again) {
		struct letter *letter = l->again;

		l->again = letter->next;
		free(letter);
	}
	arena_fini(&l->scratch);
	free(l);
}

static void put_off(struct letter *letter, const char *error)
{
	struct letters *l = letter->letters;
	const rd_kafka_message_t *m = letter->batch->entries[letter->entry].message;

	letter->next = l->again;
	l->again = letter;
	l->again_mono_ms = clock_mono_ms() + REPEAT_MS;
	if (!l->complained)
		log_error(&l->program->log, "deadletter_repeats", LOG_STR("topic", rd_kafka_topic_name(m->rkt)), LOG_INT("partition", m->partition),
			  LOG_INT("offset", m->offset), LOG_STR("error", error));
	l->complained = true;
}

static void on_done(void *ctx, bool ok, const char *error)
{
	struct letter *letter = ctx;
	struct letters *l = letter->letters;

	if (!ok) {
		put_off(letter, error);
		return;
	}
	l->complained = false;
	l->pending--;
	batch_settle(letter->batch, letter->entry, BATCH_DEAD);
	l->done(l->ctx, letter->batch);
	free(letter);
}

static void try_send(struct letter *letter)
{
	struct letters *l = letter->letters;
	const struct batch_entry *e = &letter->batch->entries[letter->entry];
	struct dead_letter record;
	struct err err = ERR_INIT;

	arena_clear(&l->scratch);
	if (report_deadletter_fill(l->program, e->message, l->epoch, e->code, e->reason, &l->scratch, &record, &err) < 0 ||
	    report_deadletter(l->report, &record, on_done, letter, &err) < 0)
		put_off(letter, err.msg);
}

int letters_send(struct letters *l, struct batch *b, size_t entry, struct err *err)
{
	struct letter *letter = malloc(sizeof(*letter));
	const struct batch_entry *e = &b->entries[entry];

	if (!letter)
		return err_nomem(err, "a dead letter");
	*letter = (struct letter){.letters = l, .batch = b, .entry = entry};
	l->pending++;
	log_warn(&l->program->log, "record_rejected", LOG_STR("topic", rd_kafka_topic_name(e->message->rkt)),
		 LOG_INT("partition", e->message->partition), LOG_INT("offset", e->message->offset), LOG_STR("code", e->code),
		 LOG_STR("error", e->reason));
	try_send(letter);
	return 0;
}

void letters_turn(struct letters *l)
{
	struct letter *letter = l->again;

	if (!letter || clock_mono_ms() < l->again_mono_ms)
		return;
	l->again = NULL;
	while (letter) {
		struct letter *next = letter->next;

		try_send(letter);
		letter = next;
	}
}

size_t letters_pending(const struct letters *l)
{
	return l->pending;
}
