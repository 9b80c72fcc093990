/* progress.c - see progress.h.
 *
 * The thread is there because what takes long is mostly a call into the Kafka client that returns when it is done, and not before. It
 * sleeps a quarter of a second at a time, so that it costs nothing, and holds the lock while it writes: after progress_end() has returned no
 * byte of a line is under way. Where there are commands a second long by the thousand (scripts), the thread has done nothing but wait. */
#include "deploy/ctl/progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "deploy/ctl/printable.h"

enum { PATIENCE_MS = 1000, TURN_MS = 250, LINE_EVERY_MS = 5000, COLUMNS = 78 };

struct progress {
	FILE *out;
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t wake;
	bool stop;
	struct progress_state state;
};

/* "12,000" */
static const char *say_number(uint64_t n, char out[32])
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

static void say_line(const struct progress_state *s, char line[PROGRESS_LINE_SIZE])
{
	char done[32], total[32];

	if (s->total)
		snprintf(line, PROGRESS_LINE_SIZE, "%s: %s of %s %s", s->what, say_number(s->done, done), say_number(s->total, total), s->unit);
	else if (s->done)
		snprintf(line, PROGRESS_LINE_SIZE, "%s: %s %s", s->what, say_number(s->done, done), s->unit);
	else
		snprintf(line, PROGRESS_LINE_SIZE, "%s ..", s->what);
}

/* A line that wraps cannot be taken back. */
void progress_tick(struct progress_state *s, int64_t now_ms, struct buf *out)
{
	char line[PROGRESS_LINE_SIZE];

	if (!s->next_ms)
		s->next_ms = s->begun_ms + (s->terminal ? PATIENCE_MS : LINE_EVERY_MS);
	if (!*s->what || now_ms < s->next_ms)
		return;
	s->next_ms = now_ms + (s->terminal ? TURN_MS : LINE_EVERY_MS);
	say_line(s, line);
	if (s->terminal) {
		if (strlen(line) > COLUMNS) {
			line[COLUMNS] = '\0';
			printable_trim(line);
		}
		buf_printf(out, "\r\033[K%s", line);
	} else {
		buf_printf(out, "millrace-ctl: %s\n", line);
	}
	s->shown = s->terminal;
}

static void take_away(struct progress_state *s, struct buf *out)
{
	if (s->shown)
		buf_printf(out, "\r\033[K");
	s->shown = false;
}

void progress_pause(struct progress_state *s, int64_t now_ms, struct buf *out)
{
	take_away(s, out);
	if (s->terminal && s->next_ms < now_ms + PATIENCE_MS)
		s->next_ms = now_ms + PATIENCE_MS;
}

void progress_clear(struct progress_state *s, struct buf *out)
{
	take_away(s, out);
	s->what[0] = '\0';
	s->done = s->total = 0;
}

/* With the lock held. */
static void flush(struct progress *p, struct buf *text)
{
	if (text->len && !buf_failed(text)) {
		fwrite(text->p, 1, text->len, p->out);
		fflush(p->out);
	}
	buf_fini(text);
}

static void *run(void *ctx)
{
	struct progress *p = ctx;
	sigset_t all;

	sigfillset(&all); /* signals are the command's, which may wait for them */
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		int64_t until_ms = clock_mono_ms() + TURN_MS;
		struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
		struct buf text = BUF_INIT;

		pthread_cond_timedwait(&p->wake, &p->lock, &until);
		progress_tick(&p->state, clock_mono_ms(), &text);
		flush(p, &text);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct progress *progress_new(FILE *out, bool terminal)
{
	struct progress *p = calloc(1, sizeof(*p));
	pthread_condattr_t monotonic;

	if (!p)
		return NULL;
	p->out = out;
	p->state = (struct progress_state){.terminal = terminal, .begun_ms = clock_mono_ms()};
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&p->lock, NULL);
	if (pthread_create(&p->thread, NULL, run, p) == 0)
		return p;
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	progress_end(p);
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void progress_begin(struct progress *p, const char *fmt, ...)
{
	char what[PROGRESS_WHAT_SIZE];
	va_list args;

	if (!p)
		return;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	printable_trim(what);
	printable(what);
	pthread_mutex_lock(&p->lock);
	memcpy(p->state.what, what, sizeof(what));
	p->state.done = p->state.total = 0;
	pthread_mutex_unlock(&p->lock);
}

void progress_count(struct progress *p, uint64_t done, uint64_t total, const char *unit)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->state.done = done;
	p->state.total = total;
	p->state.unit = unit;
	pthread_mutex_unlock(&p->lock);
}

void progress_hide(struct progress *p)
{
	struct buf text = BUF_INIT;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	progress_pause(&p->state, clock_mono_ms(), &text);
	flush(p, &text);
	pthread_mutex_unlock(&p->lock);
}

void progress_end(struct progress *p)
{
	struct buf text = BUF_INIT;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	progress_clear(&p->state, &text);
	flush(p, &text);
	pthread_mutex_unlock(&p->lock);
}
