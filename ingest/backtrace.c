/* backtrace.c - see backtrace.h.
 *
 * A text is read line by line, and ends where another exception's begins: a cause (Java), another goroutine or thread (Go, gdb, AddressSanitizer), since who sends it names
 * the class of the outermost. Python prints that one last, so there the last traceback counts. Python, and old Ruby on a terminal, print the
 * innermost frame last: of those a ring keeps the last ones.
 *
 * Invariant: no more than BACKTRACE_FRAMES_MAX frames are held, whatever the text's length. */
#include "ingest/backtrace.h"

#include "ingest/backtrace_line.h"

struct reading {
	struct backtrace_frame frames[BACKTRACE_FRAMES_MAX]; /* a ring where last is set */
	size_t len;                                          /* frames so far, also those that the ring has dropped */
	bool last;                                           /* the innermost frame comes last */
	bool ended, group;                                   /* of an exception group only the first traceback counts */
	struct backtrace_frame pending;                      /* a function whose place is expected on the next line */
	enum backtrace_form pending_form;                    /* NR_BACKTRACE_FORMS: none */
	int number;                                          /* of the last numbered frame, -1 before */
};

static bool begins(struct str s, const char *what)
{
	return s.len >= strlen(what) && memcmp(s.p, what, strlen(what)) == 0;
}

static void add(struct reading *r, enum backtrace_form form, struct backtrace_frame *f)
{
	f->in_app = backtrace_is_own(form, f);
	if (r->len < BACKTRACE_FRAMES_MAX || r->last)
		r->frames[r->len++ % BACKTRACE_FRAMES_MAX] = *f;
}

/* A function that got no place: of Rust it is a frame all the same, of Go it was something else. */
static void end_pending(struct reading *r)
{
	if (r->pending_form == BACKTRACE_RUST)
		add(r, r->pending_form, &r->pending);
	r->pending_form = NR_BACKTRACE_FORMS;
}

/* Is f the place of the function on the line before? */
static bool take_place(struct reading *r, enum backtrace_form form, const struct backtrace_frame *f)
{
	bool rust = r->pending_form == BACKTRACE_RUST && form == BACKTRACE_V8 && f->function.len == 0;

	if (!rust && !(r->pending_form == BACKTRACE_GO && form == BACKTRACE_PLACE))
		return false;
	r->pending.file = f->file;
	r->pending.line = f->line;
	add(r, r->pending_form, &r->pending);
	r->pending_form = NR_BACKTRACE_FORMS;
	return true;
}

static void take_frame(struct reading *r, struct str line)
{
	struct backtrace_frame f;
	int number;
	enum backtrace_form form = backtrace_read_line(line, &f, &number);

	if (form == NR_BACKTRACE_FORMS || take_place(r, form, &f))
		return;
	end_pending(r);
	if (number >= 0 && number <= r->number) { /* #0 again: another thread, or where memory was freed */
		r->ended = true;
		return;
	}
	if (number >= 0)
		r->number = number;
	if (form == BACKTRACE_GO || form == BACKTRACE_RUST) {
		r->pending = f;
		r->pending_form = form;
	} else if (form != BACKTRACE_PLACE) {
		add(r, form, &f);
	}
}

/* Without what Python puts before the lines of exception groups ("  | "), and old Ruby before frames ("\t1: from "). */
static struct str without_margin(struct str line, bool last)
{
	struct str s = line;
	int64_t n;

	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct str){s.p + 1, s.len - 1};
	if (begins(s, "| ") || begins(s, "+ ")) {
		while (begins(s, "| ") || begins(s, "  | ") || begins(s, "+ "))
			s = (struct str){s.p + (s.p[0] == ' ' ? 4 : 2), s.len - (s.p[0] == ' ' ? 4 : 2)};
		return s;
	}
	if (last && str_take_int(&s, &n) && str_take(&s, ": from "))
		return s;
	return line;
}

/* The line before a traceback whose innermost frame is the last. */
static bool take_header(struct reading *r, struct str line)
{
	bool group = begins(line, "Exception Group Traceback (most recent call last):");

	if (!group && !begins(line, "Traceback (most recent call last"))
		return false;
	if (r->group) {
		r->ended = true;
		return true;
	}
	r->group = group;
	r->last = true;
	r->len = 0;
	return true;
}

static bool begins_another(const struct reading *r, struct str line)
{
	while (line.len && (line.p[0] == ' ' || line.p[0] == '\t'))
		line = (struct str){line.p + 1, line.len - 1};
	return r->len && !r->last && (begins(line, "Caused by: ") || begins(line, "Suppressed: ") || begins(line, "[cause]: ") || begins(line, "goroutine "));
}

static void take_line(struct reading *r, struct str line)
{
	line = without_margin(line, r->last);
	if (take_header(r, line))
		return;
	if (begins_another(r, line))
		r->ended = true;
	else
		take_frame(r, line);
}

static int copy(const struct reading *r, struct arena *arena, struct backtrace_frame **frames, size_t *len)
{
	size_t n = r->len < BACKTRACE_FRAMES_MAX ? r->len : BACKTRACE_FRAMES_MAX;
	struct backtrace_frame *out = arena_calloc(arena, n, sizeof(*out));

	if (!out)
		return -1;
	for (size_t i = 0; i < n; i++)
		out[i] = r->frames[r->last ? (r->len - 1 - i) % BACKTRACE_FRAMES_MAX : i];
	*frames = out;
	*len = n;
	return 0;
}

int backtrace_parse(struct str text, struct arena *arena, struct backtrace_frame **frames, size_t *len)
{
	struct reading r; /* not zeroed: of its frames only those are read that were written */

	r.len = 0;
	r.last = r.ended = r.group = false;
	r.pending_form = NR_BACKTRACE_FORMS;
	r.number = -1;
	while (text.len && !r.ended && (r.last || r.len < BACKTRACE_FRAMES_MAX)) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t n = end ? (size_t)(end - text.p) : text.len;

		take_line(&r, (struct str){text.p, n});
		text = (struct str){text.p + n + (end != NULL), text.len - n - (end != NULL)};
	}
	end_pending(&r);
	return copy(&r, arena, frames, len);
}
