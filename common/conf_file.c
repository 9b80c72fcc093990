/* conf_file.c - see conf_file.h.
 *
 * The file is read whole before a line is looked at: it is small by decree, and a file that changes while it is read is then at
 * worst one that fails, not one half of which was applied. */
#include "common/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/str.h"

enum { READ_BYTES = 16384 };

/* Cuts white space off both ends, in place. */
static char *trim(char *text)
{
	static const char blanks[] = " \t\r";
	size_t n;

	text += strspn(text, blanks);
	n = strlen(text);
	while (n > 0 && strchr(blanks, text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

/* Reads until the end, or until it is too much: what is read may be a device or a pipe, whose size no fstat() tells. */
static int read_fd(int fd, const char *what, const char *path, struct buf *text, struct err *err)
{
	while (text->len <= CONF_FILE_BYTES_MAX) {
		uint8_t *to = buf_reserve(text, READ_BYTES);
		ssize_t n = to ? read(fd, to, READ_BYTES) : 0;

		if (!to)
			return err_nomem(err, what);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_set(err, ERR_REJECT, "cannot read %s '%.200s': %s", what, path, strerror(errno));
		text->len += n > 0 ? (size_t)n : 0;
	}
	return err_set(err, ERR_REJECT, "%s '%.200s' is larger than %d bytes", what, path, CONF_FILE_BYTES_MAX);
}

/* what: the file's kind, for messages. */
static int read_all(const char *what, const char *path, struct buf *text, struct err *err)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, ERR_REJECT, "cannot open %s '%.200s': %s", what, path, strerror(errno));
	rc = read_fd(fd, what, path, text, err);
	close(fd);
	return rc;
}

/* The line's text is not repeated in the message: it may hold a secret whose '=' was forgotten. */
static int read_line(char *line, size_t len, const char *path, int number, conf_file_fn entry, void *ctx, struct err *err)
{
	char *equals;

	line[len] = '\0';
	if (strlen(line) != len)
		return err_set(err, ERR_REJECT, "%.200s:%d holds a NUL byte", path, number);
	line = trim(line);
	if (*line == '\0' || *line == '#')
		return 0;
	equals = strchr(line, '=');
	if (!equals || equals == line)
		return err_set(err, ERR_REJECT, "%.200s:%d is not \"key = value\"", path, number);
	*equals = '\0';
	return entry(ctx, trim(line), trim(equals + 1), number, err);
}

int conf_file_read(const char *path, conf_file_fn entry, void *ctx, struct err *err)
{
	struct buf text = BUF_INIT;
	int number = 0, rc = read_all("configuration file", path, &text, err);

	buf_add(&text, "\n", 1); /* the last line ends like any other */
	if (rc == 0 && buf_failed(&text))
		rc = err_nomem(err, "the configuration file");
	for (size_t at = 0, len; rc == 0 && at < text.len; at += len + 1) {
		char *line = (char *)text.p + at;

		len = (size_t)((char *)memchr(line, '\n', text.len - at) - line);
		rc = read_line(line, len, path, ++number, entry, ctx, err);
	}
	buf_fini(&text);
	return rc;
}

int conf_file_text(const char *path, struct buf *text, struct err *err)
{
	if (read_all("file", path, text, err) < 0)
		return -1;
	while (text->len > 0 && (text->p[text->len - 1] == '\n' || text->p[text->len - 1] == '\r'))
		text->len--;
	if (text->len == 0)
		return err_set(err, ERR_REJECT, "file '%.200s' is empty", path);
	if (memchr(text->p, '\0', text->len))
		return err_set(err, ERR_REJECT, "file '%.200s' holds a NUL byte", path);
	buf_add(text, "", 1);
	return buf_failed(text) ? err_nomem(err, "a file's text") : 0;
}
