/* http_client.h - HTTP over a plain socket, byte by byte as the test writes it: no client library tidies up what is sent. */
#ifndef MILLRACE_TESTS_HTTP_CLIENT_H
#define MILLRACE_TESTS_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* Connects to a port of host; -1 with errno when nobody listens. Reads give up after 20 s. */
static inline int http_dial(const char *host, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, host, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline void http_say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

struct answer {
	int status;
	char head[2048];
	char body[32768];
};

/* Reads one answer, up to the length that its head tells; has_body: false for the answer to HEAD. */
static inline void http_hear(int fd, struct answer *a, bool has_body)
{
	size_t n = 0, length;
	const char *at;

	while (n < sizeof(a->head) - 1 && (n < 4 || memcmp(a->head + n - 4, "\r\n\r\n", 4) != 0)) {
		if (recv(fd, a->head + n, 1, 0) != 1)
			ck_abort_msg("no answer after %zu bytes", n);
		n++;
	}
	a->head[n] = '\0';
	ck_assert_int_eq(sscanf(a->head, "HTTP/1.1 %d", &a->status), 1);
	at = strstr(a->head, "Content-Length: ");
	length = at && has_body ? strtoul(at + 16, NULL, 10) : 0;
	ck_assert_uint_lt(length, sizeof(a->body));
	for (n = 0; n < length;) {
		ssize_t got = recv(fd, a->body + n, length - n, 0);

		ck_assert_int_gt(got, 0);
		n += (size_t)got;
	}
	a->body[n] = '\0';
}

/* One request on a connection of its own to this machine. */
static inline void http_ask(int port, const char *request, size_t len, struct answer *a)
{
	int fd = http_dial("127.0.0.1", port);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	http_hear(fd, a, strncmp(request, "HEAD", 4) != 0);
	close(fd);
}

#endif
