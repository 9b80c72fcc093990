/* main.c - millrace-agent: next to the customer's application, losing nothing quietly. */
#include <stdlib.h>

#include "common/program.h"
#include "ingest/agent/conf.h"

struct app {
	struct program program;
	struct agent_conf conf;
};

int main(int argc, char **argv)
{
	struct app app = {.program.name = NULL};
	const struct program_spec spec = {
		.name = "millrace-agent",
		.summary = "collects metrics on this machine and posts them; keeps them on disk while nobody takes them",
		.admin_default = "127.0.0.1:9106",
		.memory_default = "64Mi",
		.without_kafka = true,
		.section = {agent_conf_fields, &app.conf},
		.check = agent_conf_check,
	};
	struct err err = ERR_INIT;
	int rc = program_init(&app.program, &spec, argc, argv, &err);

	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	program_fini(&app.program);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
