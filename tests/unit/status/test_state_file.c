/* test_state_file.c - what is on the disk of millrace-status: what was written comes back whole, whatever call of a writing fails or is the last one before a kill,
 * and bytes that are damaged anywhere are told of and not used. */
#include "sink/status/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* The calls of a writing, in their order; the faulty one fails with code, or ends the process when code is 0. */
static struct {
	int calls, faulty; /* faulty 0: none */
	int code;
	size_t bytes_a_write; /* 0: all */
	char log[40];         /* a letter a call: w, f, r */
} disk;

ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from, const char *old, int to, const char *name);
int __wrap_renameat(int from, const char *old, int to, const char *name);

static bool is_faulty(char call)
{
	if (disk.faulty && disk.calls + 1 < (int)sizeof(disk.log))
		disk.log[disk.calls] = call;
	if (!disk.faulty || ++disk.calls != disk.faulty)
		return false;
	if (!disk.code)
		_exit(42);
	errno = disk.code;
	return true;
}

ssize_t __wrap_write(int fd, const void *p, size_t len)
{
	if (!disk.faulty && !disk.bytes_a_write)
		return __real_write(fd, p, len); /* Check's own, too */
	return is_faulty('w') ? -1 : __real_write(fd, p, disk.bytes_a_write && len > disk.bytes_a_write ? disk.bytes_a_write : len);
}

int __wrap_fsync(int fd)
{
	return is_faulty('f') ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from, const char *old, int to, const char *name)
{
	return is_faulty('r') ? -1 : __real_renameat(from, old, to, name);
}

static void folder_init(char dir[64])
{
	memset(&disk, 0, sizeof(disk));
	strcpy(dir, "/tmp/state_file.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static const char *path_of(const char *dir, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", dir, name);
	return out;
}

static void folder_fini(const char *dir)
{
	char path[128];

	unlink(path_of(dir, "status.state", path));
	unlink(path_of(dir, "status.state.new", path));
	ck_assert_int_eq(rmdir(dir), 0);
}

/* A state that is known by its time. */
static int write_state(const char *dir, int64_t at, struct err *err)
{
	struct str cell = STR("main"), entries[2] = {{"first", 5}, {"\0\xff", 2}}, unwritten = {"third", 5};
	struct status_component c = {.id = STR("storage/main"), .title = STR("Storage, Europe"), .state = COMPONENT_STATE_MAJOR_OUTAGE, .since = at - 1, .left_at = at - 2,
				     .detail = STR("Storing in Europe stands still."), .cells = &cell, .cells_len = 1, .behind_ms = 4, .waiting_records = 5, .left_ms = 6,
				     .lost_records = 7, .recovery_ms = 8, .draining = true, .share = 0.5};
	struct status_state s = {.at = at, .components = &c, .components_len = 1, .entries = entries, .entries_len = 2, .unwritten = &unwritten, .unwritten_len = 1};

	return state_file_write(dir, &s, err);
}

/* The time of what is there; 0: nothing; -1: it is not used, and why. */
static int64_t time_there(const char *dir, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct status_state s;
	int rc = state_file_read(dir, &arena, &s, err);
	int64_t at = rc > 0 ? s.at : rc;

	if (rc > 0) {
		const struct status_component *c = s.components;

		ck_assert_uint_eq(s.components_len, 1);
		ck_assert(str_eq(c->id, STR("storage/main")) && str_eq(c->title, STR("Storage, Europe")) && str_eq(c->detail, STR("Storing in Europe stands still.")));
		ck_assert(c->state == COMPONENT_STATE_MAJOR_OUTAGE && c->since == at - 1 && c->left_at == at - 2 && c->cells_len == 1 && str_eq(c->cells[0], STR("main")));
		ck_assert(c->behind_ms == 4 && c->waiting_records == 5 && c->left_ms == 6 && c->lost_records == 7 && c->recovery_ms == 8 && c->draining);
		ck_assert_double_eq(c->share, 0.5);
		ck_assert_uint_eq(s.entries_len, 2);
		ck_assert(str_eq(s.entries[0], STR("first")) && s.entries[1].len == 2 && memcmp(s.entries[1].p, "\0\xff", 2) == 0);
		ck_assert(s.unwritten_len == 1 && str_eq(s.unwritten[0], STR("third")));
	}
	arena_fini(&arena);
	return at;
}

