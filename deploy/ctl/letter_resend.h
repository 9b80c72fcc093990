/* letter_resend.h - may a dead letter be sent again, and as what.
 *
 * Pure functions; no Kafka. */
#ifndef MILLRACE_CTL_LETTER_RESEND_H
#define MILLRACE_CTL_LETTER_RESEND_H

#include "common/origin.h"
#include "deploy/ctl/cluster.h"
#include "deploy/ctl/letters.h"

/* May it be sent again? It must be readable and whole, of a topic that programs read and whose epoch is still the cell's, and open, or again is set. -1 with
 * ERR_REJECT, worded for the operator. */
int letter_resend_check(const struct letter *letter, const struct store *store, bool again, struct err *err);

/* The handled ones: is it open, or again set? Else ERR_REJECT; says who handled it, and when. */
int letter_open_check(const struct letter *letter, bool again, struct err *err);

/* What to send: the record as it was, to where it stood, with its origin as the last header: the one that it carries, when that can be one
 * (origin.h), else its own place. Lives in arena and borrows the letter. -1 when memory is short. */
int letter_resend_make(const struct dead_letter *letter, struct arena *arena, struct cluster_record *out, struct err *err);

#endif
