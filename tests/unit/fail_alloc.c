/* fail_alloc.c - see fail_alloc.h. */
#include "tests/unit/fail_alloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/unit.h"

enum { TRIES_MAX = 20000 }; /* an operation that never gets through has no end */

#define LARGE SIZE_MAX /* an allocation whose size is nobody's here */

struct state {
	bool counting, rest, failed;
	unsigned long left; /* allocations until the one that fails */
	size_t at_least;
};

/* style: the functions that are replaced take no context */
static _Thread_local struct state state;

bool fail_walk_next(struct fail_walk *w)
{
	ck_assert_msg(!state.counting, "a try has not ended");
	if (w->nth && !w->failed) { /* nothing failed: this way is walked */
		ck_assert_msg(w->most > 0, "nothing was allocated");
		if (w->rest)
			return false;
		*w = (struct fail_walk){.rest = true};
	}
	w->nth++;
	w->failed = false;
	ck_assert_uint_lt(w->nth, TRIES_MAX);
	return true;
}

void fail_walk_begin(struct fail_walk *w)
{
	state = (struct state){.counting = true, .rest = w->rest, .left = w->nth, .at_least = state.at_least};
}

bool fail_walk_end(struct fail_walk *w)
{
	state.counting = false;
	w->failed = state.failed;
	if (w->failed)
		w->most = w->nth;
	return w->failed;
}

void fail_alloc_at_least(size_t bytes)
{
	state.at_least = bytes;
}

/* Does this one fail? */
static bool fails(size_t bytes)
{
	if (!state.counting || bytes < state.at_least)
		return false;
	if (state.left > 1) {
		state.left--;
		return false;
	}
	if (state.left == 0 && !state.rest)
		return false;
	state.left = 0;
	state.failed = true;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails(size) ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails(n * size) ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
	return fails(size) ? NULL : __real_realloc(p, size);
}

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails(n * size) ? NULL : __real_reallocarray(p, n, size);
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails(size) ? NULL : __real_aligned_alloc(alignment, size);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s)
{
	return fails(LARGE) ? NULL : __real_strdup(s);
}

char *__real_strndup(const char *s, size_t n);
char *__wrap_strndup(const char *s, size_t n);
char *__wrap_strndup(const char *s, size_t n)
{
	return fails(LARGE) ? NULL : __real_strndup(s, n);
}

int __wrap_asprintf(char **out, const char *fmt, ...);
int __wrap_asprintf(char **out, const char *fmt, ...)
{
	va_list args;
	int n;

	*out = (char *)1; /* undefined is what it is: whoever uses it is to fall */
	if (fails(LARGE))
		return -1;
	va_start(args, fmt);
	n = vasprintf(out, fmt, args);
	va_end(args);
	return n;
}

/* What libraries make, where the test is linked with them: without memory they return NULL. */
__attribute__((weak)) void *__real_yajl_alloc(const void *callbacks, void *alloc, void *ctx);
void *__wrap_yajl_alloc(const void *callbacks, void *alloc, void *ctx);
void *__wrap_yajl_alloc(const void *callbacks, void *alloc, void *ctx)
{
	return fails(LARGE) ? NULL : __real_yajl_alloc(callbacks, alloc, ctx);
}

__attribute__((weak)) void *__real_yajl_gen_alloc(const void *alloc);
void *__wrap_yajl_gen_alloc(const void *alloc);
void *__wrap_yajl_gen_alloc(const void *alloc)
{
	return fails(LARGE) ? NULL : __real_yajl_gen_alloc(alloc);
}

__attribute__((weak)) void *__real_ZSTD_createDCtx(void);
void *__wrap_ZSTD_createDCtx(void);
void *__wrap_ZSTD_createDCtx(void)
{
	return fails(LARGE) ? NULL : __real_ZSTD_createDCtx();
}

__attribute__((weak)) void *__real_curl_easy_init(void);
void *__wrap_curl_easy_init(void);
void *__wrap_curl_easy_init(void)
{
	return fails(LARGE) ? NULL : __real_curl_easy_init();
}

__attribute__((weak)) void *__real_curl_multi_init(void);
void *__wrap_curl_multi_init(void);
void *__wrap_curl_multi_init(void)
{
	return fails(LARGE) ? NULL : __real_curl_multi_init();
}

__attribute__((weak)) void *__real_curl_url(void);
void *__wrap_curl_url(void);
void *__wrap_curl_url(void)
{
	return fails(LARGE) ? NULL : __real_curl_url();
}

__attribute__((weak)) void *__real_curl_slist_append(void *list, const char *text);
void *__wrap_curl_slist_append(void *list, const char *text);
void *__wrap_curl_slist_append(void *list, const char *text)
{
	return fails(LARGE) ? NULL : __real_curl_slist_append(list, text);
}

/* Check's own, for each assertion and whoever asks for it: they are none of the product's. */
void *__real_emalloc(size_t size);
void *__wrap_emalloc(size_t size);
void *__wrap_emalloc(size_t size)
{
	bool counting = state.counting;
	void *p;

	state.counting = false;
	p = __real_emalloc(size);
	state.counting = counting;
	return p;
}

void *__real_erealloc(void *p, size_t size);
void *__wrap_erealloc(void *p, size_t size);
void *__wrap_erealloc(void *p, size_t size)
{
	bool counting = state.counting;

	state.counting = false;
	p = __real_erealloc(p, size);
	state.counting = counting;
	return p;
}
