/* pb_reader.c - see pb_reader.h. All that is here runs at most once a body, or for fields that nobody here knows. */
#include "ingest/pb_reader.h"

#include <stdio.h>

const uint8_t *pb_fail(struct pb_reader *r, const uint8_t *at, enum reason reason, const char *what)
{
	r->reason = reason;
	r->fault_at = at;
	r->fault = what;
	return NULL;
}

const uint8_t *pb_malformed(struct pb_reader *r, const uint8_t *at, struct pb_read found)
{
	enum pb_fault fault = (enum pb_fault)found.value;

	return pb_fail(r, at, fault == PB_GROUPS_TOO_DEEP ? REASON_NESTING_TOO_DEEP : REASON_BAD_PROTOBUF, pb_fault_text(fault));
}

const uint8_t *pb_fail_in(struct pb_reader *r, const struct pb_message *m, uint32_t number)
{
	uint32_t len;

	if (number > m->nr || !m->fields[number].name || r->steps_len == PB_STEPS_MAX)
		return NULL;
	r->steps[r->steps_len].name = m->fields[number].name;
	r->steps[r->steps_len].index = -1;
	if (m->fields[number].counter) {
		memcpy(&len, (const char *)r + m->fields[number].counter, sizeof(len));
		r->steps[r->steps_len].index = len ? (int64_t)len - 1 : 0;
	}
	r->steps_len++;
	return NULL;
}

const uint8_t *pb_read_other(struct pb_reader *r, const struct pb_message *m, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct pb_read skipped;

	if (key >> 3 <= m->nr && m->fields[key >> 3].name)
		return pb_fail(r, at, REASON_BAD_PROTOBUF, "the field has another wire type");
	skipped = pb_skip(key, at, end);
	return skipped.at ? skipped.at : pb_malformed(r, at, skipped);
}

/* The path holds no text of the client's, so it has a bound. */
int pb_refuse(const struct pb_reader *r, struct refusal *no)
{
	char path[256] = "";
	size_t len = 0;

	for (size_t i = r->steps_len; i-- && len < sizeof(path);) {
		len += (size_t)snprintf(path + len, sizeof(path) - len, "%s%s", len ? "." : ", ", r->steps[i].name);
		if (r->steps[i].index >= 0 && len < sizeof(path))
			len += (size_t)snprintf(path + len, sizeof(path) - len, "[%lld]", (long long)r->steps[i].index);
	}
	return refuse(no, r->reason, "byte %td%s: %s", r->fault_at - r->body, path, r->fault);
}
