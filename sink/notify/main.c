/* main.c - millrace-notify: alerts of one cell become incidents, and incidents notifications. */
#include <stdlib.h>

#include "common/program.h"
#include "sink/notify/settings.h"

struct app {
	struct program program;
	struct notify_conf conf;
};

int main(int argc, char **argv)
{
	struct app app = {0};
	const struct program_spec spec = {
		.name = "millrace-notify",
		.summary = "makes incidents of one cell's alerts, and tells receivers of them",
		.admin_default = "127.0.0.1:9104",
		.section = {notify_conf_fields, &app.conf},
	};
	struct err err = ERR_INIT;
	int rc = program_init(&app.program, &spec, argc, argv, &err);

	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	program_fini(&app.program);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
