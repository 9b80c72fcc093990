/* table.h - reader of compacted topics: read to the end, then follow.
 *
 * Cells, sites, controls are tables held in memory by every program that needs them; no database is asked (law L1). One reader
 * serves all tables of a program. It knows its end when each topic has been read up to where it ended at tables_open(), and is
 * loaded from then on. Rows are handed over on the thread that polls, in topic order; a row's bytes are borrowed for the call.
 * Not thread-safe: one owner. */
#ifndef MILLRACE_TABLE_H
#define MILLRACE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "common/str.h"

/* One row: value.p is NULL for a deletion. timestamp_ms is Kafka's, mapped to virtual time. */
struct table_row {
	struct str key, value;
	int64_t timestamp_ms;
	int64_t offset;
};

/* Takes one row. -1 with *err set when it cannot be understood: counted, and returned by tables_poll() for the program to log. */
typedef int (*table_row_fn)(void *ctx, const struct table_row *row, struct err *err);

struct table_spec {
	const char *topic;
	table_row_fn row;
	void *ctx;
};

struct tables;

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int tables_check(const struct program *p, struct err *err);

/* A reader of nr single-partition topics, which asks no broker yet; copies the specs, borrows p. NULL with *err set when the settings
 * are wrong. One reader lives through all attempts to open it, so that brokers that are away cost one connection and its log lines. */
struct tables *tables_new(const struct program *p, const struct table_spec *specs, size_t nr, struct err *err);

/* Of the nr-th topic, a log that grows for ever, rows that Kafka stamped before wall_ms (wall clock) are passed over. Before tables_open(). */
void tables_since(struct tables *t, size_t nr, int64_t wall_ms);

/* Starts reading the topics from their beginning once the brokers and all topics are there, waiting up to timeout_ms (real) for each of
 * its questions: one whether brokers answer, and one a topic. ERR_RETRY when they do not, or when a topic is not there yet (message
 * says to run millrace-ctl topics apply): call again later. ERR_REJECT when a topic can be no table. Once open, a no-op. */
int tables_open(struct tables *t, int timeout_ms, struct err *err);

/* Has tables_open() come through? */
bool tables_opened(const struct tables *t);

/* The client (an rd_kafka_t) that reads them, for questions to the brokers beside; it lives until tables_free(). */
struct rd_kafka_s *tables_client(const struct tables *t);

/* Closes, open or not; NULL is a no-op. */
void tables_free(struct tables *t);

/* Makes fd (of events_wake_fd()) readable whenever there is something to poll for. */
void tables_wake_on(struct tables *t, int fd);

/* Hands over what has arrived, waiting up to timeout_ms (real) for the first row; at most max_rows a call. Returns how many, or -1 with *err set by the last
 * row that was refused (the others were handed over all the same) or by the client. 0 at once while the tables are not open. */
int tables_poll(struct tables *t, int timeout_ms, int max_rows, struct err *err);

/* Has every table been read to its end once? */
bool tables_loaded(const struct tables *t);

/* Opens, then polls until loaded, up to timeout_ms (real) for either. ERR_RETRY when the time is over, or at once when a topic is not
 * there. */
int tables_load(struct tables *t, int timeout_ms, struct err *err);

/* Real (monotonic) time at which the brokers were last known to be there, 0 before tables_open(): a table is stale when this lies far
 * back. */
int64_t tables_contact_mono_ms(const struct tables *t);

/* Rows that a table refused since the start. tables_load() goes on over them, so a program logs this number when it is not 0. */
uint64_t tables_refused(const struct tables *t);

#endif
