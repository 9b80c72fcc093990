/* crowd_agents.c - see crowd_agents.h.
 *
 * Each delivery has one descriptor and one time-out. The descriptors stand in an epoll; time-outs are looked through no more often than
 * every SCAN_MS, as looking is dearer than waiting so long: it is what 200 agents cost where nothing happens. */
#include "tests/rehearsal/crowd_agents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/process.h"

enum { EVENTS_A_TURN = 256, SCAN_MS = 2, SITES_MAX = 256, LINE_MAX_BYTES = 1024 };

/* What the keys file says. */
struct site_key {
	char site[64], key[512];
};

static int read_keys(const char *path, struct site_key *out, size_t *nr, struct err *err)
{
	FILE *file = fopen(path, "re");
	char line[LINE_MAX_BYTES];

	if (!file)
		return err_set(err, ERR_FATAL, "%.300s: %s", path, strerror(errno));
	for (*nr = 0; *nr < SITES_MAX && fgets(line, sizeof(line), file);)
		*nr += sscanf(line, " %63[a-z0-9-] %511s", out[*nr].site, out[*nr].key) == 2;
	fclose(file);
	return *nr ? 0 : err_set(err, ERR_FATAL, "%.300s: no line is `site key`", path);
}

static int make_folders(const char *dir, struct err *err)
{
	static const char *const names[] = {"", "/spool", "/journal"};
	char path[4200];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, names[i]);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return err_set(err, ERR_FATAL, "%.300s: %s", path, strerror(errno));
	}
	return 0;
}

static void write_agent(FILE *file, const struct crowd_agent *a)
{
	static const char *const kinds[NR_STORE_KINDS] = {[STORE_COUNTER] = "counter", [STORE_GAUGE] = "gauge", [STORE_DISTRIBUTION] = "distribution"};

	fprintf(file, "{\"site\": \"%s\", \"host\": \"%s\", \"series\": [", a->site, a->host);
	for (size_t i = 0; i < a->plan.nr_series; i++) {
		const struct crowd_series *s = &a->plan.series[i];

		fprintf(file, "%s{\"kind\": \"%s\", \"name\": \"%s\", \"tags\": {\"%s\": \"%s\"}}", i ? ", " : "", kinds[s->kind], s->name,
			s->tag_key, s->tag_value);
	}
	fprintf(file, "]}");
}

static int write_agents(const struct crowd_agents *all, const char *dir, struct err *err)
{
	char path[4200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/agents.json", dir);
	file = fopen(path, "we");
	if (!file)
		return err_set(err, ERR_FATAL, "%.300s: %s", path, strerror(errno));
	for (size_t i = 0; i < all->nr; i++) {
		fputs(i ? ",\n" : "[", file);
		write_agent(file, &all->list[i]);
	}
	fputs("]\n", file);
	return fclose(file) == 0 ? 0 : err_set(err, ERR_FATAL, "%.300s: %s", path, strerror(errno));
}

static int copy_keys(struct crowd_agents *all, const struct site_key *keys, size_t nr, struct err *err)
{
	all->keys = calloc(nr, sizeof(*all->keys));
	for (; all->keys && all->nr_keys < nr; all->nr_keys++)
		if (!(all->keys[all->nr_keys] = strdup(keys[all->nr_keys].key)))
			break;
	return all->nr_keys == nr ? 0 : err_nomem(err, "keys");
}

static int open_agent(struct crowd_agents *all, size_t i, const struct site_key *keys, const struct crowd_conf *c, struct err *err)
{
	struct epoll_event e = {.events = EPOLLIN};
	struct crowd_agent *a = &all->list[i];

	a->number = (uint16_t)i;
	a->program = &all->program;
	a->ledger = &all->ledger;
	a->conf.key = all->keys[i % all->nr_keys];
	memcpy(a->site, keys[i % all->nr_keys].site, sizeof(a->site));
	all->nr = i + 1;
	e.data.ptr = a;
	if (crowd_agent_open(a, c, err) < 0)
		return -1;
	return epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, delivery_fd(a->delivery), &e) == 0 ? 0 : err_set(err, ERR_FATAL, "epoll: %s", strerror(errno));
}

static int open_all(struct crowd_agents *all, const struct site_key *keys, size_t nr_keys, const struct crowd_conf *c, struct err *err)
{
	uint32_t counts[CROWD_AGENTS_MAX];

	all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	all->list = calloc((size_t)c->agents, sizeof(*all->list));
	if (all->epoll_fd < 0 || !all->list)
		return err_nomem(err, "agents");
	if (make_folders(c->dir, err) < 0 || crowd_ledger_open(&all->ledger, c->dir, counts, (size_t)c->agents, err) < 0 ||
	    copy_keys(all, keys, nr_keys, err) < 0)
		return -1;
	for (size_t i = 0; i < (size_t)c->agents; i++) {
		all->list[i].flushes = counts[i];
		if (open_agent(all, i, keys, c, err) < 0)
			return -1;
	}
	return write_agents(all, c->dir, err);
}

