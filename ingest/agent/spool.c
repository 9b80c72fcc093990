/* spool.c - see spool.h.
 *
 * Rooms: spool_file.h a payload's file, spool_folder.h the folder, spool_index.h what is held, spool_start.c taking in what lies there,
 * spool_split.c halves, losses.h what was given up; spool_keep.c has the invariants by which they work together. Here is what the courier
 * and the loop ask for.
 *
 * Age. created_at by the program's clock. Where it lies in the future, as a clock was set back, the payload is as old as the time it was
 * first seen here, by the file's mtime after a start: it goes after max_age at the latest, and no earlier than one whose clock was
 * right. A clock that is wrongly set forward by more than max_age ends what is there; that is told like any other loss. */
#include "ingest/agent/spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/agent/spool_keep.h"

enum { READ_FAILURES_MAX = 3 };

const char *spool_state_name(enum spool_state state)
{
	static const char *const names[] = {
		[SPOOL_DISK] = "disk", [SPOOL_FULL] = "full", [SPOOL_READ_ONLY] = "read_only", [SPOOL_FAILING] = "failing"};

	return names[state];
}

static int make(struct spool *s, const struct spool_conf *conf)
{
	s->conf = *conf;
	s->folder = (struct spool_folder)SPOOL_FOLDER_CLOSED;
	spool_index_init(&s->index);
	TAILQ_INIT(&s->gone);
	s->dir = strdup(conf->dir);
	s->conf.dir = s->dir;
	s->losses = losses_new();
	return s->dir && s->losses ? 0 : -1;
}

struct spool *spool_new(const struct spool_conf *conf, const struct clock *clock, const struct log *log, struct err *err)
{
	struct spool *s = calloc(1, sizeof(*s));
	struct err trouble = ERR_INIT;

	if (!s || make(s, conf) < 0) {
		err_nomem(err, "the spool");
		spool_free(s);
		return NULL;
	}
	s->clock = clock;
	s->log = log;
	errno = 0;
	if (spool_start_attach(s, &trouble) < 0) {
		if (trouble.kind == ERR_FATAL) {
			err_set(err, ERR_FATAL, "%s", trouble.msg);
			spool_free(s);
			return NULL;
		}
		spool_keep_trouble(s, trouble.msg, errno ? errno : EIO);
	}
	return s;
}

void spool_free(struct spool *s)
{
	struct spool_entry *e;

	if (!s)
		return;
	if (s->dir && s->losses)
		spool_keep_end(s);
	while ((e = TAILQ_FIRST(&s->gone))) {
		TAILQ_REMOVE(&s->gone, e, order);
		spool_entry_free(e);
	}
	spool_index_fini(&s->index);
	spool_folder_close(&s->folder);
	losses_free(s->losses);
	free(s->dir);
	free(s);
}

struct losses *spool_losses(struct spool *s)
{
	return s->losses;
}

static int check(const struct spool *s, const struct envelope *e, struct err *err)
{
	if (e->seq < 1 || e->floor < 1 || e->floor > e->seq || e->created_at_ms < 1 || e->created_at_ms > SPOOL_CREATED_AT_MAX)
		return err_set(err, ERR_REJECT, "a payload without a valid identity");
	if (spool_index_find(&s->index, e->agent_id, e->seq))
		return err_set(err, ERR_REJECT, "payload %llu is in the spool already", (unsigned long long)e->seq);
	if (e->body.len > SPOOL_BODY_MAX || e->body.len + SPOOL_HEAD_BYTES > s->conf.max_bytes)
		return err_set(err, ERR_REJECT, "a payload of %zu bytes is larger than the spool takes", e->body.len);
	return 0;
}

/* What never was held is a loss all the same. */
static void lose_unheld(struct spool *s, const struct envelope *e)
{
	struct spool_label label = {.seq = e->seq};
	struct loss loss;

	memcpy(label.agent_id, e->agent_id, sizeof(label.agent_id));
	loss = spool_keep_loss(&label, e->samples, e->attempted);
	losses_add(s->losses, &loss);
	losses_give_back(s->losses, e->agent_id, e->seq);
	s->dropped_payloads++;
	s->dropped_samples += e->samples;
	spool_keep_settle(s);
}

