/* c11_threads.h - C11 threads made of POSIX ones, for ThreadSanitizer alone.
 *
 * librdkafka calls thrd_create(), mtx_lock() and their like. ThreadSanitizer (GCC 12) intercepts only the pthread names: it crashes in
 * threads that it did not see start, and takes what C11 locks protect for races. In a test binary that includes this,
 * librdkafka's calls end here instead. glibc's types are the same ones underneath. Include once a binary. */
#ifndef MILLRACE_TESTS_C11_THREADS_H
#define MILLRACE_TESTS_C11_THREADS_H

#ifdef __SANITIZE_THREAD__

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "a mutex under either name");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "a condition under either name");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "a thread under either name");

/* The sanitizer asks for it by this name. */
const char *__tsan_default_suppressions(void);

/* librdkafka publishes and counts by atomics that are not instrumented: a buffer freed behind the last reference, or a lock made by one thread and
 * taken by another, looks like a race. Only what it calls itself is passed over, not our callbacks. */
const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:librdkafka.so\nrace:^mtx_\n";
}

struct c11_start {
	thrd_start_t main;
	void *arg;
};

static void *c11_main(void *p)
{
	struct c11_start start = *(struct c11_start *)p;

	free(p);
	return (void *)(intptr_t)start.main(start.arg);
}

/* C11's, by pthread_create(). */
int thrd_create(thrd_t *thread, thrd_start_t main_fn, void *arg)
{
	struct c11_start *start;
	void *room;

	if (posix_memalign(&room, sizeof(void *), sizeof(*start)) != 0) /* not malloc(): fail_alloc.h's are to fail, the library's are not */
		return thrd_nomem;
	start = room;
	*start = (struct c11_start){main_fn, arg};
	if (pthread_create(thread, NULL, c11_main, start) == 0)
		return thrd_success;
	free(start);
	return thrd_error;
}

/* C11's, by pthread_join(); a thread's result fits an int. */
int thrd_join(thrd_t thread, int *result)
{
	void *p = NULL;

	if (pthread_join(thread, &p) != 0)
		return thrd_error;
	if (result)
		*result = (int)(intptr_t)p;
	return thrd_success;
}

/* C11's, by pthread_detach(). */
int thrd_detach(thrd_t thread)
{
	return pthread_detach(thread) == 0 ? thrd_success : thrd_error;
}

/* C11's, by pthread_mutex_init(); timed mutexes are plain ones. */
int mtx_init(mtx_t *mutex, int type)
{
	pthread_mutexattr_t attr;
	int rc;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
	rc = pthread_mutex_init((pthread_mutex_t *)mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return rc == 0 ? thrd_success : thrd_error;
}

/* C11's, by pthread_mutex_destroy(). */
void mtx_destroy(mtx_t *mutex)
{
	pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

/* C11's, by pthread_mutex_lock(). */
int mtx_lock(mtx_t *mutex)
{
	return pthread_mutex_lock((pthread_mutex_t *)mutex) == 0 ? thrd_success : thrd_error;
}

/* C11's, by pthread_mutex_unlock(). */
int mtx_unlock(mtx_t *mutex)
{
	return pthread_mutex_unlock((pthread_mutex_t *)mutex) == 0 ? thrd_success : thrd_error;
}

/* C11's, by pthread_mutex_trylock(). */
int mtx_trylock(mtx_t *mutex)
{
	int rc = pthread_mutex_trylock((pthread_mutex_t *)mutex);

	return rc == 0 ? thrd_success : rc == EBUSY ? thrd_busy : thrd_error;
}

/* C11's, by pthread_cond_init(). */
int cnd_init(cnd_t *cond)
{
	return pthread_cond_init((pthread_cond_t *)cond, NULL) == 0 ? thrd_success : thrd_error;
}

/* C11's, by pthread_cond_destroy(). */
void cnd_destroy(cnd_t *cond)
{
	pthread_cond_destroy((pthread_cond_t *)cond);
}

/* C11's, by pthread_cond_signal(). */
int cnd_signal(cnd_t *cond)
{
	return pthread_cond_signal((pthread_cond_t *)cond) == 0 ? thrd_success : thrd_error;
}

/* C11's, by pthread_cond_broadcast(). */
int cnd_broadcast(cnd_t *cond)
{
	return pthread_cond_broadcast((pthread_cond_t *)cond) == 0 ? thrd_success : thrd_error;
}

/* C11's, by pthread_cond_wait(). */
int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
	return pthread_cond_wait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex) == 0 ? thrd_success : thrd_error;
}

/* C11's, by pthread_cond_timedwait(); until is on the wall clock under both names. */
int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until)
{
	int rc = pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until);

	return rc == 0 ? thrd_success : rc == ETIMEDOUT ? thrd_timedout : thrd_error;
}

#endif
#endif
