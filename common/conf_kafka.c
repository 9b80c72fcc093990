/* conf_kafka.c - see conf_kafka.h.
 *
 * An array, searched from its beginning: there are a dozen of these settings, looked at when a program starts. The limit is there so that
 * this stays true of a file that means no good. */
#include "common/conf_kafka.h"

#include <stdlib.h>
#include <string.h>

void conf_kafka_fini(struct conf_kafka *k)
{
	for (size_t i = 0; i < k->nr; i++) {
		free(k->at[i].name);
		free(k->at[i].text);
	}
	free(k->at);
	*k = (struct conf_kafka)CONF_KAFKA_INIT;
}

bool conf_kafka_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return n > 0 && n <= CONF_KAFKA_NAME_MAX && name[n] == '\0';
}

/* Where name stands or belongs. */
static size_t position(const struct conf_kafka *k, const char *name)
{
	size_t i = 0;

	while (i < k->nr && strcmp(k->at[i].name, name) < 0)
		i++;
	return i;
}

struct conf_kafka_entry *conf_kafka_find(const struct conf_kafka *k, const char *name)
{
	size_t i = position(k, name);

	return i < k->nr && strcmp(k->at[i].name, name) == 0 ? &k->at[i] : NULL;
}

/* Takes text on success. */
static int insert(struct conf_kafka *k, const char *name, char *text, struct conf_source source, struct err *err)
{
	size_t i = position(k, name);
	struct conf_kafka_entry *at;
	char *copy;

	if (k->nr == CONF_KAFKA_NR_MAX)
		return err_set(err, ERR_REJECT, "more than %d kafka.* keys", CONF_KAFKA_NR_MAX);
	at = realloc(k->at, (k->nr + 1) * sizeof(*at));
	if (!at)
		return err_nomem(err, "a kafka.* key");
	k->at = at;
	copy = strdup(name);
	if (!copy)
		return err_nomem(err, "a kafka.* key");
	memmove(at + i + 1, at + i, (k->nr - i) * sizeof(*at));
	at[i] = (struct conf_kafka_entry){copy, text, source};
	k->nr++;
	return 0;
}

int conf_kafka_set(struct conf_kafka *k, const char *name, const char *text, struct conf_source source, struct err *err)
{
	struct conf_kafka_entry *entry = conf_kafka_find(k, name);
	char *copy = strdup(text);

	if (!copy)
		return err_nomem(err, "a kafka.* key");
	if (!entry) {
		if (insert(k, name, copy, source, err) == 0)
			return 0;
		free(copy);
		return -1;
	}
	free(entry->text);
	entry->text = copy;
	entry->source = source;
	return 0;
}

bool conf_kafka_is_secret(const char *name)
{
	return strstr(name, "password") || strstr(name, "secret") || strstr(name, "key.pem");
}
