/* spool_file.h - one payload in one file: its name, its layout, and how it gets there whole.
 *
 * A file's name says whose it is and how far it got; what stands in it never changes, but for a loss, which is cut to its head. A step is a
 * rename, so that a crash leaves the step before or the step after:
 *     CREATED_AT-AGENT_ID-SEQ.STAGE      0001795372012000-00112233445566778899aabbccddeeff-00000000000000000007.payload
 * Not thread-safe: one owner of the folder. */
#ifndef MILLRACE_AGENT_SPOOL_FILE_H
#define MILLRACE_AGENT_SPOOL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"
#include "ingest/agent/envelope.h"
#include "ingest/agent/spool_io.h"

enum spool_stage {
	SPOOL_PAYLOAD, /* waits; no post of it was begun */
	SPOOL_TRIED,   /* waits; it may have arrived */
	SPOOL_LOST,    /* given up, and not yet known to be among the losses */
	SPOOL_LOST_TRIED, /* likewise, and it may have arrived */
	SPOOL_HALF,    /* waits, if there is a split payload; else it never came to be */
	SPOOL_SPLIT,   /* gone, its halves take its place */
	SPOOL_TMP,     /* being written */
	NR_SPOOL_STAGES,
};

enum {
	SPOOL_NAME_SIZE = 96,
	SPOOL_HEAD_BYTES = 88,
	SPOOL_BODY_MAX = 32 << 20, /* of one payload; the server's limit is far below */
};

#define SPOOL_CREATED_AT_MAX INT64_C(9999999999999999) /* 16 digits, as names are sorted as text */

/* What a name says. */
struct spool_label {
	int64_t created_at_ms; /* 1 to SPOOL_CREATED_AT_MAX */
	uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES];
	uint64_t seq; /* from 1 */
	enum spool_stage stage;
};

enum spool_file_found {
	SPOOL_FILE_WHOLE,
	SPOOL_FILE_TORN,       /* cut off, changed, or of another version */
	SPOOL_FILE_FOREIGN,    /* a whole payload under another one's name, or no file at all */
	SPOOL_FILE_GONE,       /* there is none */
	SPOOL_FILE_UNREADABLE, /* errno says why; perhaps later */
};

/* Order of creation, then agent_id and seq: < 0, 0, > 0. The stage does not count. */
int spool_label_cmp(const struct spool_label *a, const struct spool_label *b);

/* Writes the label's name into out and returns out. */
char *spool_file_name(const struct spool_label *label, char out[SPOOL_NAME_SIZE]);

/* Is the name one that spool_file_name() makes? Then it is in *out. */
bool spool_file_parse(const char *name, struct spool_label *out);

/* Writes a payload under the label's name: under another name first, synced, renamed, the folder synced. -1 with errno: it is not there. */
int spool_file_write(const struct spool_io *io, int folder_fd, const struct spool_label *label, const struct envelope *e);

/* Gives the file its next stage; label->stage changes on success. Not synced. -1 with errno. */
int spool_file_step(const struct spool_io *io, int folder_fd, struct spool_label *label, enum spool_stage stage);

/* Reads and checks a file's head and size. *out, without body and attempted, is set when it is whole, or torn behind a whole head: then
 * its seq is not 0. *bytes, the file's size, and *mtime_ms, by the wall clock, are set when it could be opened. */
enum spool_file_found spool_file_look(const struct spool_io *io, int folder_fd, const struct spool_label *label, struct envelope *out,
				      uint64_t *bytes, int64_t *mtime_ms);

/* Reads and checks all of a file: *out borrows body, which is cleared first. ENOMEM: SPOOL_FILE_UNREADABLE. */
enum spool_file_found spool_file_read(const struct spool_io *io, int folder_fd, const struct spool_label *label, struct envelope *out,
				      struct buf *body);

/* Cuts the file to its head, as its space is needed. -1 with errno. */
int spool_file_cut(const struct spool_io *io, int folder_fd, const struct spool_label *label);

#endif
