/* tail.h - which topic a word of the command line means, and the last lines of many partitions: what `tail` does without Kafka. */
#ifndef MILLRACE_CTL_TAIL_H
#define MILLRACE_CTL_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/kafka.h"
#include "common/str.h"
#include "common/topic_list.h"
#include "deploy/ctl/tail_line.h"

/* The whole name of a topic that there is: word is that, or what is behind "millrace.", or behind "millrace.c.CELL.": cell says which, or may be NULL where there is
 * only one. Its row of the list; NULL with *err set (says what there is). Borrows list. */
const struct topic_state *tail_find_topic(const struct topic_list *list, const char *word, const char *cell, struct err *err);

/* The newest lines, as many as max, in the order of their times. */
struct tail_last {
	struct tail_kept *kept;
	size_t nr, max;
};

/* max over 0. -1: memory is short. tail_last_fini() in any case. */
int tail_last_init(struct tail_last *l, size_t max, struct err *err);
void tail_last_fini(struct tail_last *l);

/* Takes a record's line over (text is empty then), or drops it when max newer ones are there. Of one time, by partition and offset. */
void tail_last_add(struct tail_last *l, const struct tail_record *record, bool unread, struct buf *text);

/* The i-th, oldest first, and whether it says that its record cannot be read. Borrowed. */
struct str tail_last_line(const struct tail_last *l, size_t i, bool *unread);

#endif
