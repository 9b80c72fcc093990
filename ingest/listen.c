/* listen.c - see listen.h.
 *
 * The socket is made here and not by libmicrohttpd, for an error that says what is wrong, and for the port that the kernel chose
 * when a test asked for any. Names are not resolved: one could mean more interfaces than its writer thought. */
#include "ingest/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, HOST_SIZE = 48, PORT_SIZE = 8 };

/* Cuts "host:port" or "[host]:port" in two; -1 when it is neither. */
static int cut(const char *text, char host[HOST_SIZE], char port[PORT_SIZE])
{
	const char *colon = strrchr(text, ':');
	size_t skip = text[0] == '[', n = colon ? (size_t)(colon - text) : 0;

	if (!colon || (skip && (n < 2 || colon[-1] != ']')) || strlen(colon + 1) >= PORT_SIZE || colon[1] == '\0')
		return -1;
	if (strtol(colon + 1, NULL, 10) > UINT16_MAX) /* getaddrinfo() would take it modulo 65536 */
		return -1;
	n -= 2 * skip;
	if (n == 0 || n >= HOST_SIZE)
		return -1;
	memcpy(host, text + skip, n);
	host[n] = '\0';
	snprintf(port, PORT_SIZE, "%s", colon + 1);
	return 0;
}

static int resolve(const char *text, struct addrinfo **out, struct err *err)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	char host[HOST_SIZE], port[PORT_SIZE];
	int rc;

	if (cut(text, host, port) < 0)
		return err_set(err, ERR_REJECT, "push.listen = %s: IPv4:port or [IPv6]:port is expected", text);
	rc = getaddrinfo(host, port, &hints, out);
	return rc == 0 ? 0 : err_set(err, ERR_REJECT, "push.listen = %s: %s", text, gai_strerror(rc));
}

int listen_check(const char *text, struct err *err)
{
	struct addrinfo *to = NULL;

	if (resolve(text, &to, err) < 0)
		return -1;
	freeaddrinfo(to);
	return 0;
}

/* The address it has got, as push.listen would say it. */
static void describe(int fd, char address[LISTEN_ADDRESS_SIZE])
{
	struct sockaddr_storage got;
	socklen_t size = sizeof(got);
	char host[HOST_SIZE] = "?", port[PORT_SIZE] = "?";

	if (getsockname(fd, (struct sockaddr *)&got, &size) == 0)
		getnameinfo((struct sockaddr *)&got, size, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(address, LISTEN_ADDRESS_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int listen_open(const char *text, char address[LISTEN_ADDRESS_SIZE], struct err *err)
{
	struct addrinfo *to = NULL;
	int fd, one = 1, failed;

	if (resolve(text, &to, err) < 0)
		return -1;
	fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	failed = fd < 0 || bind(fd, to->ai_addr, to->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0 ? errno : 0;
	freeaddrinfo(to);
	if (failed) {
		if (fd >= 0)
			close(fd);
		return err_set(err, ERR_FATAL, "cannot listen on %s: %s", text, strerror(failed));
	}
	describe(fd, address);
	return fd;
}
