/* token.c - see token.h.
 *
 * A file that everybody may read is refused, not warned of: a warning scrolls by, and the token opens the valve of the whole intake. */
#include "common/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All of a small file, at most size bytes; -1 with errno. The rest of a larger one is not read: it is too long anyway. */
static ssize_t read_file(int fd, char *out, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, out + len, size - len);
		len += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && len < size) || (n < 0 && errno == EINTR));
	return n < 0 ? -1 : (ssize_t)len;
}

/* Cuts off what an editor or an echo leaves around the token, and keeps it when it is one. */
static int take(struct token *t, const char *bytes, size_t len, const char *path, struct err *err)
{
	static const char blanks[] = " \t\r\n";

	while (len && memchr(blanks, bytes[len - 1], sizeof(blanks) - 1))
		len--;
	for (; len && memchr(blanks, *bytes, sizeof(blanks) - 1); len--)
		bytes++;
	if (len < TOKEN_MIN || len > TOKEN_MAX)
		return err_set(err, ERR_REJECT, "%s: a token has %d to %d characters", path, TOKEN_MIN, TOKEN_MAX);
	for (size_t i = 0; i < len; i++)
		if (bytes[i] <= ' ' || bytes[i] >= 0x7f)
			return err_set(err, ERR_REJECT, "%s: a token is of printable ASCII characters, without blanks", path);
	memset(t, 0, sizeof(*t));
	memcpy(t->text, bytes, len);
	return 0;
}

int token_read(struct token *t, const char *path, struct err *err)
{
	char bytes[TOKEN_MAX + 64];
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		err_set(err, ERR_REJECT, "%s: %s", path, strerror(errno));
	else if (st.st_mode & S_IRWXO)
		err_set(err, ERR_REJECT, "%s: the token in it is open to everybody on this machine: chmod o-rwx it", path);
	else if ((n = read_file(fd, bytes, sizeof(bytes))) < 0)
		err_set(err, ERR_REJECT, "%s: %s", path, strerror(errno));
	else if (n == (ssize_t)sizeof(bytes))
		err_set(err, ERR_REJECT, "%s: too large for a token", path);
	else
		rc = take(t, bytes, (size_t)n, path, err);
	if (fd >= 0)
		close(fd);
	explicit_bzero(bytes, sizeof(bytes));
	return rc;
}

/* Over the whole of both buffers, whatever is in them; volatile, so that no compiler finds a shorter way. A length that does not fit is
 * no secret of ours. */
bool token_matches(const struct token *t, const char *given)
{
	char copy[sizeof(t->text)] = "";
	volatile unsigned char difference = 0;

	if (!given || strlen(given) > TOKEN_MAX || !t->text[0])
		return false;
	memcpy(copy, given, strlen(given));
	for (size_t i = 0; i < sizeof(copy); i++)
		difference |= (unsigned char)(copy[i] ^ t->text[i]);
	explicit_bzero(copy, sizeof(copy));
	return difference == 0;
}

void token_forget(struct token *t)
{
	explicit_bzero(t, sizeof(*t));
}
