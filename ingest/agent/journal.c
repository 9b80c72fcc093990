/* journal.c - see journal.h. */
#include "ingest/agent/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEAD_BYTES = 1 + ENVELOPE_AGENT_ID_BYTES + 8 + 8 + 4 };

static uint8_t *put_number(uint8_t *to, uint64_t n, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		*to++ = (uint8_t)(n >> 8 * i);
	return to;
}

int journal_open(const char *path, struct err *err)
{
	int fd;

	if (!*path)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	err_set(err, ERR_REJECT, "test.journal %s: %s", path, strerror(errno));
	return -2;
}

void journal_write(int fd, enum journal_word word, const struct envelope *e)
{
	size_t body = word == JOURNAL_MADE ? e->body.len : 0;
	uint8_t head[HEAD_BYTES], *to = head;
	const struct iovec parts[] = {{head, sizeof(head)}, {(void *)(uintptr_t)e->body.p, body}};

	if (fd < 0)
		return;
	*to++ = (uint8_t)word;
	memcpy(to, e->agent_id, ENVELOPE_AGENT_ID_BYTES);
	to = put_number(to + ENVELOPE_AGENT_ID_BYTES, e->seq, 8);
	to = put_number(to, (uint64_t)e->created_at_ms, 8);
	put_number(to, body, 4);
	if (writev(fd, parts, 2) != (ssize_t)(sizeof(head) + body))
		abort();
}
