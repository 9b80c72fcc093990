/* serving.h - when there is a service, and for which epoch: opened once the cell's record allows it, closed and opened again when it must be.
 *
 * Topics that are made again while we run start at offset 0, and our positions mean nothing in them; a consumer can fail for good. In both cases the
 * service is closed without saving, and the next one judges its partitions as after a start. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_SERVING_H
#define MILLRACE_PROCESSOR_SERVING_H

#include "common/cell_row.h"
#include "processor/reopening.h"
#include "processor/service.h"

/* Starts with parts and cell set and the rest zeroed. */
struct serving {
	struct service_parts parts;
	const struct cell_row *cell; /* borrowed */
	struct service *service;     /* NULL: none now */
	const char *why_none;        /* a literal */
	int64_t epoch;               /* of the service */
	int32_t partitions;
	bool served;                 /* a service has been opened before */
	unsigned left_behind;        /* clients that did not end when theirs was closed */
	struct reopening reopening;
};

/* Opens the service if there is none, and the time and the cell allow it. -1 with *err set: the process must end. */
int serving_open(struct serving *s, struct err *err);

/* One turn: closes the service if the cell has changed, else lets it work. 1: call again at once; 0: there is nothing to do now; -1 with
 * ERR_FATAL. */
int serving_turn(struct serving *s, struct err *err);

/* NULL when every partition that is ours is served, else why not, as a literal. */
const char *serving_why_not_ready(const struct serving *s);

/* Ends it; save: what is not saved yet. False: a client was left behind at some time, and the process must end without tearing down what it uses. */
bool serving_fini(struct serving *s, bool save);

#endif
