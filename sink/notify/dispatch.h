/* dispatch.h - hands what the desk has decided to the delivery, and what the delivery has come to back to the desk.
 *
 * Not thread-safe: one owner, who asks the two directly for what concerns one of them alone. */
#ifndef MILLRACE_SINK_NOTIFY_DISPATCH_H
#define MILLRACE_SINK_NOTIFY_DISPATCH_H

#include <stdbool.h>

#include "common/controls.h"
#include "common/program.h"
#include "common/report.h"
#include "sink/notify/drops.h"
#include "sink/notify/meters.h"
#include "sink/notify/settings.h"

struct dispatch;

/* All borrowed until dispatch_free(). */
struct dispatch_spec {
	const struct program *program;
	const struct notify_conf *conf;
	struct controls *controls;
	struct report *report;
	struct drops *drops;
	struct meters *meters;
};

/* Would dispatch_new() refuse these settings? -1 with *err set. */
int dispatch_check(const struct notify_conf *conf, struct err *err);

/* Makes desk and delivery. NULL with *err set. */
struct dispatch *dispatch_new(const struct dispatch_spec *spec, struct err *err);
void dispatch_free(struct dispatch *d); /* NULL is a no-op */

/* The two of them; borrowed. */
struct desk *dispatch_desk(struct dispatch *d);
struct delivery *dispatch_delivery(struct dispatch *d); /* see above */

/* A row of millrace.receivers, for both of them. ctx: struct dispatch. A row function for struct table_spec. */
int dispatch_take_receiver(void *ctx, const struct table_row *row, struct err *err);

/* Gives out what may go out, and moves deliveries on. */
int dispatch_turn(struct dispatch *d, struct err *err);

/* Controls may have changed: throws away what waits in the queues and is to be dropped. */
void dispatch_follow_controls(struct dispatch *d);

/* The term is over: forgets incidents and what is under way. */
void dispatch_reset(struct dispatch *d);

/* Begins nothing any more; what is under way gets within_ms (real). */
void dispatch_stop(struct dispatch *d, int64_t within_ms);

#endif
