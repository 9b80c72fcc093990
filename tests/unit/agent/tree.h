/* tree.h - a folder that looks like the root of a machine: files of /proc and /sys as a test wants them. */
#ifndef MILLRACE_TESTS_TREE_H
#define MILLRACE_TESTS_TREE_H

#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

struct tree {
	char root[128];
};

static inline struct tree tree_new(void)
{
	const char *base = getenv("TMPDIR");
	struct tree t;

	snprintf(t.root, sizeof(t.root), "%s/millrace-tree-XXXXXX", base ? base : P_tmpdir);
	ck_assert_ptr_nonnull(mkdtemp(t.root));
	return t;
}

/* The file's whole path, with its folders made. */
static inline void tree_path(const struct tree *t, const char *path, char *full, size_t size)
{
	snprintf(full, size, "%s%s", t->root, path);
	for (char *p = full + strlen(t->root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
}

static inline void tree_write_bytes(const struct tree *t, const char *path, const void *bytes, size_t len)
{
	char full[4096];
	FILE *out;

	tree_path(t, path, full, sizeof(full));
	out = fopen(full, "wb");
	ck_assert_msg(out != NULL, "%s", full);
	ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
}

static inline void tree_write(const struct tree *t, const char *path, const char *text)
{
	tree_write_bytes(t, path, text, strlen(text));
}

static inline void tree_unlink(const struct tree *t, const char *path)
{
	char full[4096];

	tree_path(t, path, full, sizeof(full));
	unlink(full);
}

static inline int tree_remove_one(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
	(void)s, (void)type, (void)ftw;
	return remove(path);
}

static inline void tree_remove(const struct tree *t)
{
	ck_assert_int_eq(nftw(t->root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
