/* file_read.c - see file_read.h. Block by block, since the size of what is no plain file is known at its end only. */
#include "deploy/ctl/file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10 };

int file_read(const char *path, size_t max_bytes, struct buf *out, struct err *err)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && out->len <= max_bytes) {
		uint8_t *room = buf_reserve(out, READ_BYTES);

		if (!room) {
			close(fd);
			return err_nomem(err, "a file");
		}
		n = read(fd, room, READ_BYTES);
		out->len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		err_set(err, ERR_FATAL, "cannot read %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	if (out->len > max_bytes)
		return err_set(err, ERR_REJECT, "%s is larger than %zu MiB", path, max_bytes >> 20);
	return 0;
}
