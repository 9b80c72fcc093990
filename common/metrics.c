/* metrics.c - see metrics.h.
 *
 * The registry is one array of pointers, kept in the order of the output, so that rendering is a walk and a name's metrics
 * stand together under one HELP and TYPE. Metrics are made rarely and looked at every few seconds; what happens for each
 * sample, metric_add() and metric_set(), touches one atomic and no lock. A metric that the list does not have is a mistake that must cost no
 * data: it is missing from the page, is counted on it, and the first one is named there in a comment, which scrapers skip and people read.
 *  I1  m->all is sorted by (name, labels) without doubles; mutex guards it, but not the values.
 *  I2  labels are rendered once, sorted by label name and escaped: two metrics are the same iff these texts are.
 *  I3  The output is UTF-8 whatever the label values were: one bad byte would cost the whole scrape.
 *  I4  A metric's name, type, meaning and label names are those of a row of schemas/metrics.txt (or of a test's own rows). */
#include "common/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/build.h"
#include "common/process.h"
#include "schemas/metric_list.h"

enum { NS_PER_S = 1000000000, FIRST_REFUSED_SIZE = 80 };

struct metric {
	const struct metric_row *row;
	char *labels; /* `site="x",topic="y"`, or "" */
	_Atomic uint64_t value; /* of a counter the number (METRIC_SECONDS: nanoseconds), else the bits of a double */
};

struct metrics {
	pthread_mutex_t mutex;
	const struct metric_row *own; /* a test's rows beside the list */
	size_t nr_own;
	struct metric **all;
	size_t len, cap;
	struct metric *rss, *cpu, *start, *fds, *suppressed; /* set by each rendering */
	struct metric *refused;
	char first_refused[FIRST_REFUSED_SIZE]; /* a name; mutex guards it */
	const struct log *log; /* whose lines suppressed counts; NULL: none */
	uint64_t suppressed_lines; /* as it stood at the last rendering */
};

struct label {
	const char *name, *value;
};

static uint64_t bits_of(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static double double_of(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* Appends text for between quotation marks; what is not UTF-8 becomes U+FFFD, byte by byte (I3). */
static void escape_value(struct buf *out, const char *text)
{
	struct str s = str_from(text);
	bool utf8 = str_is_utf8(s);

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' || s.p[i] == '"')
			buf_add(out, "\\", 1);
		if (s.p[i] == '\n')
			buf_add(out, "\\n", 2);
		else if ((uint8_t)s.p[i] >= 0x80 && !utf8)
			buf_add(out, "\xef\xbf\xbd", 3);
		else
			buf_add(out, s.p + i, 1);
	}
}

/* Reads the varargs of metrics_counter(), sorted by label name. -1: too many. */
static int labels_read(va_list args, struct label labels[METRIC_LABELS_MAX], size_t *nr)
{
	const char *name;

	*nr = 0;
	while ((name = va_arg(args, const char *)) != NULL) {
		const char *value = va_arg(args, const char *);
		size_t at = *nr;

		if (*nr == METRIC_LABELS_MAX)
			return -1;
		for (; at > 0 && strcmp(labels[at - 1].name, name) > 0; at--)
			labels[at] = labels[at - 1];
		labels[at] = (struct label){name, value ? value : ""};
		++*nr;
	}
	return 0;
}

/* The row of this name, or NULL. */
static const struct metric_row *row_of(const struct metrics *m, const char *name)
{
	for (size_t i = 0; i < m->nr_own; i++)
		if (strcmp(m->own[i].name, name) == 0)
			return &m->own[i];
	return metric_list_find(name);
}

/* Are these the row's labels, all of them and no other (I4)? */
static bool row_agrees(const struct metric_row *row, bool is_gauge, const struct label *labels, size_t nr)
{
	if ((row->type == METRIC_GAUGE) != is_gauge)
		return false;
	for (size_t i = 0; i < nr; i++)
		if (!row->labels[i] || strcmp(row->labels[i], labels[i].name) != 0)
			return false;
	return nr == METRIC_LABELS_MAX || !row->labels[nr];
}

/* Counts a metric that the list does not have so; the first one's name is kept for people, as far as a comment can hold it. */
static void refuse(struct metrics *m, const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	metric_add(m->refused, 1);
	pthread_mutex_lock(&m->mutex);
	if (!m->first_refused[0])
		snprintf(m->first_refused, sizeof(m->first_refused), "%.*s", (int)(n < FIRST_REFUSED_SIZE ? n : FIRST_REFUSED_SIZE), n ? name : "?");
	pthread_mutex_unlock(&m->mutex);
}

/* The text of I2, malloc'ed; NULL when memory is short. */
static char *labels_render(const struct label *labels, size_t nr)
{
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < nr; i++) {
		buf_printf(&text, "%s%s=\"", i ? "," : "", labels[i].name);
		escape_value(&text, labels[i].value);
		buf_add(&text, "\"", 1);
	}
	buf_add(&text, "", 1);
	if (!buf_failed(&text))
		return (char *)text.p;
	buf_fini(&text);
	return NULL;
}

