/* status_socket.c - see status_socket.h. */
#include "ingest/agent/status_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 16, ASK_S = 5 };

static int address_of(const char *path, struct sockaddr_un *to, struct err *err)
{
	*to = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(to->sun_path))
		return err_set(err, ERR_FATAL, "%.120s: longer than the path of a socket may be", path);
	memcpy(to->sun_path, path, strlen(path));
	return 0;
}

/* A connection to path, or -1 with errno. */
static int connect_to(const struct sockaddr_un *to)
{
	const struct timeval patience = {.tv_sec = ASK_S};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), saved;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* of connect() too */
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* A dead agent leaves its socket behind; a file that is no socket was not ours. */
static int clear_path(const struct sockaddr_un *to, struct err *err)
{
	struct stat st;
	int fd;

	if (lstat(to->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_FATAL, "%s is there and no socket", to->sun_path);
	fd = connect_to(to);
	if (fd >= 0) {
		close(fd);
		return err_set(err, ERR_FATAL, "%s: somebody listens there, another agent?", to->sun_path);
	}
	unlink(to->sun_path);
	return 0;
}

int status_socket_open(struct status_socket *s, const char *path, struct err *err)
{
	struct sockaddr_un to;
	mode_t before;
	int rc;

	if (!*path)
		return 0;
	if (address_of(path, &to, err) < 0 || clear_path(&to, err) < 0)
		return -1;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	before = umask(0177);
	rc = s->fd < 0 ? -1 : bind(s->fd, (const struct sockaddr *)&to, sizeof(to));
	umask(before);
	if (rc == 0) {
		s->path = path;
		rc = listen(s->fd, BACKLOG);
	}
	return rc == 0 ? 0 : err_set(err, ERR_FATAL, "cannot listen at %s: %s", path, strerror(errno));
}

void status_socket_close(struct status_socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->path)
		unlink(s->path);
	*s = (struct status_socket)STATUS_SOCKET_INIT;
}

size_t status_socket_accept(struct status_socket *s, int clients[STATUS_SOCKET_CLIENTS_A_TURN])
{
	size_t nr = 0;

	while (s->fd >= 0 && nr < STATUS_SOCKET_CLIENTS_A_TURN) {
		int client = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0)
			break;
		clients[nr++] = client;
	}
	return nr;
}

void status_socket_tell(int client, struct str text)
{
	ssize_t sent = send(client, text.p, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)sent; /* who does not read misses it */
	close(client);
}

int status_socket_ask(const char *path, FILE *out, struct err *err)
{
	struct sockaddr_un to;
	char text[4096];
	ssize_t n;
	int fd;

	if (address_of(path, &to, err) < 0)
		return -1;
	fd = connect_to(&to);
	if (fd < 0)
		return err_set(err, ERR_RETRY, "%s: %s", path, strerror(errno));
	while ((n = recv(fd, text, sizeof(text), 0)) > 0)
		fwrite(text, 1, (size_t)n, out);
	close(fd);
	return n == 0 ? 0 : err_set(err, ERR_RETRY, "%s: %s", path, strerror(errno));
}
