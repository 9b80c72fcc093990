/* word_json.h - what operators say for a while, as JSON: controls, silences, acknowledgements.
 *
 * For lists and the operator log; nothing reads them back. */
#ifndef MILLRACE_CTL_WORD_JSON_H
#define MILLRACE_CTL_WORD_JSON_H

#include "deploy/ctl/json_write.h"
#include "schemas/schemas.h"

/* Writes members of the object that is open: all of a control. */
void word_json_write_members(struct json_writer *w, const struct control *control);

/* Writes one as an object: the next element of the array that is open, or member "key". */
void word_json_write_control(struct json_writer *w, const char *key, const struct control *control);
void word_json_write_silence(struct json_writer *w, const char *key, const struct silence *silence); /* see above */
void word_json_write_ack(struct json_writer *w, const char *key, const struct ack *ack);             /* see above */

/* Text that may not be there: no member then. */
void word_json_write_maybe(struct json_writer *w, const char *key, bool has, struct str value);

#endif
