/* settings.h - the notifier's own settings. */
#ifndef MILLRACE_SINK_NOTIFY_SETTINGS_H
#define MILLRACE_SINK_NOTIFY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf.h"

struct notify_conf {
	bool allow_http;       /* webhooks by http: and mail without TLS beside https: */
	char *allow_networks;  /* CIDR, separated by commas, that deliveries may go to though they are internal; empty: none */
	char *external_url;    /* what the bodies link to; empty: none */
	char *secrets_dir;     /* receivers' files are looked up in it, and only there; empty: nowhere */
	int64_t site_rate;     /* notifications an hour and site; 0: no limit */
	int64_t timeout_ms;    /* of one attempt at a delivery, real time */
};

/* Rows over struct notify_conf, ended by {0}. */
extern const struct conf_field notify_conf_fields[];

#endif
