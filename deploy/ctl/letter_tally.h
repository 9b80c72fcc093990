/* letter_tally.h - how many dead letters there are, and of what: for a look at the whole, not for going through them.
 *
 * What the topic holds and what came in a day is told from offsets, without reading; the last hour is read, as far as that is cheap. */
#ifndef MILLRACE_CTL_LETTER_TALLY_H
#define MILLRACE_CTL_LETTER_TALLY_H

#include "common/kafka.h"
#include "deploy/ctl/letters.h"

enum { LETTER_TALLY_ROWS = 8, LETTER_TALLY_LETTERS_MAX = 5000, LETTER_TALLY_BYTES_MAX = 64 << 20 };

/* Letters of one topic and code. */
struct letter_tally_row {
	char topic[KAFKA_TOPIC_SIZE], code[64]; /* as far as they fit; topic "?": unreadable ones */
	uint64_t letters, open;
};

struct letter_tally {
	int64_t held, last_day; /* offsets, so about */
	uint64_t last_hour, open; /* open: neither retried nor dropped */
	bool partial;           /* there were too many to read all: last_hour, open and the rows are of those that were read */
	struct letter_tally_row rows[LETTER_TALLY_ROWS];
	size_t nr_rows;
	uint64_t others;        /* letters of the last hour for which there was no row */
	uint64_t bytes;         /* of the records that were read */
	char fault[sizeof(((struct err *)0)->msg)]; /* why they could not be asked; "": they could */
};

/* Counts one of the last hour. False: that is enough. Pure. */
bool letter_tally_add(struct letter_tally *t, const struct letter *letter);

/* Asks Kafka; what goes wrong becomes the fault. */
void letter_tally_read(struct letter_tally *t, struct ctl *ctl);

#endif
