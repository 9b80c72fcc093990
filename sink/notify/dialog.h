/* dialog.h - a mail's way through SMTP, from MAIL FROM to the reply to its text (RFC 5321), never waiting.
 *
 * libcurl makes the connection, with TLS and login, and carries the bytes; the commands are given here, because libcurl waits for the reply to a
 * mail's text and for that to QUIT inside of a call, and with it would all other receivers. Pure but for the two functions that carry bytes. */
#ifndef MILLRACE_NOTIFY_DIALOG_H
#define MILLRACE_NOTIFY_DIALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/str.h"
#include "schemas/schemas.h"

enum { DIALOG_LINE_MAX = 1000, DIALOG_LINES_MAX = 100, DIALOG_EXCERPT_SIZE = 201 };

enum dialog_state { DIALOG_FROM, DIALOG_TO, DIALOG_DATA, DIALOG_TEXT, DIALOG_OVER };

/* How many bytes went; 0: none can for now; -1: the connection is gone. */
typedef ptrdiff_t (*dialog_send_fn)(void *ctx, const void *bytes, size_t len);
typedef ptrdiff_t (*dialog_recv_fn)(void *ctx, void *bytes, size_t size); /* likewise; its end is -1 */

/* Zeroed is fine for dialog_fini(). */
struct dialog {
	enum dialog_state state;
	struct buf commands;              /* one behind the other, each sent when the one before is answered */
	size_t ends[64];                  /* of each in commands */
	size_t nr, at, sent;              /* commands; the one under way; bytes of all that went */
	size_t nr_to, taken;              /* recipients, and those the server took */
	char line[DIALOG_LINE_MAX];
	size_t line_len, lines;           /* of the reply that is coming */
	int refused;                      /* the reply that ended it, or the mildest to a recipient; 0: none, the connection broke */
	bool delivered;
	char words[DIALOG_EXCERPT_SIZE];  /* of that reply, printable ASCII */
};

/* mail: of mail_body_write(), whose lines end with CRLF and do not begin with a dot. Copies; addresses have been checked. ERR_FATAL. */
int dialog_init(struct dialog *d, const struct mail_target *target, struct str mail, struct err *err);
void dialog_fini(struct dialog *d); /* frees what it has of its own */

/* Goes as far as it can. False: it goes on when there is more to read, or room to write. True: it is over, and d->delivered says how. */
bool dialog_move(struct dialog *d, dialog_send_fn send, dialog_recv_fn recv, void *ctx);

/* Is there something that could not be sent yet? */
bool dialog_wants_write(const struct dialog *d);

#endif
