/* topics.c - see topics.h.
 *
 * before is a photograph: what was there when the run began. A topic is made when it is not on it, and
 * compared when it is, so that no topic is both, and what this run has made is not asked about again. */
#include "deploy/ctl/topics.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

int topics_init(struct topics_run *run, struct ctl *ctl, int replicas, bool dry_run, struct err *err)
{
	*run = (struct topics_run){.ctl = ctl, .replicas = replicas, .dry_run = dry_run};
	run->last = &run->first;
	return topic_list_read(cluster_client(ctl->cluster), &run->arena, &run->before, err);
}

void topics_fini(struct topics_run *run)
{
	arena_fini(&run->arena);
}

/* Lines are printed at the end: their texts must live that long. "?" only when memory is short. */
static const char *keep(struct topics_run *run, const char *text)
{
	const char *copy = arena_str(&run->arena, str_from(text)).p;

	return copy ? copy : "?";
}

static void add_line(struct topics_run *run, struct topics_line line)
{
	struct topics_line *copy = arena_alloc(&run->arena, sizeof(*copy));

	run->nr_made += line.kind == TOPICS_MADE;
	run->nr_differences += line.kind == TOPICS_DIFFERS;
	if (!copy)
		return; /* the counts, and so the exit code, stay true */
	*copy = line;
	*run->last = copy;
	run->last = &copy->next;
}

/* Asks for all topics of the control plane (cell NULL), or of a cell. Wishes stay in place only until the
 * next call. */
static int add_wishes(struct topics_run *run, const char *cell, int partitions, size_t *first, struct err *err)
{
	size_t nr;
	const struct topic_spec *specs = topic_specs(&nr);

	if (run->cap_wishes < run->nr_wishes + nr) {
		size_t cap = 2 * run->cap_wishes + nr;
		struct topic_wish *wishes = arena_calloc(&run->arena, cap, sizeof(*wishes));

		if (!wishes)
			return err_nomem(err, "a list of topics");
		if (run->nr_wishes)
			memcpy(wishes, run->wishes, run->nr_wishes * sizeof(*wishes));
		run->wishes = wishes;
		run->cap_wishes = cap;
	}
	*first = run->nr_wishes;
	for (size_t i = 0; i < nr; i++)
		if (specs[i].of_cell == (cell != NULL)) {
			struct topic_wish *wish = &run->wishes[run->nr_wishes++];

			*wish = (struct topic_wish){.spec = &specs[i], .partitions = topic_spec_partitions(&specs[i], partitions)};
			topic_spec_name(&specs[i], cell, wish->name);
		}
	return 0;
}

/* The wishes from first on that are not there yet. The caller frees the array. */
static struct topic_wish *missing_wishes(const struct topics_run *run, size_t first, size_t *nr, struct err *err)
{
	struct topic_wish *missing = calloc(run->nr_wishes - first + 1, sizeof(*missing));

	*nr = 0;
	if (!missing) {
		err_nomem(err, "a list of topics");
		return NULL;
	}
	for (size_t i = first; i < run->nr_wishes; i++)
		if (!topic_list_find(&run->before, run->wishes[i].name))
			missing[(*nr)++] = run->wishes[i];
	return missing;
}

static int check_replicas(const struct topics_run *run, struct err *err)
{
	if (run->replicas <= run->before.brokers)
		return 0;
	return err_set(err, ERR_REJECT, "%d replicas need %d brokers, and this Kafka has %d: add brokers, or say --replication-factor %d "
		       "where losing data is no matter", run->replicas, run->replicas, run->before.brokers, run->before.brokers);
}

/* Step 3 of the rule, and the whole of it for the control plane, whose topics know no epoch. */
static int make(struct topics_run *run, const struct topic_wish *missing, size_t nr, struct err *err)
{
	int rc = 0;

	if (nr && check_replicas(run, err) < 0)
		return -1;
	if (nr && !run->dry_run) {
		progress_begin(run->ctl->progress, "making %zu topics, and waiting until all have leaders", nr);
		rc = topic_admin_create(cluster_client(run->ctl->cluster), missing, nr, run->replicas, err);
		progress_end(run->ctl->progress);
	}
	if (rc < 0)
		return -1;
	for (size_t i = 0; i < nr; i++)
		add_line(run, (struct topics_line){.kind = TOPICS_MADE, .topic = keep(run, missing[i].name)});
	return 0;
}

