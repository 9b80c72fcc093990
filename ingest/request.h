/* request.h - one HTTP request and its answer.
 *
 *     READING --body whole--> WAITING --Kafka has spoken--> READY --> ANSWERED
 *        |  \--refused, or answered at once-----------------------------^
 *        \--refused, body still comes--> DROPPING ----------------------^
 *
 * WAITING: its connection is suspended. libmicrohttpd tells of a vanished client only once a connection is resumed, so a request lives as
 * long as its job may call it; the one exception is request_abandon(), which makes the job forget. Only server.c includes this.
 * Not thread-safe: the thread that runs the server owns all of its requests. */
#ifndef MILLRACE_INGEST_REQUEST_H
#define MILLRACE_INGEST_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>

#include "ingest/server.h"

enum request_state { REQUEST_READING, REQUEST_DROPPING, REQUEST_WAITING, REQUEST_READY, REQUEST_ANSWERED };

struct request;

/* All requests of a server that are not over. */
struct requests {
	const struct server_rooms *rooms;
	int64_t max_body_bytes;
	struct request *first;
	size_t len, waiting; /* how many, and how many of them are suspended */
	bool ending;         /* none may begin to wait any more */
};

struct request {
	struct requests *all;
	struct MHD_Connection *connection;
	struct request *next, **link; /* link: what points here */
	enum request_state state;
	struct ticket ticket;
	int64_t arrived_bytes;
	struct buf body;
	struct answer answer;
	struct push_job *job;
	bool closing; /* this answer ends its connection */
};

/* A request on a connection; NULL when memory is short. */
struct request *request_new(struct requests *all, struct MHD_Connection *connection);

/* It is over. NULL is a no-op. */
void request_free(struct request *r);

/* Its headers are in: nothing of its body has been read, and a client that waits for "100 Continue" has not sent it. trusted: false when the
 * client should have shown a certificate and has not. */
enum MHD_Result request_begin(struct request *r, const char *path, const char *method, bool trusted);

/* A piece of its body, and the body's end. */
enum MHD_Result request_take(struct request *r, const char *piece, size_t size);
enum MHD_Result request_finish(struct request *r); /* see above */

/* Queues the answer there is; MHD_NO, which closes the connection, when memory is short. */
enum MHD_Result request_send(struct request *r);

/* Refuses one that is being read, as nothing more of it will come or is wanted: counted, and its answer made for whoever can still send it. */
void request_give_up(struct request *r, const struct refusal *no);

/* Answers one that waits with this refusal, and resumes it. */
void request_abandon(struct request *r, const struct refusal *no);

#endif
