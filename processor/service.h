/* service.h - everything that serves the cell, once its record is known: producer, consumer, partitions, checkpoints.
 *
 * It is made whole or not at all, so that the loop knows only two states: waiting for the cell, and serving it. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_SERVICE_H
#define MILLRACE_PROCESSOR_SERVICE_H

#include "common/metrics.h"
#include "common/program.h"
#include "common/report.h"
#include "processor/conf.h"
#include "processor/judging.h"
#include "processor/partitions.h"
#include "processor/site_limits.h"

/* The fault point of a process that was frozen for longer than a session may last, and checkpoints before it polls. */
#define SERVICE_FAULT_ZOMBIE "zombie_checkpoint"

struct service;

/* What a service works with; all borrowed until service_free(). */
struct service_parts {
	const struct program *program;
	const struct processor_conf *conf;
	struct metrics *metrics;
	struct report *report;
	struct controls *controls;
	const struct site_limits *limits;
	const struct judging_tables *judging; /* NULL: nobody judges */
	int wake_fd; /* of events_wake_fd(): made readable when there is something to do */
};

/* Opens the producer and joins the group. NULL with ERR_RETRY while topics or brokers are not there, ERR_REJECT or ERR_FATAL when they will not do. */
struct service *service_new(const struct service_parts *parts, int64_t epoch, int32_t partitions, struct err *err);

/* Leaves the group and frees, within about 25 s (real), whatever hangs; before that, saves what is not saved yet. After a failure nothing may be
 * saved: state that was half changed when memory was short must die with it. False: a client was left behind, whose
 * threads go on with what is borrowed here, until the process ends. NULL is a no-op and true. */
bool service_free(struct service *s, bool save);

/* One turn of the loop: records, then what is due. 1: call again at once; 0: there is nothing to do now; -1 with ERR_FATAL, or with
 * ERR_RETRY when the consumer has failed for good: free the service without saving, and make another one. */
int service_turn(struct service *s, struct err *err);

/* Has another process joined with our instance.id? */
bool service_is_fenced(const struct service *s);

/* NULL when every partition that is ours is served, else why not, as a literal. */
const char *service_why_not_ready(const struct service *s);

/* Brings the gauges up to date, and fills *out for the heartbeat. */
void service_figures(struct service *s, struct partitions_figures *out);

#endif
