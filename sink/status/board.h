/* board.h - what hangs on the wall: the components and incidents as they are known, made into answers, and kept on disk.
 *
 * Not thread-safe: the main loop owns it. */
#ifndef MILLRACE_STATUS_BOARD_H
#define MILLRACE_STATUS_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "sink/status/entry_desk.h"
#include "sink/status/journal.h"
#include "sink/status/page.h"
#include "sink/status/server.h"
#include "sink/status/settings.h"

struct board {
	const struct status_conf *conf;
	const struct clock *clock;
	const struct status_component *components;
	size_t nr_components;
	int64_t as_of_ms;   /* when they were last known to be so, virtual; 0: never */
	int64_t known_mono_ms; /* likewise, real; 0: not since the start */
	struct arena recalled; /* the components of before the start */
};

/* Reads the state of before the start, if there is one: incidents go to the desk, what Kafka does not have to the journal, components to judge_recall() by
 * the caller. 1: there was one; 0: none; -1 with *err set: it cannot be used, and the board is empty. */
int board_recall(struct board *b, struct entry_desk *desk, struct journal *journal, struct err *err);

/* These are the components, as of now. Borrowed until the next call. */
void board_set(struct board *b, const struct status_component *components, size_t nr);

/* Has it not been known for a while how things are? */
bool board_is_stale(const struct board *b);

/* What is to be shown now. incidents are the desk's, locked. */
struct page board_page(const struct board *b, const struct status_incidents *incidents);

/* All of the page's answers. NULL with *err set when memory is short. */
struct answers *board_render(const struct page *page, struct err *err);

/* Keeps it on disk; nothing without status.dir. -1 with *err set. */
int board_save(const struct board *b, struct entry_desk *desk, const struct journal *journal, struct err *err);

/* Frees what was recalled. */
void board_fini(struct board *b);

#endif
