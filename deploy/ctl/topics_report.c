/* topics_report.c - what differs, and the command `topics apply`; see topics.h. */
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/topics.h"

/* The wishes that were there before, to be found by name while Kafka's settings come in. */
struct compare {
	struct topics_run *run;
	const struct topic_wish **wishes; /* sorted by name */
	size_t nr;
};

static int by_name(const void *a, const void *b)
{
	const struct topic_wish *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static const char *copy(struct topics_run *run, const char *text)
{
	const char *kept = arena_str(&run->arena, str_from(text)).p;

	return kept ? kept : "?";
}

/* Figures are kept as text, like settings are: a line is only ever printed. */
static const char *copy_int(struct topics_run *run, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	return copy(run, text);
}

static void differs(struct topics_run *run, const char *topic, const char *what, const char *is, const char *should)
{
	struct topics_line *line = arena_alloc(&run->arena, sizeof(*line));

	run->nr_differences++;
	if (!line)
		return;
	*line = (struct topics_line){.kind = TOPICS_DIFFERS, .topic = copy(run, topic), .what = what, .is = is, .should = should};
	*run->last = line;
	run->last = &line->next;
}

static void differs_int(struct topics_run *run, const char *topic, const char *what, int is, int should)
{
	if (is != should)
		differs(run, topic, what, copy_int(run, is), copy_int(run, should));
}

/* Takes a setting as it is; min.insync.replicas is judged by the replicas that the topic has, which are
 * reported by themselves. */
static void on_setting(void *ctx, const char *topic, const char *name, const char *value)
{
	struct compare *c = ctx;
	struct topic_setting settings[TOPIC_SETTINGS_MAX];
	struct topic_wish key = {0}, *key_p = &key;
	const struct topic_wish **wish;
	size_t nr;

	snprintf(key.name, sizeof(key.name), "%s", topic);
	wish = bsearch(&key_p, c->wishes, c->nr, sizeof(*c->wishes), by_name);
	if (!wish)
		return;
	nr = topic_spec_settings((*wish)->spec, topic_list_find(&c->run->before, topic)->replicas, settings);
	for (size_t i = 0; i < nr; i++)
		if (strcmp(settings[i].name, name) == 0 && strcmp(settings[i].value, value) != 0)
			differs(c->run, topic, settings[i].name, copy(c->run, value), copy(c->run, settings[i].value));
}

/* What metadata tells, without asking for settings. Replicas are compared with what this run was told: a
 * cluster that has grown to three brokers should be told of topics that still have one copy. */
static void compare_shape(struct topics_run *run, const struct topic_wish *wish)
{
	const struct topic_state *is = topic_list_find(&run->before, wish->name);

	differs_int(run, wish->name, "partitions", is->partitions, wish->partitions);
	differs_int(run, wish->name, "replicas", is->replicas, run->replicas);
	if (!run->check_partitions)
		return;
	differs_int(run, wish->name, "partitions without a leader", is->leaderless, 0);
	differs_int(run, wish->name, "partitions with copies behind", is->under_replicated, 0);
}

int topics_compare(struct topics_run *run, struct err *err)
{
	struct compare c = {.run = run};
	const char **names = calloc(run->nr_wishes + 1, sizeof(*names));
	int rc = -1;

	c.wishes = calloc(run->nr_wishes + 1, sizeof(*c.wishes));
	if (!names || !c.wishes) {
		err_nomem(err, "a list of topics");
		goto out;
	}
	for (size_t i = 0; i < run->nr_wishes; i++)
		if (topic_list_find(&run->before, run->wishes[i].name))
			c.wishes[c.nr++] = &run->wishes[i];
	qsort(c.wishes, c.nr, sizeof(*c.wishes), by_name);
	for (size_t i = 0; i < c.nr; i++) {
		names[i] = c.wishes[i]->name;
		compare_shape(run, c.wishes[i]);
	}
	progress_begin(run->ctl->progress, "asking for the settings of %zu topics", c.nr);
	rc = c.nr ? topic_list_settings(cluster_client(run->ctl->cluster), names, c.nr, on_setting, &c, err) : 0;
	progress_end(run->ctl->progress);
out:
	free(names);
	free(c.wishes);
	return rc;
}

static void print_line(const struct topics_run *run, const struct topics_line *line, FILE *out)
{
	bool again = line->kind == TOPICS_EPOCH && strcmp(line->what, "again") == 0;

	if (line->kind == TOPICS_MADE)
		fprintf(out, "+ topic %s%s\n", line->topic, run->dry_run ? " (would be made)" : "");
	else if (line->kind == TOPICS_DIFFERS)
		fprintf(out, "! topic %s: %s is %s, should be %s\n", line->topic, line->what, line->is, line->should);
	else if (run->dry_run)
		fprintf(out, "~ cell %s: would be under a new epoch\n", line->topic);
	else
		fprintf(out, "~ cell %s: under a new epoch %s\n", line->topic, line->is);
	if (again)
		fputs("  some of its topics are made again: its processors ask for a confirmation then\n", out);
}

void topics_print(const struct topics_run *run, FILE *out)
{
	for (const struct topics_line *line = run->first; line; line = line->next)
		print_line(run, line, out);
	if (run->nr_made)
		fprintf(out, "%zu topics %s, %zu were there\n", run->nr_made, run->dry_run ? "would be made" : "made",
			run->nr_wishes - run->nr_made);
	else
		fprintf(out, "all %zu topics are there: nothing made\n", run->nr_wishes);
	if (run->nr_differences)
		fprintf(out, "%zu differences: not changed; correct them with kafka-configs.sh, or say --replication-factor as it is\n",
			run->nr_differences);
}

/* One kind of lines as one array, so that a script need not look through the others. */
static void write_lines(const struct topics_run *run, int kind, const char *key, struct json_writer *w)
{
	json_write_array(w, key);
	for (const struct topics_line *line = run->first; line; line = line->next) {
		if ((int)line->kind != kind)
			continue;
		if (kind == TOPICS_MADE) {
			json_write_text(w, NULL, str_from(line->topic));
			continue;
		}
		json_write_map(w, NULL);
		json_write_text(w, kind == TOPICS_EPOCH ? "cell" : "topic", str_from(line->topic));
		if (kind == TOPICS_EPOCH) {
			json_write_text(w, "epoch", str_from(line->is));
		} else {
			json_write_text(w, "what", str_from(line->what));
			json_write_text(w, "is", str_from(line->is));
			json_write_text(w, "should", str_from(line->should));
		}
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

void topics_write_json(const struct topics_run *run, struct json_writer *w)
{
	write_lines(run, TOPICS_MADE, "created", w);
	write_lines(run, TOPICS_EPOCH, "epochs", w);
	write_lines(run, TOPICS_DIFFERS, "differences", w);
	json_write_int(w, "topics", (int64_t)run->nr_wishes);
}

/* Makes every cell's topics. */
static int make_cells(struct topics_run *run, struct err *err)
{
	size_t nr;
	const struct store_item **cells = store_list(cluster_store(run->ctl->cluster), STORE_CELLS, &nr, err);
	int rc = cells ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr; i++)
		if (!cells[i]->fault)
			rc = topics_make_cell(run, &cells[i]->v.cell, err);
	free(cells);
	return rc;
}

static int print_result(const struct topics_run *run, struct err *err)
{
	struct ctl *ctl = run->ctl;
	struct json_writer w;

	if (!ctl->json) {
		topics_print(run, ctl->out);
		return 0;
	}
	json_write_begin(&w);
	topics_write_json(run, &w);
	return json_write_print(&w, ctl->out, err);
}

int topics_apply_run(struct ctl *ctl, struct err *err)
{
	struct topics_run run;
	bool readable;
	int rc = -1;

	if (topics_init(&run, ctl, (int)args_int(&ctl->args, "replication-factor"), args_given(&ctl->args, "dry-run"), err) < 0)
		goto out;
	run.check_partitions = args_given(&ctl->args, "partitions-check");
	if (topics_make_control(&run, &readable, err) < 0)
		goto out;
	if (readable && (ctl_load(ctl, false, err) < 0 || make_cells(&run, err) < 0))
		goto out;
	if (topics_compare(&run, err) < 0 || print_result(&run, err) < 0)
		goto out;
	rc = run.nr_differences ? 1 : 0;
out:
	topics_fini(&run);
	return rc;
}
