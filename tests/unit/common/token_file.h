/* token_file.h - a token's file in memory, with a path by which another part of the test opens it. */
#ifndef MILLRACE_TESTS_TOKEN_FILE_H
#define MILLRACE_TESTS_TOKEN_FILE_H

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { TOKEN_PATH_SIZE = 64 };

/* Fills path; close() the result ends the file. */
static inline int token_file(char path[TOKEN_PATH_SIZE], const char *content, size_t len, mode_t mode)
{
	int fd = memfd_create("token", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	snprintf(path, TOKEN_PATH_SIZE, "/proc/self/fd/%d", fd);
	return fd;
}

#endif
