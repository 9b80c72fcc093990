/* control_desk.h - what stands between a program's controls and the world: calls at the admin port come in, news go out.
 *
 * A program that obeys controls has one struct controls, gives control_desk_answer to admin_serve_controls() with it, gives controls_take
 * to its tables, and calls control_desk_follow() in its loop once they are loaded. */
#ifndef MILLRACE_CONTROL_DESK_H
#define MILLRACE_CONTROL_DESK_H

#include "common/admin.h"
#include "common/controls.h"
#include "common/log.h"
#include "common/report.h"

/* The admin_controls_fn of a struct controls, which is ctx. LIST: 200 and {"controls": [{id, on, action, its scope, reason, author,
 * created_at, expires_at}, ..]}. PUT of a Control in the wire format: 204; 400 malformed, or nothing for this program now; 409 something
 * later was said about its id. CLEAR: 204; 404 no control of that id is in force. */
unsigned int control_desk_answer(void *ctx, enum admin_call call, struct str what, struct buf *answer);

/* Tells of each change since the last call: a line in the log, a Notice, and, once for all of them, a heartbeat with the ids in force.
 * Call it once a loop turn, on the thread that owns report, before report_poll(). */
void control_desk_follow(struct controls *c, struct report *report, const struct log *log);

#endif
