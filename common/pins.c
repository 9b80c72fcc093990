/* pins.c - see pins.h.
 *
 * NAME_encode() is called from some forty places, down to what a snapshot or a file on disk is made of, and all of them must agree: one that was forgotten
 * would write the new version, which is found out on the day of the rollback. So what is pinned is no argument but a property of the process, as its
 * clock's zone or its locale is, and the generated code asks here. */
#include "common/pins.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "common/str.h"
#include "schemas/schemas.h"

/* The one variable of the tree that no struct holds: by the record's newest id, the id that is written; 0: the newest. Set once, before there are
 * threads; atomic, as tests set it more than once, and nobody should have to prove that a program does not. Nothing else is ordered by it. */
static _Atomic uint32_t written[PINS_IDS]; /* style: see the top: forty callers must agree, snapshots and files among them */

uint32_t pins_written_id(uint32_t newest_id)
{
	uint32_t id = newest_id < PINS_IDS ? atomic_load_explicit(&written[newest_id], memory_order_relaxed) : 0;

	return id ? id : newest_id;
}

static bool is_of(uint32_t id, struct str record)
{
	const char *name = schema_name(id);

	return name && str_eq(str_from(name), record);
}

/* 0: there is no such record. */
static uint32_t newest_of(struct str record)
{
	for (uint32_t id = PINS_IDS - 1; id > 0; id--)
		if (is_of(id, record))
			return id;
	return 0;
}

/* What could stand there instead: each record once, by its newest id. */
static int no_such_record(struct str record, struct err *err)
{
	struct buf names = BUF_INIT;

	for (uint32_t id = 1; id < PINS_IDS; id++) {
		const char *name = schema_name(id);

		if (name && newest_of(str_from(name)) == id)
			buf_printf(&names, "%s%s", names.len ? ", " : "", name);
	}
	err_set(err, ERR_REJECT, "names '%.*s', which is none of %.*s", (int)(record.len < 40 ? record.len : 40), record.p, (int)names.len, (char *)names.p);
	buf_fini(&names);
	return -1;
}

static int no_such_id(struct str record, struct str id, struct err *err)
{
	struct buf ids = BUF_INIT;

	for (uint32_t other = 1; other < PINS_IDS; other++)
		if (is_of(other, record))
			buf_printf(&ids, "%s%u", ids.len ? ", " : "", other);
	err_set(err, ERR_REJECT, "gives %.*s the id '%.*s', and it has only %.*s", (int)record.len, record.p, (int)(id.len < 40 ? id.len : 40), id.p,
		(int)ids.len, (char *)ids.p);
	buf_fini(&ids);
	return -1;
}

/* Decimal, as schemas/ids has it, without sign or leading zeros. 0: it is none. */
static uint32_t id_of(struct str text)
{
	uint32_t id = 0;

	if (text.len == 0 || text.len > 4 || text.p[0] == '0')
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return 0;
		id = id * 10 + (uint32_t)(text.p[i] - '0');
	}
	return id;
}

static int take_pin(struct str entry, uint32_t *pins, struct err *err)
{
	const char *equals = entry.len ? memchr(entry.p, '=', entry.len) : NULL;
	struct str record, text;
	uint32_t newest, id;

	if (!equals)
		return err_set(err, ERR_REJECT, "is not Record=ID,..: '%.*s'", (int)(entry.len < 40 ? entry.len : 40), entry.p);
	record = (struct str){entry.p, (size_t)(equals - entry.p)};
	text = (struct str){equals + 1, entry.len - record.len - 1};
	newest = newest_of(record);
	if (!newest)
		return no_such_record(record, err);
	id = id_of(text);
	if (!id || !is_of(id, record))
		return no_such_id(record, text, err);
	if (pins[newest])
		return err_set(err, ERR_REJECT, "names %.*s twice", (int)record.len, record.p);
	pins[newest] = id;
	return 0;
}

int pins_set(const char *list, struct err *err)
{
	static const char blanks[] = " \t";
	uint32_t pins[PINS_IDS] = {0};

	for (const char *at = list + strspn(list, blanks); *list; ) {
		size_t span = strcspn(at, ","), len = span;

		while (len > 0 && strchr(blanks, at[len - 1]))
			len--;
		if (take_pin((struct str){at, len}, pins, err) < 0)
			return -1;
		at += span;
		if (!*at)
			break;
		at++;
		at += strspn(at, blanks);
	}
	for (size_t id = 0; id < PINS_IDS; id++)
		atomic_store_explicit(&written[id], pins[id], memory_order_relaxed);
	return 0;
}
