/* spool_folder.c - see spool_folder.h.
 *
 * The lock's file says where the folder was last used: the kernel's id of this run of the machine, and the folder's own inode. Both are the
 * same after kill -9, and one is another after a power failure or in a copy; that is when a rename that was not synced may be undone, or
 * another machine may have sent what lies here. */
#include "ingest/agent/spool_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOCK_NAME "lock"
#define ASIDE_NAME "rejected"
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

enum { PLACE_SIZE = 128, ASIDE_NAME_SIZE = 300, ASIDE_DELETED_A_CALL = 64, LABELS_MAX = 1 << 18 };

static int cannot(struct err *err, const char *what, const char *name)
{
	return err_set(err, ERR_RETRY, "cannot %s %s: %s", what, name, strerror(errno));
}

static int take_lock(struct spool_folder *f, const char *dir, struct err *err)
{
	f->lock_fd = spool_io_open(f->io, f->fd, LOCK_NAME, O_RDWR);
	if (f->lock_fd < 0 && errno == ENOENT) /* only then: a full disk refuses O_CREAT */
		f->lock_fd = spool_io_open(f->io, f->fd, LOCK_NAME, O_RDWR | O_CREAT);
	if (f->lock_fd < 0 && (errno == EROFS || errno == EACCES))
		f->lock_fd = spool_io_open(f->io, f->fd, LOCK_NAME, O_RDONLY);
	if (f->lock_fd < 0)
		return cannot(err, "open the lock in", dir);
	if (spool_io_lock(f->io, f->lock_fd) == 0)
		return 0;
	return errno == EWOULDBLOCK ? err_set(err, ERR_FATAL, "%s is in use by another agent; each needs a spool.dir of its own", dir)
				    : cannot(err, "lock", dir);
}

int spool_folder_open(struct spool_folder *f, const struct spool_io *io, const char *dir, struct err *err)
{
	int rc = -1;

	*f = (struct spool_folder)SPOOL_FOLDER_CLOSED;
	f->io = io;
	if (spool_io_mkdir(io, AT_FDCWD, dir) < 0 && errno != EROFS)
		return cannot(err, "make", dir);
	f->fd = spool_io_open(io, AT_FDCWD, dir, O_RDONLY | O_DIRECTORY);
	if (f->fd >= 0)
		rc = take_lock(f, dir, err);
	else if (errno == ENOTDIR || errno == ELOOP)
		err_set(err, ERR_FATAL, "%s is not a folder (symbolic links are not followed)", dir);
	else
		cannot(err, "open", dir);
	if (rc < 0)
		spool_folder_close(f);
	return rc;
}

void spool_folder_close(struct spool_folder *f)
{
	if (f->lock_fd >= 0)
		close(f->lock_fd);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = f->lock_fd = -1;
}

/* What the lock's file says of a folder that is used here and now. */
static void place_of(const struct spool_folder *f, char place[PLACE_SIZE])
{
	char boot[64] = "";
	int fd = spool_io_open(NULL, AT_FDCWD, BOOT_ID_PATH, O_RDONLY);
	ssize_t got = fd < 0 ? 0 : spool_io_read(NULL, fd, boot, sizeof(boot) - 1, 0);
	struct stat st = {0};

	if (fd >= 0)
		close(fd);
	boot[got > 0 ? strcspn(boot, "\n") : 0] = '\0';
	if (fstat(f->fd, &st) < 0)
		st.st_ino = 0;
	snprintf(place, PLACE_SIZE, "%s %llu\n", boot, (unsigned long long)st.st_ino);
}

bool spool_folder_moved(const struct spool_folder *f)
{
	char place[PLACE_SIZE], noted[PLACE_SIZE];
	ssize_t got = spool_io_read(f->io, f->lock_fd, noted, sizeof(noted), 0);

	place_of(f, place);
	return got != (ssize_t)strlen(place) || memcmp(noted, place, (size_t)got) != 0;
}

void spool_folder_settle(const struct spool_folder *f)
{
	char place[PLACE_SIZE];

	place_of(f, place);
	if (spool_io_truncate(f->io, f->lock_fd, 0) == 0)
		spool_io_write(f->io, f->lock_fd, str_from(place), 0);
}

