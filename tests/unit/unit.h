/* unit.h - what every Check test shares: running a suite and reproducible randomness. */
#ifndef MILLRACE_TESTS_UNIT_H
#define MILLRACE_TESTS_UNIT_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* How often a test tries random input: n times, and a third as often where an address sanitizer makes each many times slower. What such a build is there to find, it
 * finds in fewer; the plain one has them all. */
#ifdef __SANITIZE_ADDRESS__
#define UNIT_ROUNDS(n) ((n) / 3)
#else
#define UNIT_ROUNDS(n) (n)
#endif

/* Runs a suite, prints Check's summary line, and returns main's exit code. CK_FORK=no in the environment runs in one process. */
static inline int unit_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A generator of its own (xorshift64*), so that a seed means the same sequence everywhere. */
struct unit_random {
	uint64_t state;
};

/* Seeded from TEST_SEED, else from the clock; printed, so that a failure can be played again. */
static inline struct unit_random unit_random_new(const char *what)
{
	const char *text = getenv("TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

	printf("%s: TEST_SEED=%llu\n", what, (unsigned long long)seed);
	fflush(stdout);
	return (struct unit_random){seed * UINT64_C(0x9e3779b97f4a7c15) | 1};
}

/* The next 64 random bits. */
static inline uint64_t unit_random_next(struct unit_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number in [0, n). */
static inline uint64_t unit_random_below(struct unit_random *r, uint64_t n)
{
	return (unit_random_next(r) >> 11) % n;
}

/* A number in [0, 1). */
static inline double unit_random_unit(struct unit_random *r)
{
	return (double)(unit_random_next(r) >> 11) * 0x1p-53;
}

#endif
