/* settings.c - see settings.h.
 *
 * The defaults are for a page that nobody edits: what is told late is told wrong, and what is told after ten minutes has been looked at by whoever is on duty. */
#include "sink/status/settings.h"

#include <stddef.h>

#define AT(member) offsetof(struct status_conf, member)
#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

const struct conf_field status_conf_fields[] = {
	{"status.listen", CONF_STR, AT(listen), "127.0.0.1:8080", 1, 255, "host:port of the page"},
	{"status.dir", CONF_STR, AT(dir), "", 0, 1024, "folder for what is served when Kafka is gone at the start; empty: nothing is kept"},
	{"status.survey_interval", CONF_MS, AT(survey_interval_ms), "5s", 100, 600000, "real time between two looks at how far the groups are behind"},
	{"page.title", CONF_STR, AT(page_title), "Millrace", 1, 100, "whose page it is"},
	{"page.url", CONF_STR, AT(page_url), "", 0, 1024, "where the world finds it (https://status.example.org), for links in the feed; empty: not known"},
	{"page.cells", CONF_STR, AT(page_cells), "", 0, 4096, "what the page calls cells: main=Europe,other=America; a cell that is not here by its name"},
	{"judge.degraded", CONF_MS, AT(judge.degraded_ms), "2m", 1000, DAY_MS, "how far behind is degraded"},
	{"judge.outage", CONF_MS, AT(judge.outage_ms), "15m", 1000, DAY_MS, "how far behind is an outage, although it becomes less"},
	{"drafts.enabled", CONF_BOOL, AT(drafts_enabled), "true", 0, 0, "write incidents; false in all instances but one"},
	{"drafts.after", CONF_MS, AT(drafts.after_ms), "60s", 0, DAY_MS, "how long a component is not operational before an incident is drafted"},
	{"drafts.publish_after", CONF_MS, AT(drafts.publish_after_ms), "10m", 0, DAY_MS,
	 "after which a draft is posted that nobody edited or vetoed; 0 is at once"},
	{"drafts.resolve_after", CONF_MS, AT(drafts.resolve_after_ms), "5m", 0, DAY_MS, "how long all is operational before an incident that nobody edited is resolved"},
	{"drafts.cadence", CONF_MS, AT(drafts.cadence_ms), "30m", 1000, DAY_MS, "operators are reminded when the last update of an incident is older"},
	{0},
};
