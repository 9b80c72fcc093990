/* conf.c - see conf.h.
 *
 * The agent is somebody's guest: its defaults listen on this machine alone, and what it writes and keeps is bounded. The key has two ways
 * in, a file and the environment; on the command line everybody on the machine could read it. */
#include "ingest/agent/conf.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/admin.h"

#define ROW(member) offsetof(struct agent_conf, member)

const struct conf_field agent_conf_fields[] = {
	{"push.url", CONF_STR, ROW(push_url), "http://127.0.0.1:4318", 8, 1024,
	 "scheme://host[:port] of the Push API, and a path where it has one before /v1/push"},
	{"push.ca_file", CONF_STR, ROW(ca_file), "", 0, 4096,
	 "PEM, the authorities that the Push API's certificate may be of; empty: the system's"},
	{"push.max_bytes", CONF_BYTES, ROW(push_max_bytes), "400000", 4096, INT64_C(16) << 20,
	 "a payload is split so that it is no larger, before it is compressed"},
	{"push.timeout", CONF_MS, ROW(push_timeout_ms), "30s", 100, 600000, "an answer must be there by then"},
	{"key.file", CONF_STR, ROW(key_file), "", 0, 4096,
	 "file with the site's API key, readable by the agent alone; read again when it is refused"},
	{"key", CONF_SECRET, ROW(key), "", 0, 512, "the key itself, for the environment: MILLRACE_KEY"},
	{"host", CONF_STR, ROW(host), "", 0, 255, "the name of this machine; empty: what the system calls it"},
	{"environment", CONF_STR, ROW(environment), "", 0, 255, "of the application: production, staging, .."},
	{"revision", CONF_STR, ROW(revision), "", 0, 255, "what the application was built from"},
	{"tags", CONF_STR, ROW(tags), "", 0, 4096, "put on every metric: key=value,key=value"},
	{"tags.host", CONF_BOOL, ROW(app_host_tag), "false", 0, 0, "the application's metrics get a tag host as well: a series each machine"},
	{"host.metrics", CONF_BOOL, ROW(host_metrics), "true", 0, 0, "measure this machine: CPU, memory, disks, network, the cgroup's limits"},
	{"statsd.listen", CONF_STR, ROW(statsd_listen), "127.0.0.1:8125", 0, 64, "loopback address and port of StatsD over UDP; empty: none"},
	{"statsd.socket", CONF_STR, ROW(statsd_socket), "", 0, 107, "path of a Unix datagram socket for StatsD; empty: none"},
	{"lines.socket", CONF_STR, ROW(lines_socket), "", 0, 107, "path of a Unix stream socket for JSON lines; empty: none"},
	{"status.socket", CONF_STR, ROW(status_socket), "", 0, 107, "path of a Unix stream socket that tells how the agent is; empty: none"},
	{"series.max", CONF_INT, ROW(series_max), "10000", 1, 1000000,
	 "series kept apart; samples of those beyond are counted together, in __overflow__"},
	{"spool.dir", CONF_STR, ROW(spool_dir), "/var/lib/millrace-agent", 1, 4000, "where payloads wait until they are acknowledged"},
	{"spool.max_bytes", CONF_BYTES, ROW(spool_max_bytes), "256Mi", 64 << 10, INT64_C(1) << 40,
	 "what they may take; beyond, the oldest go and are reported"},
	{"spool.max_age", CONF_MS, ROW(spool_max_age_ms), "24h", 60000, INT64_C(48) * 3600000, "how long one waits; likewise"},
	{"spool.min_free", CONF_INT, ROW(spool_min_free), "5", 0, 99, "per cent of the disk that stay free; likewise"},
	{"stop.timeout", CONF_MS, ROW(stop_timeout_ms), "10s", 0, 300000,
	 "how long a stop waits for the answer to its last payload, which is spooled before"},
	{"test.journal", CONF_STR, ROW(journal), "", 0, 4096, "file to write payloads to as they are made; --test-clock only"},
	{0},
};

static bool is_url(const char *url)
{
	size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;

	return scheme > 0 && url[scheme] && !strpbrk(url + scheme, "?#@ ");
}

/* Where only this machine's programs can send to? */
static bool is_loopback(const char *listen)
{
	return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0;
}

