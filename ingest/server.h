/* server.h - HTTP: requests in, answers out, connections that wait in between.
 *
 * libmicrohttpd without threads of its own: the program's one loop polls server_fd() and calls server_run(). A connection whose
 * payload is on its way to Kafka is suspended; nothing waits. What is done with a request is admission's and push's business.
 * Not thread-safe: one owner. */
#ifndef MILLRACE_INGEST_SERVER_H
#define MILLRACE_INGEST_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ingest/account.h"
#include "ingest/admission.h"
#include "ingest/conf.h"
#include "ingest/push.h"

struct server;

/* What the server works with; all borrowed until server_free(). */
struct server_rooms {
	struct admission *admission;
	struct push *push;
	struct account *account;
};

/* Listens on conf->listen. NULL with *err set on failure. */
struct server *server_new(const struct server_rooms *rooms, const struct ingest_conf *conf, struct err *err);

/* Closes all connections, answering those that wait with "draining", and frees; NULL is a no-op. */
void server_free(struct server *s);

/* "host:port" it listens on, with the real port. Borrowed. */
const char *server_address(const struct server *s);

/* To be polled for reading. */
int server_fd(const struct server *s);

/* How many real milliseconds poll() may wait at most before server_run() must be called again; -1: as long as it likes. */
int server_timeout_ms(const struct server *s);

/* Serves what is ready. Call after each poll, and after answers may have come in. */
void server_run(struct server *s);

/* Stops listening. Connections that are open are served on. */
void server_quiesce(struct server *s);

/* Requests whose headers are in and whose answers are not out. */
size_t server_requests(const struct server *s);

#endif
