/* spool_split.c - see spool.h: halves take the place of a payload that the server finds too large.
 *
 * The halves have new seqs, so a crash must leave the payload or all of its halves, never both: both would be counted, as nobody refused
 * the halves. They are written as `half`, which counts for nothing by itself; then one rename, payload to `split`, decides; then they
 * get their names. So there is one split at a time, and none while an undecided half may lie in the folder. */
#include "ingest/agent/spool_keep.h"

#include <errno.h>

/* Takes the first nr halves back, before the decision. */
static void undo(struct spool *s, const struct envelope *halves, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		struct spool_entry *e = spool_index_find(&s->index, halves[i].agent_id, halves[i].seq);
		char name[SPOOL_NAME_SIZE];

		if (!e->in_memory && spool_io_unlink(s->conf.io, s->folder.fd, spool_file_name(&e->label, name)) < 0)
			s->stale = true;
		if (e->in_memory)
			losses_safe(s->losses, e->label.agent_id, e->label.seq);
		spool_index_remove(&s->index, e);
		spool_entry_free(e);
	}
}

static int split_on_disk(struct spool *s, struct spool_entry *parent, const struct envelope *halves, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!spool_keep_on_disk(s, &halves[i], SPOOL_HALF)) {
			undo(s, halves, i);
			return -1;
		}
	if (spool_file_step(s->conf.io, s->folder.fd, &parent->label, SPOOL_SPLIT) < 0) {
		spool_keep_trouble(s, "cannot rename a file of the spool", errno);
		undo(s, halves, nr);
		return -1;
	}
	s->splitting = true;
	return 0;
}

static int split_in_memory(struct spool *s, const struct envelope *halves, size_t nr)
{
	uint64_t share = s->conf.memory_bytes;
	size_t i;

	s->conf.memory_bytes = UINT64_MAX; /* the payload that goes makes the room, a moment later */
	for (i = 0; i < nr && s->index.in_memory < LOSSES_AT_RISK_MAX && spool_keep_in_memory(s, &halves[i]); i++)
		continue;
	s->conf.memory_bytes = share;
	if (i == nr)
		return 0;
	undo(s, halves, i);
	return -1;
}

static int check_halves(const struct spool *s, const struct envelope *halves, size_t nr, struct err *err)
{
	for (size_t i = 0; i < nr; i++)
		if (halves[i].seq < 1 || halves[i].floor < 1 || halves[i].floor > halves[i].seq || halves[i].created_at_ms < 1 ||
		    halves[i].created_at_ms > SPOOL_CREATED_AT_MAX || halves[i].body.len > SPOOL_BODY_MAX ||
		    spool_index_find(&s->index, halves[i].agent_id, halves[i].seq))
			return err_set(err, ERR_REJECT, "half %zu is no valid payload", i);
	return nr > 0 ? 0 : err_set(err, ERR_REJECT, "no halves");
}

int spool_replace(struct spool *s, uint64_t id, const struct envelope *halves, size_t nr, struct err *err)
{
	struct spool_entry *parent = spool_index_get(&s->index, id);
	int rc;

	if (!parent)
		return err_set(err, ERR_REJECT, "the payload is gone");
	if (check_halves(s, halves, nr, err) < 0)
		return -1;
	if (parent->in_memory) {
		rc = split_in_memory(s, halves, nr);
	} else {
		spool_keep_end_split(s);
		rc = s->splitting || !spool_keep_sweep(s) ? -1 : split_on_disk(s, parent, halves, nr);
	}
	if (rc < 0)
		return err_set(err, ERR_RETRY, "the spool cannot take the halves of a payload now");
	losses_move(s->losses, parent->label.agent_id, parent->label.seq, halves[0].agent_id, halves[0].seq);
	spool_keep_drop(s, parent);
	spool_keep_end_split(s);
	spool_keep_settle(s);
	return 0;
}
