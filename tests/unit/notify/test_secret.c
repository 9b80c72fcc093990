/* test_secret.c - what a secret may be, and that no path leads out of its directory. */
#include "sink/notify/secret.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* base/outside is what nobody may read; base/secrets is the directory. */
struct house {
	char base[64], dir[96], outside[96];
};

static void put(const char *dir, const char *name, const char *bytes, size_t len)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void link_to(const char *dir, const char *name, const char *target)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(symlink(target, path), 0);
}

static void house_init(struct house *h)
{
	char sub[160], alike[160];

	snprintf(h->base, sizeof(h->base), "/tmp/millrace-secret-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(h->base));
	snprintf(h->dir, sizeof(h->dir), "%s/secrets", h->base);
	snprintf(h->outside, sizeof(h->outside), "%s/secrets-outside", h->base);
	snprintf(sub, sizeof(sub), "%s/sub", h->dir);
	snprintf(alike, sizeof(alike), "%s/-outside", h->dir);
	ck_assert(mkdir(h->dir, 0700) == 0 && mkdir(alike, 0700) == 0 && mkdir(sub, 0700) == 0 && mkdir(h->outside, 0700) == 0);
	put(h->dir, "key", "inside\n", 7);
	put(sub, "key", "below", 5);
	put(alike, "key", "another", 7); /* what secrets-outside/key would be, cut off in the middle of a name */
	put(h->outside, "key", "outside", 7);
	link_to(h->dir, "link", "sub/key");
	link_to(h->dir, "up", "sub/../key");
	link_to(h->dir, "out", "../secrets-outside/key");
	link_to(h->dir, "outdir", h->outside);
	link_to(h->dir, "proc", "/proc/self/environ");
	link_to(h->dir, "nowhere", "nothing");
}

static void house_fini(const struct house *h)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", h->base);
	ck_assert_int_eq(system(command), 0);
}

/* path with %D for the directory and %B for what it is in; content NULL: refused. */
static const struct {
	const char *path, *content;
} paths[] = {
	{"key", "inside"},
	{"sub/key", "below"},
	{"./key", "inside"},
	{"sub/../key", "inside"},
	{"link", "below"},
	{"up", "inside"},
	{"%D/key", "inside"},
	{"%D//sub/key", "below"},
	{"../secrets/key", NULL}, /* though it comes back */
	{"../secrets-outside/key", NULL},
	{"sub/../../secrets-outside/key", NULL},
	{"%D/../secrets-outside/key", NULL},
	{"%D-outside/key", NULL},
	{"%B/secrets-outside/key", NULL},
	{"/etc/hostname", NULL},
	{"out", NULL},
	{"outdir/key", NULL},
	{"proc", NULL},
	{"nowhere", NULL},
	{"missing", NULL},
	{"sub", NULL},
	{".", NULL},
	{"%D", NULL},
	{"", NULL},
};

static struct str filled(const char *path, const struct house *h, char *out, size_t size)
{
	const char *from = path[0] == '%' ? path[1] == 'D' ? h->dir : h->base : "";

	snprintf(out, size, "%s%s", from, path[0] == '%' ? path + 2 : path);
	return str_from(out);
}

START_TEST(paths_stay_below)
{
	char path[300];
	struct secret s;
	struct err err = ERR_INIT;
	struct house h;
	int rc;

	house_init(&h);
	rc = secret_read(&s, h.dir, filled(paths[_i].path, &h, path, sizeof(path)), &err);
	house_fini(&h);
	if (paths[_i].content) {
		ck_assert_msg(rc == 0, "%s", err.msg);
		ck_assert_str_eq(s.bytes, paths[_i].content);
		ck_assert_uint_eq(s.len, strlen(s.bytes));
	} else {
		ck_assert_msg(rc == -1, "%s: %s", path, s.bytes);
		ck_assert_int_eq(err.kind, ERR_RETRY);
		ck_assert_uint_eq(s.len, 0);
		ck_assert_str_eq(s.bytes, "");
	}
}
END_TEST

