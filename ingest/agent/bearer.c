/* bearer.c - see bearer.h.
 *
 * What makes a file a key's is common/token's to say, for the operator's token and for this one alike: who may read it, and what it may
 * hold. */
#include "ingest/agent/bearer.h"

#include <stdlib.h>
#include <string.h>

/* A line end in a key would end its header line, and begin another. */
static int take_literal(struct bearer *b, const char *key, struct err *err)
{
	size_t n = strlen(key);

	if (n > TOKEN_MAX)
		return err_set(err, ERR_REJECT, "the API key has more than %d characters", TOKEN_MAX);
	for (size_t i = 0; i < n; i++)
		if (key[i] <= ' ' || key[i] > '~')
			return err_set(err, ERR_REJECT, "the API key holds something else than printable ASCII");
	memcpy(b->key.text, key, n + 1);
	return 0;
}

/* The file is looked at before it is read: one that changes in between looks changed the next time, too. */
static int take_file(struct bearer *b, struct token *key, struct err *err)
{
	if (stat(b->path, &b->seen) < 0)
		memset(&b->seen, 0, sizeof(b->seen));
	return token_read(key, b->path, err);
}

int bearer_init(struct bearer *b, const char *key, const char *path, struct err *err)
{
	*b = (struct bearer){0};
	if (key && *key)
		return take_literal(b, key, err);
	if (!path || !*path)
		return err_set(err, ERR_REJECT, "there is no API key: neither a file nor one in the environment");
	b->path = strdup(path);
	if (!b->path)
		return err_nomem(err, "the path of the key");
	if (take_file(b, &b->key, err) < 0) {
		bearer_fini(b);
		return -1;
	}
	return 0;
}

void bearer_fini(struct bearer *b)
{
	token_forget(&b->key);
	free(b->path);
	b->path = NULL;
}

/* ctime, too: a file that is written within one tick of mtime, or put back to an old mtime, is noticed all the same. */
static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int bearer_refresh(struct bearer *b, struct err *err)
{
	struct token fresh = {0};
	struct stat now = {0};
	int rc = 0;

	if (!b->path)
		return 0;
	if (stat(b->path, &now) < 0)
		memset(&now, 0, sizeof(now));
	if (is_same_file(&now, &b->seen))
		return 0;
	if (take_file(b, &fresh, err) < 0) {
		rc = -1;
	} else if (strcmp(fresh.text, b->key.text) != 0) {
		b->key = fresh;
		rc = 1;
	}
	token_forget(&fresh);
	return rc;
}
