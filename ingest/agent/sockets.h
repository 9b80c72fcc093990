/* sockets.h - opens what applications send to: loopback UDP and Unix sockets, non-blocking, closed on exec. */
#ifndef MILLRACE_AGENT_SOCKETS_H
#define MILLRACE_AGENT_SOCKETS_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* A Unix socket that this process has bound, and which file is its own. */
struct socket_file {
	int fd; /* -1: none */
	char path[108];
	dev_t dev;
	ino_t ino;
};

#define SOCKET_FILE_INIT {.fd = -1}

/* A UDP socket bound to "127.x.y.z:port" or "[::1]:port", with as much of a receive buffer as the kernel gives up to want_bytes. -1 with
 * *err set: ERR_REJECT when the address is no loopback address, ERR_RETRY when the port is taken. */
int sockets_open_udp(const char *address, int want_bytes, struct err *err);

/* Which port it has, and how large its buffer is. */
int sockets_port(int fd);
int sockets_receive_buffer(int fd); /* likewise: in bytes, as the kernel counts them */

/* How many datagrams the kernel had no room for since the socket was opened, modulo 2^32. */
uint32_t sockets_drops(int fd);

/* Binds a Unix socket of type (SOCK_DGRAM, SOCK_STREAM, which listens then) to path, with mode 0666; out is then to be closed. -1 with *err
 * set: ERR_RETRY when somebody listens there, ERR_REJECT when there is something else than a socket, or path is too long. */
int sockets_open_file(struct socket_file *out, const char *path, int type, struct err *err);

/* Closes, and removes the file if it is still the one that was bound. */
void sockets_close_file(struct socket_file *f);

#endif
