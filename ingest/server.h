/* server.h - HTTP: requests in, answers out, connections that wait in between.
 *
 * libmicrohttpd without threads of its own: a serving thread (lane.h) polls server_fds() and calls server_run(). A connection whose payload
 * is on its way to Kafka is suspended; nothing waits. What is done with a request is admission's and push's business, how long a
 * connection may take is connections.h's. Not thread-safe: one owner. */
#ifndef MILLRACE_INGEST_SERVER_H
#define MILLRACE_INGEST_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ingest/account.h"
#include "ingest/admission.h"
#include "ingest/conf.h"
#include "ingest/producer.h"
#include "ingest/push.h"

enum { SERVER_FDS = 2 };

struct server;

/* What the server works with; all borrowed until server_free(). */
struct server_rooms {
	struct admission *admission;
	struct push *push;
	struct producer *producer;
	struct account *account;
};

/* Serves what is accepted on listen_fd, of which it keeps a copy; several servers may share one. conf is borrowed until server_free().
 * NULL with *err set on failure. */
struct server *server_new(const struct server_rooms *rooms, const struct ingest_conf *conf, int listen_fd, struct err *err);

/* Closes all connections, answering those that wait with "draining", and frees; NULL is a no-op. */
void server_free(struct server *s);

/* To be polled for reading; -1 where there is none. */
void server_fds(const struct server *s, int fds[SERVER_FDS]);

/* How many real milliseconds poll() may wait at most before server_run() must be called again. */
int server_timeout_ms(const struct server *s);

/* Serves what is ready and ends what has taken too long. Call after each poll, and after answers may have come in. */
void server_run(struct server *s);

/* Answers those that wait for a topic for which Kafka is gone, with kafka_unavailable. */
void server_abandon(struct server *s);

/* Reads certificate and key again; new connections meet the new ones, those that are open are closed after their next answer. -1 with *err
 * set when the files are no good: the ones before stay in force. ERR_RETRY: the last reload is not over yet. */
int server_reload(struct server *s, struct err *err);

/* Stops listening; connections that are open are closed after their next answer. */
void server_quiesce(struct server *s);

/* Requests whose headers are in and whose answers are not out; those of them that wait for Kafka; and open connections. */
size_t server_requests(const struct server *s);
size_t server_waiting(const struct server *s);     /* see above */
size_t server_connections(const struct server *s); /* see above */

#endif
