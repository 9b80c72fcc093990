/* fail_alloc.h - allocations that fail when a test says so, one after the other.
 *
 * A test that is called test_nomem is linked with --wrap of malloc and its relatives (Makefile), as the product calls them: what a library allocates for
 * itself does not fail, but for what fail_alloc.c names. An operation is walked: it is tried again and again, its first allocation failing, then its
 * second, .., until a try meets no failure; first with that one allocation failing alone, then with all later ones too. Only allocations of
 * the thread that walks fail, and none of Check's own. Under ASan what a try leaks fails the test, so each try begins anew, and frees what it made:
 *
 *     for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
 *         struct thing *t;
 *
 *         fail_walk_begin(&w);
 *         t = thing_new();
 *         ck_assert(fail_walk_end(&w) || t);
 *         thing_free(t);
 *     }
 */
#ifndef MILLRACE_TESTS_FAIL_ALLOC_H
#define MILLRACE_TESTS_FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

struct fail_walk {
	unsigned long nth;  /* which allocation fails, from 1 */
	bool rest;          /* and all behind it */
	bool begun, failed; /* of this try */
	unsigned long most; /* allocations that were made to fail in one way of walking */
};

#define FAIL_WALK_INIT {0}

/* On to the next try; false behind the last one. That nothing at all was there to fail is a failure: such a test says nothing. */
bool fail_walk_next(struct fail_walk *w);

/* From here on allocations are counted, and fail. */
void fail_walk_begin(struct fail_walk *w);

/* No more of that; may be called once a try. Did one fail? */
bool fail_walk_end(struct fail_walk *w);

/* How many bytes an allocation must have to be counted, from now on: 0, all. What a test wants to fail may be a large one alone. */
void fail_alloc_at_least(size_t bytes);

#endif