int spool_put(struct spool *s, const struct envelope *e, uint64_t *id, struct err *err)
{
	struct spool_entry *entry = NULL;

	if (check(s, e, err) < 0) {
		if (e->seq >= 1 && !spool_index_find(&s->index, e->agent_id, e->seq))
			lose_unheld(s, e);
		return -1;
	}
	spool_keep_settle(s); /* what this payload carries is noted before it can be sent */
	if (spool_keep_usable(s) && spool_keep_room(s, e->body.len + SPOOL_HEAD_BYTES))
		entry = spool_keep_on_disk(s, e, e->attempted ? SPOOL_TRIED : SPOOL_PAYLOAD);
	if (!entry) {
		entry = spool_keep_in_memory(s, e);
		spool_keep_settle(s); /* at risk, which the losses' file can take though the disk is full */
	}
	if (!entry) {
		int code = errno;

		lose_unheld(s, e);
		return code == ENOMEM ? err_nomem(err, "a payload")
				      : err_set(err, ERR_REJECT, "neither disk nor memory takes a payload of %zu bytes", e->body.len);
	}
	*id = entry->id;
	return 0;
}

/* Sets a file aside that is no payload; it is a loss. */
static int lose_torn(struct spool *s, struct spool_entry *e, const char *ending, struct err *err)
{
	char name[SPOOL_NAME_SIZE];

	spool_file_name(&e->label, name);
	log_warn(s->log, "spool_file_set_aside", LOG_STR("file", name), LOG_STR("reason", ending));
	s->set_aside++;
	spool_keep_lose(s, e, ending);
	spool_keep_settle(s);
	return err_set(err, ERR_REJECT, "the file %s is %s", name, ending);
}

/* The body is copied, as the payload may go while it is in flight. */
static int get_from_memory(const struct spool_entry *entry, struct envelope *out, struct buf *body, struct err *err)
{
	buf_clear(body);
	buf_add(body, entry->body, (size_t)entry->bytes);
	if (buf_failed(body))
		return err_nomem(err, "a payload");
	*out = (struct envelope){.seq = entry->label.seq,
				 .floor = entry->floor,
				 .created_at_ms = entry->label.created_at_ms,
				 .samples = entry->samples,
				 .attempted = entry->attempted,
				 .body = buf_str(body)};
	memcpy(out->agent_id, entry->label.agent_id, sizeof(out->agent_id));
	return 0;
}

int spool_get(struct spool *s, uint64_t id, struct envelope *out, struct buf *body, struct err *err)
{
	struct spool_entry *entry = spool_index_get(&s->index, id);

	if (!entry)
		return err_set(err, ERR_REJECT, "the payload is gone");
	if (entry->in_memory)
		return get_from_memory(entry, out, body, err);
	switch (spool_file_read(s->conf.io, s->folder.fd, &entry->label, out, body)) {
	case SPOOL_FILE_WHOLE:
		entry->failures = 0;
		out->attempted = entry->attempted;
		return 0;
	case SPOOL_FILE_TORN:
		return lose_torn(s, entry, "torn", err);
	case SPOOL_FILE_FOREIGN:
		return lose_torn(s, entry, "foreign", err);
	case SPOOL_FILE_GONE:
		return lose_torn(s, entry, "gone", err);
	case SPOOL_FILE_UNREADABLE:
		break;
	}
	/* What the process lacks says nothing of the file. */
	if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && ++entry->failures >= READ_FAILURES_MAX)
		return lose_torn(s, entry, "unreadable", err);
	return err_set(err, ERR_RETRY, "cannot read from the spool: %s", strerror(errno));
}

static bool skipped(const struct spool_skip *skip, uint64_t id)
{
	for (size_t i = 0; skip && i < skip->nr; i++)
		if (skip->ids[i] == id)
			return true;
	return false;
}

bool spool_newest(const struct spool *s, const struct spool_skip *skip, uint64_t *id)
{
	const struct spool_entry *e;

	TAILQ_FOREACH_REVERSE(e, &s->index.entries, spool_entries, order)
		if (!skipped(skip, e->id)) {
			*id = e->id;
			return true;
		}
	return false;
}

void spool_attempted(struct spool *s, uint64_t id)
{
	struct spool_entry *entry = spool_index_get(&s->index, id);
	struct envelope e;

	if (!entry || entry->attempted)
		return;
	entry->attempted = true;
	if (!entry->in_memory) {
		if (spool_file_step(s->conf.io, s->folder.fd, &entry->label, SPOOL_TRIED) < 0 && errno != ENOENT)
			spool_keep_trouble(s, "cannot rename a file of the spool", errno);
		return;
	}
	e = (struct envelope){.seq = entry->label.seq, .samples = entry->samples, .attempted = true};
	memcpy(e.agent_id, entry->label.agent_id, sizeof(e.agent_id));
	losses_at_risk(s->losses, &e);
	spool_keep_settle(s);
}

