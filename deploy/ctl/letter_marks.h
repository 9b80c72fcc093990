/* letter_marks.h - which dead letters have been dealt with, by what the operator log says.
 *
 * The topic of dead letters is append-only and has many readers, so a mark does not stand there: it is the Notice that every retry and drop
 * writes anyway. Its event is "deadletter_retried" or "deadletter_dropped", its field "letters" the ids (letter_ids.h). Notices are kept
 * longer than dead letters, so a mark survives what it marks. The last mark of a letter counts.
 * Ids are offsets: when the topic was made again they begin anew, so a mark that is older than a letter is another one's. The two times
 * come from two machines, hence the slack. */
#ifndef MILLRACE_CTL_LETTER_MARKS_H
#define MILLRACE_CTL_LETTER_MARKS_H

#include "common/arena.h"
#include "common/err.h"
#include "schemas/schemas.h"

#define LETTER_MARKS_SLACK_MS INT64_C(3600000)
#define LETTER_MARKS_RETRIED "deadletter_retried"
#define LETTER_MARKS_DROPPED "deadletter_dropped"
#define LETTER_MARKS_FIELD "letters"

enum letter_state { LETTER_OPEN, LETTER_RETRIED, LETTER_DROPPED };

struct letter_mark {
	enum letter_state state;
	int64_t at_ms;      /* when, as the notice says */
	int64_t stamp_ms;   /* when, as Kafka has it */
	const char *author; /* NULL: nobody is named */
};

struct letter_marks {
	int64_t from, to;         /* ids that are looked after: [from, to) */
	struct letter_mark *mark; /* of each */
	struct arena arena;       /* authors */
};

/* Marks of the letters [from, to); none are known yet. -1 with *err set when memory is short. Free with letter_marks_fini(). */
int letter_marks_init(struct letter_marks *m, int64_t from, int64_t to, struct err *err);
void letter_marks_fini(struct letter_marks *m); /* see above */

/* Takes a notice, in the log's order; most are no marks. stamp_ms: its record's timestamp. -1 when memory is short. */
int letter_marks_take(struct letter_marks *m, const struct notice *notice, int64_t stamp_ms, struct err *err);

/* The mark of a letter whose record has this timestamp; NULL: it is open. Borrowed. */
const struct letter_mark *letter_marks_of(const struct letter_marks *m, int64_t id, int64_t stamp_ms);

/* "open", "retried", "dropped". */
const char *letter_state_name(enum letter_state state);

#endif
