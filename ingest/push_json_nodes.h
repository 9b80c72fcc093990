/* push_json_nodes.h - the grammar of push_json.c: which nodes there are, and what happens when one begins and ends.
 *
 * A node is an object or array that we know. The parser keeps a stack of frames, one for each node that is open, and one
 * scratch for each kind of object, so that memory follows what is kept: a point becomes 32 bytes when it ends, and figures
 * take room only where there are any. Only push_json.c and push_json_events.c include this. Functions that may end the parse return yajl's way:
 * 1 to go on, 0 to stop, with the refusal set. */
#ifndef MILLRACE_INGEST_PUSH_JSON_NODES_H
#define MILLRACE_INGEST_PUSH_JSON_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yajl/yajl_parse.h>

#include "common/str.h"
#include "ingest/draft.h"
#include "ingest/event_draft.h"
#include "ingest/payload.h"
#include "ingest/refusal.h"

enum { NODES_FRAMES_MAX = 8 }; /* the deepest: root, metrics, metric, points, point, histogram, counts */

enum node {
	NODE_ROOT,
	NODE_TRUNCATIONS,
	NODE_TRUNCATION,
	NODE_METRICS,
	NODE_METRIC,
	NODE_TAGS,
	NODE_POINTS,
	NODE_POINT,
	NODE_HISTOGRAM,
	NODE_COUNTS,
	NODE_ERRORS,
	NODE_TRANSACTIONS,
	NODE_MARKERS,
	NODE_CHECK_INS,
	NODE_BACKTRACE,
	NODE_BREADCRUMBS,
	NODE_SPANS,
	NODE_ERROR, /* from here on, objects and maps of push_json_events.h */
	NODE_TRANSACTION,
	NODE_MARKER,
	NODE_CHECK_IN,
	NODE_FRAME,
	NODE_BREADCRUMB,
	NODE_SPAN,
	NODE_EVENT_TAGS, /* from here on, maps */
	NODE_PARAMS,
	NODE_INNER_TAGS,
	NR_NODES
};

/* WANT_TEXT: anything, as its text. */
enum want { WANT_STRING, WANT_INTEGER, WANT_NUMBER, WANT_BOOLEAN, WANT_OBJECT, WANT_ARRAY, WANT_TEXT };

/* A place for a value. */
struct node_field {
	const char *name; /* NULL: the elements of an array, the values of a map */
	enum want want;
	size_t offset;    /* of the value in its node's scratch */
	enum node child;  /* of objects and arrays */
};

struct root_scratch {
	struct str agent_id, host, environment, revision;
	int64_t seq, floor, created_at;
};

struct truncation_scratch {
	struct str agent_id;
	int64_t from_seq, to_seq, samples;
	bool attempted;
};

struct metric_scratch {
	struct str name, kind;
};

struct point_scratch {
	int64_t t;
	double v;
	struct payload_figures figures;
};

struct event_scratch {
	struct event_draft draft;
	struct str kind, event; /* of a check-in */
	int64_t line;           /* of a frame */
};

struct frame {
	enum node node;
	uint32_t seen;                  /* fields that stood there, by row */
	uint32_t nulls;                 /* those of them that were null */
	uint32_t index;                 /* elements so far */
	const struct node_field *field; /* the last key; NULL: nobody knows it */
};

struct parser {
	struct str body;
	struct payload *payload;
	struct refusal *no;
	struct frame frames[NODES_FRAMES_MAX];
	size_t frames_len;
	unsigned depth;   /* containers that are open */
	unsigned skipped; /* of them, inside of what is passed over */
	bool text_wanted; /* that is a text .. */
	size_t text_at;   /* .. and began here */
	yajl_handle yajl;
	struct root_scratch root;
	struct truncation_scratch truncation;
	struct metric_scratch metric;
	struct point_scratch point;
	struct event_scratch event;
	struct str tag_key; /* the last one of the innermost map */
	struct draft draft; /* of the metric that is open */
	int64_t *counts; /* HIST_COUNTS_MAX + 1 of them, made when first needed; the last one as with tags */
	size_t counts_len;
};

/* The innermost open node; there must be one. */
static inline struct frame *node_top(struct parser *p)
{
	return &p->frames[p->frames_len - 1];
}

/* Does this node map keys of the sender's own? */
static inline bool node_is_map(enum node node)
{
	return node == NODE_TAGS || node >= NODE_EVENT_TAGS;
}

/* Did this field, by its row, stand in the object, and was not null? A null is as a field that was left out: encoders of many languages write it
 * for nothing, and for NaN. */
static inline bool node_has(const struct frame *f, unsigned row)
{
	return f->seen & ~f->nulls & PAYLOAD_BIT(row);
}

/* Enters and leaves a node. */
int node_open(struct parser *p, enum node node);
int node_close(struct parser *p); /* see above */

/* The field that name has in an object's node, or NULL. */
const struct node_field *node_find(enum node node, struct str name);

/* The bit of a named field in its frame's masks. */
uint32_t node_bit(enum node node, const struct node_field *field);

/* Of a payload that was refused on the way: takes over who sent it, as far as that was read, for whoever tells of the refusal. */
void node_note_sender(struct parser *p);

/* What may stand next in the innermost node; NULL: anything, as nobody wants it. */
const struct node_field *node_expected(struct parser *p);

/* Where a scalar of the innermost node is stored. */
void *node_place(struct parser *p, const struct node_field *field);

/* One element of the innermost node: a tag of a metric (its key is p->tag_key), a bucket's count. */
int node_add_tag(struct parser *p, struct str value);
int node_add_count(struct parser *p, int64_t n); /* see above */

/* A string that outlives the parse: borrowed from the body, or copied where it had to be unescaped. False: memory is short. */
bool node_keep(struct parser *p, struct str s, struct str *out);

/* Refusals, naming the path to where the parser stands; always 0. */
int node_refuse(struct parser *p, const char *what);
int node_refuse_type(struct parser *p, enum want want); /* see above */

/* The payload does not fit into its arena; always 0. */
int node_refuse_size(struct parser *p);

#endif
