/* host_io.c - see host_io.h.
 *
 * What is a whole disk is known by /sys/block, where a '/' in a device's name (cciss/c0d0) is a '!'. Another disk under the same name
 * begins its counters at 0: should they have passed the old one's by the next reading, what is told is less than what it did, never more.
 * */
#include "ingest/agent/host_io.h"

#include <stdio.h>
#include <unistd.h>

#include "ingest/agent/host_text.h"

enum { READS, READS_MERGED, READ_SECTORS, READ_MS, WRITES, WRITES_MERGED, WRITTEN_SECTORS, WRITE_MS, IN_FLIGHT, BUSY_MS, NR_FIELDS };

enum { SECTOR_BYTES = 512 /* whatever the disk's own are */ };

static const struct {
	const char *name;
	unsigned field;
	double unit;
} counters[] = {
	{"host.io.reads", READS, 1},
	{"host.io.writes", WRITES, 1},
	{"host.io.read_bytes", READ_SECTORS, SECTOR_BYTES},
	{"host.io.written_bytes", WRITTEN_SECTORS, SECTOR_BYTES},
	{"host.io.busy_ms", BUSY_MS, 1},
};

static bool is_memory(struct str name)
{
	return str_take(&name, "loop") || str_take(&name, "ram") || str_take(&name, "zram");
}

static bool is_whole(const struct host_report *r, struct str name)
{
	char path[HOST_PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/sys/block/", r->root);

	if (n < 0 || (size_t)n + name.len >= sizeof(path) || str_eq(name, STR("..")) || str_eq(name, STR(".")))
		return false;
	for (size_t i = 0; i < name.len; i++)
		path[n++] = name.p[i] == '/' ? '!' : name.p[i];
	path[n] = '\0';
	return access(path, F_OK) == 0;
}

/* "   8       0 sda 12 ..": kernels before 2.6.25 had four fields for a partition, which are no device's. */
static bool parse(struct str line, struct str *name, uint64_t *fields)
{
	struct str numbers[2];

	return host_text_word(&line, &numbers[0]) && host_text_word(&line, &numbers[1]) && host_text_word(&line, name) &&
	       host_text_uints(&line, fields, NR_FIELDS) == NR_FIELDS;
}

static void report_disk(struct host_report *r, struct str name, const uint64_t *fields)
{
	struct host_tags tags = host_report_tag(r, "device", name);

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		host_report_counter(r, counters[i].name, &tags, fields[counters[i].field], counters[i].unit);
}

void host_io_read(struct host_report *r)
{
	struct str rest, line, name;
	uint64_t fields[NR_FIELDS];
	unsigned devices = 0;

	if (!host_report_read(r, "/proc/diskstats", &rest)) {
		host_report_missing(r, HOST_IO, "/proc/diskstats cannot be read");
		return;
	}
	while (host_text_line(&rest, &line)) {
		if (!parse(line, &name, fields) || is_memory(name) || !is_whole(r, name))
			continue;
		if (++devices > HOST_DEVICES_MAX) {
			host_report_missing(r, HOST_TOO_MANY, "there are more than 64 disks");
			return;
		}
		report_disk(r, name, fields);
	}
}
