/* host_cgroup.c - see host_cgroup.h.
 *
 * The way to a cgroup's files is its path (/proc/self/cgroup) below the place where its hierarchy is mounted (/proc/self/mountinfo), less
 * what of the hierarchy is not mounted there. In a container the path is often the outside one: where it leads nowhere, what is mounted is
 * the container's own cgroup. Both versions may be there at once: a controller that version 1 has is asked there.
 *
 * No limit is no metric: a number for "unlimited" would be somebody's graph. */
#include "ingest/agent/host_cgroup.h"

#include <stdio.h>

#include "ingest/agent/host_mounts.h"
#include "ingest/agent/host_text.h"

enum { V1 = 1, V2 = 2 };

#define V1_UNLIMITED (UINT64_C(1) << 62) /* it says "none" as a number of about 2^63, rounded to pages */

/* Is word one of the words of list, which has commas between them? */
static bool has_word(struct str list, struct str word)
{
	while (list.len) {
		const char *comma = memchr(list.p, ',', list.len);
		size_t n = comma ? (size_t)(comma - list.p) : list.len;

		if (str_eq((struct str){list.p, n}, word))
			return true;
		list.p += n + (comma != NULL);
		list.len -= n + (comma != NULL);
	}
	return false;
}

/* "4:cpu,cpuacct:/path", or "0::/path" for version 2. */
static bool parse_membership(struct str line, struct str *controllers, struct str *path)
{
	const char *first = line.len ? memchr(line.p, ':', line.len) : NULL;
	const char *second = first ? memchr(first + 1, ':', line.len - (size_t)(first + 1 - line.p)) : NULL;

	if (!second)
		return false;
	*controllers = (struct str){first + 1, (size_t)(second - first - 1)};
	*path = (struct str){second + 1, line.len - (size_t)(second + 1 - line.p)};
	return path->len && path->p[0] == '/';
}

/* Which version has the controller, and the process's path there, copied. 0: none. */
static int find_path(struct host_report *r, struct str controller, char *path, size_t size)
{
	struct str rest, line, controllers, p;
	int version = 0;

	if (!host_report_read(r, "/proc/self/cgroup", &rest))
		return 0;
	while (version != V1 && host_text_line(&rest, &line)) {
		bool is_v1;

		if (!parse_membership(line, &controllers, &p) || p.len >= size)
			continue;
		is_v1 = has_word(controllers, controller);
		if (!is_v1 && controllers.len)
			continue;
		memcpy(path, p.p, p.len);
		path[p.len] = '\0';
		version = is_v1 ? V1 : V2;
	}
	return version;
}

static bool is_hierarchy(const struct host_mount *m, int version, struct str controller)
{
	return version == V2 ? str_eq(m->type, STR("cgroup2")) : str_eq(m->type, STR("cgroup")) && has_word(m->options, controller);
}

/* The folder of a cgroup, and the mount's own in case that one does not exist. */
struct folder {
	char path[2 * HOST_PATH_MAX];
	size_t mount_len; /* of path: the mount */
};

static bool place_below(const struct host_mount *m, const char *path, struct folder *out)
{
	char point[HOST_PATH_MAX];
	struct str rest = str_from(path);
	size_t above = m->root.len > 1 ? m->root.len : 0; /* of the path: not mounted here */

	if (!host_mounts_unescape(m->point, point, sizeof(point)))
		return false;
	if (host_mounts_is_below(rest, m->root) && !strstr(path, "/.."))
		rest = (struct str){rest.p + above, rest.len - above};
	else
		rest.len = 0; /* outside of what we see */
	if (rest.len == 1)
		rest.len = 0;
	out->mount_len = strlen(point);
	return (size_t)snprintf(out->path, sizeof(out->path), "%s" STR_FMT, point, STR_ARG(rest)) < HOST_PATH_MAX;
}

/* Where the controller's files are; the version, or 0. */
static int find_folder(struct host_report *r, struct str controller, struct folder *out)
{
	char path[HOST_PATH_MAX];
	int version = find_path(r, controller, path, sizeof(path));
	struct host_mounts mounts = {0};
	bool found = false;

	if (!version || !host_mounts_read(r, &mounts))
		return 0;
	for (size_t i = 0; i < mounts.len && !found; i++)
		found = is_hierarchy(&mounts.items[i], version, controller) && place_below(&mounts.items[i], path, out);
	host_mounts_fini(&mounts);
	return found ? version : 0;
}

