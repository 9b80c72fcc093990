/* crowd_agents.h - all agents of the crowd, and one descriptor that says when one of them can go on.
 *
 * Not thread-safe: one owner. */
#ifndef MILLRACE_CROWD_AGENTS_H
#define MILLRACE_CROWD_AGENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/rehearsal/crowd_agent.h"
#include "tests/rehearsal/crowd_status.h"

struct crowd_agents {
	struct program program;      /* as an agent sees it: the crowd's, with an agent's share of the memory */
	struct crowd_ledger ledger;
	struct crowd_agent *list;
	struct crowd_answers answers;
	char **keys;                 /* of the sites */
	size_t nr, nr_keys;
	int epoll_fd;
	int64_t scanned_ms;          /* real: when time-outs were looked through */
};

#define CROWD_AGENTS_INIT {.epoll_fd = -1}

/* Makes the folders, the ledger with agents.json, and all agents. program and c are borrowed until crowd_agents_close(). -1 with *err set;
 * close all the same. */
int crowd_agents_open(struct crowd_agents *all, const struct program *program, const struct crowd_conf *c, struct err *err);
void crowd_agents_close(struct crowd_agents *all);

/* Waits up to most_ms (real) for one of them, or for a descriptor that was added to epoll_fd with a data of NULL, and moves the posts on
 * of those that can. */
void crowd_agents_wait(struct crowd_agents *all, int most_ms);

/* Tells and flushes what is due. ERR_FATAL: a value was refused. */
int crowd_agents_step(struct crowd_agents *all, bool telling, struct err *err);

/* Flushes all that was told. */
void crowd_agents_flush_all(struct crowd_agents *all);

/* The work of a second: the spools' bounds, the ledger to the kernel. */
int crowd_agents_every_second(struct crowd_agents *all, struct err *err);

/* Sums over all of them. */
void crowd_agents_read(const struct crowd_agents *all, struct crowd_status *out);

#endif
