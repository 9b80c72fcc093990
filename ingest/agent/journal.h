/* journal.h - for tests: what was made, written beside the spool by which a test judges it.
 *
 * A record is a byte ('m': a payload is made; 'k': it is kept, by spool_put(); 'l': that refused, so it is a loss), agent_id, seq and
 * created_at (8 bytes each, big-endian), the body's length (4 bytes), and of 'm' the body. A record is one write(2), so that kill -9 leaves
 * whole ones. */
#ifndef MILLRACE_AGENT_JOURNAL_H
#define MILLRACE_AGENT_JOURNAL_H

#include "common/err.h"
#include "ingest/agent/envelope.h"

enum journal_word { JOURNAL_MADE = 'm', JOURNAL_KEPT = 'k', JOURNAL_LOST = 'l' };

/* Opens a file to append to; "" is none: -1, which journal_write() takes. -2 with *err set: it cannot be opened. */
int journal_open(const char *path, struct err *err);

/* Appends a record. A journal that cannot be written ends the process: a test would judge by half of it. */
void journal_write(int fd, enum journal_word word, const struct envelope *e);

#endif
