/* fake_clock.c - virtual time for the product: an hour takes no longer than what happens in it. Linked with --wrap (Makefile). */
#include <poll.h>

#include "common/clock.h"
#include "tests/unit/processor/fake_kafka.h"

/* style: the functions that are replaced take no context. */
static struct fake_kafka *current;

int64_t __wrap_clock_now_ms(const struct clock *c);
int64_t __wrap_clock_mono_ms(void);
int __wrap_poll(struct pollfd *fds, nfds_t nr, int timeout_ms);

void fake_clock_use(struct fake_kafka *k)
{
	current = k;
}

int64_t __wrap_clock_now_ms(const struct clock *c)
{
	(void)c;
	return current->now_ms;
}

int64_t __wrap_clock_mono_ms(void)
{
	return current->now_ms;
}

/* Whoever waits without anything to wait for: time goes by for all. */
int __wrap_poll(struct pollfd *fds, nfds_t nr, int timeout_ms)
{
	ck_assert(!fds && !nr && timeout_ms > 0);
	fake_pass(current, timeout_ms);
	return 0;
}
