/* main.c - millrace-ctl: looks after topics, cells, sites, keys, triggers and controls. One command a run; no daemon, so no
 * loop. */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mongo_counters.h"
#include "deploy/ctl/commands.h"

static const struct conf_field settings[] = {
	{"mongo.uri", CONF_SECRET, offsetof(struct ctl_conf, mongo_uri), "mongodb://127.0.0.1:27017", 1, 4096, "where verify finds a cell's documents"},
	{"mongo.database", CONF_STR, offsetof(struct ctl_conf, mongo_database), "millrace", 1, 63, "database of the collections"},
	{0},
};
static const char *const faults[] = {"ctl-after-epoch", NULL};

static int check(const struct program *p, const void *target, struct err *err)
{
	(void)target;
	return cluster_check(p, err);
}

/* Settings, as all programs have them: program_init() is given the words that args_parse() has kept for it.
 * 1: done (--version and the like). */
static int configure(struct ctl *ctl, struct err *err)
{
	const struct program_spec spec = {
		.name = "millrace-ctl",
		.summary = "looks after Millrace's topics, cells, sites, keys, triggers and controls",
		.admin_default = "",
		.section = {.fields = settings, .target = &ctl->conf},
		.faults = faults,
		.check = ctl_by_admin(ctl) ? NULL : check,
	};
	int rc;

	/* A table's end is known when a fetch comes back empty: librdkafka's half second is half of what a
	 * command takes. */
	if (args_prefer(&ctl->args, "kafka.fetch.wait.max.ms=20", err) < 0)
		return -1;
	rc = program_init(&ctl->program, &spec, ctl->args.nr_settings, ctl->args.settings, err);
	/* An operator wants the command's own words; a Kafka client's come with --set log.level=debug or
	 * warn. */
	if (rc == 0 && ctl->program.log.level == LOG_LEVEL_INFO)
		ctl->program.log.level = (enum log_level)(LOG_LEVEL_ERROR + 1);
	return rc;
}

/* From settings to the command's own answer. Whatever goes wrong before Kafka has answered means that
 * nothing could be asked: exit code 2, by making the error a fatal one. By --admin there is no Kafka to
 * ask, and may be none at all. */
static int run(struct ctl *ctl, struct err *err)
{
	int rc = configure(ctl, err);

	if (rc < 0)
		err->kind = ERR_FATAL; /* a wrong setting is a wrong command line */
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	ctl_name_author(ctl);
	ctl->json = args_given(&ctl->args, "json");
	if (args_given_here(&ctl->args, "token-file") && !ctl_by_admin(ctl))
		return err_set(err, ERR_FATAL, "--token-file goes with --admin URL");
	ctl->progress = progress_new(stderr, isatty(STDERR_FILENO));
	if (!ctl_by_admin(ctl) && !(ctl->cluster = cluster_new(&ctl->program, ctl->progress, err))) {
		err->kind = ERR_FATAL;
		return -1;
	}
	rc = ctl->args.command->run(ctl, err);
	progress_end(ctl->progress);
	if (rc >= 0 && (fflush(ctl->out) != 0 || ferror(ctl->out)))
		return err_set(err, ERR_FATAL, "standard output cannot be written");
	return rc;
}

int main(int argc, char **argv)
{
	struct ctl ctl = {.out = stdout};
	struct err err = ERR_INIT;
	int rc = 2;

	mongo_counters_unlink();
	signal(SIGPIPE, SIG_IGN);
	if (args_parse(&ctl.args, commands_table(), commands_options(), argc, argv, &err) < 0) {
		ctl_hint("%s", err.msg);
	} else if (ctl.args.help) {
		args_help(&ctl.args, stdout);
		rc = 0;
	} else {
		rc = run(&ctl, &err);
		if (rc < 0) {
			ctl_hint("%s", err.msg);
			rc = ctl_exit_code(&err);
		}
	}
	cluster_free(ctl.cluster);
	progress_free(ctl.progress);
	program_fini(&ctl.program);
	args_fini(&ctl.args);
	return rc;
}