/* The operator log's line of what was made. before: the cell as it was, for its epoch; NULL: there was none. */
static int tell(struct topics_run *run, const struct cell *before, const char *cell, size_t nr, const char *epoch, struct err *err)
{
	char number[24];
	struct tag fields[] = {{STR("topics"), {0}}, {STR("epoch"), str_from(epoch)}};
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = "topics_made", .cell = cell, .fields = fields,
				  .nr_fields = epoch ? 2 : 1, .record = epoch ? RECORD_CELL : RECORD_NONE, .before = before,
				  .after = epoch ? store_cell(cluster_store(run->ctl->cluster), str_from(cell)) : NULL};

	if (run->dry_run || (!nr && !epoch))
		return 0;
	snprintf(number, sizeof(number), "%zu", nr);
	fields[0].value = str_from(number);
	if (!cell)
		return ctl_notice(run->ctl, &event, err, "%zu topics of the control plane made", nr);
	if (!epoch)
		return ctl_notice(run->ctl, &event, err, "%zu topics of cell %s made", nr, cell);
	return ctl_notice(run->ctl, &event, err, "%zu topics of cell %s made under the new epoch %s", nr, cell, epoch);
}

int topics_make_control(struct topics_run *run, bool *readable, struct err *err)
{
	struct topic_wish *missing;
	size_t first, nr;
	int rc = -1;

	if (add_wishes(run, NULL, 1, &first, err) < 0)
		return -1;
	missing = missing_wishes(run, first, &nr, err);
	if (missing && make(run, missing, nr, err) == 0)
		rc = tell(run, NULL, NULL, nr, NULL, err);
	free(missing);
	*readable = !run->dry_run || nr == 0;
	return rc;
}

/* Random, not counted up: a counter would have to be kept somewhere that outlives the topics and every
 * restored export. Two equal draws among 64 bits are not a case. */
static int draw_epoch(int64_t *epoch, struct err *err)
{
	*epoch = 0;
	while (*epoch == 0) /* 0 means "none yet" */
		if (getrandom(epoch, sizeof(*epoch), 0) != (ssize_t)sizeof(*epoch) && errno != EINTR)
			return err_set(err, ERR_FATAL, "no random bytes: %s", strerror(errno));
	return 0;
}

/* Step 1 of the rule. */
static bool needs_epoch(const struct cell *cell, const struct topic_wish *missing, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (missing[i].spec->epoch_bound)
			return true;
	return cell->epoch == 0;
}

/* Steps 1 and 2: draws an epoch and writes it. text: its hexadecimal form. */
static int renew_epoch(struct topics_run *run, const struct cell *cell, char text[17], struct err *err)
{
	struct cell renewed = *cell;

	if (draw_epoch(&renewed.epoch, err) < 0)
		return -1;
	if (!run->dry_run && cluster_put_cell(run->ctl->cluster, &renewed, err) < 0)
		return -1;
	snprintf(text, 17, "%016" PRIx64, (uint64_t)renewed.epoch);
	return 0;
}

int topics_make_cell(struct topics_run *run, const struct cell *cell, struct err *err)
{
	const struct cell *live = store_cell(cluster_store(run->ctl->cluster), cell->name); /* the store keeps it, though it is replaced */
	struct topic_wish *missing;
	char epoch[17] = "", name[64];
	size_t first, nr;
	int rc = -1;

	snprintf(name, sizeof(name), STR_FMT, STR_ARG(cell->name));
	if (add_wishes(run, name, cell->partitions, &first, err) < 0)
		return -1;
	missing = missing_wishes(run, first, &nr, err);
	/* Before the epoch, so that a refusal leaves the cell as it was. */
	if (!missing || (nr && check_replicas(run, err) < 0))
		goto out;
	if (needs_epoch(cell, missing, nr)) {
		if (renew_epoch(run, cell, epoch, err) < 0)
			goto out;
		if (program_fault(&run->ctl->program, "ctl-after-epoch", &run->fault_calls))
			raise(SIGKILL); /* between steps 2 and 3 */
		add_line(run, (struct topics_line){.kind = TOPICS_EPOCH, .topic = keep(run, name), .is = keep(run, epoch),
						   .what = cell->epoch ? "again" : "new"});
	}
	if (make(run, missing, nr, err) == 0)
		rc = tell(run, live, name, nr, *epoch ? epoch : NULL, err);
out:
	free(missing);
	return rc;
}
