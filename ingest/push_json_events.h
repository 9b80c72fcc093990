/* push_json_events.h - the events in the grammar of push_json_nodes.h, whose table of nodes refers to these fields. Only push_json.c and
 * push_json_nodes.c include this. */
#ifndef MILLRACE_INGEST_PUSH_JSON_EVENTS_H
#define MILLRACE_INGEST_PUSH_JSON_EVENTS_H

#include "ingest/push_json_nodes.h"

extern const struct node_field json_error_fields[9];
extern const struct node_field json_transaction_fields[9];
extern const struct node_field json_marker_fields[4];
extern const struct node_field json_check_in_fields[4];
extern const struct node_field json_frame_fields[4];
extern const struct node_field json_breadcrumb_fields[5];
extern const struct node_field json_span_fields[6];

/* An object or a map of an event begins. */
void json_event_open(struct parser *p, enum node node);

/* The innermost node ends, which is one of those. Yajl's way, as all there. */
int json_event_close(struct parser *p);

/* One entry of the innermost map of an event; its key is p->tag_key. text borrows the body, lives in a buffer of yajl's, or is a literal. */
int json_event_add_text(struct parser *p, struct str text);

#endif
