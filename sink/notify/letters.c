/* letters.c - see letters.h.
 *
 * Written within the journal's transaction rather than by common/report's own producer: no answer has to be awaited before the offset may move, and
 * a term that ends leaves neither a letter without its offset nor an offset without its letter. */
#include "sink/notify/letters.h"

#include "common/report.h"

bool letters_full(const struct letters *l)
{
	return l->nr == LETTERS_MAX;
}

int letters_add(struct letters *l, const struct program *p, const rd_kafka_message_t *m, int64_t epoch, const char *why, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct dead_letter letter;
	int rc = report_deadletter_fill(p, m, epoch, "undecodable", why, &arena, &letter, err);

	if (rc == 0)
		rc = report_deadletter_encode(&letter, &l->letter[l->nr], err);
	l->nr += rc == 0;
	arena_fini(&arena);
	return rc;
}

void letters_clear(struct letters *l)
{
	l->nr = 0;
}

void letters_fini(struct letters *l)
{
	for (size_t i = 0; i < LETTERS_MAX; i++)
		buf_fini(&l->letter[i]);
	l->nr = 0;
}