/* Acknowledged losses are saved before the file goes. Killed in between, the payload comes again under its own identity, which the server
 * knows; the other way round its losses would come again under another's. */
void spool_done(struct spool *s, uint64_t id)
{
	struct spool_entry *entry = spool_index_get(&s->index, id);

	if (!entry)
		return;
	losses_acknowledged(s->losses, entry->label.agent_id, entry->label.seq);
	spool_keep_drop(s, entry);
	spool_keep_settle(s);
}

void spool_reject(struct spool *s, uint64_t id, int status)
{
	struct spool_entry *entry = spool_index_get(&s->index, id);
	char ending[sizeof(entry->aside)];

	if (!entry)
		return;
	snprintf(ending, sizeof(ending), "rejected-%d", status);
	s->rejected_payloads++;
	spool_keep_lose(s, entry, ending);
	spool_keep_settle(s);
}

uint64_t spool_lowest_seq(const struct spool *s, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES])
{
	const struct spool_entry *e;
	uint64_t lowest = 0;

	TAILQ_FOREACH(e, &s->index.entries, order)
		if (memcmp(e->label.agent_id, agent_id, sizeof(e->label.agent_id)) == 0 && (lowest == 0 || e->label.seq < lowest))
			lowest = e->label.seq;
	return lowest;
}

void spool_give_up_below(struct spool *s, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq)
{
	struct spool_entry *e, *after;

	for (e = TAILQ_FIRST(&s->index.entries); e; e = after) {
		after = TAILQ_NEXT(e, order);
		if (memcmp(e->label.agent_id, agent_id, sizeof(e->label.agent_id)) == 0 && e->label.seq < seq)
			spool_keep_lose(s, e, NULL);
	}
	spool_keep_settle(s);
}

/* Gives up what is too old; no longer on a disk that refuses, as nothing can be taken away there. */
static void expire(struct spool *s, bool usable)
{
	int64_t now_ms = clock_now_ms(s->clock);
	struct spool_entry *e, *after;
	int given_up = 0;

	for (e = TAILQ_FIRST(&s->index.entries); e && given_up < SPOOL_GIVEN_UP_A_CALL; e = after) {
		after = TAILQ_NEXT(e, order);
		if (now_ms - e->age_from_ms <= s->conf.max_age_ms || !(usable || e->in_memory))
			continue;
		given_up++;
		if (spool_keep_lose(s, e, NULL) < 0)
			usable = false;
	}
}

void spool_turn(struct spool *s)
{
	unsigned troubles = s->troubles;
	struct err err = ERR_INIT;
	bool usable;

	errno = 0;
	if (s->folder.fd < 0 && clock_mono_ms() >= s->retry_mono_ms && spool_start_attach(s, &err) < 0)
		spool_keep_trouble(s, err.msg, errno ? errno : EIO);
	usable = spool_keep_usable(s);
	expire(s, usable);
	if (usable) {
		spool_keep_room(s, 0);
		spool_keep_end_split(s);
		spool_keep_sweep(s);
		spool_keep_flush(s);
	}
	spool_keep_settle(s);
	if (usable && s->state != SPOOL_DISK && s->troubles == troubles) {
		s->state = SPOOL_DISK;
		s->why[0] = '\0';
		log_info(s->log, "spool_disk_takes_again", LOG_UINT("in_memory", s->index.in_memory), LOG_STR("dir", s->dir));
	}
}

void spool_figures(const struct spool *s, struct spool_figures *out)
{
	const struct spool_entry *oldest = TAILQ_FIRST(&s->index.entries);

	*out = (struct spool_figures){.payloads = s->index.len,
				      .in_memory = s->index.in_memory,
				      .bytes = s->index.disk_bytes,
				      .memory_bytes = s->index.memory_bytes,
				      .oldest_ms = oldest ? oldest->label.created_at_ms : 0,
				      .dropped_payloads = s->dropped_payloads,
				      .dropped_samples = s->dropped_samples,
				      .rejected_payloads = s->rejected_payloads,
				      .set_aside_files = s->set_aside,
				      .state = s->state};
	memcpy(out->why, s->why, sizeof(out->why));
}
