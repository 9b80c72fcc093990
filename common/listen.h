/* listen.h - where a server listens, as an operator writes it: "IPv4:port" or "[IPv6]:port".
 *
 * Numbers only: a name could mean more interfaces than its writer thought. Pure. */
#ifndef MILLRACE_LISTEN_H
#define MILLRACE_LISTEN_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"

enum { LISTEN_SIZE = INET6_ADDRSTRLEN + sizeof("[]:65535") };

union listen_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* ERR_REJECT: it is neither. */
int listen_parse(const char *listen, union listen_address *address, struct err *err);

/* Writes the address with this port, as listen_parse() reads it, into out. */
void listen_write(const union listen_address *address, uint16_t port, char out[LISTEN_SIZE]);

#endif