static void metric_free(struct metric *metric)
{
	if (!metric)
		return;
	free(metric->labels);
	free(metric);
}

/* Takes labels in any case. */
static struct metric *metric_new(const struct metric_row *row, char *labels)
{
	struct metric *metric = calloc(1, sizeof(*metric));

	if (!metric) {
		free(labels);
		return NULL;
	}
	metric->row = row;
	metric->labels = labels;
	atomic_init(&metric->value, row->type == METRIC_GAUGE ? bits_of(0) : 0);
	return metric;
}

/* Where (name, labels) stands or belongs (I1). */
static size_t find(const struct metrics *m, const char *name, const char *labels)
{
	size_t low = 0, high = m->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(m->all[mid]->row->name, name);

		if (order == 0)
			order = strcmp(m->all[mid]->labels, labels);
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* By doubling: a program with many sites makes its metrics one by one, as it meets them. */
static int make_room(struct metrics *m)
{
	size_t cap = m->cap ? m->cap * 2 : 64;
	struct metric **all;

	if (m->len < m->cap)
		return 0;
	all = realloc(m->all, cap * sizeof(struct metric *));
	if (!all)
		return -1;
	m->all = all;
	m->cap = cap;
	return 0;
}

/* The metric that is there, or a new one. Takes labels; the mutex is held. */
static struct metric *intern(struct metrics *m, const struct metric_row *row, char *labels)
{
	size_t at = find(m, row->name, labels);
	struct metric *metric = NULL;

	if (at < m->len && m->all[at]->row == row && strcmp(m->all[at]->labels, labels) == 0) {
		free(labels);
		return m->all[at];
	}
	if (make_room(m) == 0)
		metric = metric_new(row, labels);
	else
		free(labels);
	if (!metric)
		return NULL;
	memmove(m->all + at + 1, m->all + at, (m->len - at) * sizeof(struct metric *));
	m->all[at] = metric;
	m->len++;
	return metric;
}

static struct metric *register_metric(struct metrics *m, const char *name, bool is_gauge, va_list args)
{
	struct label labels[METRIC_LABELS_MAX];
	const struct metric_row *row;
	size_t nr;
	char *text;
	struct metric *metric;

	if (!m)
		return NULL;
	row = row_of(m, name);
	if (labels_read(args, labels, &nr) < 0 || !row || !row_agrees(row, is_gauge, labels, nr)) {
		refuse(m, name);
		return NULL;
	}
	text = labels_render(labels, nr);
	if (!text)
		return NULL;
	pthread_mutex_lock(&m->mutex);
	metric = intern(m, row, text);
	pthread_mutex_unlock(&m->mutex);
	return metric;
}

struct metric *metrics_counter(struct metrics *m, const char *name, ...)
{
	va_list args;
	struct metric *metric;

	va_start(args, name);
	metric = register_metric(m, name, false, args);
	va_end(args);
	return metric;
}

struct metric *metrics_gauge(struct metrics *m, const char *name, ...)
{
	va_list args;
	struct metric *metric;

	va_start(args, name);
	metric = register_metric(m, name, true, args);
	va_end(args);
	return metric;
}

/* Looked up by name, so that a handle of another registry is not taken for one of this. */
void metrics_remove(struct metrics *m, struct metric *metric)
{
	size_t at;

	if (!m || !metric)
		return;
	pthread_mutex_lock(&m->mutex);
	at = find(m, metric->row->name, metric->labels);
	if (at < m->len && m->all[at] == metric) {
		m->len--;
		memmove(m->all + at, m->all + at + 1, (m->len - at) * sizeof(struct metric *));
		metric_free(metric);
	}
	pthread_mutex_unlock(&m->mutex);
}

void metric_add(struct metric *metric, uint64_t n)
{
	if (metric && metric->row->type != METRIC_GAUGE)
		atomic_fetch_add_explicit(&metric->value, metric->row->type == METRIC_SECONDS ? n * NS_PER_S : n, memory_order_relaxed);
}

void metric_add_ms(struct metric *metric, uint64_t ms)
{
	if (metric && metric->row->type == METRIC_SECONDS)
		atomic_fetch_add_explicit(&metric->value, ms * (NS_PER_S / 1000), memory_order_relaxed);
}

void metric_set(struct metric *metric, double value)
{
	if (metric && metric->row->type == METRIC_GAUGE)
		atomic_store_explicit(&metric->value, bits_of(value), memory_order_relaxed);
}

double metric_value(const struct metric *metric)
{
	uint64_t value = metric ? atomic_load_explicit(&metric->value, memory_order_relaxed) : 0;

	if (metric && metric->row->type == METRIC_GAUGE)
		return double_of(value);
	return metric && metric->row->type == METRIC_SECONDS ? (double)value / NS_PER_S : (double)value;
}

static void update_process(struct metrics *m)
{
	struct process_figures now;

	process_read(&now);
	metric_set(m->rss, now.rss_bytes);
	if (m->cpu) /* the kernel counts, here it is only shown */
		atomic_store_explicit(&m->cpu->value, (uint64_t)(now.cpu_seconds * NS_PER_S), memory_order_relaxed);
	metric_set(m->start, now.start_seconds);
	metric_set(m->fds, now.open_fds);
}

struct metrics *metrics_new_with(const char *program, const struct metric_row *own, size_t nr_own)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	pthread_mutex_init(&m->mutex, NULL);
	m->own = own;
	m->nr_own = nr_own;
	m->refused = metrics_counter(m, "millrace_metrics_refused_total", NULL);
	m->rss = metrics_gauge(m, "process_resident_memory_bytes", NULL);
	m->cpu = metrics_counter(m, "process_cpu_seconds_total", NULL);
	m->start = metrics_gauge(m, "process_start_time_seconds", NULL);
	m->fds = metrics_gauge(m, "process_open_fds", NULL);
	metric_set(metrics_gauge(m, "millrace_build_info", "program", program, "build", build_version(), NULL), 1);
	return m;
}

