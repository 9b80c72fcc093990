/* acceptance.h - what an operator's control has made of a partition that would have been refused: the words for it. Pure. */
#ifndef MILLRACE_PROCESSOR_ACCEPTANCE_H
#define MILLRACE_PROCESSOR_ACCEPTANCE_H

#include "processor/verdict.h"

enum { ACCEPTANCE_TEXT_SIZE = 768 };

struct acceptance {
	enum ending ending;     /* never END_REFUSED */
	int64_t position;       /* where the partition goes on */
	int64_t snapshot;       /* id of the snapshot that is kept, and ... */
	int64_t snapshot_at;    /* ... its position; only where the ending keeps one */
	char why[CONTROLS_WHY_SIZE]; /* the control's reason */
};

/* Records that are skipped, as the position lies beyond the snapshot's: they are never counted. */
uint64_t acceptance_skipped(const struct acceptance *a);

/* One sentence for log and notice into out; returns out. */
const char *acceptance_text(const struct acceptance *a, char out[ACCEPTANCE_TEXT_SIZE]);

#endif