int crowd_agents_open(struct crowd_agents *all, const struct program *program, const struct crowd_conf *c, struct err *err)
{
	struct site_key *keys = calloc(SITES_MAX, sizeof(*keys));
	size_t nr_keys;
	int rc;

	if (!keys)
		return err_nomem(err, "keys");
	all->program = *program;
	all->program.common.memory_budget_bytes /= c->agents;
	rc = read_keys(c->keys, keys, &nr_keys, err) < 0 ? -1 : open_all(all, keys, nr_keys, c, err);
	free(keys);
	return rc;
}

void crowd_agents_close(struct crowd_agents *all)
{
	for (size_t i = 0; i < all->nr; i++)
		crowd_agent_close(&all->list[i]);
	for (size_t i = 0; i < all->nr_keys; i++)
		free(all->keys[i]);
	free(all->keys);
	free(all->list);
	if (all->epoll_fd >= 0)
		close(all->epoll_fd);
	crowd_ledger_close(&all->ledger);
	*all = (struct crowd_agents)CROWD_AGENTS_INIT;
}

static uint64_t ended(const struct courier_status *s)
{
	return s->accepted_payloads + s->failed_posts + s->set_aside_payloads + s->halved_payloads;
}

/* Of two posts that end in one turn, both count with the status of the second. */
static void turn(struct crowd_agents *all, struct crowd_agent *a)
{
	struct status s = {0};
	uint64_t now;

	delivery_turn(a->delivery);
	delivery_read(a->delivery, &s);
	now = ended(&s.push);
	if (now > a->ended)
		crowd_answers_add(&all->answers, s.push.last_status, now - a->ended);
	a->ended = now;
}

/* Turns those whose time has come; until when the others wait. */
static int turn_due(struct crowd_agents *all, int most_ms)
{
	for (size_t i = 0; i < all->nr; i++) {
		int due_ms = delivery_timeout_ms(all->list[i].delivery);

		if (due_ms == 0) {
			turn(all, &all->list[i]);
			due_ms = SCAN_MS;
		}
		if (due_ms > 0 && due_ms < most_ms)
			most_ms = due_ms;
	}
	return most_ms < SCAN_MS ? SCAN_MS : most_ms;
}

void crowd_agents_wait(struct crowd_agents *all, int most_ms)
{
	struct epoll_event events[EVENTS_A_TURN];
	int64_t now_ms = clock_mono_ms();
	int n, wait_ms;

	if (now_ms - all->scanned_ms >= SCAN_MS) {
		all->scanned_ms = now_ms;
		wait_ms = turn_due(all, most_ms);
	} else {
		wait_ms = SCAN_MS;
	}
	n = epoll_wait(all->epoll_fd, events, EVENTS_A_TURN, wait_ms);
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr)
			turn(all, events[i].data.ptr);
}

int crowd_agents_step(struct crowd_agents *all, bool telling, struct err *err)
{
	for (size_t i = 0; i < all->nr; i++)
		if (crowd_agent_step(&all->list[i], telling, err) < 0)
			return -1;
	return 0;
}

void crowd_agents_flush_all(struct crowd_agents *all)
{
	for (size_t i = 0; i < all->nr; i++)
		crowd_agent_flush_all(&all->list[i]);
}

int crowd_agents_every_second(struct crowd_agents *all, struct err *err)
{
	for (size_t i = 0; i < all->nr; i++)
		delivery_every_second(all->list[i].delivery);
	return crowd_ledger_sync(&all->ledger, err);
}

static void add_agent(const struct crowd_agent *a, struct crowd_status *out)
{
	struct status s = {0};

	delivery_read(a->delivery, &s);
	out->flushes += a->flushes;
	out->spooled_payloads += s.spool.payloads;
	out->spooled_bytes += s.spool.bytes;
	out->agents_waiting += s.spool.payloads > 0;
	out->open_losses += s.losses.payloads;
	out->dropped_payloads += s.spool.dropped_payloads;
	out->dropped_samples += s.spool.dropped_samples;
	out->accepted_payloads += s.push.accepted_payloads;
	out->rejected_samples += s.push.rejected_samples;
	out->posts += s.push.posts;
	out->failed_posts += s.push.failed_posts;
	out->unhealthy_spools += s.spool.state != SPOOL_DISK;
}

void crowd_agents_read(const struct crowd_agents *all, struct crowd_status *out)
{
	*out = (struct crowd_status){
		.now_ms = clock_now_ms(&all->program.clock),
		.agents = all->nr,
		.told = all->ledger.nr_told,
		.answers = all->answers,
		.rss_bytes = process_rss_bytes(),
	};
	for (size_t i = 0; i < all->nr; i++)
		add_agent(&all->list[i], out);
}
