/* mongo_counters.h - the MongoDB driver's shared memory has no name for longer than it must. */
#ifndef MILLRACE_COMMON_MONGO_COUNTERS_H
#define MILLRACE_COMMON_MONGO_COUNTERS_H

/* Call it first thing in main() of a program that is linked with the driver. libmongoc makes /dev/shm/mongoc-PID for its counters as it is loaded, before main(), and
 * removes it at exit; what is killed leaves it there for ever, and a later process of that number finds its place taken and says so on standard error, in no
 * log's format. Without its name the memory lasts as long as the process. Nobody here reads those counters. */
void mongo_counters_unlink(void);

#endif
