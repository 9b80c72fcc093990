/* registry.h - the main thread's side of what requests are judged by: cells, sites and controls, followed from their topics.
 *
 * Rows pass through the vault (vault.h) into the tables, under admission's lock. The registry says when the tables are loaded and whether they
 * are fresh, makes the program ready, and raises the alarms that belong to them. Not thread-safe: the main thread owns it. */
#ifndef MILLRACE_INGEST_REGISTRY_H
#define MILLRACE_INGEST_REGISTRY_H

#include "common/admin.h"
#include "common/controls.h"
#include "common/err.h"
#include "common/program.h"
#include "common/report.h"
#include "ingest/account.h"
#include "ingest/admission.h"
#include "ingest/conf.h"
#include "ingest/sites.h"

struct registry;

/* What the registry works with; all borrowed until registry_free(). */
struct registry_rooms {
	const struct program *program;
	const struct ingest_conf *conf;
	struct sites *sites;
	struct controls *controls;
	struct admission *admission;
	struct account *account;
	struct admin *admin;
	struct report *report;
};

/* Reads the tables' file, if there is one, and gets ready to read the topics; asks no broker yet. wake_fd is woken when rows have come. NULL
 * with *err set when the settings are wrong or memory is short. */
struct registry *registry_new(const struct registry_rooms *rooms, int wake_fd, struct err *err);

/* Writes the tables' file once more, and frees. NULL is a no-op. */
void registry_free(struct registry *r);

/* Takes rows that have come. -1 with *err set only when the tables in memory may be wrong for good. */
int registry_follow(struct registry *r, struct err *err);

/* The work of a tick: opens the topics once they are there, waiting up to reach_ms (real) for brokers; removals that wait, the file, alarms. */
void registry_tick(struct registry *r, int reach_ms);

#endif
