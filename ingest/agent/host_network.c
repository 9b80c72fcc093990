/* host_network.c - see host_network.h.
 *
 * A container's end outside of it (veth..) has a name by chance, a new one at each start, and what goes through it goes through a bridge
 * as well: one series each would be a leak of series. */
#include "ingest/agent/host_network.h"

#include "ingest/agent/host_text.h"

/* Where the columns are that we report, of eight received and eight sent ones. */
static const struct {
	const char *name;
	unsigned column;
} counters[] = {
	{"host.network.received_bytes", 0},  {"host.network.received_packets", 1}, {"host.network.receive_errors", 2},
	{"host.network.receive_drops", 3},   {"host.network.sent_bytes", 8},       {"host.network.sent_packets", 9},
	{"host.network.send_errors", 10},    {"host.network.send_drops", 11},
};

enum { NR_COLUMNS = 16, COLUMNS_LEAST = 12 };

/* The name ends at the line's last colon: there may be no blank behind it, and in an alias's name there is a colon of its own. */
static bool take_name(struct str *line, struct str *name)
{
	const char *colon = line->len ? memrchr(line->p, ':', line->len) : NULL;
	struct str left;

	if (!colon)
		return false;
	left = (struct str){line->p, (size_t)(colon - line->p)};
	line->len -= left.len + 1;
	line->p = colon + 1;
	return host_text_word(&left, name);
}

static bool is_wanted(struct str name)
{
	return !str_eq(name, STR("lo")) && !str_take(&name, "veth");
}

void host_network_read(struct host_report *r)
{
	struct str rest, line, name;
	uint64_t columns[NR_COLUMNS];
	unsigned devices = 0;

	if (!host_report_read(r, "/proc/net/dev", &rest)) {
		host_report_missing(r, HOST_NETWORK, "/proc/net/dev cannot be read");
		return;
	}
	while (host_text_line(&rest, &line)) {
		if (!take_name(&line, &name) || !is_wanted(name) || host_text_uints(&line, columns, NR_COLUMNS) < COLUMNS_LEAST)
			continue;
		if (++devices > HOST_DEVICES_MAX) {
			host_report_missing(r, HOST_TOO_MANY, "there are more than 64 network interfaces");
			return;
		}
		for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
			struct host_tags tags = host_report_tag(r, "interface", name);

			host_report_counter(r, counters[i].name, &tags, columns[counters[i].column], 1);
		}
	}
}
