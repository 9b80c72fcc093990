/* host_cpu.c - see host_cpu.h.
 *
 * Shares are of the sum of all states' ticks, not of the time between readings: so they add up to 1 whatever the clock does. The kernel
 * lets idle and iowait go back a little at times; what went back counts as nothing. Time of guests is within user and nice already. */
#include "ingest/agent/host_cpu.h"

#include <ctype.h>
#include <stdio.h>

#include "ingest/agent/host_text.h"

enum { STATES_LEAST = 4 /* any kernel has them; the oldest have no more */ };

static const char *const states[] = {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};

enum { NR_STATES = sizeof(states) / sizeof(states[0]) };

static void report_shares(struct host_report *r, const uint64_t *ticks, unsigned nr)
{
	uint64_t since[NR_STATES] = {0};
	double total = 0;
	char key[32];

	for (unsigned i = 0; i < nr; i++) {
		int n = snprintf(key, sizeof(key), "cpu,%s", states[i]);

		if (!host_baseline_since(&r->baseline, (struct str){key, (size_t)n}, ticks[i], &since[i]))
			since[i] = 0;
		total += (double)since[i];
	}
	for (unsigned i = 0; i < nr && total > 0; i++) {
		struct host_tags tags = host_report_tag(r, "state", str_from(states[i]));

		host_report_gauge(r, "host.cpu.share", &tags, (double)since[i] / total);
	}
}

/* "cpu0", but not "cpu", which is all of them. */
static bool is_one_cpu(struct str word)
{
	return str_take(&word, "cpu") && word.len && isdigit((unsigned char)word.p[0]);
}

void host_cpu_read(struct host_report *r)
{
	struct str rest, line, word;
	uint64_t ticks[NR_STATES];
	unsigned nr = 0, cpus = 0;

	if (!host_report_read(r, "/proc/stat", &rest)) {
		host_report_missing(r, HOST_CPU, "/proc/stat cannot be read");
		return;
	}
	while (host_text_line(&rest, &line) && host_text_word(&line, &word)) {
		if (str_eq(word, STR("cpu")))
			nr = host_text_uints(&line, ticks, NR_STATES);
		cpus += is_one_cpu(word);
	}
	if (nr < STATES_LEAST)
		host_report_missing(r, HOST_CPU, "/proc/stat has no line for all processors");
	else
		report_shares(r, ticks, nr);
	if (cpus)
		host_report_gauge(r, "host.cpu.count", NULL, cpus);
}

void host_cpu_read_load(struct host_report *r)
{
	static const char *const names[] = {"host.load.1m", "host.load.5m", "host.load.15m"};
	struct str text;
	double loads[3], uptime;

	if (host_report_read(r, "/proc/loadavg", &text) && host_text_next_number(&text, &loads[0]) && host_text_next_number(&text, &loads[1]) &&
	    host_text_next_number(&text, &loads[2])) {
		for (int i = 0; i < 3; i++)
			host_report_gauge(r, names[i], NULL, loads[i]);
	} else {
		host_report_missing(r, HOST_LOAD, "/proc/loadavg cannot be read");
	}
	if (host_report_read(r, "/proc/uptime", &text) && host_text_next_number(&text, &uptime))
		host_report_gauge(r, "host.uptime_s", NULL, uptime);
	else
		host_report_missing(r, HOST_UPTIME, "/proc/uptime cannot be read");
}
