/* sockets.c - see sockets.h.
 *
 * Whether somebody listens at a socket file is asked by connecting: the kernel refuses when the socket behind the file is gone. The file
 * could change hands between that answer and its removal, so it is removed only while it is the one that was asked; what is left of the
 * race is that of two agents which are started in the same instant over a stale file. */
#include "ingest/agent/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64, PORT_MAX = 65535, FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* A port number as text: digits alone. */
static int read_port(const char *text)
{
	size_t len = strlen(text);
	long port = strtol(text, NULL, 10);

	return len > 0 && len <= 5 && strspn(text, "0123456789") == len && port <= PORT_MAX ? (int)port : -1;
}

/* Reads "127.0.0.1:8125" or "[::1]:8125"; the length of *out, or 0 when it is not a loopback address. */
static socklen_t read_address(const char *text, union address *out)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t len = colon ? (size_t)(colon - text) : 0;
	int port = colon ? read_port(colon + 1) : -1;

	memset(out, 0, sizeof(*out));
	if (port < 0 || len < 1 || len >= sizeof(host))
		return 0;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1 && ntohl(out->v4.sin_addr.s_addr) >> 24 == 127) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons((uint16_t)port);
		return sizeof(out->v4);
	}
	memset(out, 0, sizeof(*out));
	if (host[0] != '[' || host[len - 1] != ']')
		return 0;
	host[len - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) != 1 || !IN6_IS_ADDR_LOOPBACK(&out->v6.sin6_addr))
		return 0;
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons((uint16_t)port);
	return sizeof(out->v6);
}

int sockets_open_udp(const char *address, int want_bytes, struct err *err)
{
	union address a;
	socklen_t len = read_address(address, &a);
	int fd, failed;

	if (len == 0)
		return err_set(err, ERR_REJECT, "%s: a loopback address and a port are expected, as 127.0.0.1:8125 or [::1]:8125", address);
	fd = socket(a.any.sa_family, SOCK_DGRAM | FLAGS, 0);
	if (fd >= 0 && bind(fd, &a.any, len) == 0) {
		/* The first goes beyond net.core.rmem_max, with the right to; the second as far as it. */
		if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &want_bytes, sizeof(want_bytes)) < 0)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &want_bytes, sizeof(want_bytes));
		return fd;
	}
	failed = errno;
	if (fd >= 0)
		close(fd);
	return err_set(err, failed == EADDRINUSE ? ERR_RETRY : ERR_FATAL, "%s (UDP): %s", address, strerror(failed));
}

int sockets_port(int fd)
{
	union address a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.any, &len) < 0)
		return 0;
	return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

int sockets_receive_buffer(int fd)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len);
	return bytes;
}

/* Asked of the socket, as SO_RXQ_OVFL tells of drops only with the next datagram that finds room. */
uint32_t sockets_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);

	getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len);
	return info[SK_MEMINFO_DROPS];
}

/* Removes a socket file to which nobody listens. -1 with *err set when it is something else. */
static int remove_stale(const struct sockaddr_un *a, int type, struct err *err)
{
	struct stat asked, now;
	int fd, answer;

	if (lstat(a->sun_path, &asked) < 0)
		return 0; /* or bind() says why not */
	if (!S_ISSOCK(asked.st_mode))
		return err_set(err, ERR_REJECT, "%s: there is something else than a socket", a->sun_path);
	fd = socket(AF_UNIX, type | FLAGS, 0);
	if (fd < 0)
		return err_set(err, ERR_FATAL, "%s: %s", a->sun_path, strerror(errno));
	answer = connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? errno : 0;
	close(fd);
	if (answer == ENOENT)
		return 0;
	if (answer != ECONNREFUSED)
		return err_set(err, ERR_RETRY, "%s: another process listens there", a->sun_path);
	if (lstat(a->sun_path, &now) == 0 && now.st_dev == asked.st_dev && now.st_ino == asked.st_ino)
		unlink(a->sun_path);
	return 0;
}

/* Binds, and remembers which file came of it. */
static int bind_file(struct socket_file *out, const struct sockaddr_un *a, int type)
{
	struct stat made;

	if (bind(out->fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		return -1;
	if (lstat(a->sun_path, &made) < 0)
		return -1;
	out->dev = made.st_dev;
	out->ino = made.st_ino;
	memcpy(out->path, a->sun_path, sizeof(out->path));
	if (chmod(a->sun_path, 0666) < 0)
		return -1;
	return type == SOCK_STREAM ? listen(out->fd, BACKLOG) : 0;
}

int sockets_open_file(struct socket_file *out, const char *path, int type, struct err *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int failed;

	*out = (struct socket_file)SOCKET_FILE_INIT;
	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(err, ERR_REJECT, "%s: longer than the path of a socket may be", path);
	memcpy(a.sun_path, path, strlen(path));
	if (remove_stale(&a, type, err) < 0)
		return -1;
	out->fd = socket(AF_UNIX, type | FLAGS, 0);
	if (out->fd >= 0 && bind_file(out, &a, type) == 0)
		return 0;
	failed = errno;
	sockets_close_file(out);
	return err_set(err, failed == EADDRINUSE ? ERR_RETRY : ERR_FATAL, "%s: %s", path, strerror(failed));
}

void sockets_close_file(struct socket_file *f)
{
	struct stat now;

	if (f->fd < 0)
		return;
	if (*f->path && lstat(f->path, &now) == 0 && now.st_dev == f->dev && now.st_ino == f->ino)
		unlink(f->path);
	close(f->fd);
	*f = (struct socket_file)SOCKET_FILE_INIT;
}