/* Without a directory nothing is read: else whoever writes a receiver would be sent any file of the notifier's that fits. */
START_TEST(without_a_directory)
{
	char path[300];
	struct secret s;
	struct err err = ERR_INIT;
	struct house h;

	house_init(&h);
	ck_assert_int_eq(secret_read(&s, _i ? "" : NULL, filled("%B/secrets-outside/key", &h, path, sizeof(path)), &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "notify.secrets_dir is not set"));
	ck_assert_str_eq(s.bytes, "");
	ck_assert_int_eq(secret_read(&s, _i ? "" : NULL, STR("key"), &err), -1);
	ck_assert_int_eq(secret_read(&s, "/", filled("%B/secrets-outside/key", &h, path, sizeof(path)), &err), 0);
	ck_assert_str_eq(s.bytes, "outside");
	house_fini(&h);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *content; /* NULL: refused */
	bool token;
} contents[] = {
	{"abc", 3, "abc", true},
	{"abc\n", 4, "abc", true},
	{"abc\r\n", 5, "abc", true},
	{"abc\n\n", 5, "abc\n", false},
	{"abc\r", 4, "abc\r", false},
	{" abc", 4, " abc", false},
	{"a\xc3\xa4", 3, "a\xc3\xa4", false},
	{"a\r\nX: y", 7, "a\r\nX: y", false},
	{"\n", 1, NULL, false},
	{"\r\n", 2, NULL, false},
	{"", 0, NULL, false},
};

START_TEST(contents_are_cut)
{
	struct secret s;
	struct err err = ERR_INIT;
	struct house h;

	house_init(&h);
	put(h.dir, "key", contents[_i].bytes, contents[_i].len);
	ck_assert_int_eq(secret_read(&s, h.dir, STR("key"), &err), contents[_i].content ? 0 : -1);
	if (contents[_i].content) {
		ck_assert_str_eq(s.bytes, contents[_i].content);
		ck_assert_int_eq(secret_check_token(&s, &err), contents[_i].token ? 0 : -1);
		ck_assert(contents[_i].token || !strstr(err.msg, "abc"));
	}
	secret_forget(&s);
	for (size_t i = 0; i < sizeof(s.bytes); i++)
		ck_assert_int_eq(s.bytes[i], 0);
	house_fini(&h);
}
END_TEST

START_TEST(four_kilobytes_at_most)
{
	char bytes[SECRET_BYTES_MAX + 1];
	struct secret s;
	struct err err = ERR_INIT;
	struct house h;

	house_init(&h);
	memset(bytes, 'x', sizeof(bytes));
	put(h.dir, "key", bytes, SECRET_BYTES_MAX);
	ck_assert_int_eq(secret_read(&s, h.dir, STR("key"), &err), 0);
	ck_assert_uint_eq(s.len, SECRET_BYTES_MAX);
	put(h.dir, "key", bytes, sizeof(bytes));
	ck_assert_int_eq(secret_read(&s, h.dir, STR("key"), &err), -1);
	ck_assert_uint_eq(s.len, 0);
	ck_assert_ptr_null(strstr(err.msg, "xxx"));
	house_fini(&h);
}
END_TEST

/* A pipe would keep whoever opens it. */
START_TEST(a_pipe_is_none)
{
	char path[300];
	struct secret s;
	struct err err = ERR_INIT;
	struct house h;
	int fd, kept;

	house_init(&h);
	snprintf(path, sizeof(path), "%s/pipe", h.dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	kept = open(path, O_RDONLY | O_NONBLOCK); /* so that there is something in it, and an end behind it */
	fd = open(path, O_WRONLY);
	ck_assert_int_eq(write(fd, "secret", 6), 6);
	close(fd);
	ck_assert_int_eq(secret_read(&s, h.dir, STR("pipe"), &err), -1);
	close(kept);
	ck_assert_int_eq(secret_read(&s, h.dir, (struct str){"key\0x", 5}, &err), -1);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("secret");
	TCase *tc = tcase_create("secret");

	tcase_add_loop_test(tc, paths_stay_below, 0, NR(paths));
	tcase_add_loop_test(tc, without_a_directory, 0, 2);
	tcase_add_loop_test(tc, contents_are_cut, 0, NR(contents));
	tcase_add_test(tc, four_kilobytes_at_most);
	tcase_add_test(tc, a_pipe_is_none);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