static bool read_file(struct host_report *r, const struct folder *f, const char *name, struct str *out)
{
	char path[2 * HOST_PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	return host_report_read(r, path, out);
}

/* Settles for the mount's own folder where the cgroup's does not have the file. */
static bool settle(struct host_report *r, struct folder *f, const char *name)
{
	struct str text;

	if (read_file(r, f, name, &text))
		return true;
	f->path[f->mount_len] = '\0';
	return read_file(r, f, name, &text);
}

/* A file that holds one number. */
static bool read_uint(struct host_report *r, const struct folder *f, const char *name, uint64_t *out)
{
	struct str text, line;

	return read_file(r, f, name, &text) && host_text_line(&text, &line) && host_text_next_uint(&line, out);
}

static void read_memory(struct host_report *r)
{
	struct folder f;
	int version = find_folder(r, STR("memory"), &f);
	const char *use = version == V1 ? "memory.usage_in_bytes" : "memory.current";
	const char *limit = version == V1 ? "memory.limit_in_bytes" : "memory.max";
	uint64_t bytes;

	if (!version || !settle(r, &f, use))
		return;
	if (read_uint(r, &f, use, &bytes))
		host_report_gauge(r, "host.cgroup.memory.used_bytes", NULL, (double)bytes);
	else
		host_report_missing(r, HOST_CGROUP_MEMORY, "the cgroup's use of memory is no number");
	if (read_uint(r, &f, limit, &bytes) && bytes < V1_UNLIMITED)
		host_report_gauge(r, "host.cgroup.memory.limit_bytes", NULL, (double)bytes);
}

/* In processors: half a one is 0.5. */
static void report_limit(struct host_report *r, uint64_t quota, uint64_t period)
{
	if (period)
		host_report_gauge(r, "host.cgroup.cpu.limit", NULL, (double)quota / (double)period);
}

/* Rows of a cpu.stat: name there, name here, and what makes milliseconds of it. */
struct row {
	const char *row, *name;
	double unit;
};

static void report_rows(struct host_report *r, struct str table, const struct row *rows, size_t nr)
{
	uint64_t value;

	for (size_t i = 0; i < nr; i++)
		if (host_text_lookup(table, rows[i].row, &value))
			host_report_counter(r, rows[i].name, NULL, value, rows[i].unit);
}

static void read_cpu_v2(struct host_report *r, const struct folder *f)
{
	static const struct row rows[] = {
		{"usage_usec", "host.cgroup.cpu.used_ms", 1e-3},
		{"nr_periods", "host.cgroup.cpu.periods", 1},
		{"nr_throttled", "host.cgroup.cpu.throttled_periods", 1},
		{"throttled_usec", "host.cgroup.cpu.throttled_ms", 1e-3},
	};
	struct str text, line;
	uint64_t quota, period;

	if (read_file(r, f, "cpu.stat", &text))
		report_rows(r, text, rows, sizeof(rows) / sizeof(rows[0]));
	if (read_file(r, f, "cpu.max", &text) && host_text_line(&text, &line) && host_text_next_uint(&line, &quota) &&
	    host_text_next_uint(&line, &period))
		report_limit(r, quota, period);
}

static void read_cpu_v1(struct host_report *r, const struct folder *f)
{
	static const struct row rows[] = {
		{"nr_periods", "host.cgroup.cpu.periods", 1},
		{"nr_throttled", "host.cgroup.cpu.throttled_periods", 1},
		{"throttled_time", "host.cgroup.cpu.throttled_ms", 1e-6},
	};
	struct folder accounts;
	struct str text;
	uint64_t quota, period, used;

	if (read_file(r, f, "cpu.stat", &text))
		report_rows(r, text, rows, sizeof(rows) / sizeof(rows[0]));
	if (read_uint(r, f, "cpu.cfs_quota_us", &quota) && read_uint(r, f, "cpu.cfs_period_us", &period)) /* no limit is -1 */
		report_limit(r, quota, period);
	if (find_folder(r, STR("cpuacct"), &accounts) == V1 && settle(r, &accounts, "cpuacct.usage") &&
	    read_uint(r, &accounts, "cpuacct.usage", &used))
		host_report_counter(r, "host.cgroup.cpu.used_ms", NULL, used, 1e-6);
}

void host_cgroup_read(struct host_report *r)
{
	struct folder f;
	int version = find_folder(r, STR("cpu"), &f);

	if (version == V2 && settle(r, &f, "cpu.stat"))
		read_cpu_v2(r, &f);
	else if (version == V1 && settle(r, &f, "cpu.stat"))
		read_cpu_v1(r, &f);
	read_memory(r);
}
