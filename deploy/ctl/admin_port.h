/* admin_port.h - /controls at one instance's admin port, by HTTP: the way that is left when Kafka is gone.
 *
 * What common/admin.h serves. A call waits 5 s for a connection and 10 s in all; it follows no redirection and no proxy, so that the
 * token goes to the named host and nowhere else. Errors: ERR_RETRY when nobody answers or the program cannot now, ERR_REJECT with the
 * program's own words when it refuses. */
#ifndef MILLRACE_CTL_ADMIN_PORT_H
#define MILLRACE_CTL_ADMIN_PORT_H

#include "common/err.h"
#include "common/str.h"
#include "common/token.h"

struct admin_port;

/* The desk "/controls" or "/status-entries" of the port at url, "http://HOST:PORT" or "https://..", for the calls below; asks nobody yet. Copies. NULL with
 * *err set: ERR_REJECT when url is no such thing. */
struct admin_port *admin_port_new(const char *url, const char *desk, const struct token *token, struct err *err);

/* NULL is a no-op. */
void admin_port_free(struct admin_port *p);

/* Hands over a record in the wire format: a control, an entry of the status page. */
int admin_port_put(struct admin_port *p, struct str record, struct err *err);

/* Clears the control of an id. */
int admin_port_clear(struct admin_port *p, const char *id, struct err *err);

/* Appends what the desk has (the controls in force, the incidents), as JSON, to out; at most ADMIN_PORT_LIST_MAX bytes. ERR_REJECT also when the program has no
 * such desk. */
int admin_port_list(struct admin_port *p, struct buf *out, struct err *err);

enum { ADMIN_PORT_LIST_MAX = 4 << 20 };

#endif
