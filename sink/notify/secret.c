/* secret.c - see secret.h.
 *
 * The kernel keeps the way below the directory (openat2(), RESOLVE_BENEATH): links are followed, as mounted secrets are links, and one that leads out is
 * an error at the step that leaves, so there is nothing to race with. Where the kernel or its filter has no openat2(), both paths are resolved and
 * compared, and the file must still be the one that was resolved. */
#include "sink/notify/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

/* Cuts what dir and path have in common: what is left is relative. NULL: path is not below dir. */
static const char *below(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	if (path[0] != '/')
		return path;
	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (strncmp(path, dir, n) != 0 || (path[n] != '/' && dir[n - 1] != '/'))
		return NULL;
	path += n;
	return path + strspn(path, "/");
}

static int open_resolved(const char *dir, const char *relative)
{
	char joined[PATH_MAX], *root = realpath(dir, NULL), *real = NULL;
	int fd = -1, n = snprintf(joined, sizeof(joined), "%s/%s", dir, relative);

	if (root && n > 0 && (size_t)n < sizeof(joined))
		real = realpath(joined, NULL);
	if (real && below(root, real) && *below(root, real))
		fd = open(real, OPEN_FLAGS | O_NOFOLLOW);
	else if (real)
		errno = EXDEV;
	free(real);
	free(root);
	return fd;
}

static int open_beneath(const char *dir, const char *relative)
{
	struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, saved;

	if (root < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, root, relative, &how, sizeof(how));
	saved = errno;
	close(root);
	errno = saved;
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_resolved(dir, relative);
	return fd;
}

static int open_secret(const char *dir, const char *path, struct err *err)
{
	const char *relative;
	int fd;

	if (!dir || !*dir)
		return err_set(err, ERR_RETRY, "%.200s: notify.secrets_dir is not set", path);
	relative = below(dir, path);
	if (!relative)
		return err_set(err, ERR_RETRY, "%.200s: not below notify.secrets_dir", path);
	fd = open_beneath(dir, relative);
	if (fd < 0)
		return err_set(err, ERR_RETRY, "%.200s: %s", path, errno == EXDEV ? "not below notify.secrets_dir" : strerror(errno));
	return fd;
}

static int read_whole(struct secret *out, int fd, const char *path, struct err *err)
{
	struct stat st;
	ssize_t n = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_RETRY, "%.200s: not a regular file", path);
	do {
		n = read(fd, out->bytes + out->len, sizeof(out->bytes) - out->len);
		out->len += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && out->len < sizeof(out->bytes)) || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_set(err, ERR_RETRY, "%.200s: %s", path, strerror(errno));
	if (out->len > SECRET_BYTES_MAX)
		return err_set(err, ERR_RETRY, "%.200s: more than %d bytes", path, SECRET_BYTES_MAX);
	if (out->len && out->bytes[out->len - 1] == '\n')
		out->len -= out->len > 1 && out->bytes[out->len - 2] == '\r' ? 2 : 1;
	if (out->len == 0)
		return err_set(err, ERR_RETRY, "%.200s: empty", path);
	out->bytes[out->len] = '\0';
	return 0;
}

int secret_read(struct secret *out, const char *dir, struct str path, struct err *err)
{
	char text[PATH_MAX];
	int fd, rc;

	*out = (struct secret){.len = 0};
	if (path.len == 0 || path.len >= sizeof(text) || memchr(path.p, '\0', path.len))
		return err_set(err, ERR_RETRY, "the path of a secret is empty, too long or none");
	memcpy(text, path.p, path.len);
	text[path.len] = '\0';
	fd = open_secret(dir, text, err);
	if (fd < 0)
		return -1;
	rc = read_whole(out, fd, text, err);
	close(fd);
	if (rc < 0)
		secret_forget(out);
	return rc;
}

int secret_check_token(const struct secret *s, struct err *err)
{
	for (size_t i = 0; i < s->len; i++)
		if (s->bytes[i] <= ' ' || s->bytes[i] > '~')
			return err_set(err, ERR_RETRY, "a token holds something else than printable ASCII");
	return 0;
}

void secret_forget(struct secret *s)
{
	explicit_bzero(s, sizeof(*s));
}
