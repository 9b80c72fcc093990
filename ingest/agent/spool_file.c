/* spool_file.c - see spool_file.h.
 *
 * Layout, integers little-endian:
 *     magic (8 bytes) · u32 version · u32 bytes of the head · agent_id (16) · u64 seq · u64 floor · i64 created_at · u64 samples
 *     u64 length of the body · u64 XXH3-64 of the body · u64 XXH3-64 of all before it · body
 * The head has a sum of its own, as a start reads all heads and no body; it covers the body's, so that both sums cover all.
 * `attempted` is in the name: what was synced once is never written again, and a rename costs no sync. */
#include "ingest/agent/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

static const char magic[8] = "MRspool\n";

static const char *const stages[NR_SPOOL_STAGES] = {
	[SPOOL_PAYLOAD] = "payload", [SPOOL_TRIED] = "tried", [SPOOL_LOST] = "lost", [SPOOL_LOST_TRIED] = "lost-tried",
	[SPOOL_HALF] = "half",       [SPOOL_SPLIT] = "split", [SPOOL_TMP] = "tmp",
};

enum { VERSION = 1 };

struct head {
	char magic[8];
	uint32_t version, head_bytes;
	uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES];
	uint64_t seq, floor;
	int64_t created_at_ms;
	uint64_t samples, body_bytes, body_sum, sum;
};

_Static_assert(sizeof(struct head) == SPOOL_HEAD_BYTES, "the head has no padding");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the head is read as it stands in the file");

