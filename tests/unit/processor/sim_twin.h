/* sim_twin.h - "a restore at any point equals no crash": beside a task, now and then, another that was restored from its snapshot in the middle
 * of things, and is given the same records and closings from then on. Both must stay equal to the last bit.
 *
 * --wrap (Makefile) puts sim_twin.c between the product and task_take(), task_close(), task_flush(), task_committed() and
 * task_free(); and budget_charge(), as what is flushed and when must not matter either; and room_look() and room_admits(),
 * for what must hold when memory is short. */
#ifndef MILLRACE_TESTS_PROCESSOR_SIM_TWIN_H
#define MILLRACE_TESTS_PROCESSOR_SIM_TWIN_H

#include "tests/unit/processor/fake_kafka.h"

/* From now on tasks of this world have twins. */
void sim_twin_use(struct fake_kafka *k);

/* Prints what came last and fails the test. In test_simulation.c. */
void sim_fail(const struct fake_kafka *k, const char *text) __attribute__((noreturn));

#endif
