/* conf.c - see conf.h. */
#include "processor/conf.h"

#include <stddef.h>

#include "processor/dedup.h"
#include "processor/request_keys.h"
#include "processor/series_caps.h"

#define ROW(member) offsetof(struct processor_conf, member)

const struct conf_field processor_conf_fields[] = {
	{"window.grace", CONF_MS, ROW(grace_ms), "45s", 0, 3600000, "how long behind its end a window stays open, in event time"},
	{"window.late_idle", CONF_MS, ROW(late_idle_ms), "5m", 1000, 86400000,
	 "late samples of a window go out when none has come for so long"},
	{"window.late_max", CONF_MS, ROW(late_max_ms), "30m", 1000, 86400000, "late samples are held no longer than this"},
	{"checkpoint.stagger", CONF_MS, ROW(stagger_ms), "10s", 0, 60000,
	 "over how much event time the partitions spread the closing of a minute"},
	{"checkpoint.catchup_lag", CONF_MS, ROW(catchup_lag_ms), "10s", 100, 3600000,
	 "a partition that is further behind is catching up"},
	{"checkpoint.catchup_interval", CONF_MS, ROW(catchup_interval_ms), "30s", 100, 600000,
	 "how often a partition that is catching up checkpoints"},
	{"checkpoint.transaction_windows", CONF_INT, ROW(transaction_windows), "500000", 1, 100000000,
	 "windows in the partitions that share one transaction; what is beyond goes into the next one"},
	{"checkpoint.catchup_windows", CONF_INT, ROW(catchup_windows), "200000", 1, 100000000,
	 "a partition that is catching up checkpoints earlier when so many windows are due, or when memory.budget asks for it"},
	{"checkpoint.position_interval", CONF_MS, ROW(position_interval_ms), "5s", 100, 600000,
	 "how often the position alone is committed"},
	{"checkpoint.retry_interval", CONF_MS, ROW(retry_interval_ms), "500ms", 10, 60000,
	 "pause before an aborted checkpoint is tried again"},
	{"checkpoint.chunk_bytes", CONF_BYTES, ROW(chunk_bytes), "512Ki", 1024, 512 << 10, "largest body of a StateChunk"},
	{"partition.schema_retry", CONF_MS, ROW(schema_retry_ms), "5s", 100, 600000,
	 "how often a partition looks again at a record of an unknown schema"},
	{"partition.refused_retry", CONF_MS, ROW(refused_retry_ms), "30s", 100, 3600000,
	 "how often a refused partition is looked at again"},
	{"dedup.agents_max", CONF_INT, ROW(agents_max), "10000", 16, DEDUP_AGENTS_LIMIT,
	 "agents of one site whose payloads a partition remembers; retries of those beyond count twice"},
	{"state.trim_interval", CONF_MS, ROW(trim_interval_ms), "60s", 100, 86400000,
	 "how often snapshots that nobody will read again are deleted, at most"},
	{"dedup.request_keys_max", CONF_INT, ROW(request_keys_max), "10000", 16, REQUEST_KEYS_LIMIT,
	 "Idempotency-Keys of one site that a partition remembers, for an hour each; retries of requests beyond count twice"},
	{"series.site_max", CONF_INT, ROW(series_site_max), "100000", 1, SERIES_CAPS_LIMIT,
	 "series of one site in a partition; samples of new ones beyond are counted together, in its __overflow__ series"},
	{"series.record_max", CONF_INT, ROW(series_record_max), "10000", 1, SERIES_CAPS_LIMIT,
	 "series that one record may bring that are new to the partition; likewise"},
	{"alerts.max_age", CONF_MS, ROW(alerts_max_age_ms), "10m", 60000, 86400000,
	 "an alert that opens in a minute older than this, as processing is behind, is told once it has caught up, if it is still open; a minute more than window.grace "
	 "and checkpoint.stagger at least"},
	{"alerts.held_max", CONF_INT, ROW(alerts_held_max), "10000", 0, 1000000,
	 "series of one site that a partition watches for triggers about absence; those beyond are not missed when they fall silent"},
	{0},
};
