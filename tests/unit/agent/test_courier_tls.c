/* test_courier_tls.c - over TLS the courier speaks only to whom it was told to trust, by the name it asked for.
 *
 * The server is libmicrohttpd's, the certificates are openssl's. */
#include <microhttpd.h>

#include "tests/unit/agent/courier_bench.h"

enum { PEM_MAX = 8192 };

struct house {
	char folder[32], cert_path[64], ca_path[64];
	char cert[PEM_MAX], key[PEM_MAX];
	struct MHD_Daemon *daemon;
	int port;
};

static void read_file(const char *path, char out[PEM_MAX])
{
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(out, 1, PEM_MAX - 1, f);
	out[n] = '\0';
	fclose(f);
}

/* A certificate that signs itself, for an address. */
static void make_certificate(struct house *h, const char *name, const char *address, char path[64])
{
	char command[512];

	snprintf(path, 64, "%s/%s.pem", h->folder, name);
	snprintf(command, sizeof(command),
		 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=%s -addext subjectAltName=IP:%s "
		 "-keyout %s/%s.key -out %s 2>/dev/null",
		 name, address, h->folder, name, path);
	ck_assert_int_eq(system(command), 0);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
				  const char *data, size_t *data_bytes, void **request)
{
	struct MHD_Response *response;
	enum MHD_Result rc;

	(void)ctx, (void)url, (void)method, (void)version, (void)data;
	if (!*request || *data_bytes) {
		*request = connection;
		*data_bytes = 0;
		return MHD_YES;
	}
	response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(connection, MHD_HTTP_ACCEPTED, response);
	MHD_destroy_response(response);
	return rc;
}

static void house_init(struct house *h, const char *address)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char key_path[64];

	*h = (struct house){.folder = "/tmp/millrace-tls-XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(h->folder));
	make_certificate(h, "server", address, h->cert_path);
	make_certificate(h, "stranger", address, h->ca_path);
	read_file(h->cert_path, h->cert);
	snprintf(key_path, sizeof(key_path), "%s/server.key", h->folder);
	read_file(key_path, h->key);
	h->daemon = MHD_start_daemon(MHD_USE_TLS | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, on_request, NULL,
				     MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_HTTPS_MEM_KEY, h->key, MHD_OPTION_HTTPS_MEM_CERT, h->cert, MHD_OPTION_END);
	ck_assert_ptr_nonnull(h->daemon);
	h->port = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void house_fini(struct house *h)
{
	char command[128];

	MHD_stop_daemon(h->daemon);
	snprintf(command, sizeof(command), "rm -r %s", h->folder);
	ck_assert_int_eq(system(command), 0);
}

/* The certificate's address, whom the courier is told to trust, and whether it may post. */
enum trust { THE_SERVER, A_STRANGER, THE_SYSTEM, NO_FILE };

static const struct {
	const char *address;
	enum trust trust;
	bool taken;
} cases[] = {
	{"127.0.0.1", THE_SERVER, true},
	{"127.0.0.1", A_STRANGER, false},
	{"127.0.0.1", THE_SYSTEM, false},
	{"127.0.0.1", NO_FILE, false},
	{"127.0.0.2", THE_SERVER, false},
};

START_TEST(trust_decides)
{
	char url[64];
	struct courier_conf conf = {.url = url, .key = BENCH_KEY};
	struct err err = ERR_INIT;
	struct house h;
	struct bench b;

	house_init(&h, cases[_i].address);
	conf.ca_file = cases[_i].trust == THE_SERVER ? h.cert_path : cases[_i].trust == A_STRANGER ? h.ca_path :
		       cases[_i].trust == NO_FILE ? "/nonexistent/ca.pem" : "";
	bench_init(&b, NULL, 0);
	bench_put(&b, 1, 1);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", h.port);
	b.courier = courier_new(&conf, b.spool, &b.clock, &b.log, &err);
	ck_assert_msg(b.courier && bench_run(&b, 1), "%s", err.msg);
	ck_assert_msg(fake_payload(b.spool, 1)->state == (cases[_i].taken ? FAKE_DONE : FAKE_WAITS), "case %d: %s", _i,
		      bench_status(&b).last_error);
	ck_assert_int_eq(bench_status(&b).last_error[0] != '\0', !cases[_i].taken);
	bench_fini(&b);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("courier_tls");
	TCase *tc = tcase_create("courier_tls");

	curl_global_init(CURL_GLOBAL_DEFAULT);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, trust_decides, 0, NR(cases));
	suite_add_tcase(s, tc);
	return unit_main(s);
}
