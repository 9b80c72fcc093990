/* record_text.c - see record_text.h.
 *
 * Hashes of keys are in it, as they are in the sites' own topic: a key of 256 random bits cannot be found from one. */
#include "deploy/ctl/record_text.h"

#include "deploy/ctl/record_json.h"
#include "deploy/ctl/rule_json.h"
#include "deploy/ctl/word_json.h"

int record_text(enum record_kind kind, const void *record, struct buf *out, struct err *err)
{
	struct json_writer w;

	if (!record) {
		buf_add(out, "null", 4);
		return buf_failed(out) ? err_nomem(err, "a record as text") : 0;
	}
	json_write_begin_line(&w);
	switch (kind) {
	case RECORD_CELL:
		record_json_write_cell(&w, NULL, record);
		break;
	case RECORD_SITE:
		record_json_write_site(&w, NULL, record);
		break;
	case RECORD_CONTROL:
		word_json_write_control(&w, NULL, record);
		break;
	case RECORD_SILENCE:
		word_json_write_silence(&w, NULL, record);
		break;
	case RECORD_ACK:
		word_json_write_ack(&w, NULL, record);
		break;
	case RECORD_TRIGGER:
		rule_json_write(&w, NULL, STORE_TRIGGERS, record);
		break;
	case RECORD_RECEIVER:
		rule_json_write(&w, NULL, STORE_RECEIVERS, record);
		break;
	case RECORD_NONE:
		break;
	}
	return json_write_line_end(&w, out, err);
}
