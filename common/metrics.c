/* metrics.c - see metrics.h.
 *
 * The registry is one array of pointers, kept in the order of the output, so that rendering is a walk and a name's metrics
 * stand together under one HELP and TYPE. Metrics are made rarely and looked at every few seconds; what happens for each
 * sample, metric_add() and metric_set(), touches one atomic and no lock.
 *  I1  m->all is sorted by (name, labels) without doubles; mutex guards it, but not the values.
 *  I2  labels are rendered once, sorted by label name and escaped: two metrics are the same iff these texts are.
 *  I3  The output is UTF-8 whatever the label values were: one bad byte would cost the whole scrape. */
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

enum { LABELS_MAX = 4 };

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_FRACTIONS /* shown as a counter, set like a gauge */ };

struct metric {
	char *name;
	char *labels; /* `site="x",topic="y"`, or "" */
	const char *help;
	enum metric_type type;
	_Atomic uint64_t value; /* of a counter the number, else the bits of a double */
};

struct metrics {
	pthread_mutex_t mutex;
	struct metric **all;
	size_t len, cap;
	struct metric *rss, *cpu, *start, *fds, *suppressed; /* set by each rendering */
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

/* Label names are names without a colon. */
static bool name_valid(const char *name, bool is_label)
{
	const char *c = name;

	for (; *c; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && *c != '_' && !(*c == ':' && !is_label) &&
		    !(*c >= '0' && *c <= '9' && c > name))
			return false;
	return c > name;
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

/* Reads the varargs of metrics_counter(), sorted by label name. -1: too many, a bad name, or one twice. */
static int labels_read(va_list args, struct label labels[LABELS_MAX], size_t *nr)
{
	const char *name;

	*nr = 0;
	while ((name = va_arg(args, const char *)) != NULL) {
		const char *value = va_arg(args, const char *);
		size_t at = *nr;

		if (*nr == LABELS_MAX || !name_valid(name, true))
			return -1;
		for (; at > 0 && strcmp(labels[at - 1].name, name) >= 0; at--) {
			if (strcmp(labels[at - 1].name, name) == 0)
				return -1;
			labels[at] = labels[at - 1];
		}
		labels[at] = (struct label){name, value ? value : ""};
		++*nr;
	}
	return 0;
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
	free(metric->name);
	free(metric->labels);
	free(metric);
}

/* Takes labels in any case. */
static struct metric *metric_new(const char *name, const char *help, enum metric_type type, char *labels)
{
	struct metric *metric = calloc(1, sizeof(*metric));

	if (!metric) {
		free(labels);
		return NULL;
	}
	metric->name = strdup(name);
	metric->labels = labels;
	metric->help = help;
	metric->type = type;
	atomic_init(&metric->value, type == METRIC_COUNTER ? 0 : bits_of(0));
	if (metric->name)
		return metric;
	metric_free(metric);
	return NULL;
}

/* Where (name, labels) stands or belongs (I1). */
static size_t find(const struct metrics *m, const char *name, const char *labels)
{
	size_t low = 0, high = m->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(m->all[mid]->name, name);

		if (order == 0)
			order = strcmp(m->all[mid]->labels, labels);
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* May a metric of this name and type stand at index at? Its neighbours are those of the same name, if there are any. One type a name: a
 * scraper refuses a name that is declared twice. */
static bool type_agrees(const struct metrics *m, size_t at, const char *name, enum metric_type type)
{
	if (at < m->len && strcmp(m->all[at]->name, name) == 0 && m->all[at]->type != type)
		return false;
	return at == 0 || strcmp(m->all[at - 1]->name, name) != 0 || m->all[at - 1]->type == type;
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
static struct metric *intern(struct metrics *m, const char *name, const char *help, enum metric_type type, char *labels)
{
	size_t at = find(m, name, labels);
	struct metric *metric = NULL;
	bool there = at < m->len && strcmp(m->all[at]->name, name) == 0 && strcmp(m->all[at]->labels, labels) == 0;

	if (!type_agrees(m, at, name, type) || there) {
		free(labels);
		return there && m->all[at]->type == type ? m->all[at] : NULL;
	}
	if (make_room(m) == 0)
		metric = metric_new(name, help, type, labels);
	else
		free(labels);
	if (!metric)
		return NULL;
	memmove(m->all + at + 1, m->all + at, (m->len - at) * sizeof(struct metric *));
	m->all[at] = metric;
	m->len++;
	return metric;
}

static struct metric *register_metric(struct metrics *m, const char *name, const char *help, enum metric_type type, va_list args)
{
	struct label labels[LABELS_MAX];
	size_t nr;
	char *text;
	struct metric *metric;

	if (!m || !name_valid(name, false) || labels_read(args, labels, &nr) < 0)
		return NULL;
	text = labels_render(labels, nr);
	if (!text)
		return NULL;
	pthread_mutex_lock(&m->mutex);
	metric = intern(m, name, help, type, text);
	pthread_mutex_unlock(&m->mutex);
	return metric;
}

struct metric *metrics_counter(struct metrics *m, const char *name, const char *help, ...)
{
	va_list args;
	struct metric *metric;

	va_start(args, help);
	metric = register_metric(m, name, help, METRIC_COUNTER, args);
	va_end(args);
	return metric;
}

struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help, ...)
{
	va_list args;
	struct metric *metric;

	va_start(args, help);
	metric = register_metric(m, name, help, METRIC_GAUGE, args);
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
	at = find(m, metric->name, metric->labels);
	if (at < m->len && m->all[at] == metric) {
		m->len--;
		memmove(m->all + at, m->all + at + 1, (m->len - at) * sizeof(struct metric *));
		metric_free(metric);
	}
	pthread_mutex_unlock(&m->mutex);
}

void metric_add(struct metric *metric, uint64_t n)
{
	if (metric && metric->type == METRIC_COUNTER)
		atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}

void metric_set(struct metric *metric, double value)
{
	if (metric && metric->type != METRIC_COUNTER)
		atomic_store_explicit(&metric->value, bits_of(value), memory_order_relaxed);
}

double metric_value(const struct metric *metric)
{
	uint64_t value = metric ? atomic_load_explicit(&metric->value, memory_order_relaxed) : 0;

	return metric && metric->type != METRIC_COUNTER ? double_of(value) : (double)value;
}

static void update_process(struct metrics *m)
{
	struct process_figures now;

	process_read(&now);
	metric_set(m->rss, now.rss_bytes);
	metric_set(m->cpu, now.cpu_seconds);
	metric_set(m->start, now.start_seconds);
	metric_set(m->fds, now.open_fds);
}

/* Of the types only this file makes; no labels. */
static struct metric *register_typed(struct metrics *m, enum metric_type type, const char *name, const char *help, ...)
{
	va_list args;
	struct metric *metric;

	va_start(args, help);
	metric = register_metric(m, name, help, type, args);
	va_end(args);
	return metric;
}

struct metrics *metrics_new(const char *program)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	pthread_mutex_init(&m->mutex, NULL);
	m->rss = metrics_gauge(m, "process_resident_memory_bytes", "Resident memory.", NULL);
	m->cpu = register_typed(m, METRIC_FRACTIONS, "process_cpu_seconds_total", "User and system CPU time spent.", NULL);
	m->start = metrics_gauge(m, "process_start_time_seconds", "Start of the process since the epoch.", NULL);
	m->fds = metrics_gauge(m, "process_open_fds", "Open file descriptors.", NULL);
	metric_set(metrics_gauge(m, "millrace_build_info", "What runs: always 1.", "program", program, "build", build_version(), NULL), 1);
	return m;
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
static void render_head(const struct metric *metric, struct buf *out)
{
	buf_printf(out, "# HELP %s ", metric->name);
	for (const char *c = metric->help; *c; c++) {
		if (*c == '\\' || *c == '\n')
			buf_add(out, *c == '\n' ? "\\n" : "\\\\", 2);
		else
			buf_add(out, c, 1);
	}
	buf_printf(out, "\n# TYPE %s %s\n", metric->name, metric->type == METRIC_GAUGE ? "gauge" : "counter");
}

static void render_value(const struct metric *metric, struct buf *out)
{
	double v = metric_value(metric);
	char text[40];

	if (metric->type == METRIC_COUNTER) /* not through a double: all 64 bits count */
		snprintf(text, sizeof(text), "%" PRIu64, atomic_load_explicit(&metric->value, memory_order_relaxed));
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
	struct metric *suppressed = metrics_counter(m, "millrace_log_suppressed_lines_total", "Log lines that the limit on lines kept back.", NULL);

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

		if (i == 0 || strcmp(m->all[i - 1]->name, metric->name) != 0)
			render_head(metric, out);
		buf_add(out, metric->name, strlen(metric->name));
		if (metric->labels[0])
			buf_printf(out, "{%s}", metric->labels);
		render_value(metric, out);
	}
	pthread_mutex_unlock(&m->mutex);
}
