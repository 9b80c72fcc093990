/* webhook_body.h - a notification as Alertmanager's webhook sends it, version "4": what takes Alertmanager's takes ours. */
#ifndef MILLRACE_NOTIFY_WEBHOOK_BODY_H
#define MILLRACE_NOTIFY_WEBHOOK_BODY_H

#include "common/err.h"
#include "sink/notify/notification.h"

/* Appends the JSON. The same notification always gives the same bytes. ERR_FATAL when memory is short, and out is to be thrown away. */
int webhook_body_write(const struct notification *n, struct buf *out, struct err *err);

#endif
