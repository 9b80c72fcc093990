/* page_fixture.c - serves each of the sample pages on a port of its own, for a browser to look at.
 *
 * Prints "NAME ADDRESS" for each, then "ready", and ends at the end of its input. */
#include <stdio.h>
#include <stdlib.h>

#include "sink/status/server.h"
#include "tests/unit/status/page_samples.h"

enum { SAMPLES_MAX = 16 };

static struct server *serve(const char *name, struct metrics *metrics, struct err *err)
{
	struct sample *sample = sample_new(name);
	struct answers *answers = answers_new(err);
	struct server *server = NULL;

	if (answers && page_answers(&sample->page, answers, err) == 0)
		server = server_new("127.0.0.1:0", metrics, err);
	sample_free(sample);
	if (server)
		server_set_page(server, answers);
	else
		answers_free(answers);
	return server;
}

int main(void)
{
	struct metrics *metrics = metrics_new("millrace-status");
	struct server *servers[SAMPLES_MAX] = {0};
	struct err err = ERR_INIT;
	int rc = EXIT_FAILURE;

	for (size_t i = 0; sample_names[i]; i++) {
		servers[i] = serve(sample_names[i], metrics, &err);
		if (!servers[i])
			goto out;
		printf("%s %s\n", sample_names[i], server_address(servers[i]));
	}
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	rc = EXIT_SUCCESS;
out:
	if (rc != EXIT_SUCCESS)
		fprintf(stderr, "page_fixture: %s\n", err.msg);
	for (size_t i = 0; i < SAMPLES_MAX; i++)
		server_free(servers[i]);
	metrics_free(metrics);
	return rc;
}
