/* ctl.c - see ctl.h.
 *
 * Standard output belongs to results, so that a script can take them as they are; everything said beside a
 * result goes to standard error, through ctl_hint(), which is also the one place where foreign text meets
 * the terminal on that side. */
#include "deploy/ctl/ctl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deploy/ctl/printable.h"

void ctl_name_author(struct ctl *ctl)
{
	const char *name = args_text(&ctl->args, "author");
	char number[24];

	snprintf(number, sizeof(number), "uid %ld", (long)getuid());
	if (!name)
		name = getlogin();
	if (!name || !*name)
		name = getenv("USER");
	if (!name || !*name)
		name = number;
	snprintf(ctl->author, sizeof(ctl->author), "%s", name);
	printable_trim(ctl->author);
	printable(ctl->author);
}

bool ctl_by_admin(const struct ctl *ctl)
{
	return args_given_here(&ctl->args, "admin");
}

struct admin_port *ctl_open_admin(const struct ctl *ctl, const char *desk, struct err *err)
{
	const char *path = args_text(&ctl->args, "token-file");
	struct admin_port *port = NULL;
	struct token token;

	if (!path)
		path = ctl->program.common.admin_token_file;
	if (!*path) {
		err_set(err, ERR_REJECT, "--admin wants the instance's token: give --token-file FILE, or set admin.token_file");
		return NULL;
	}
	if (token_read(&token, path, err) == 0)
		port = admin_port_new(args_text(&ctl->args, "admin"), desk, &token, err);
	token_forget(&token);
	return port;
}

/* Says which records stand in the topics but cannot be read. Every command does: whoever changes something
 * should know that what it sees is not all there is. */
static int warn_of_faults(const struct store *s, enum store_kind kind, const char *what, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(s, kind, &nr, err);

	if (!items)
		return -1;
	for (size_t i = 0; i < nr; i++)
		if (items[i]->fault)
			ctl_hint("warning: %s \"" STR_FMT "\" cannot be read: %s", what, STR_ARG(items[i]->key), items[i]->fault);
	free(items);
	return 0;
}

int ctl_load_also(struct ctl *ctl, unsigned kinds, struct err *err)
{
	static const char *const names[STORE_KINDS] = {[STORE_CELLS] = "cell", [STORE_SITES] = "site", [STORE_CONTROLS] = "control",
						       [STORE_TRIGGERS] = "trigger", [STORE_RECEIVERS] = "receiver"};

	if (cluster_load(ctl->cluster, CLUSTER_BASE | kinds, err) < 0)
		return -1;
	for (int kind = 0; kind < STORE_KINDS; kind++)
		if (names[kind] && warn_of_faults(cluster_store(ctl->cluster), (enum store_kind)kind, names[kind], err) < 0)
			return -1;
	return 0;
}

int ctl_load(struct ctl *ctl, bool with_beats, struct err *err)
{
	return ctl_load_also(ctl, with_beats ? CLUSTER_BIT(STORE_BEATS) : 0, err);
}

/* The event's fields, and of a record that was changed, what it was and is. fields: room for all of them. */
static int gather_fields(const struct ctl_event *event, struct buf texts[2], struct tag *fields, size_t *nr, struct err *err)
{
	*nr = event->nr_fields < CTL_FIELDS_MAX ? event->nr_fields : CTL_FIELDS_MAX;
	if (*nr)
		memcpy(fields, event->fields, *nr * sizeof(*fields));
	if (event->record == RECORD_NONE)
		return 0;
	if (record_text(event->record, event->before, &texts[0], err) < 0 || record_text(event->record, event->after, &texts[1], err) < 0)
		return -1;
	fields[(*nr)++] = (struct tag){STR("before"), buf_str(&texts[0])};
	fields[(*nr)++] = (struct tag){STR("after"), buf_str(&texts[1])};
	return 0;
}

int ctl_notice_at(struct ctl *ctl, const struct ctl_event *event, int64_t at_ms, struct str text, struct err *err)
{
	struct buf texts[2] = {BUF_INIT, BUF_INIT};
	struct tag fields[CTL_FIELDS_MAX + 2];
	struct notice notice = {
		.at = at_ms,
		.program = str_from(ctl->program.name),
		.instance = str_from(ctl->program.instance),
		.severity = event->severity,
		.event = str_from(event->event),
		.text = text,
		.has_author = true,
		.author = str_from(ctl->author),
		.has_cell = event->cell != NULL,
		.cell = str_from(event->cell),
		.has_site = event->site != NULL,
		.site = str_from(event->site),
		.fields = fields,
	};
	int rc = gather_fields(event, texts, fields, &notice.fields_len, err);

	if (rc == 0)
		rc = cluster_notice(ctl->cluster, &notice, err);
	buf_fini(&texts[0]);
	buf_fini(&texts[1]);
	return rc;
}

int ctl_notice(struct ctl *ctl, const struct ctl_event *event, struct err *err, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printable_trim(text); /* a record with half a character would be refused by its readers */
	if (ctl_notice_at(ctl, event, clock_now_ms(&ctl->program.clock), str_from(text), err) == 0)
		return 0;
	return err_wrap(err, "the change is made, but the operator log does not tell of it");
}

const struct cell *ctl_find_cell(const struct ctl *ctl, const char *name, struct err *err)
{
	const struct cell *cell = store_cell(cluster_store(ctl->cluster), str_from(name));

	if (!cell)
		err_set(err, ERR_REJECT, "there is no cell \"%s\": millrace-ctl cell list shows them, cell add makes one", name);
	return cell;
}

const struct site *ctl_find_site(const struct ctl *ctl, const char *id, struct err *err)
{
	const struct site *site = store_site(cluster_store(ctl->cluster), str_from(id));

	if (!site)
		err_set(err, ERR_REJECT, "there is no site \"%s\": millrace-ctl site list shows them, site add makes one", id);
	return site;
}

void ctl_hint(const char *fmt, ...)
{
	char text[sizeof(((struct err *)NULL)->msg) + 64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "millrace-ctl: %s\n", printable(text));
}

int ctl_exit_code(const struct err *err)
{
	return err->kind == ERR_REJECT ? 1 : 2;
}