START_TEST(there_and_back)
{
	struct err err = ERR_INIT;
	struct stat st;
	char dir[64], path[128];

	folder_init(dir);
	ck_assert_int_eq(time_there(dir, &err), 0);
	ck_assert_int_eq(write_state(dir, 1000, &err), 0);
	ck_assert_int_eq(time_there(dir, &err), 1000);
	ck_assert_int_eq(write_state(dir, 2000, &err), 0);
	ck_assert_int_eq(time_there(dir, &err), 2000);
	ck_assert_int_eq(stat(path_of(dir, "status.state", path), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600); /* drafts are nobody else's */
	ck_assert_int_eq(access(path_of(dir, "status.state.new", path), F_OK), -1);
	folder_fini(dir);
}
END_TEST

START_TEST(in_small_pieces)
{
	struct err err = ERR_INIT;
	char dir[64];

	folder_init(dir);
	disk.bytes_a_write = 7;
	ck_assert_int_eq(write_state(dir, 1000, &err), 0);
	disk.bytes_a_write = 0;
	ck_assert_int_eq(time_there(dir, &err), 1000);
	folder_fini(dir);
}
END_TEST

/* What is written gets to the disk before it takes the old one's name, and the name after it. */
START_TEST(calls_of_a_writing)
{
	const char *at = disk.log;
	char dir[64];

	folder_init(dir);
	disk.bytes_a_write = 50;
	disk.faulty = 1000;
	ck_assert_int_eq(write_state(dir, 2000, NULL), 0);
	disk.faulty = 0;
	at += strspn(at, "w");
	ck_assert_int_ge(at - disk.log, 3);
	ck_assert_str_eq(at, "frf");
	folder_fini(dir);
}
END_TEST

enum { CALLS_MAX = 13 };

/* Fails, or ends the process, at call _i: what is there then. disk.log has the calls before it. */
static void try_until(const char *dir, int code)
{
	disk.bytes_a_write = 50;
	disk.faulty = CALLS_MAX;
	ck_assert_int_eq(write_state(dir, 1000, NULL), 0);
	ck_assert_int_lt(disk.calls, CALLS_MAX); /* so that the loops get to the end of a writing */
	disk.calls = 0;
	disk.code = code;
}

/* Until the rename the file of before stays, and no half one lies about; and the next writing mends all. */
START_TEST(any_call_may_fail)
{
	static const int codes[] = {ENOSPC, EDQUOT, EIO, EROFS};
	struct err err = ERR_INIT;
	char dir[64], path[128];
	int rc, nr;

	folder_init(dir);
	try_until(dir, codes[_i % 4]);
	nr = (int)strlen(disk.log);
	disk.faulty = _i;
	rc = write_state(dir, 2000, &err);
	disk.faulty = 0;
	ck_assert_int_eq(rc, _i <= nr ? -1 : 0);
	if (rc < 0) {
		ck_assert_int_eq(err.kind, ERR_RETRY);
		ck_assert_ptr_nonnull(strstr(err.msg, strerror(disk.code)));
		ck_assert_ptr_nonnull(strstr(err.msg, dir));
	}
	ck_assert_int_eq(time_there(dir, &err), _i < nr ? 1000 : 2000);
	ck_assert_int_lt(access(path_of(dir, "status.state.new", path), F_OK), 0);
	disk.bytes_a_write = 0;
	ck_assert_int_eq(write_state(dir, 3000, &err), 0);
	ck_assert_int_eq(time_there(dir, &err), 3000);
	folder_fini(dir);
}
END_TEST

/* Killed before call _i. */
START_TEST(killed_anywhere)
{
	struct err err = ERR_INIT;
	char dir[64];
	int status, nr;
	pid_t pid;

	folder_init(dir);
	try_until(dir, 0);
	nr = (int)strlen(disk.log);
	disk.faulty = _i;
	pid = fork();
	if (pid == 0)
		_exit(write_state(dir, 2000, &err) == 0 ? 0 : 1);
	disk.faulty = 0;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), _i <= nr ? 42 : 0);
	ck_assert_int_eq(time_there(dir, &err), _i < nr ? 1000 : 2000);
	disk.bytes_a_write = 0;
	ck_assert_int_eq(write_state(dir, 3000, &err), 0); /* over what lies there half written */
	ck_assert_int_eq(time_there(dir, &err), 3000);
	folder_fini(dir);
}
END_TEST

static size_t read_file(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, out, size);

	close(fd);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static int parse(const char *bytes, size_t len, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct status_state state;
	int rc = state_file_parse((struct str){bytes, len}, &arena, &state, err);

	arena_fini(&arena);
	return rc;
}

/* Each bit turned, each length cut, and something behind it. */
START_TEST(damage)
{
	struct err err = ERR_INIT;
	char dir[64], path[128], bytes[1024];
	size_t len;

	folder_init(dir);
	ck_assert_int_eq(write_state(dir, 1000, NULL), 0);
	len = read_file(path_of(dir, "status.state", path), bytes, sizeof(bytes) - 1);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		err = (struct err)ERR_INIT;
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		ck_assert_int_eq(parse(bytes, len, &err), -1);
		ck_assert_int_eq(err.kind, ERR_REJECT);
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	bytes[len] = 'x';
	for (size_t n = 0; n <= len + 1; n++) {
		err = (struct err)ERR_INIT;
		ck_assert_int_eq(parse(bytes, n, &err), n == len ? 0 : -1);
		ck_assert_int_eq(err.kind, n == len ? 0 : ERR_REJECT);
	}
	write_file(path, bytes, len - 1);
	ck_assert_int_eq(time_there(dir, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	folder_fini(dir);
}
END_TEST

/* What is no file of ours, or not to be had. */
START_TEST(not_to_be_had)
{
	struct err err = ERR_INIT;
	char dir[64], path[128];

	folder_init(dir);
	ck_assert_int_eq(time_there("/nowhere/at/all", &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_int_eq(write_state("/nowhere/at/all", 1, &err), -1);
	ck_assert_int_eq(mkdir(path_of(dir, "status.state", path), 0700), 0);
	ck_assert_int_eq(time_there(dir, &err), -1);
	ck_assert_int_eq(write_state(dir, 1, &err), -1);
	ck_assert_int_eq(rmdir(path), 0);
	folder_fini(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state_file");
	TCase *tc = tcase_create("state_file");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, there_and_back);
	tcase_add_test(tc, in_small_pieces);
	tcase_add_loop_test(tc, any_call_may_fail, 1, CALLS_MAX);
	tcase_add_loop_test(tc, killed_anywhere, 1, CALLS_MAX);
	tcase_add_test(tc, calls_of_a_writing);
	tcase_add_test(tc, damage);
	tcase_add_test(tc, not_to_be_had);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
