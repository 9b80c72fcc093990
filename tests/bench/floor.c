/* floor.c - the least that any server on libmicrohttpd costs: reads a body, keeps nothing of it, answers 202.
 *
 * What ingest does beyond this (keys, decoding, splitting, Kafka) is ours to make cheap; the rest is not. Measured in the same run as
 * ingest, by the same load, it also says how fast the machine was that day. One thread with epoll, as short an answer as ingest's. GET
 * answers the number of bodies read so far.
 *
 * Usage: floor PORT, on 127.0.0.1. SIGTERM ends it. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 4096, CONNECTION_MEMORY_BYTES = 16384, IDLE_SECONDS = 30 };

/* Of the one thread that serves. */
struct floor {
	unsigned long long bodies;
	int seen; /* what a request's state points to once its headers are in */
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	rc = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *piece, size_t *size, void **state)
{
	struct floor *f = ctx;
	char text[32];

	(void)path;
	(void)version;
	(void)piece;
	if (!*state) {
		*state = &f->seen;
		return MHD_YES;
	}
	if (*size) {
		*size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) == 0) {
		snprintf(text, sizeof(text), "%llu", f->bodies);
		return answer(connection, MHD_HTTP_OK, text);
	}
	f->bodies++;
	return answer(connection, MHD_HTTP_ACCEPTED, "{\"accepted\": 100, \"rejected\": [], \"rejected_total\": 0}\n");
}

int main(int argc, char **argv)
{
	struct floor f = {0};
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct MHD_Daemon *daemon;
	sigset_t ends;
	int number;

	if (argc != 2) {
		fprintf(stderr, "usage: floor PORT\n");
		return EXIT_FAILURE;
	}
	own.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL); /* before the thread that serves is made, so that only sigwait() has them */
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, &f,
				  MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)&own,
				  MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				  MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
				  MHD_OPTION_END);
	if (!daemon) {
		fprintf(stderr, "floor: cannot listen on port %s\n", argv[1]);
		return EXIT_FAILURE;
	}
	sigwait(&ends, &number);
	MHD_stop_daemon(daemon);
	return EXIT_SUCCESS;
}
