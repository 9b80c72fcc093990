/* stub_until_groups.c - stands for group.c until it is there. */
#include "common/map.h"
#include "ingest/group.h"

int group_name(struct payload_event *e, struct str site, struct arena *arena)
{
	struct str all = arena_str(arena, site);
	struct buf b = BUF_INIT;

	buf_add(&b, all.p, all.len);
	buf_add(&b, &e->kind, sizeof(e->kind));
	buf_add(&b, e->event.action.p, e->event.action.len);
	buf_add(&b, "", 1);
	buf_add(&b, e->event.namespace.p, e->event.namespace.len);
	buf_add(&b, "", 1);
	buf_add(&b, e->event.error.class.p, e->event.error.class.len);
	map_key_of(buf_str(&b), e->event.group);
	buf_fini(&b);
	return all.p ? 0 : -1;
}
