/* payloads.h - what the tests of ingest share: decoding a body at a fixed time, and reading off what came of it. */
#ifndef MILLRACE_TESTS_PAYLOADS_H
#define MILLRACE_TESTS_PAYLOADS_H

#include <string.h>

#include "ingest/check.h"
#include "ingest/payload.h"
#include "ingest/push_json.h"
#include "tests/unit/unit.h"

#define NOW_MS INT64_C(1795372012000)
#define NOW "1795372012000"

/* A metric of this kind with these points, and a payload of these metrics. */
#define METRIC(kind, points) "{\"name\":\"m\",\"kind\":\"" kind "\",\"points\":[" points "]}"
#define PAYLOAD(metrics) "{\"metrics\":[" metrics "]}"
#define GAUGE(points) PAYLOAD(METRIC("gauge", points))
#define COUNTER(points) PAYLOAD(METRIC("counter", points))
#define DISTRIBUTION(points) PAYLOAD(METRIC("distribution", points))

struct decoded {
	struct arena arena;
	struct payload payload;
	struct refusal no;
	int rc; /* of decoding and checking the whole payload */
};

/* parse is push_json_parse or push_pb_parse. */
static inline void decode_with(struct decoded *d, struct str body, int (*parse)(struct str, struct payload *, struct refusal *))
{
	*d = (struct decoded){.arena = {.limit_bytes = 64 << 20}, .no = {.reason = NR_REASONS}};
	payload_init(&d->payload, &d->arena, NOW_MS);
	d->rc = parse(body, &d->payload, &d->no);
	if (d->rc == 0)
		d->rc = check_payload(&d->payload, &d->no);
}

static inline void decode_bytes(struct decoded *d, struct str body)
{
	decode_with(d, body, push_json_parse);
}

static inline void decode(struct decoded *d, const char *body)
{
	decode_bytes(d, str_from(body));
}

static inline void decoded_fini(struct decoded *d)
{
	arena_fini(&d->arena);
}

/* All rejections as "metrics[0].points[1] reason, ..". */
static inline const char *rejections(const struct payload *p, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->rejections_len && at < size; i++) {
		const struct payload_rejection *r = &p->rejections[i];

		at += (size_t)snprintf(out + at, size - at, "%s%s[%u]", i ? ", " : "", r->list, (unsigned)r->index);
		if (r->point >= 0 && at < size)
			at += (size_t)snprintf(out + at, size - at, ".points[%lld]", (long long)r->point);
		if (at < size)
			at += (size_t)snprintf(out + at, size - at, " %s", reason_name(r->reason));
	}
	return out;
}

#endif