static int check_key(const struct program *p, const struct agent_conf *c, struct err *err)
{
	if (conf_is_option(p->conf, "key"))
		return conf_reject(p->conf, "key", "stands in the process list for everybody: use key.file or MILLRACE_KEY", err);
	if (*c->key && *c->key_file)
		return conf_reject(p->conf, "key.file", "goes not together with key: set one of them", err);
	for (const char *k = c->key; *k; k++)
		if (*k <= ' ' || *k > '~') /* it goes into a header line */
			return conf_reject(p->conf, "key", "holds something else than printable ASCII", err);
	return 0;
}

/* Ingest refuses a payload, as a whole, that has such a text. */
static int check_texts(const struct program *p, const struct agent_conf *c, struct err *err)
{
	const struct {
		const char *key, *value;
	} texts[] = {{"host", c->host}, {"environment", c->environment}, {"revision", c->revision}};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!str_is_utf8(str_from(texts[i].value)))
			return conf_reject(p->conf, texts[i].key, "is not UTF-8", err);
	return 0;
}

static bool tag_valid(const struct tag *t)
{
	return series_name_valid(t->key) && t->value.len <= SERIES_STRING_MAX && t->value.len > 0 && str_is_utf8(t->value);
}

static bool has_key(const struct tag *tags, size_t nr, struct str key)
{
	for (size_t i = 0; i < nr; i++)
		if (str_eq(tags[i].key, key))
			return true;
	return false;
}

static int add_tag(struct tag tags[SERIES_TAGS_MAX], size_t *nr, struct str key, struct str value)
{
	const struct tag tag = {key, value};

	if (*nr == SERIES_TAGS_MAX || !tag_valid(&tag) || has_key(tags, *nr, key))
		return -1;
	tags[(*nr)++] = tag;
	return 0;
}

int agent_conf_tags(const struct agent_conf *c, const char *host, struct tag tags[SERIES_TAGS_MAX], size_t *nr)
{
	*nr = 0;
	for (const char *at = c->tags; *at; at += *at == ',') {
		size_t key = strcspn(at, "=,"), value;

		if (at[key] != '=')
			return -1;
		value = strcspn(at + key + 1, ",");
		if (add_tag(tags, nr, (struct str){at, key}, (struct str){at + key + 1, value}) < 0)
			return -1;
		at += key + 1 + value;
	}
	return c->app_host_tag ? add_tag(tags, nr, STR("host"), str_from(host)) : 0;
}

int agent_conf_check(const struct program *p, const void *target, struct err *err)
{
	const struct agent_conf *c = target;
	struct tag tags[SERIES_TAGS_MAX];
	size_t n = strlen(c->push_url), nr;

	if (n && c->push_url[n - 1] == '/')
		c->push_url[n - 1] = '\0';
	if (!is_url(c->push_url))
		return conf_reject(p->conf, "push.url", "is not http://host[:port][/path] or https://...", err);
	if (!admin_listen_valid(c->statsd_listen))
		return conf_reject(p->conf, "statsd.listen", "is neither IPv4:port nor [IPv6]:port", err);
	if (*c->statsd_listen && !is_loopback(c->statsd_listen))
		return conf_reject(p->conf, "statsd.listen", "is not a loopback address: anybody could count here", err);
	if (agent_conf_tags(c, *c->host ? c->host : p->host, tags, &nr) < 0)
		return conf_reject(p->conf, "tags", "is not key=value,key=value, up to 32, with keys of [A-Za-z0-9_.:/-]", err);
	if (*c->journal && !p->clock.test)
		return conf_reject(p->conf, "test.journal", "needs --test-clock", err);
	return check_texts(p, c, err) < 0 ? -1 : check_key(p, c, err);
}

void agent_conf_hide_key(char **environ_list)
{
	static const char name[] = "MILLRACE_KEY=";

	for (; *environ_list; environ_list++)
		if (strncmp(*environ_list, name, sizeof(name) - 1) == 0)
			explicit_bzero(*environ_list + sizeof(name) - 1, strlen(*environ_list) - (sizeof(name) - 1));
}

void agent_conf_host(const struct program *p, const struct agent_conf *c, char *out, size_t size)
{
	bool text;

	snprintf(out, size, "%s", *c->host ? c->host : p->host);
	text = str_is_utf8(str_from(out));
	for (char *at = out; *at && !text; at++) /* what the system calls it may be any bytes */
		if ((uint8_t)*at >= 0x80)
			*at = '_';
}
