/* admin.h - the admin port of every program: GET /metrics, /health/live, /health/ready; and /controls, where a program obeys some.
 *
 * A thread of its own (libmicrohttpd's) answers, so that a program waiting for Kafka still can be asked how it is, and told what to do.
 * What crosses are atomics, and what the program's own function for controls makes of a call. /health/ready says 200 "ready" or 503 with
 * the reason. /health/live says 503 when the main loop has not called admin_beat() for 60 s: a supervisor may restart the program then.
 * Other paths 404, other methods 405.
 *
 * /controls asks for "Authorization: Bearer TOKEN": 401 without, 403 where the program was given no token. GET lists, PUT sets what its
 * body says (at most 64 KiB, else 413), DELETE ?id=ID clears. */
#ifndef MILLRACE_ADMIN_H
#define MILLRACE_ADMIN_H

#include <stdbool.h>

#include "common/err.h"
#include "common/metrics.h"
#include "common/str.h"

struct admin;

/* Listens on "host:port" (port 0: any free one); listen "" gives an admin without a server, on which all calls work. Borrows
 * metrics until admin_free(). Starts not ready, with reason "starting". NULL with *err set on failure. */
struct admin *admin_new(const char *listen, struct metrics *metrics, struct err *err);

/* Is text something that admin_new() can be given: "IPv4:port", "[IPv6]:port", or ""? */
bool admin_listen_valid(const char *text);

enum admin_call { ADMIN_CONTROLS_LIST, ADMIN_CONTROLS_PUT, ADMIN_CONTROLS_CLEAR };

/* What a program makes of a call to /controls by somebody who has the token: the answer's HTTP status, and its body appended to answer
 * (JSON for LIST, a text for a person else; status 204 has none). what is the body of a PUT, the id of a CLEAR, empty for LIST; borrowed.
 * Called on the port's own thread, one call at a time. */
typedef unsigned int (*admin_controls_fn)(void *ctx, enum admin_call call, struct str what, struct buf *answer);

/* Serves /controls from now on; call it once, before the program is ready. Reads the token from token_file (common/token.h has what it
 * may hold); "": nobody is let in, and told which setting is missing. ctx is borrowed until admin_free(). -1 with *err set, and nothing
 * served. */
int admin_serve_controls(struct admin *a, const char *token_file, admin_controls_fn fn, void *ctx, struct err *err);

/* The same at another path than /controls, which is no more then: a program has one desk. path lives for ever. */
int admin_serve_desk(struct admin *a, const char *path, const char *token_file, admin_controls_fn fn, void *ctx, struct err *err);

/* Would admin_serve_controls() take this token_file? For a program's check of its settings. */
int admin_check_token_file(const char *token_file, struct err *err);

/* Stops the server and waits for its thread; NULL is a no-op. */
void admin_free(struct admin *a);

/* The main loop has come round. */
void admin_beat(struct admin *a);

/* Sets readiness. word: why not, or NULL; when ready, what is to be said beside it, or NULL. A literal or of static lifetime. */
void admin_set_ready(struct admin *a, bool ready, const char *word);

/* What /health/ready would say. */
bool admin_is_ready(const struct admin *a);

/* "host:port" it listens on, with the real port; "" without a server. Borrowed. */
const char *admin_address(const struct admin *a);

#endif
