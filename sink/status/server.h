/* server.h - what the world is answered on status.listen: bytes that were made before anybody asked.
 *
 * A thread of its own (libmicrohttpd's) answers from the newest set of answers, which the main loop replaces as a whole: nobody waits for Kafka, for a
 * disk or for rendering. GET and HEAD; ETag and If-None-Match (304); Cache-Control; security headers on HTML; other methods 405, other paths 404 (HTML
 * for people, JSON below /schemas and /subjects). Bounded: connections, and time of each;
 * when all places are taken, whoever takes longest goes. */
#ifndef MILLRACE_STATUS_SERVER_H
#define MILLRACE_STATUS_SERVER_H

#include "common/err.h"
#include "common/metrics.h"
#include "common/str.h"

/* A set of answers, by path. Built by one owner, then given to one of server_set_*(). */
struct answers;

/* An empty set. NULL when memory is short. */
struct answers *answers_new(struct err *err);
void answers_free(struct answers *a); /* NULL is a no-op */

/* Adds an answer; takes body over, copies path and type. max_age_s: of Cache-Control. -1 when memory is short; body is freed then, too. */
int answers_add(struct answers *a, const char *path, const char *content_type, int max_age_s, struct buf *body, struct err *err);

/* From now on browsers ask for the answer at path, which is there, again every so many seconds: by a header, so that the same bytes may stand still elsewhere. */
void answers_refresh(struct answers *a, const char *path, int seconds);

struct server;

/* Listens on host:port (port 0: any free one). NULL with *err set. Borrows metrics. */
struct server *server_new(const char *listen, struct metrics *metrics, struct err *err);
void server_free(struct server *s); /* NULL is a no-op; stops and waits */

/* From now on these are the answers of the page, or of the registry, which change at different times; takes them over and frees those before when the last request
 * that uses them is done. */
void server_set_page(struct server *s, struct answers *a);
void server_set_registry(struct server *s, struct answers *a); /* see above */

/* Ends connections whose request or answer takes longer than half a minute, as a few of those could hold all places. Once a second. */
void server_turn(struct server *s);

/* Would server_new() listen there? */
int server_check(const char *listen, struct err *err);

/* "host:port" with the real port. Borrowed. */
const char *server_address(const struct server *s);

#endif
