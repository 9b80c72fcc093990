/* conf.c - see conf.h.
 *
 * Where two settings depend on each other, the defaults agree: a record fits into what a broker takes by default (1,048,588 bytes
 * with its batch), the largest body into the budget, a Kafka that is gone is noticed within two seconds, and a drain ends before
 * the half minute after which supervisors lose their patience. */
#include "ingest/conf.h"

#define ROW(member) offsetof(struct ingest_conf, member)

const struct conf_field ingest_conf_fields[] = {
	{"push.listen", CONF_STR, ROW(listen), "127.0.0.1:4318", 3, 255, "host:port of the Push API; port 0: any free one"},
	{"push.threads", CONF_INT, ROW(threads), "2", 1, 64, "threads that serve requests, each with a producer of its own"},
	{"push.max_body_bytes", CONF_BYTES, ROW(max_body_bytes), "4Mi", 1024, INT64_C(64) << 20,
	 "largest body as it arrives; above it 413"},
	{"push.max_inflated_bytes", CONF_BYTES, ROW(max_inflated_bytes), "20Mi", 1024, INT64_C(256) << 20,
	 "largest body once it is inflated; above it 413"},
	{"push.max_inflate_ratio", CONF_INT, ROW(max_inflate_ratio), "250", 1, 100000,
	 "a body that inflates to more than so many times its size is a 413"},
	{"push.max_record_bytes", CONF_BYTES, ROW(max_record_bytes), "1000000", 1024, INT64_C(16) << 20,
	 "largest record, the samples or the events of one payload for one partition; above it 413, of OTLP several records; brokers must take it"},
	{"push.inflight_budget", CONF_BYTES, ROW(inflight_budget_bytes), "64Mi", 1024, INT64_C(1) << 40,
	 "bodies and records not yet acknowledged; above it, or above a quarter of memory.budget, 503"},
	{"push.connections_max", CONF_INT, ROW(connections_max), "4096", 1, 1000000,
	 "open connections; beyond them the one that has been idle for longest makes room"},
	{"push.header_timeout", CONF_MS, ROW(header_timeout_ms), "10s", 100, 3600000, "a request's headers must be in by then; else 408"},
	{"push.body_timeout", CONF_MS, ROW(body_timeout_ms), "30s", 100, 3600000, "and its body, from then on; else 408"},
	{"push.idle_timeout", CONF_MS, ROW(idle_timeout_ms), "60s", 100, 3600000, "a connection without a request is closed"},
	{"push.message_timeout", CONF_MS, ROW(message_timeout_ms), "8s", 100, 60000,
	 "what Kafka has not acknowledged by then is given up and answered with 503"},
	{"push.stall_timeout", CONF_MS, ROW(stall_timeout_ms), "1500ms", 100, 60000,
	 "when Kafka has acknowledged nothing for so long, all who wait are answered with 503, and who comes is at once"},
	{"push.linger", CONF_MS, ROW(linger_ms), "5ms", 0, 1000, "how long a record waits for others of its partition"},
	{"push.drain_timeout", CONF_MS, ROW(drain_timeout_ms), "20s", 0, 60000, "how long SIGTERM waits for requests in flight"},
	{"push.metrics_sites_max", CONF_INT, ROW(metrics_sites_max), "500", 0, 100000,
	 "sites with metrics of their own; those that come later share site=\"__other__\""},
	{"push.tables_file", CONF_STR, ROW(tables_file), "", 0, 4096,
	 "where the tables of cells and sites are kept for a start without Kafka; empty: nowhere"},
	{"otlp.resource_tags", CONF_STR, ROW(otlp_resource_tags),
	 "service.name,deployment.environment,deployment.environment.name,host.name,service.instance.id", 0, 4096,
	 "attributes of OTLP's resources and scopes that become tags, by key; host.name of metrics called system.* or process.* only, service.instance.id "
	 "of cumulative points only"},
	{"scrub.keys", CONF_STR, ROW(scrub_keys), "", 0, 4096,
	 "comma-separated; keys whose values are secrets, beside those that are known; case and - _ . do not matter"},
	{"scrub.values", CONF_STR, ROW(scrub_values), "", 0, 16384,
	 "separated by blanks; POSIX extended regular expressions; what they match in a text is taken out of it"},
	{"scrub.except", CONF_STR, ROW(scrub_except), "", 0, 4096, "comma-separated; keys whose values are no secrets, though they look so"},
	{"push.tls_cert_file", CONF_STR, ROW(tls_cert_file), "", 0, 4096, "PEM, the chain; with it the Push API speaks TLS only; read again on SIGHUP"},
	{"push.tls_key_file", CONF_STR, ROW(tls_key_file), "", 0, 4096, "PEM, the key of the certificate"},
	{"push.tls_client_ca_file", CONF_STR, ROW(tls_client_ca_file), "", 0, 4096,
	 "PEM; with it a client needs a certificate of one of these authorities"},
	{0},
};
