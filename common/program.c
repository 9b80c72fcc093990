/* program.c - see program.h.
 *
 * The common settings' rows, the command line, and what follows from both: clock, log, names. p->log can be used from the first line of
 * program_init() on, so that a program can log why it does not start. */
#include "common/program.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/build.h"
#include "common/pins.h"

#define TIME_MAX_MS INT64_C(253402300799999) /* the end of the year 9999 */

static const struct conf_field common_fields[] = {
	{"cell", CONF_STR, offsetof(struct common_conf, cell), "main", 1, 32, "the cell this program serves: [a-z0-9-]"},
	{"instance.id", CONF_STR, offsetof(struct common_conf, instance_id), "", 0, 63,
	 "fixed name of this instance: [A-Za-z0-9._-]; empty is host:pid and dynamic group membership"},
	{"admin.listen", CONF_STR, offsetof(struct common_conf, admin_listen), "", 0, 64,
	 "IPv4:port or [IPv6]:port of metrics and health; empty is none"},
	{"admin.token_file", CONF_STR, offsetof(struct common_conf, admin_token_file), "", 0, 4096,
	 "file with the token that lets an operator set controls by the admin port; empty lets nobody"},
	{"memory.budget", CONF_BYTES, offsetof(struct common_conf, memory_budget_bytes), "256Mi", INT64_C(32) << 20, INT64_C(1) << 40,
	 "what this program may use: 80 % of its container's limit"},
	{"heartbeat.interval", CONF_MS, offsetof(struct common_conf, heartbeat_interval_ms), "5s", 100, 600000,
	 "how often the program says that it lives"},
	{"schema.write.version", CONF_STR, offsetof(struct common_conf, schema_write_version), "", 0, 4096,
	 "Record=ID,..: these records are written in a former version, so that older programs read them; empty: all in the newest"},
	{"log.format", CONF_STR, offsetof(struct common_conf, log_format), "text", 0, 0, "text or json"},
	{"log.level", CONF_STR, offsetof(struct common_conf, log_level), "info", 0, 0, "debug, info, warn or error"},
	{"log.burst", CONF_INT, offsetof(struct common_conf, log_burst), "100", 1, 1000000,
	 "lines of one event and level that may come at once; what is kept back is counted, and told in the next line"},
	{"log.rate", CONF_INT, offsetof(struct common_conf, log_rate), "1", 1, 1000, "lines of it that may come in a second after these"},
	{"clock.start_ms", CONF_INT, offsetof(struct common_conf, clock_start_ms), "0", 0, TIME_MAX_MS,
	 "virtual time at clock.real_ms; --test-clock only"},
	{"clock.real_ms", CONF_INT, offsetof(struct common_conf, clock_real_ms), "0", 0, TIME_MAX_MS,
	 "wall clock at which virtual time was clock.start_ms"},
	{"clock.speed", CONF_NUM, offsetof(struct common_conf, clock_speed), "1", 1, 100000, "virtual milliseconds per real one"},
	{0},
};

enum { NR_COMMON_FIELDS = sizeof(common_fields) / sizeof(common_fields[0]) };

/* What the command line says besides settings. */
struct options {
	bool help, version, check_config, print_config, test_clock;
};

/* Is the setting one that only programs with Kafka have? */
static bool is_of_cells(const char *name)
{
	return strcmp(name, "cell") == 0 || strcmp(name, "heartbeat.interval") == 0 || strcmp(name, "admin.token_file") == 0 ||
	       strcmp(name, "schema.write.version") == 0;
}

/* All programs have the same rows, but for some defaults, and for one that has no Kafka. */
static struct conf *make_conf(struct program *p, const struct program_spec *spec)
{
	struct conf_field fields[NR_COMMON_FIELDS] = {{0}};
	struct conf_section sections[2] = {{fields, &p->common}, spec->section};
	struct conf *c;

	for (size_t i = 0, to = 0; common_fields[i].name; i++) {
		if (spec->without_kafka && is_of_cells(common_fields[i].name))
			continue;
		fields[to] = common_fields[i];
		if (strcmp(fields[to].name, "admin.listen") == 0 && spec->admin_default)
			fields[to].def = spec->admin_default;
		if (strcmp(fields[to].name, "memory.budget") == 0 && spec->memory_default)
			fields[to].def = spec->memory_default;
		to++;
	}
	c = conf_new(sections, 2);
	if (c && spec->without_kafka)
		conf_without_kafka(c);
	return c;
}

