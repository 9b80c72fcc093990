/* entry_desk.h - the incidents of the page, and the door by which operators reach them when Kafka is gone: /status-entries at the admin port.
 *
 * The fold has two sides that add to it: the main loop (rows of the topic, and what the page writes by itself) and the admin port's thread (PUT). A mutex
 * guards it; nobody holds it longer than a fold or a rendering takes. What a PUT brought waits here for the main loop, which writes it to Kafka; no more is taken than
 * that has room for, so nothing that was answered by 200 is given up for want of it. */
#ifndef MILLRACE_STATUS_ENTRY_DESK_H
#define MILLRACE_STATUS_ENTRY_DESK_H

#include <stdbool.h>

#include "common/admin.h"
#include "common/err.h"
#include "common/status_incident.h"
#include "common/str.h"
#include "common/table.h"

#define ENTRY_DESK_PATH "/status-entries"

struct entry_desk;

/* wake_fd (of events_wake_fd()) becomes readable when a PUT has brought something. There is no room yet: see entry_desk_set_room(). NULL with *err set. */
struct entry_desk *entry_desk_new(int wake_fd, struct err *err);
void entry_desk_free(struct entry_desk *d); /* NULL is a no-op; no thread may use d any more */

/* The admin_controls_fn of a desk, which is ctx. LIST: 200 and {"incidents": [..]}, drafts too. PUT of a StatusEntry in the wire format, with an author: 200 and
 * {"incident": id}, also when it was taken before; 400 malformed, 409 it means nothing now, 503 there is no room, each with the reason. CLEAR: 405. */
unsigned int entry_desk_answer(void *ctx, enum admin_call call, struct str what, struct buf *answer);

/* The fold, held until entry_desk_unlock(). */
struct status_incidents *entry_desk_lock(struct entry_desk *d);
void entry_desk_unlock(struct entry_desk *d); /* see above */

/* A row of TOPIC_STATUS, for struct table_spec; ctx is the desk. */
int entry_desk_take_row(void *ctx, const struct table_row *row, struct err *err);

/* How many entries may wait here for entry_desk_next(), those that do already counted. */
void entry_desk_set_room(struct entry_desk *d, size_t room);

/* The next entry that a PUT brought, encoded, into out, which is cleared first; false: there is none. */
bool entry_desk_next(struct entry_desk *d, struct buf *out);

#endif
