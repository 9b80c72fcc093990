/* otlp.h - OTLP (opentelemetry-proto, opentelemetry.io/docs/specs/otlp): what its three signals share, and the one way in.
 *
 * A request is a payload without identity, host and creation time: live, and routed by its receipt. Its sender cannot send it in two, so it is divisible. Whatever its form was, protobuf is what is
 * decoded: JSON is transcoded first (otlp_json.h). */
#ifndef MILLRACE_INGEST_OTLP_H
#define MILLRACE_INGEST_OTLP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"
#include "ingest/payload.h"
#include "ingest/refusal.h"

enum otlp_signal { OTLP_METRICS, OTLP_LOGS, OTLP_TRACES };

enum { OTLP_RESOURCE_TAGS_MAX = 32 };

/* How requests become payloads: settings of the program's. */
struct otlp_rules {
	struct str resource_tags[OTLP_RESOURCE_TAGS_MAX]; /* attributes of resources and scopes that become tags, by key */
	size_t resource_tags_len;
};

#define OTLP_HOST_NAME "host.name" /* becomes a tag of what is measured of hosts only: a tag that tells hosts apart is costly elsewhere */

/* Becomes a tag of cumulative points only: what instances count is added up, and a life's points of two of them would pass for one life's, of which those of the
 * instance that began first count nothing. Elsewhere it would cost a series for each start of a program. */
#define OTLP_INSTANCE_ID "service.instance.id"

/* Reads the setting otlp.resource_tags, keys with commas between them, blanks around them do not count; borrows list. -1 when there are too many
 * or one is no tag's key: rules are undefined then. */
int otlp_rules_read(struct otlp_rules *rules, const char *list);

/* Does an attribute of this key become a tag, when a resource or a scope has it? */
bool otlp_rules_want(const struct otlp_rules *rules, struct str key);

/* Decodes a request in protobuf into p, which payload_init() has prepared; p borrows body. What is bad on its own is rejected, with its place and
 * reason. -1: nothing of it can be read, p is good for nothing. */
int otlp_decode(enum otlp_signal signal, struct str body, struct payload *p, const struct otlp_rules *rules, struct refusal *no);

#endif