struct metrics *metrics_new(const char *program)
{
	return metrics_new_with(program, NULL, 0);
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->len; i++)
		metric_free(m->all[i]);
	free(m->all);
	pthread_mutex_destroy(&m->mutex);
	free(m);
}

/* HELP escapes no quotation marks: it is not quoted. */
static void render_head(const struct metric_row *row, struct buf *out)
{
	buf_printf(out, "# HELP %s ", row->name);
	for (const char *c = row->meaning; *c; c++) {
		if (*c == '\\' || *c == '\n')
			buf_add(out, *c == '\n' ? "\\n" : "\\\\", 2);
		else
			buf_add(out, c, 1);
	}
	buf_printf(out, "\n# TYPE %s %s\n", row->name, row->type == METRIC_GAUGE ? "gauge" : "counter");
}

static void render_value(const struct metric *metric, struct buf *out)
{
	uint64_t n = atomic_load_explicit(&metric->value, memory_order_relaxed);
	double v = double_of(n);
	char text[40];

	if (metric->row->type == METRIC_COUNTER) /* not through a double: all 64 bits count */
		snprintf(text, sizeof(text), "%" PRIu64, n);
	else if (metric->row->type == METRIC_SECONDS)
		snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64, n / NS_PER_S, n % NS_PER_S);
	else if (isnan(v))
		snprintf(text, sizeof(text), "NaN");
	else if (isinf(v))
		snprintf(text, sizeof(text), v > 0 ? "+Inf" : "-Inf");
	else if (snprintf(text, sizeof(text), "%.15g", v), strtod(text, NULL) != v)
		snprintf(text, sizeof(text), "%.17g", v);
	buf_printf(out, " %s\n", text);
}

void metrics_follow_log(struct metrics *m, const struct log *log)
{
	struct metric *suppressed = metrics_counter(m, "millrace_log_suppressed_lines_total", NULL);

	if (!m)
		return;
	pthread_mutex_lock(&m->mutex);
	m->suppressed = suppressed;
	m->log = log;
	pthread_mutex_unlock(&m->mutex);
}

/* The log counts for itself, as it is there before any registry. Holds the mutex. */
static void update_log(struct metrics *m)
{
	uint64_t lines = m->log ? log_suppressed_lines(m->log) : 0;

	metric_add(m->suppressed, lines - m->suppressed_lines);
	m->suppressed_lines = lines;
}

void metrics_render(struct metrics *m, struct buf *out)
{
	if (!m)
		return;
	update_process(m); /* before the mutex: /proc may be slow */
	pthread_mutex_lock(&m->mutex);
	update_log(m);
	for (size_t i = 0; i < m->len; i++) {
		const struct metric *metric = m->all[i];

		if (i == 0 || m->all[i - 1]->row != metric->row)
			render_head(metric->row, out);
		buf_add(out, metric->row->name, strlen(metric->row->name));
		if (metric->labels[0])
			buf_printf(out, "{%s}", metric->labels);
		render_value(metric, out);
	}
	if (m->first_refused[0])
		buf_printf(out, "# a mistake: schemas/metrics.txt does not list %s so\n", m->first_refused);
	pthread_mutex_unlock(&m->mutex);
}
