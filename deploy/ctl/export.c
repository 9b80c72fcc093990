/* export.c - the command `export`: the whole control plane as one file, to keep, to compare, to restore;
 * see commands.h.
 *
 * What is not there is the keys themselves, which nobody has but their owners. A record that cannot be read
 * makes the export incomplete, and the exit code says so: a backup that silently lacks a site is worse than
 * none. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deploy/ctl/commands.h"
#include "deploy/ctl/export.h"
#include "deploy/ctl/record_json.h"
#include "deploy/ctl/rule_json.h"

int export_write(const struct store *s, struct buf *out, struct err *err)
{
	struct json_writer w;

	json_write_begin(&w);
	json_write_text(&w, "format", STR(RECORD_JSON_FORMAT));
	json_write_int(&w, "version", RECORD_JSON_VERSION);
	if (record_json_write_cells(&w, s, err) < 0 || record_json_write_sites(&w, s, err) < 0 ||
	    rule_json_write_all(&w, STORE_RECEIVERS, s, NULL, err) < 0 || rule_json_write_all(&w, STORE_TRIGGERS, s, NULL, err) < 0) {
		json_write_fini(&w);
		return -1;
	}
	return json_write_end(&w, out, err);
}

/* Down to the disk: an export that is renamed into place before its bytes are there could be an empty one
 * after a crash. */
static int write_all(int fd, struct str text)
{
	while (text.len) {
		ssize_t n = write(fd, text.p, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text.p += n;
		text.len -= (size_t)n;
	}
	return fsync(fd);
}

/* Writes beside the file and renames, so that a failure leaves the export that was there. Only the owner
 * may read the hashes. */
static int write_file(const char *path, struct str text, struct err *err)
{
	char *temp;
	int fd, rc;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0)
		return err_nomem(err, "a file's name");
	fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		rc = err_set(err, ERR_FATAL, "cannot write %s: %s", path, strerror(errno));
		free(temp);
		return rc;
	}
	rc = write_all(fd, text);
	if (close(fd) < 0 || rc < 0 || rename(temp, path) < 0) {
		rc = err_set(err, ERR_FATAL, "cannot write %s: %s", path, strerror(errno));
		unlink(temp);
	}
	free(temp);
	return rc;
}

/* How many records cannot be read and are not in the export. */
static int count_faults(const struct store *s, struct err *err)
{
	static const enum store_kind kinds[] = {STORE_CELLS, STORE_SITES, STORE_RECEIVERS, STORE_TRIGGERS};
	int faults = 0;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		size_t nr;
		const struct store_item **items = store_list(s, kinds[k], &nr, err);

		if (!items)
			return -1;
		for (size_t i = 0; i < nr; i++)
			faults += items[i]->fault != NULL;
		free(items);
	}
	return faults;
}

int export_run(struct ctl *ctl, struct err *err)
{
	const char *path = args_text(&ctl->args, "output");
	struct buf text = BUF_INIT;
	int faults, rc = -1;

	if (ctl_load_also(ctl, CLUSTER_BIT(STORE_TRIGGERS) | CLUSTER_BIT(STORE_RECEIVERS), err) < 0 || export_write(cluster_store(ctl->cluster), &text, err) < 0)
		goto out;
	if (path && write_file(path, buf_str(&text), err) < 0)
		goto out;
	if (path)
		fprintf(ctl->out, "%zu bytes written to %s\n", text.len, path);
	else
		fwrite(text.p, 1, text.len, ctl->out);
	faults = count_faults(cluster_store(ctl->cluster), err);
	if (faults > 0)
		ctl_hint("%d records cannot be read: this export is not complete", faults);
	rc = faults < 0 ? -1 : faults > 0;
out:
	buf_fini(&text);
	return rc;
}
