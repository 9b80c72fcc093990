/* marks.c - see marks.h.
 *
 * An answer may come after its partition has moved away, and even come back: it then finds asked at 0 and changes nothing. */
#include "processor/marks.h"

#include <stdlib.h>

int marks_init(struct marks *m, int32_t nr, struct err *err)
{
	m->nr = nr;
	m->by_partition = calloc((size_t)nr, sizeof(*m->by_partition));
	return m->by_partition ? 0 : err_nomem(err, "marks");
}

void marks_fini(struct marks *m)
{
	free(m->by_partition);
	*m = (struct marks){0};
}

/* NULL for a number that no partition has. */
static struct mark *mark_of(struct marks *m, int32_t partition)
{
	return partition >= 0 && partition < m->nr ? &m->by_partition[partition] : NULL;
}

void marks_committed(struct marks *m, int32_t partition, const struct offset_meta *former, const struct offset_meta *present)
{
	struct mark *mark = mark_of(m, partition);

	/* In another order than they were made they are no pair of ours: an epoch or an operator lies between them. */
	if (mark && former->id && former->epoch == present->epoch && former->snapshot < present->snapshot)
		mark->before = former->snapshot;
}

void marks_forget(struct marks *m, int32_t partition)
{
	struct mark *mark = mark_of(m, partition);

	if (mark)
		*mark = (struct mark){0};
}

int64_t marks_ask(struct marks *m, int32_t partition)
{
	struct mark *mark = mark_of(m, partition);

	if (!mark || mark->before <= mark->low)
		return 0;
	mark->asked = mark->before;
	return mark->asked;
}

int64_t marks_done(struct marks *m, int32_t partition, int64_t low)
{
	struct mark *mark = mark_of(m, partition);
	int64_t more;

	if (!mark || !mark->asked)
		return 0;
	more = mark->low ? low - mark->low : 0;
	mark->low = low > mark->asked ? low : mark->asked;
	mark->asked = 0;
	return more > 0 ? more : 0;
}

void marks_failed(struct marks *m, int32_t partition)
{
	struct mark *mark = mark_of(m, partition);

	if (mark)
		mark->asked = 0;
}
