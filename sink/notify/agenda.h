/* agenda.h - which incident is to be looked at when: a heap on the time, and among equals on the age.
 *
 * An item is embedded in what it stands for. Not thread-safe. */
#ifndef MILLRACE_NOTIFY_AGENDA_H
#define MILLRACE_NOTIFY_AGENDA_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed it is in no agenda. */
struct agenda_item {
	int64_t at_ms;
	int64_t since_ms; /* of two at the same time the one with the smaller comes first */
	size_t place;     /* from 1; 0: in no agenda */
};

struct agenda {
	struct agenda_item **heap;
	size_t len, cap;
};

#define AGENDA_INIT {0}

/* Frees the heap, not the items. */
void agenda_fini(struct agenda *a);

/* Puts an item in, which is in no agenda. 0, or -1 when memory is short. */
int agenda_add(struct agenda *a, struct agenda_item *item, int64_t at_ms);

/* Moves an item that is in. */
void agenda_move(struct agenda *a, struct agenda_item *item, int64_t at_ms);

/* Takes an item out; one that is not in is no error. */
void agenda_remove(struct agenda *a, struct agenda_item *item);

/* The item that comes first, or NULL. */
struct agenda_item *agenda_first(const struct agenda *a);

/* All items are due at at_ms, unless they were before. */
void agenda_hurry(struct agenda *a, int64_t at_ms);

#endif
