/* listen.c - see listen.h. */
#include "common/listen.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>

/* "0" to "65535", digits only; -1 otherwise. */
static int parse_port(const char *text)
{
	long port = 0;

	if (!*text || strlen(text) > 5)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		port = port * 10 + (*text - '0');
	}
	return port <= UINT16_MAX ? (int)port : -1;
}

int listen_parse(const char *listen, union listen_address *address, struct err *err)
{
	const char *colon = strrchr(listen, ':');
	int port = colon ? parse_port(colon + 1) : -1;
	size_t n = colon ? (size_t)(colon - listen) : 0;
	bool v6 = n >= 2 && listen[0] == '[' && colon[-1] == ']';
	char host[INET6_ADDRSTRLEN];

	memset(address, 0, sizeof(*address));
	n -= v6 ? 2 : 0;
	if (port < 0 || n >= sizeof(host))
		goto bad;
	memcpy(host, listen + v6, n);
	host[n] = '\0';
	if (v6 && inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons((uint16_t)port);
		return 0;
	}
	if (!v6 && inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons((uint16_t)port);
		return 0;
	}
bad:
	return err_set(err, ERR_REJECT, "cannot listen on '%.80s': it is neither IPv4:port nor [IPv6]:port", listen);
}

void listen_write(const union listen_address *address, uint16_t port, char out[LISTEN_SIZE])
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		snprintf(out, LISTEN_SIZE, "[%s]:%u", host, port);
	} else {
		inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		snprintf(out, LISTEN_SIZE, "%s:%u", host, port);
	}
}
