/* specimens.c - see specimens.h.
 *
 * The bytes are written when the event is taken, as what it was decoded from is gone afterwards; the epoch is not among them: a snapshot may be taken over into
 * topics that were made again, and what is emitted must carry theirs. */
#include "processor/specimens.h"

#include <stdlib.h>

#include "common/memory.h"
#include "common/pins.h"

_Static_assert(EXEMPLAR_SCHEMA_ID == 11, "snapshots hold the bytes of this version: another needs another SNAPSHOT_VERSION, and whoever reads 6 rewrites them");

const char *exemplar_kind_name(enum exemplar_kind kind)
{
	static const char *const names[NR_EXEMPLAR_KINDS] = {"error", "transaction", "marker", "check_in"};

	return names[kind];
}

struct specimen *specimen_of(struct str bytes, enum exemplar_kind kind)
{
	struct specimen *s = malloc(sizeof(*s) + bytes.len);

	if (!s)
		return NULL;
	*s = (struct specimen){.len = (uint32_t)bytes.len, .kind = (uint8_t)kind};
	memcpy(s->bytes, bytes.p, bytes.len);
	return s;
}

int specimen_new(struct str site, int64_t minute_ms, const struct event *event, enum exemplar_kind kind, struct specimen **out, struct err *err)
{
	struct buf bytes = BUF_INIT;
	bool failed, fits;

	codec_write_fixed(&bytes, event->group, EXEMPLAR_FINGERPRINT_BYTES);
	codec_write_bytes(&bytes, site);
	codec_write_long(&bytes, minute_ms);
	event_write(&bytes, event);
	failed = buf_failed(&bytes);
	fits = bytes.len <= SPECIMEN_BYTES_MAX;
	*out = !failed && fits ? specimen_of(buf_str(&bytes), kind) : NULL;
	buf_fini(&bytes);
	if (*out)
		(*out)->duration_ms = event->has_transaction ? event->transaction.duration_ms : 0;
	else if (failed || fits)
		return err_nomem(err, "an exemplar");
	return *out ? 0 : 1;
}

size_t specimen_bytes(const struct specimen *s)
{
	return memory_rounded(sizeof(*s) + s->len);
}

static int encode_newest(const struct specimen *s, int64_t epoch, struct buf *out, struct err *err)
{
	codec_write_header(out, EXEMPLAR_SCHEMA_ID);
	codec_write_fixed(out, s->bytes, EXEMPLAR_FINGERPRINT_BYTES);
	codec_write_long(out, epoch);
	buf_add(out, s->bytes + EXEMPLAR_FINGERPRINT_BYTES, s->len - EXEMPLAR_FINGERPRINT_BYTES);
	return buf_failed(out) ? err_nomem(err, "an exemplar") : 0;
}

/* What is kept are bytes of today's version: where another one is pinned, the generated code makes that of them. */
static int encode_pinned(const struct specimen *s, int64_t epoch, struct buf *out, struct err *err)
{
	struct buf newest = BUF_INIT;
	struct arena arena = ARENA_INIT;
	struct exemplar x;
	int rc = encode_newest(s, epoch, &newest, err);

	if (rc == 0)
		rc = exemplar_decode(buf_str(&newest), &arena, &x, err);
	if (rc == 0)
		rc = exemplar_encode(&x, out, err);
	arena_fini(&arena);
	buf_fini(&newest);
	return rc;
}

int specimen_encode(const struct specimen *s, int64_t epoch, struct buf *out, struct err *err)
{
	bool pinned = pins_written_id(EXEMPLAR_SCHEMA_ID) != EXEMPLAR_SCHEMA_ID;

	return pinned ? encode_pinned(s, epoch, out, err) : encode_newest(s, epoch, out, err);
}

void specimens_append(struct specimens *list, struct specimen *s)
{
	s->next = NULL;
	*(list->end ? list->end : &list->first) = s;
	list->end = &s->next;
	list->nr++;
	list->bytes += specimen_bytes(s);
	list->nr_flushed += s->flushed;
}

void specimens_drop(struct specimens *list, size_t nr)
{
	for (; nr > 0 && list->first; nr--) {
		struct specimen *s = list->first;

		list->first = s->next;
		list->nr--;
		list->bytes -= specimen_bytes(s);
		list->nr_flushed -= s->flushed;
		free(s);
	}
	if (!list->first)
		list->end = NULL;
}
