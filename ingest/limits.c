/* limits.c - see limits.h. */
#include "ingest/limits.h"

#include <sys/resource.h>

enum {
	BUDGET_SHARE = 4,
	SITE_SHARE = 2,     /* admission.c: of the bytes in flight, what one site may hold */
	FILES_BESIDES = 256, /* brokers, logs, descriptors of our own */
	FILES_A_THREAD = 96, /* its brokers, and connections beyond the limit that are about to go (server.c) */
	CONNECTIONS_SHARE = 4 /* of a limit that is too low for all of this */
};

int64_t limits_inflight_bytes(const struct ingest_conf *conf, int64_t memory_budget_bytes)
{
	int64_t share = memory_budget_bytes / BUDGET_SHARE;

	return conf->inflight_budget_bytes < share ? conf->inflight_budget_bytes : share;
}

int limits_check(const struct program *p, const struct ingest_conf *conf, struct err *err)
{
	if (conf->max_body_bytes > limits_inflight_bytes(conf, p->common.memory_budget_bytes) / SITE_SHARE)
		return conf_reject(p->conf, "push.max_body_bytes",
				   "is more than half of what may be in flight (push.inflight_budget, a quarter of memory.budget): no such body would "
				   "ever be let in", err);
	if (conf->tls_cert_file[0] && !conf->tls_key_file[0])
		return conf_reject(p->conf, "push.tls_cert_file", "is set and push.tls_key_file is not", err);
	if (!conf->tls_cert_file[0] && (conf->tls_key_file[0] || conf->tls_client_ca_file[0]))
		return conf_reject(p->conf, "push.tls_cert_file", "is missing where push.tls_key_file or push.tls_client_ca_file is set", err);
	return 0;
}

void limits_raise_files(struct ingest_conf *conf, const struct log *log)
{
	rlim_t besides = FILES_BESIDES + FILES_A_THREAD * (rlim_t)conf->threads, wanted = (rlim_t)conf->connections_max + besides, least;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= wanted)
		return;
	files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur >= wanted)
		return;
	least = files.rlim_cur / CONNECTIONS_SHARE;
	conf->connections_max = (int64_t)(files.rlim_cur > besides + least ? files.rlim_cur - besides : least);
	log_warn(log, "connections_limited", LOG_INT("connections_max", conf->connections_max),
		 LOG_STR("meaning", "the system's limit of open files allows no more (ulimit -n)"));
}
