/* flush.c - programs of build/coverage also keep their counts when they end by _exit().
 *
 * Linked with --wrap=_exit. What ends that way has threads that hang, or is the watchdog's handler: writing files from there is no
 * good manners, but a test's machine can bear that one run in many loses its counts. */
#include <unistd.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int code);
_Noreturn void __wrap__exit(int code);

_Noreturn void __wrap__exit(int code)
{
	__gcov_dump();
	__real__exit(code);
}
