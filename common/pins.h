/* pins.h - which version of a record is written while an upgrade is under way (schema.write.version).
 *
 * A program writes the newest version of each record that it knows. While old readers are still there, or may have to come back, an operator
 * pins a record to a former version: all programs can be new by then, and any of them can go back at any time. Only what is written is pinned; read is
 * every version, always. */
#ifndef MILLRACE_PINS_H
#define MILLRACE_PINS_H

#include <stdint.h>

#include "common/err.h"

enum { PINS_IDS = 1024 }; /* schema ids lie below: schemas/avsc.py refuses others */

/* Takes "Record=ID,..", blanks around each allowed, empty: no pins, in place of what was pinned before. ID is any id that the record has or had, the
 * newest too. -1 with ERR_REJECT, and the pins as they were: a record or an id that there is not, or a record twice; the message begins with a verb ("names
 * ..") and says what would be possible. Call it before threads start that write records. */
int pins_set(const char *list, struct err *err);

/* The id under which the record is written whose newest schema is newest_id. Any thread. */
uint32_t pins_written_id(uint32_t newest_id);

#endif
