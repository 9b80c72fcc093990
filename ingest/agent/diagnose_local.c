/* diagnose_local.c - see diagnose_local.h.
 *
 * The spool is tried by a file that is written, synced and deleted; the sockets by binding what is free, and by connecting to what is not,
 * which tells one that is listened at from one that a dead process left. */
#include "ingest/agent/diagnose_local.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

static const char probe_name[] = "diagnose.tmp";

/* Does an agent hold the spool's lock? */
static bool agent_runs(const char *dir)
{
	int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	bool held;

	if (folder < 0)
		return false;
	fd = openat(folder, "lock", O_RDONLY | O_CLOEXEC);
	close(folder);
	held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	if (fd >= 0)
		close(fd); /* and with it the lock */
	return held;
}

/* 0, or errno of what the disk refuses. */
static int try_write(int dir)
{
	static const char block[4096] = {0};
	int fd = openat(dir, probe_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), why = 0;

	if (fd < 0)
		return errno;
	if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) || fsync(fd) < 0)
		why = errno ? errno : ENOSPC;
	close(fd);
	unlinkat(dir, probe_name, 0);
	return why;
}

static void check_free(struct diagnosis *d, int dir)
{
	struct statvfs fs;
	double free_percent;

	if (fstatvfs(dir, &fs) < 0 || fs.f_blocks == 0)
		return;
	free_percent = 100.0 * (double)fs.f_bavail / (double)fs.f_blocks;
	if (free_percent < (double)d->conf->spool_min_free)
		diagnose_fail(d, "disk", "make room there, move spool.dir to another disk, or lower spool.min_free",
			      "%.1f %% of %s are free, spool.min_free is %" PRId64 " %%: payloads cannot wait there", free_percent, d->conf->spool_dir,
			      d->conf->spool_min_free);
	else
		diagnose_ok(d, "disk", "%.1f %% of it are free", free_percent);
}

static void check_spool(struct diagnosis *d, bool running)
{
	const char *path = d->conf->spool_dir;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), why;

	if (dir < 0) {
		diagnose_fail(d, "spool", "make the folder, and give it to the agent's user", "%s: %s", path, strerror(errno));
		return;
	}
	why = try_write(dir);
	if (why)
		diagnose_fail(d, "spool", "let the agent's user write there", "%s: %s", path, strerror(why));
	else
		diagnose_ok(d, "spool", "%s can be written%s", path, running ? "; an agent is using it" : "");
	check_free(d, dir);
	close(dir);
}

/* 0: could be bound; else errno. */
static int try_udp(const char *listen)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	bool is_six = listen[0] == '[';
	const char *colon = strrchr(listen, ':');
	char host[64] = "";
	int fd, why;

	if (!colon)
		return EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - listen) - (is_six ? 2 : 0), listen + is_six);
	four.sin_port = six.sin6_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(is_six ? AF_INET6 : AF_INET, host, is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr) != 1)
		return EINVAL;
	fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	why = bind(fd, is_six ? (const struct sockaddr *)&six : (const struct sockaddr *)&four, is_six ? sizeof(six) : sizeof(four)) < 0 ? errno : 0;
	close(fd);
	return why;
}

/* 0: nobody listens there and the folder can be written; EADDRINUSE, or another errno. */
static int try_path(const char *path, int type)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char folder[sizeof(to.sun_path)], *slash;
	int fd, why;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	why = connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 || errno == EAGAIN ? EADDRINUSE : errno;
	close(fd);
	if (why != ENOENT && why != ECONNREFUSED)
		return why;
	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	return access(slash ? folder : ".", W_OK | X_OK) < 0 ? errno : 0;
}

static void tell_socket(struct diagnosis *d, const char *setting, const char *where, int why, bool running)
{
	if (why == 0)
		diagnose_ok(d, setting, "%s is free", where);
	else if (why == EADDRINUSE && running)
		diagnose_ok(d, setting, "%s is in use, as an agent runs", where);
	else if (why == EADDRINUSE)
		diagnose_fail(d, setting, "end the other program, or choose another place for one of the two",
			      "%s is in use, and not by an agent of this spool",
			      where);
	else
		diagnose_fail(d, setting, "the agent's user must be able to listen there", "%s: %s", where, strerror(why));
}

void diagnose_local(struct diagnosis *d)
{
	const struct agent_conf *c = d->conf;
	const struct {
		const char *setting, *path;
		int type;
	} sockets[] = {
		{"statsd", c->statsd_socket, SOCK_DGRAM},
		{"lines", c->lines_socket, SOCK_STREAM},
		{"status", c->status_socket, SOCK_STREAM},
	};
	bool running = agent_runs(c->spool_dir);

	check_spool(d, running);
	if (*c->statsd_listen)
		tell_socket(d, "statsd", c->statsd_listen, try_udp(c->statsd_listen), running);
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
		if (*sockets[i].path)
			tell_socket(d, sockets[i].setting, sockets[i].path, try_path(sockets[i].path, sockets[i].type), running);
}
