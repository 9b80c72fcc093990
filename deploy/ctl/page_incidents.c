/* page_incidents.c - see page_incidents.h. */
#include "deploy/ctl/page_incidents.h"

#include <inttypes.h>

#include "deploy/ctl/topic_scan.h"

/* What the topic has, on its way into the fold. */
struct reading {
	struct status_incidents *incidents;
	size_t nr_bad;
	char why[sizeof(((struct err *)NULL)->msg)]; /* of the last bad one */
};

static int on_entry(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct reading *r = ctx;
	const struct table_row row = {.key = {message->key ? message->key : "", message->key_len}, .value = {message->payload, message->len},
				      .offset = message->offset};
	struct err bad = ERR_INIT;

	if (status_incidents_take_row(r->incidents, &row, &bad) == 0)
		return 0;
	if (bad.kind == ERR_FATAL)
		return err_set(err, bad.kind, "%s", bad.msg);
	r->nr_bad++;
	snprintf(r->why, sizeof(r->why), "%s", bad.msg);
	return 0;
}

static int read_topic(struct status_incidents *s, struct ctl *ctl, struct err *err)
{
	struct topic_scan *scan = topic_scan_new(&ctl->program, ctl->progress, err);
	struct reading r = {.incidents = s};
	int64_t from, to;
	int rc = scan ? topic_scan_bounds(scan, TOPIC_STATUS, 0, 0, &from, &to, err) : -1;

	if (rc == 0)
		rc = topic_scan_read(scan, TOPIC_STATUS, 0, from, to, on_entry, &r, err);
	topic_scan_free(scan);
	if (rc == 0 && r.nr_bad)
		ctl_hint("warning: %zu entries of %s cannot be read, the last because: %.200s", r.nr_bad, TOPIC_STATUS, r.why);
	return rc;
}

static int read_port(struct status_incidents *s, struct ctl *ctl, struct err *err)
{
	struct admin_port *port = ctl_open_admin(ctl, PAGE_DESK, err);
	struct buf text = BUF_INIT;
	int rc = -1;

	if (port && admin_port_list(port, &text, err) == 0 && (rc = page_incidents_from_json(s, buf_str(&text), err)) < 0)
		err_wrap(err, "%s answers what is no list of incidents", args_text(&ctl->args, "admin"));
	buf_fini(&text);
	admin_port_free(port);
	return rc;
}

int page_incidents_read(struct status_incidents *s, struct ctl *ctl, struct err *err)
{
	return ctl_by_admin(ctl) ? read_port(s, ctl, err) : read_topic(s, ctl, err);
}

static int write_port(struct ctl *ctl, struct str record, struct err *err)
{
	struct admin_port *port = ctl_open_admin(ctl, PAGE_DESK, err);
	int rc = port ? admin_port_put(port, record, err) : -1;

	admin_port_free(port);
	return rc;
}

int page_incidents_write(struct ctl *ctl, const struct status_entry *e, struct err *err)
{
	struct buf record = BUF_INIT;
	char key[STATUS_KEY_SIZE];
	int rc = status_entry_encode(e, &record, err);

	if (rc == 0 && ctl_by_admin(ctl))
		rc = write_port(ctl, buf_str(&record), err);
	else if (rc == 0)
		rc = cluster_write(ctl->cluster, TOPIC_STATUS, str_from(status_entry_key(e, key)), buf_str(&record), NULL, err);
	buf_fini(&record);
	return rc;
}
