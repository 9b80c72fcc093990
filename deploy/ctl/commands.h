/* commands.h - the commands, one function each, and the table that names them.
 *
 * Each is called with Kafka connected, but for those that can go by --admin, and do. They return 0: all well; 1: done, but something is
 * not well, and it has said so; -1 with *err set. */
#ifndef MILLRACE_CTL_COMMANDS_H
#define MILLRACE_CTL_COMMANDS_H

#include "deploy/ctl/ctl.h"

/* The commands, and the options of all of them, for args_parse(). Constant. */
const struct args_command *commands_table(void);
const struct args_option *commands_options(void); /* see above */

/* cell add NAME, cell list. */
int cell_add_run(struct ctl *ctl, struct err *err);
int cell_list_run(struct ctl *ctl, struct err *err); /* see above */

/* site add ID, site list, site disable ID, site enable ID. */
int site_add_run(struct ctl *ctl, struct err *err);
int site_list_run(struct ctl *ctl, struct err *err);    /* see above */
int site_disable_run(struct ctl *ctl, struct err *err); /* see above */
int site_enable_run(struct ctl *ctl, struct err *err);  /* see above */

/* site limit ID, site show ID. */
int site_limit_run(struct ctl *ctl, struct err *err);
int site_show_run(struct ctl *ctl, struct err *err); /* see above */

/* site shards ID N, site move ID CELL, site stay ID. */
int site_shards_run(struct ctl *ctl, struct err *err);
int site_move_run(struct ctl *ctl, struct err *err); /* see above */
int site_stay_run(struct ctl *ctl, struct err *err); /* see above */

/* offsets show CELL. */
int offsets_show_run(struct ctl *ctl, struct err *err);

/* control set, control list, control clear, and those that set one: site confirm-shrink, offsets confirm CELL. */
int control_set_run(struct ctl *ctl, struct err *err);
int control_list_run(struct ctl *ctl, struct err *err);        /* see above */
int control_clear_run(struct ctl *ctl, struct err *err);       /* see above */
int site_confirm_shrink_run(struct ctl *ctl, struct err *err); /* see above */
int offsets_confirm_run(struct ctl *ctl, struct err *err);     /* see above */

/* key create SITE, key revoke SITE KEYID. */
int key_create_run(struct ctl *ctl, struct err *err);
int key_revoke_run(struct ctl *ctl, struct err *err); /* see above */

/* trigger apply, trigger list, trigger delete ID.. */
int trigger_apply_run(struct ctl *ctl, struct err *err);
int trigger_list_run(struct ctl *ctl, struct err *err);   /* see above */
int trigger_delete_run(struct ctl *ctl, struct err *err); /* see above */

/* receiver apply, receiver list, receiver delete ID.. */
int receiver_apply_run(struct ctl *ctl, struct err *err);
int receiver_list_run(struct ctl *ctl, struct err *err);   /* see above */
int receiver_delete_run(struct ctl *ctl, struct err *err); /* see above */

/* deadletter list, deadletter show ID, deadletter retry ID.., deadletter drop ID.. */
int deadletter_list_run(struct ctl *ctl, struct err *err);
int deadletter_show_run(struct ctl *ctl, struct err *err);  /* see above */
int deadletter_retry_run(struct ctl *ctl, struct err *err); /* see above */
int deadletter_drop_run(struct ctl *ctl, struct err *err);  /* see above */

/* silence add, silence list, silence end ID. */
int silence_add_run(struct ctl *ctl, struct err *err);
int silence_list_run(struct ctl *ctl, struct err *err); /* see above */
int silence_end_run(struct ctl *ctl, struct err *err);  /* see above */

/* incident list, incident show ID (of alerts, and with --page of the status page), incident ack ID. */
int incident_list_run(struct ctl *ctl, struct err *err);
int incident_show_run(struct ctl *ctl, struct err *err); /* see above */
int incident_ack_run(struct ctl *ctl, struct err *err);  /* see above */

/* What the status page says: incident draft [ID], incident post [ID], incident update ID, incident veto ID, incident resolve ID. */
int incident_draft_run(struct ctl *ctl, struct err *err);
int incident_post_run(struct ctl *ctl, struct err *err);    /* see above */
int incident_update_run(struct ctl *ctl, struct err *err);  /* see above */
int incident_veto_run(struct ctl *ctl, struct err *err);    /* see above */
int incident_resolve_run(struct ctl *ctl, struct err *err); /* see above */

/* note TEXT, timeline. */
int note_run(struct ctl *ctl, struct err *err);
int timeline_run(struct ctl *ctl, struct err *err); /* see above */

/* query SITE METRIC. */
int query_run(struct ctl *ctl, struct err *err);

/* trigger test, which tells what a trigger would have done. */
int trigger_test_run(struct ctl *ctl, struct err *err);

/* export, apply, status. */
int export_run(struct ctl *ctl, struct err *err);
int apply_run(struct ctl *ctl, struct err *err);  /* see above */
int status_run(struct ctl *ctl, struct err *err); /* see above */

/* tail TOPIC: until a signal, unless --no-follow. 1: some records cannot be read. */
int tail_run(struct ctl *ctl, struct err *err);

/* verify --cell CELL --hour HOUR; -1 here is always exit code 2: nothing can be said. */
int verify_run(struct ctl *ctl, struct err *err);

#endif