static int compare(const void *a, const void *b)
{
	const struct spool_label *one = a, *two = b;
	int rc = spool_label_cmp(one, two);

	return rc ? rc : (int)one->stage - (int)two->stage;
}

/* Does the name end as only the spool's do? */
static bool ends_like_ours(const char *name)
{
	const char *ending = strrchr(name, '.');
	struct spool_label label = {.created_at_ms = 1, .seq = 1};
	char ours[SPOOL_NAME_SIZE];

	for (label.stage = 0; ending && label.stage < SPOOL_TMP; label.stage++)
		if (strcmp(ending, strrchr(spool_file_name(&label, ours), '.')) == 0)
			return true;
	return false;
}

/* Appends the labels of one listing. errno is of the listing's end. */
static void list_names(const struct spool_folder *f, DIR *dir, struct buf *labels, size_t *aside)
{
	struct spool_label label;
	const char *name;

	while ((name = spool_io_next(dir)) && labels->len / sizeof(label) < LABELS_MAX)
		if (spool_file_parse(name, &label))
			buf_add(labels, &label, sizeof(label));
		else if (ends_like_ours(name) && spool_folder_set_aside(f, name, "foreign") == 0)
			++*aside;
}

int spool_folder_list(const struct spool_folder *f, struct spool_label **out, size_t *nr, size_t *aside, struct err *err)
{
	DIR *dir = spool_io_list(f->io, f->fd);
	struct buf labels = BUF_INIT;
	int code;

	if (!dir)
		return cannot(err, "list", "the spool");
	list_names(f, dir, &labels, aside);
	code = errno;
	closedir(dir);
	errno = code;
	if (code || buf_failed(&labels)) {
		buf_fini(&labels);
		return code ? cannot(err, "list", "the spool") : err_nomem(err, "the spool's names");
	}
	*out = (struct spool_label *)(void *)labels.p;
	*nr = labels.len / sizeof(**out);
	if (*nr > 0)
		qsort(*out, *nr, sizeof(**out), compare);
	return 0;
}

struct aside {
	size_t files;
	uint64_t bytes;
	struct timespec oldest_at;
	char oldest[ASIDE_NAME_SIZE];
};

static bool before(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* Sums rejected/ up. */
static int look_aside(const struct spool_folder *f, int fd, struct aside *a)
{
	DIR *dir = spool_io_list(f->io, fd);
	const char *name;
	struct stat st;

	*a = (struct aside){0};
	if (!dir)
		return -1;
	while ((name = spool_io_next(dir))) {
		if (spool_io_stat(f->io, fd, name, &st) < 0 || S_ISDIR(st.st_mode) || strlen(name) >= sizeof(a->oldest))
			continue;
		if (a->files == 0 || before(st.st_ctim, a->oldest_at)) {
			a->oldest_at = st.st_ctim;
			snprintf(a->oldest, sizeof(a->oldest), "%s", name);
		}
		a->files++;
		a->bytes += (uint64_t)st.st_size;
	}
	closedir(dir);
	return 0;
}

/* Deletes the oldest of rejected/ beyond the bounds, not too many at a time. */
static void bound_aside(const struct spool_folder *f, int fd)
{
	struct aside a;

	for (int i = 0; i < ASIDE_DELETED_A_CALL; i++)
		if (look_aside(f, fd, &a) < 0 || (a.files <= SPOOL_ASIDE_FILES_MAX && a.bytes <= SPOOL_ASIDE_BYTES_MAX) ||
		    spool_io_unlink(f->io, fd, a.oldest) < 0)
			return;
}

int spool_folder_set_aside(const struct spool_folder *f, const char *name, const char *ending)
{
	char as[ASIDE_NAME_SIZE];
	int fd = spool_io_mkdir(f->io, f->fd, ASIDE_NAME) < 0 ? -1 : spool_io_open(f->io, f->fd, ASIDE_NAME, O_RDONLY | O_DIRECTORY);
	int rc = -1;

	snprintf(as, sizeof(as), "%s.%s", name, ending);
	if (fd >= 0) {
		rc = spool_io_rename(f->io, f->fd, name, fd, as);
		if (rc == 0)
			bound_aside(f, fd);
		close(fd);
	}
	return rc < 0 ? spool_io_unlink(f->io, f->fd, name) : 0;
}
