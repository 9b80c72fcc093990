/* tail_last.c - see tail.h. */
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/tail.h"
#include "schemas/texts.h"

struct tail_kept {
	int64_t at_ms, offset;
	int32_t partition;
	struct buf text;
	bool unread;
};

int tail_last_init(struct tail_last *l, size_t max, struct err *err)
{
	*l = (struct tail_last){.kept = calloc(max, sizeof(*l->kept)), .max = max};
	return l->kept ? 0 : err_nomem(err, "the last records");
}

void tail_last_fini(struct tail_last *l)
{
	for (size_t i = 0; i < l->nr; i++)
		buf_fini(&l->kept[i].text);
	free(l->kept);
	*l = (struct tail_last){0};
}

static bool is_older(const struct tail_kept *a, const struct tail_kept *b)
{
	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms;
	return a->partition != b->partition ? a->partition < b->partition : a->offset < b->offset;
}

void tail_last_add(struct tail_last *l, const struct tail_record *record, bool unread, struct buf *text)
{
	struct tail_kept kept = {record->at_ms, record->offset, record->partition, *text, unread};
	size_t at = l->nr;

	*text = (struct buf)BUF_INIT;
	while (at > 0 && is_older(&kept, &l->kept[at - 1]))
		at--;
	if (l->nr == l->max && at == 0) {
		buf_fini(&kept.text);
		return;
	}
	if (l->nr == l->max) {
		buf_fini(&l->kept[0].text);
		memmove(l->kept, l->kept + 1, (at - 1) * sizeof(*l->kept));
		at--;
	} else {
		memmove(l->kept + at + 1, l->kept + at, (l->nr++ - at) * sizeof(*l->kept));
	}
	l->kept[at] = kept;
}

struct str tail_last_line(const struct tail_last *l, size_t i, bool *unread)
{
	*unread = l->kept[i].unread;
	return buf_str(&l->kept[i].text);
}

/* The only cell whose topic of this name is there; "" where there is none. NULL with *err set: there are several. */
static const struct topic_state *only_of_cell(const struct topic_list *list, const char *word, struct err *err)
{
	const struct topic_state *found = NULL;
	char behind[KAFKA_TOPIC_SIZE];

	snprintf(behind, sizeof(behind), ".%s", word);
	for (size_t i = 0; i < list->nr; i++) {
		const char *name = list->topics[i].name;
		size_t len = strlen(name), part = strlen(behind);

		if (strncmp(name, "millrace.c.", 11) != 0 || len < part || strcmp(name + len - part, behind) != 0)
			continue;
		if (found) {
			err_set(err, ERR_REJECT, "%s is a topic of several cells (%s, %s): say which by --cell", word, found->name, name);
			return NULL;
		}
		found = &list->topics[i];
	}
	if (!found)
		err_set(err, ERR_REJECT, "there is no topic %s, millrace.%s or millrace.c.CELL.%s", word, word, word);
	return found;
}

const struct topic_state *tail_find_topic(const struct topic_list *list, const char *word, const char *cell, struct err *err)
{
	const struct topic_state *found = topic_list_find(list, word);
	char name[KAFKA_TOPIC_SIZE];

	if (found)
		return found;
	if (!cell) {
		snprintf(name, sizeof(name), "millrace.%s", word);
		found = topic_list_find(list, name);
		return found ? found : only_of_cell(list, word, err);
	}
	snprintf(name, sizeof(name), "millrace.c.%s.%s", cell, word);
	found = topic_list_find(list, name);
	if (!found)
		err_set(err, ERR_REJECT, "there is no topic %s", name);
	return found;
}
