/* host_report.c - see host_report.h. */
#include "ingest/agent/host_report.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { READ_BYTES = 16 << 10 };

static const char *const source_names[NR_HOST_SOURCES] = {
	[HOST_CPU] = "cpu",
	[HOST_LOAD] = "load",
	[HOST_UPTIME] = "uptime",
	[HOST_MEMORY] = "memory",
	[HOST_DISK] = "disk",
	[HOST_IO] = "io",
	[HOST_NETWORK] = "network",
	[HOST_CGROUP_MEMORY] = "cgroup.memory",
	[HOST_TOO_MANY] = "devices",
};

/* To the end of the file, or to what is one byte too much. */
static bool read_all(struct buf *b, int fd)
{
	ssize_t n = 1;

	buf_clear(b);
	while (n > 0 && b->len <= HOST_FILE_MAX_BYTES) {
		uint8_t *to = buf_reserve(b, READ_BYTES);

		n = to ? read(fd, to, READ_BYTES) : -1;
		if (n > 0)
			b->len += (size_t)n;
	}
	return n == 0 && b->len <= HOST_FILE_MAX_BYTES;
}

bool host_report_read(struct host_report *r, const char *path, struct str *out)
{
	char full[HOST_PATH_MAX];
	int fd = -1;
	bool ok;

	if ((size_t)snprintf(full, sizeof(full), "%s%s", r->root, path) < sizeof(full))
		fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* what is a pipe there must not hold us up */
	if (fd < 0)
		return false;
	ok = read_all(&r->file, fd);
	close(fd);
	*out = buf_str(&r->file);
	return ok;
}

void host_report_missing(struct host_report *r, enum host_source source, const char *why)
{
	if (r->told & UINT32_C(1) << source)
		return;
	r->told |= UINT32_C(1) << source;
	log_warn(r->log, "host_metrics_missing", LOG_STR("source", source_names[source]), LOG_STR("error", why));
}

/* Cut between characters, where there are some. */
static struct str cut(struct str value)
{
	size_t len = value.len < HOST_TAG_VALUE_MAX ? value.len : HOST_TAG_VALUE_MAX;

	while (len && len < value.len && ((uint8_t)value.p[len] & 0xC0) == 0x80)
		len--;
	return (struct str){value.p, len};
}

void host_report_tag_more(struct host_tags *tags, const char *key, struct str value)
{
	struct str v = cut(value);
	bool text = str_is_utf8(v);
	int n = snprintf(tags->text + tags->len, sizeof(tags->text) - tags->len, "%s%s:", tags->len ? "," : "", key);

	if (n < 0 || tags->len + (size_t)n + v.len > sizeof(tags->text))
		return;
	tags->len += (size_t)n;
	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = (uint8_t)v.p[i];
		bool fit = c >= ' ' && c != 0x7f && c != ',' && c != '|' && (c < 0x80 || text);

		tags->text[tags->len++] = fit ? (char)c : '_';
	}
}

struct host_tags host_report_tag(const struct host_report *r, const char *key, struct str value)
{
	struct host_tags tags = r->tags;

	host_report_tag_more(&tags, key, value);
	return tags;
}

static void give(struct host_report *r, enum host_kind kind, const char *name, const struct host_tags *tags, double value)
{
	if (!tags)
		tags = &r->tags;
	r->take(r->ctx, &(struct host_sample){.kind = kind,
					      .name = str_from(name),
					      .tags = {tags->text, tags->len},
					      .value = value,
					      .t_ms = r->t_ms});
}

void host_report_gauge(struct host_report *r, const char *name, const struct host_tags *tags, double value)
{
	give(r, HOST_GAUGE, name, tags, value);
}

void host_report_counter(struct host_report *r, const char *name, const struct host_tags *tags, uint64_t value, double unit)
{
	char key[HOST_TAGS_BYTES + 64];
	const struct host_tags *all = tags ? tags : &r->tags;
	int n = snprintf(key, sizeof(key), "%s,%.*s", name, (int)all->len, all->text);
	uint64_t since;

	if (n > 0 && (size_t)n < sizeof(key) && host_baseline_since(&r->baseline, (struct str){key, (size_t)n}, value, &since) && value)
		give(r, HOST_COUNTER, name, tags, (double)since * unit);
}
