/* group.c - see group.h.
 *
 * A name is XXH3-128, as series have (common/series.h), of the site, the kind's number and the texts that make the group; each text is preceded by its length, so that no two lists of texts
 * read alike (schemas/README.md, Groups). The parts of an error say whether a frame or the message follows.
 *
 * Invariant: line, column, in_app of other frames and everything else of an event have no part in it. */
#include "ingest/group.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ingest/group_text.h"

enum { BY_MESSAGE, BY_FRAME };

enum { PARTS_MAX = 5, NAME_BYTES = PARTS_MAX * (GROUP_TEXT_MAX + 2) + 2 };

/* The canonical bytes of a name. */
struct name {
	uint8_t p[NAME_BYTES];
	size_t len;
};

typedef size_t (*plain_fn)(struct str text, char *out);

/* u16 little-endian length and bytes, as in a series' name. */
static void put(struct name *n, struct str s)
{
	if (s.len > GROUP_TEXT_MAX)
		s.len = GROUP_TEXT_MAX;
	n->p[n->len++] = (uint8_t)(s.len & 0xff);
	n->p[n->len++] = (uint8_t)(s.len >> 8);
	if (s.len)
		memcpy(n->p + n->len, s.p, s.len);
	n->len += s.len;
}

static void put_plain(struct name *n, struct str s, plain_fn plain)
{
	char out[GROUP_TEXT_MAX];

	put(n, (struct str){out, plain(s, out)});
}

/* The innermost frame of the application's own that says anything. */
static const struct backtrace_frame *own_frame(const struct error_detail *e)
{
	for (size_t i = 0; i < e->backtrace_len; i++)
		if (e->backtrace[i].in_app && (e->backtrace[i].file.len || e->backtrace[i].function.len))
			return &e->backtrace[i];
	return NULL;
}

/* Ruby names the class before the method since 3.4: what is behind it has been said before, too. */
static struct str method_of(const struct backtrace_frame *f)
{
	struct str s = f->function;
	size_t i = s.len;

	if (f->file.len < 3 || memcmp(f->file.p + f->file.len - 3, ".rb", 3) != 0)
		return s;
	while (i && s.p[i - 1] != '#' && s.p[i - 1] != '.' && s.p[i - 1] != ' ')
		i--;
	return i < s.len ? (struct str){s.p + i, s.len - i} : s;
}

static void put_error(struct name *n, const struct event *e)
{
	const struct backtrace_frame *frame = own_frame(&e->error);

	put_plain(n, e->error.class, group_action);
	put_plain(n, e->action, group_action);
	n->p[n->len++] = frame ? BY_FRAME : BY_MESSAGE;
	if (frame) {
		put_plain(n, frame->file, group_file);
		put_plain(n, method_of(frame), group_function);
	} else {
		put_plain(n, e->error.message, group_message);
	}
}

void group_name(struct payload_event *e, struct str site)
{
	struct name n = {.len = 0};
	XXH128_canonical_t canonical;

	put(&n, site);
	n.p[n.len++] = (uint8_t)e->kind;
	switch (e->kind) {
	case PAYLOAD_ERROR:
		put_error(&n, &e->event);
		break;
	case PAYLOAD_TRANSACTION:
		put(&n, e->event.namespace);
		put_plain(&n, e->event.action, group_action);
		break;
	case PAYLOAD_CHECK_IN:
		put(&n, e->event.check_in.name);
		break;
	default:
		break; /* markers are one group */
	}
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(n.p, n.len));
	memcpy(e->event.group, canonical.digest, sizeof(e->event.group));
}