enum { OPT_CONFIG = 256, OPT_SET, OPT_CHECK, OPT_PRINT, OPT_CLOCK, OPT_FAULTS, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},   {"set", required_argument, NULL, OPT_SET},
	{"check-config", no_argument, NULL, OPT_CHECK},    {"print-config", no_argument, NULL, OPT_PRINT},
	{"test-clock", no_argument, NULL, OPT_CLOCK},      {"test-faults", required_argument, NULL, OPT_FAULTS},
	{"help", no_argument, NULL, OPT_HELP},             {"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static int take_faults(struct program *p, const char *list, struct err *err)
{
	free(p->faults);
	p->faults = strdup(list);
	return p->faults ? 0 : err_nomem(err, "--test-faults");
}

/* One option; argument is the word it was read from, for the message when it is none of ours. */
static int take_option(struct program *p, int option, const char *argument, struct options *o, struct err *err)
{
	switch (option) {
	case OPT_CONFIG:
		return conf_set_file(p->conf, optarg, err);
	case OPT_SET:
		return conf_set_option(p->conf, optarg, err);
	case OPT_FAULTS:
		return take_faults(p, optarg, err);
	case OPT_CHECK:
		o->check_config = true;
		return 0;
	case OPT_PRINT:
		o->print_config = true;
		return 0;
	case OPT_CLOCK:
		o->test_clock = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_VERSION:
		o->version = true;
		return 0;
	case ':':
		return err_set(err, ERR_REJECT, "option '%.100s' wants a value (--help lists the options)", argument);
	default:
		return err_set(err, ERR_REJECT, "option '%.100s' is not understood (--help lists the options)", argument);
	}
}

/* No words besides options: '+' stops at the first, so that "program option-like-word --set x" is not half understood. */
static int read_options(struct program *p, int argc, char **argv, struct options *o, struct err *err)
{
	int option;

	optind = 0; /* glibc: start anew, also when a test has called before */
	while ((option = getopt_long(argc, argv, "+:", long_options, NULL)) != -1)
		if (take_option(p, option, argv[optind > 0 ? optind - 1 : 0], o, err) < 0)
			return -1;
	if (optind < argc)
		return err_set(err, ERR_REJECT, "'%.100s' is not an option (--help lists the options)", argv[optind]);
	return 0;
}

static void print_help(const struct program *p, const struct program_spec *spec)
{
	printf("%s - %s\n\n"
	       "usage: %s [--config FILE] [--set KEY=VALUE].. [--check-config] [--print-config] [--help] [--version]\n"
	       "%s"
	       "       for tests: [--test-clock [--test-faults NAME[@N],..]]\n\n",
	       spec->name, spec->summary, spec->name, spec->usage ? spec->usage : "");
	conf_print_help(p->conf, stdout);
}

/* Index of text in names (ended by NULL), or -1. */
static int index_of(const char *text, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return -1;
}

static int setup_log(struct program *p, struct err *err)
{
	static const char *const formats[] = {"text", "json", NULL};
	static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
	int format = index_of(p->common.log_format, formats), level = index_of(p->common.log_level, levels);

	if (format < 0)
		return conf_reject(p->conf, "log.format", "is neither text nor json", err);
	if (level < 0)
		return conf_reject(p->conf, "log.level", "is none of debug, info, warn, error", err);
	p->log.json = format == 1;
	p->log.level = (enum log_level)level;
	p->log.limit = log_limit_new(p->common.log_burst, p->common.log_rate);
	return p->log.limit ? 0 : err_nomem(err, "the log's limit");
}

static int setup_names(struct program *p, struct err *err)
{
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	static const char any[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *id = p->common.instance_id;

	if (p->common.cell && p->common.cell[strspn(p->common.cell, lower)])
		return conf_reject(p->conf, "cell", "holds something else than a-z, 0-9 and -", err);
	if (id[strspn(id, any)]) /* it becomes a group.instance.id and a transactional.id */
		return conf_reject(p->conf, "instance.id", "holds something else than A-Z, a-z, 0-9, '.', '_' and '-'", err);
	if (*id)
		snprintf(p->instance, sizeof(p->instance), "%s", id);
	memcpy(p->log.instance, p->instance, sizeof(p->log.instance));
	return 0;
}

/* A clock.* setting without --test-clock is a stack's setting that strayed into production: refused, not ignored. */
static int setup_clock(struct program *p, bool test, struct err *err)
{
	static const char alone[] = "needs --test-clock";
	const struct common_conf *c = &p->common;

	if (!test && c->clock_start_ms != 0)
		return conf_reject(p->conf, "clock.start_ms", alone, err);
	if (!test && c->clock_real_ms != 0)
		return conf_reject(p->conf, "clock.real_ms", alone, err);
	if (!test && c->clock_speed != 1)
		return conf_reject(p->conf, "clock.speed", alone, err);
	if ((c->clock_start_ms == 0) != (c->clock_real_ms == 0))
		return conf_reject(p->conf, "clock.start_ms", "goes together with clock.real_ms: set both or none", err);
	p->clock = (struct clock){test, c->clock_start_ms, c->clock_real_ms, c->clock_speed};
	p->started_ms = clock_now_ms(&p->clock);
	return 0;
}

/* What can be known before anything is read; the log works from here on. */
static void setup_defaults(struct program *p, const struct program_spec *spec)
{
	memset(p, 0, sizeof(*p));
	p->name = spec->name;
	if (gethostname(p->host, sizeof(p->host)) < 0)
		snprintf(p->host, sizeof(p->host), "unknown");
	p->host[sizeof(p->host) - 1] = '\0';
	snprintf(p->instance, sizeof(p->instance), "%.50s:%d", p->host, (int)getpid());
	p->log = (struct log){.fd = STDERR_FILENO, .level = LOG_LEVEL_INFO, .program = spec->name};
	memcpy(p->log.instance, p->instance, sizeof(p->log.instance));
}

/* Is the name of this length one that the program asks for? */
static bool fault_known(const struct program_spec *spec, const char *name, size_t length)
{
	for (const char *const *known = spec->faults; known && *known; known++)
		if (strlen(*known) == length && memcmp(*known, name, length) == 0)
			return true;
	return false;
}

/* A list that is misspelt would arm nothing, and a test would pass for it. */
static int check_faults(const struct program_spec *spec, const char *list, bool test_clock, struct err *err)
{
	const char *at = list;

	if (!list)
		return 0;
	if (!test_clock)
		return err_set(err, ERR_REJECT, "--test-faults needs --test-clock");
	for (;;) {
		size_t name = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_.-"), digits = 1;
		const char *begin = at;

		at += name;
		if (*at == '@') {
			digits = strspn(at + 1, "0123456789");
			at += 1 + digits;
		}
		if (name == 0 || digits == 0 || digits > 18 || (*at != ',' && *at != '\0'))
			return err_set(err, ERR_REJECT, "--test-faults '%.100s' is not NAME[@N],..", list);
		if (!fault_known(spec, begin, name))
			return err_set(err, ERR_REJECT, "--test-faults '%.*s' is no fault point of %s", (int)(name < 100 ? name : 100),
				       begin, spec->name);
		if (*at++ == '\0')
			return 0;
	}
}

/* In force from here on: nothing has been written yet. */
static int setup_pins(const struct program *p, struct err *err)
{
	struct err why = ERR_INIT;

	if (pins_set(p->common.schema_write_version ? p->common.schema_write_version : "", &why) < 0)
		return conf_reject(p->conf, "schema.write.version", why.msg, err);
	return 0;
}

static int check_settings(const struct program *p, const struct program_spec *spec, struct err *err)
{
	if (!admin_listen_valid(p->common.admin_listen))
		return conf_reject(p->conf, "admin.listen", "is neither IPv4:port nor [IPv6]:port", err);
	if (setup_pins(p, err) < 0)
		return -1;
	return spec->check ? spec->check(p, spec->section.target, err) : 0;
}

/* Options and settings; 1 when nothing is left to do. The log comes first of what is set up, so that what is refused after it is told in the
 * format that was asked for. What could be read is printed before it is judged as a whole: who looks for a fault wants to see it. */
static int configure(struct program *p, const struct program_spec *spec, int argc, char **argv, struct err *err)
{
	struct options o = {0};

	if (read_options(p, argc, argv, &o, err) < 0)
		return -1;
	if (o.help)
		print_help(p, spec);
	else if (o.version)
		printf("%s %s\n", spec->name, build_version());
	if (o.help || o.version)
		return 1;
	if (check_faults(spec, p->faults, o.test_clock, err) < 0 || conf_load(p->conf, environ, err) < 0 || setup_log(p, err) < 0 ||
	    setup_names(p, err) < 0 || setup_clock(p, o.test_clock, err) < 0)
		return -1;
	if (o.print_config)
		conf_print(p->conf, stdout);
	if (check_settings(p, spec, err) < 0)
		return -1;
	if (o.check_config)
		printf("configuration is valid\n");
	return o.print_config || o.check_config;
}

int program_init(struct program *p, const struct program_spec *spec, int argc, char **argv, struct err *err)
{
	int rc;

	setup_defaults(p, spec);
	p->conf = make_conf(p, spec);
	if (!p->conf)
		return err_nomem(err, "the settings");
	rc = configure(p, spec, argc, argv, err);
	if (rc < 0)
		program_fini(p);
	else if (rc == 0 && p->common.schema_write_version && *p->common.schema_write_version)
		log_info(&p->log, "schema_pinned", LOG_STR("versions", p->common.schema_write_version));
	return rc;
}

void program_fini(struct program *p)
{
	log_flush(&p->log);
	log_limit_free(p->log.limit);
	p->log.limit = NULL;
	conf_free(p->conf);
	p->conf = NULL;
	free(p->faults);
	p->faults = NULL;
}

/* The list was checked when it was read. */
bool program_fault(const struct program *p, const char *name, uint64_t *calls)
{
	size_t n = strlen(name);

	++*calls;
	for (const char *at = p->faults; at && *at; at += strcspn(at, ","), at += *at == ',') {
		if (strncmp(at, name, n) != 0)
			continue;
		if (at[n] == '\0' || at[n] == ',')
			return true;
		if (at[n] == '@' && *calls >= strtoull(at + n + 1, NULL, 10))
			return true;
	}
	return false;
}
