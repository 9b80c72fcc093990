/* backtrace_files.h - the backtraces in tests/unit/ingest/backtraces: as languages print them (made by Ruby 3.1, Python 3.11 and 3.13, Go 1.26, Node 20, OpenJDK 17,
 * GCC 12 with gdb, glibc and AddressSanitizer; written by hand: chrome, firefox, net, php, ruby_34, rust, spring).
 *
 * A file says what is to be read from it: "group: " names which of them are the same error to a person, "frames: " how many there are, each
 * "frame: FILE|LINE|FUNCTION|own" or "|not" the first ones; behind "---" stands the text. */
#ifndef MILLRACE_TESTS_BACKTRACE_FILES_H
#define MILLRACE_TESTS_BACKTRACE_FILES_H

#include <dirent.h>
#include <string.h>

#include "common/str.h"
#include "tests/unit/unit.h"

#define BACKTRACE_DIR "tests/unit/ingest/backtraces"

enum { BACKTRACE_FILES_MAX = 64, BACKTRACE_FRAMES_TOLD_MAX = 16 };

struct backtrace_file {
	char name[256];
	char *bytes;
	struct str group, class, message, text;
	struct str frames[BACKTRACE_FRAMES_TOLD_MAX];
	size_t frames_told, frames_len;
};

static inline void backtrace_file_line(struct backtrace_file *f, struct str line)
{
	int64_t n;

	if (str_take(&line, "group: "))
		f->group = line;
	else if (str_take(&line, "class: "))
		f->class = line;
	else if (str_take(&line, "message: "))
		f->message = line;
	else if (str_take(&line, "frames: ") && str_take_int(&line, &n))
		f->frames_len = (size_t)n;
	else if (str_take(&line, "frame: ") && f->frames_told < BACKTRACE_FRAMES_TOLD_MAX)
		f->frames[f->frames_told++] = line;
	else
		ck_abort_msg("%s: " STR_FMT, f->name, STR_ARG(line));
}

static inline void backtrace_file_read(struct backtrace_file *f, const char *name)
{
	char path[512];
	FILE *file;
	struct str rest;

	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(path, sizeof(path), BACKTRACE_DIR "/%s", name);
	file = fopen(path, "r");
	f->bytes = calloc(1, 1 << 16);
	ck_assert(file && f->bytes);
	rest = (struct str){f->bytes, fread(f->bytes, 1, (1 << 16) - 1, file)};
	fclose(file);
	while (!str_take(&rest, "---\n")) {
		const char *end = memchr(rest.p, '\n', rest.len);

		ck_assert_msg(end != NULL, "%s", path);
		backtrace_file_line(f, (struct str){rest.p, (size_t)(end - rest.p)});
		rest = (struct str){end + 1, rest.len - (size_t)(end + 1 - rest.p)};
	}
	f->text = rest;
}

/* All of them; more than a few, or the folder is not the one. */
static inline size_t backtrace_files_read(struct backtrace_file *files)
{
	DIR *dir = opendir(BACKTRACE_DIR);
	size_t len = 0;

	ck_assert_ptr_nonnull(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (strstr(e->d_name, ".txt") && len < BACKTRACE_FILES_MAX)
			backtrace_file_read(&files[len++], e->d_name);
	closedir(dir);
	ck_assert(len > 20 && len < BACKTRACE_FILES_MAX);
	return len;
}

static inline void backtrace_files_free(struct backtrace_file *files, size_t len)
{
	for (size_t i = 0; i < len; i++)
		free(files[i].bytes);
}

#endif
