/* mail_body.h - a notification as a mail: RFC 5322, plain text for a person. */
#ifndef MILLRACE_NOTIFY_MAIL_BODY_H
#define MILLRACE_NOTIFY_MAIL_BODY_H

#include <stdbool.h>

#include "common/err.h"
#include "sink/notify/notification.h"

enum { MAIL_ADDRESS_MAX = 254, MAIL_TO_MAX = 50 };

/* Is it like LOCAL@DOMAIN, printable ASCII, and nothing in it that a header or an SMTP command could take for more than an address? */
bool mail_address_valid(struct str address);

/* Appends the mail, head and text, lines ended by CRLF and none longer than 998 bytes (RFC 5322; the text's: 76). Nothing that a tag, a name or a
 * description holds gets into a header but the subject, where it is encoded. date_ms: the wall clock's. ERR_REJECT: an address is none, or
 * there are none or too many; ERR_FATAL: memory is short, and out is to be thrown away. */
int mail_body_write(const struct notification *n, const struct mail_target *target, int64_t date_ms, struct buf *out, struct err *err);

#endif
