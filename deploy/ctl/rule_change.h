/* rule_change.h - one change of a trigger or a receiver, made and told of. */
#ifndef MILLRACE_CTL_RULE_CHANGE_H
#define MILLRACE_CTL_RULE_CHANGE_H

#include "common/err.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/diff.h"

/* Writes the record, with who acts as its author, or removes it; then the Notice: trigger_set, trigger_deleted, receiver_set, receiver_deleted, with the record
 * before and after. As cluster_put_cell() and ctl_notice() fail. */
int rule_change_make(struct ctl *ctl, const struct diff_change *c, struct err *err);

#endif