int spool_label_cmp(const struct spool_label *a, const struct spool_label *b)
{
	int ids;

	if (a->created_at_ms != b->created_at_ms)
		return a->created_at_ms < b->created_at_ms ? -1 : 1;
	ids = memcmp(a->agent_id, b->agent_id, sizeof(a->agent_id));
	if (ids)
		return ids;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

char *spool_file_name(const struct spool_label *label, char out[SPOOL_NAME_SIZE])
{
	char hex[2 * ENVELOPE_AGENT_ID_BYTES + 1];

	str_hex(label->agent_id, sizeof(label->agent_id), hex);
	snprintf(out, SPOOL_NAME_SIZE, "%016lld-%s-%020llu.%s", (long long)label->created_at_ms, hex, (unsigned long long)label->seq,
		 stages[label->stage]);
	return out;
}

/* Parses loosely, and believes it when it makes the same name again. */
bool spool_file_parse(const char *name, struct spool_label *out)
{
	struct spool_label label = {0};
	char hex[2 * ENVELOPE_AGENT_ID_BYTES + 1], stage[12], again[SPOOL_NAME_SIZE];
	long long created_at;
	unsigned long long seq;
	unsigned byte;

	if (sscanf(name, "%16lld-%32[0-9a-f]-%20llu.%11s", &created_at, hex, &seq, stage) != 4 || created_at < 1 || seq < 1 ||
	    strlen(hex) != sizeof(hex) - 1)
		return false;
	for (size_t i = 0; i < ENVELOPE_AGENT_ID_BYTES; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		label.agent_id[i] = (uint8_t)byte;
	}
	label.created_at_ms = created_at;
	label.seq = seq;
	while (label.stage < NR_SPOOL_STAGES && strcmp(stages[label.stage], stage) != 0)
		label.stage++;
	if (label.stage == NR_SPOOL_STAGES || strcmp(spool_file_name(&label, again), name) != 0)
		return false;
	*out = label;
	return true;
}

static struct head head_of(const struct envelope *e)
{
	struct head h = {.version = VERSION,
			 .head_bytes = SPOOL_HEAD_BYTES,
			 .seq = e->seq,
			 .floor = e->floor,
			 .created_at_ms = e->created_at_ms,
			 .samples = e->samples,
			 .body_bytes = e->body.len,
			 .body_sum = XXH3_64bits(e->body.p, e->body.len)};

	memcpy(h.magic, magic, sizeof(magic));
	memcpy(h.agent_id, e->agent_id, sizeof(h.agent_id));
	h.sum = XXH3_64bits(&h, offsetof(struct head, sum));
	return h;
}

/* Writes and syncs what is to be renamed. */
static int write_synced(const struct spool_io *io, int folder_fd, const char *name, const struct envelope *e)
{
	struct head head = head_of(e);
	int fd = spool_io_open(io, folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC), rc, code;

	if (fd < 0)
		return -1;
	rc = spool_io_write(io, fd, (struct str){(const char *)&head, sizeof(head)}, 0) < 0 ||
			     spool_io_write(io, fd, e->body, sizeof(head)) < 0 || spool_io_sync(io, fd) < 0
		     ? -1
		     : 0;
	code = errno;
	if (close(fd) < 0 && rc == 0) {
		code = errno;
		rc = -1;
	}
	errno = code;
	return rc;
}

int spool_file_write(const struct spool_io *io, int folder_fd, const struct spool_label *label, const struct envelope *e)
{
	struct spool_label temporary = *label;
	char temp[SPOOL_NAME_SIZE], name[SPOOL_NAME_SIZE];
	const char *made = temp;
	int code;

	temporary.stage = SPOOL_TMP;
	spool_file_name(&temporary, temp);
	spool_file_name(label, name);
	if (write_synced(io, folder_fd, temp, e) == 0 && spool_io_rename(io, folder_fd, temp, folder_fd, name) == 0) {
		if (spool_io_sync(io, folder_fd) == 0)
			return 0;
		made = name;
	}
	code = errno;
	spool_io_unlink(io, folder_fd, made);
	errno = code;
	return -1;
}

int spool_file_step(const struct spool_io *io, int folder_fd, struct spool_label *label, enum spool_stage stage)
{
	struct spool_label next = *label;
	char from[SPOOL_NAME_SIZE], to[SPOOL_NAME_SIZE];

	next.stage = stage;
	if (spool_io_rename(io, folder_fd, spool_file_name(label, from), folder_fd, spool_file_name(&next, to)) < 0)
		return -1;
	label->stage = stage;
	return 0;
}

/* Judges a head by itself, its name and the file's size. */
static enum spool_file_found judge(const struct head *h, const struct spool_label *label, uint64_t bytes, struct envelope *out)
{
	if (memcmp(h->magic, magic, sizeof(magic)) != 0 || h->version != VERSION || h->head_bytes != SPOOL_HEAD_BYTES ||
	    h->sum != XXH3_64bits(h, offsetof(struct head, sum)) || h->seq < 1 || h->floor < 1 || h->floor > h->seq)
		return SPOOL_FILE_TORN;
	if (h->seq != label->seq || h->created_at_ms != label->created_at_ms ||
	    memcmp(h->agent_id, label->agent_id, sizeof(h->agent_id)) != 0)
		return SPOOL_FILE_FOREIGN;
	*out = (struct envelope){.seq = h->seq, .floor = h->floor, .created_at_ms = h->created_at_ms, .samples = h->samples};
	memcpy(out->agent_id, h->agent_id, sizeof(out->agent_id));
	if (label->stage == SPOOL_LOST || label->stage == SPOOL_LOST_TRIED)
		return SPOOL_FILE_WHOLE;
	return h->body_bytes <= SPOOL_BODY_MAX && h->body_bytes + sizeof(*h) == bytes ? SPOOL_FILE_WHOLE : SPOOL_FILE_TORN;
}

/* Opens a file and judges its head; *fd is open unless it is gone, foreign or unreadable. */
static enum spool_file_found open_judged(const struct spool_io *io, int folder_fd, const struct spool_label *label, int *fd,
					 struct head *head, struct stat *st, struct envelope *out)
{
	char name[SPOOL_NAME_SIZE];
	ssize_t got;

	*out = (struct envelope){0};
	*fd = spool_io_open(io, folder_fd, spool_file_name(label, name), O_RDONLY | O_NONBLOCK);
	if (*fd < 0)
		return errno == ENOENT ? SPOOL_FILE_GONE : errno == ELOOP ? SPOOL_FILE_FOREIGN : SPOOL_FILE_UNREADABLE;
	got = fstat(*fd, st) < 0 ? -1 : S_ISREG(st->st_mode) ? spool_io_read(io, *fd, head, sizeof(*head), 0) : 0;
	if (got < 0) {
		int code = errno;

		close(*fd);
		*fd = -1;
		errno = code;
		return SPOOL_FILE_UNREADABLE;
	}
	return got == sizeof(*head) ? judge(head, label, (uint64_t)st->st_size, out) : SPOOL_FILE_TORN;
}

enum spool_file_found spool_file_look(const struct spool_io *io, int folder_fd, const struct spool_label *label, struct envelope *out,
				      uint64_t *bytes, int64_t *mtime_ms)
{
	struct head head;
	struct stat st;
	int fd;
	enum spool_file_found found = open_judged(io, folder_fd, label, &fd, &head, &st, out);

	if (fd < 0)
		return found;
	*bytes = (uint64_t)st.st_size;
	*mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	close(fd);
	return found;
}

/* Reads the body that a whole head promises. */
static enum spool_file_found read_body(const struct spool_io *io, int fd, const struct head *head, struct buf *body)
{
	uint8_t *to = buf_reserve(body, (size_t)head->body_bytes + 1); /* a body may be empty, its room not */
	ssize_t got = to ? spool_io_read(io, fd, to, (size_t)head->body_bytes, sizeof(*head)) : -1;

	if (!to)
		errno = ENOMEM;
	if (got < 0)
		return SPOOL_FILE_UNREADABLE;
	if ((uint64_t)got != head->body_bytes || XXH3_64bits(to, (size_t)got) != head->body_sum)
		return SPOOL_FILE_TORN;
	body->len = (size_t)got;
	return SPOOL_FILE_WHOLE;
}

enum spool_file_found spool_file_read(const struct spool_io *io, int folder_fd, const struct spool_label *label, struct envelope *out,
				      struct buf *body)
{
	struct head head;
	struct stat st;
	struct envelope e;
	int fd, code;
	enum spool_file_found found = open_judged(io, folder_fd, label, &fd, &head, &st, &e);

	buf_clear(body);
	if (fd < 0)
		return found;
	if (found == SPOOL_FILE_WHOLE)
		found = read_body(io, fd, &head, body);
	code = errno;
	close(fd);
	errno = code;
	if (found != SPOOL_FILE_WHOLE)
		return found;
	*out = e;
	out->attempted = label->stage == SPOOL_TRIED;
	out->body = buf_str(body);
	return found;
}

int spool_file_cut(const struct spool_io *io, int folder_fd, const struct spool_label *label)
{
	char name[SPOOL_NAME_SIZE];
	int fd = spool_io_open(io, folder_fd, spool_file_name(label, name), O_WRONLY | O_NONBLOCK), rc;

	if (fd < 0)
		return -1;
	rc = spool_io_truncate(io, fd, SPOOL_HEAD_BYTES);
	close(fd);
	return rc;
}
