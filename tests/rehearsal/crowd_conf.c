/* crowd_conf.c - see crowd_conf.h. */
#include "tests/rehearsal/crowd_conf.h"

#include <stddef.h>

#define ROW(member) offsetof(struct crowd_conf, member)

const struct conf_field crowd_conf_fields[] = {
	{"push.url", CONF_STR, ROW(push_url), "http://127.0.0.1:4318", 8, 1024, "scheme://host[:port] of the Push API"},
	{"push.timeout", CONF_MS, ROW(push_timeout_ms), "30s", 100, 600000, "an answer must be there by then (real)"},
	{"spool.max_bytes", CONF_BYTES, ROW(spool_max_bytes), "16Mi", 4 << 10, INT64_C(1) << 40, "of each agent; beyond, the oldest go and are reported"},
	{"spool.max_age", CONF_MS, ROW(spool_max_age_ms), "24h", 60000, INT64_C(48) * 3600000, "how long a payload waits; likewise"},
	{"crowd.dir", CONF_STR, ROW(dir), "", 0, 4000, "folder for the ledger, the spools, the journals and the socket"},
	{"crowd.keys", CONF_STR, ROW(keys), "", 0, 4096, "file of lines `site key`; agents are dealt out over them"},
	{"crowd.agents", CONF_INT, ROW(agents), "200", 1, CROWD_AGENTS_MAX, "agents"},
	{"crowd.series", CONF_INT, ROW(series), "8", 1, CROWD_SERIES_MAX, "series of an agent: half of them its site's, half its own"},
	{"crowd.values", CONF_INT, ROW(values), "3", 1, 1000, "values of a series in a slot of 30 s, on the mean"},
	{"crowd.seed", CONF_INT, ROW(seed), "1", 0, INT64_MAX, "what times and values are drawn from"},
	{0},
};

int crowd_conf_check(const struct program *p, const void *target, struct err *err)
{
	const struct crowd_conf *c = target;

	if (!*c->dir)
		return conf_reject(p->conf, "crowd.dir", "is not set", err);
	if (!*c->keys)
		return conf_reject(p->conf, "crowd.keys", "is not set", err);
	return 0;
}
