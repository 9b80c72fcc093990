/* status_socket.h - a Unix stream socket that tells whoever connects how the agent is, and hangs up.
 *
 * No request is read, so nobody can keep the agent busy: an answer fits into the socket's buffer, or is cut. The socket's mode is 0600: who
 * is neither root nor the agent's user asks the admin port. Not thread-safe. */
#ifndef MILLRACE_AGENT_STATUS_SOCKET_H
#define MILLRACE_AGENT_STATUS_SOCKET_H

#include <stdio.h>

#include "common/err.h"
#include "common/str.h"

enum { STATUS_SOCKET_CLIENTS_A_TURN = 8 };

struct status_socket {
	int fd; /* -1: none */
	const char *path;
};

#define STATUS_SOCKET_INIT {-1, NULL}

/* Listens at path (borrowed until _close); a socket that nobody listens at is replaced. path "": there is none, and all calls work.
 * ERR_FATAL when it cannot, or when somebody listens there. */
int status_socket_open(struct status_socket *s, const char *path, struct err *err);

/* Closes it and takes its path away. */
void status_socket_close(struct status_socket *s);

/* Has somebody connected? Takes up to STATUS_SOCKET_CLIENTS_A_TURN: returns how many, their descriptors in clients. */
size_t status_socket_accept(struct status_socket *s, int clients[STATUS_SOCKET_CLIENTS_A_TURN]);

/* Tells one of them, and hangs up. */
void status_socket_tell(int client, struct str text);

/* The other side: copies what the socket at path tells to out. ERR_RETRY: nobody is there, or it took more than 5 s. */
int status_socket_ask(const char *path, FILE *out, struct err *err);

#endif
