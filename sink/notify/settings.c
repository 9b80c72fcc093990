/* settings.c - see settings.h.
 *
 * What lets deliveries go further than usual (plain http, internal networks) is off unless an operator says so: receivers are written by people who
 * need not be those that run this program. */
#include "sink/notify/settings.h"

#include <stddef.h>

#define AT(member) offsetof(struct notify_conf, member)

const struct conf_field notify_conf_fields[] = {
	{"notify.allow_http", CONF_BOOL, AT(allow_http), "false", 0, 0, "deliver by plain http: too"},
	{"notify.allow_networks", CONF_STR, AT(allow_networks), "", 0, 4096,
	 "networks (10.1.0.0/16,fd00::/8) that deliveries may go to though they are internal"},
	{"notify.site_rate", CONF_INT, AT(site_rate), "60", 0, 1000000, "notifications an hour and site; 0 is without limit"},
	{"notify.external_url", CONF_STR, AT(external_url), "", 0, 1024, "address that notifications link to, with /incidents/ID behind it; empty: to none"},
	{"notify.secrets_dir", CONF_STR, AT(secrets_dir), "", 0, 1024, "folder of the receivers' key, token and password files; without it none is read"},
	{"notify.timeout", CONF_MS, AT(timeout_ms), "10s", 100, 300000, "real time that one attempt at a delivery may take"},
	{0},
};
