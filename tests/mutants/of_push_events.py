"""The mutants of the decoders of events, ingest/event_draft.c, push_json_events.c and push_pb_event.c."""
from mutant import unit


def of(name, file, find, replace, test):
    return unit(name, f"ingest/{file}", find, replace, "ingest", test)


MUTANTS = [
    # what is kept of lists
    of("draft-frames-have-no-end", "event_draft.c", "if (d->frames.len == EVENT_DRAFT_FRAMES)", "if (0)", "test_push_json_event"),
    of("draft-spans-have-no-end", "event_draft.c", "if (d->spans.len == EVENT_DRAFT_SPANS)", "if (0)", "test_push_json_event"),
    of("draft-maps-have-no-end", "event_draft.c", "bool full = map->len == EVENT_DRAFT_TAGS;", "bool full = false;", "test_push_json_event"),
    of("draft-one-frame-less", "event_draft.h", "EVENT_DRAFT_FRAMES = 200 + 1,", "EVENT_DRAFT_FRAMES = 200,", "test_push_json_event"),
    of("draft-one-breadcrumb-less", "event_draft.h", "EVENT_DRAFT_BREADCRUMBS = 50 + 1,", "EVENT_DRAFT_BREADCRUMBS = 50,", "test_push_json_event"),
    of("draft-one-span-less", "event_draft.h", "EVENT_DRAFT_SPANS = 500 + 1,", "EVENT_DRAFT_SPANS = 500,", "test_push_json_event"),
    of("draft-one-param-less", "event_draft.h", "EVENT_DRAFT_TAGS = 64 + 1,", "EVENT_DRAFT_TAGS = 64,", "test_push_pb_oracle"),
    of("draft-breadcrumbs-out-of-order", "event_draft.c", "all[(d->breadcrumbs_seen - n + i) % EVENT_DRAFT_BREADCRUMBS]", "all[i]", "test_push_json_event"),
    of("draft-first-breadcrumbs-stay", "event_draft.c", "all[d->breadcrumbs_seen++ % EVENT_DRAFT_BREADCRUMBS] = *b;",
       "if (d->breadcrumbs_seen < EVENT_DRAFT_BREADCRUMBS)\n		all[d->breadcrumbs_seen++] = *b;", "test_push_json_event"),
    of("draft-line-wraps", "event_draft.c", "line > 0 && line <= INT32_MAX ? (int32_t)line : 0", "(int32_t)line", "test_push_json_event"),
    # what shines through
    of("draft-tags-of-the-one-before", "event_draft.c", "d->tags.len = d->params.len = d->frames.len", "d->params.len = d->frames.len", "test_push_json_event"),
    of("draft-frame-of-the-one-before", "event_draft.c", "	d->frame = empty_frame;\n", "	(void)d, (void)empty_frame;\n", "test_push_pb"),
    of("draft-metadata-of-the-one-before", "event_draft.c", "	d->breadcrumb = empty_breadcrumb;\n	d->inner.len = 0;", "	d->breadcrumb = empty_breadcrumb;",
       "test_push_pb"),
    of("draft-span-tags-of-the-one-before", "event_draft.c", "	d->span = empty_span;\n	d->inner.len = 0;", "	d->span = empty_span;", "test_push_pb"),
    of("draft-lists-are-borrowed", "event_draft.c", "	void *copy = arena_alloc_raw(p->arena, l->len * item_bytes);\n",
       "	void *copy = l->len ? l->items : arena_alloc_raw(p->arena, 0);\n", "test_push_json_event"),
    # JSON
    of("json-event-list-of-another", "push_json_events.c", "f[-2].field->name, f[-1].index", "f[-2].field->name, f->index", "test_push_json_event"),
    of("json-line-of-the-one-before", "push_json_events.c", "		s->line = 0;\n", "", "test_push_json_event"),
    of("json-kind-of-the-one-before", "push_json_events.c", "		s->kind = s->event = STR(\"\");\n", "", "test_push_json"),
    of("json-unknown-kind-is-cron", "push_json_events.c", "	return nr;\n}", "	return nr < 0 ? 0 : nr;\n}", "test_push_json"),
    of("json-no-time-is-1970", "push_json_events.c", "node_has(f, ROW_T));", "true);", "test_push_json_event"),
    of("json-params-are-tags", "push_json_events.c", "node == NODE_PARAMS ? &d->params : &d->inner", "node == NODE_PARAMS ? &d->tags : &d->inner", "test_push_json_event"),
    of("json-text-without-its-bracket", "push_json.c", "yajl_get_bytes_consumed(p->yajl) - p->text_at}", "yajl_get_bytes_consumed(p->yajl) - p->text_at - 1}",
       "test_push_json_event"),
    of("json-skipped-is-a-text", "push_json.c", "p->text_wanted = f != NULL;", "p->text_wanted = true;", "test_push_json_event"),
    of("json-null-is-a-text", "push_json.c", "if (!f->name && !node_is_map(node_top(p)->node))", "if (!f->name)", "test_push_json_event"),
    # protobuf
    of("pb-event-of-the-first-list", "push_pb.c", "(enum payload_event_kind)(number - FIELD_EVENTS)", "(enum payload_event_kind)((number - FIELD_EVENTS) & 2)", "test_push_pb"),
    of("pb-event-zero-time-is-1970", "push_pb_event.c", "ps->event.e.event.t != 0)", "true)", "test_push_pb"),
    of("pb-line-of-the-one-before", "push_pb_event.c", "	ps->line = 0;\n", "", "test_push_pb"),
    of("pb-line-of-64-bits", "push_pb_event.c", "(uint32_t)ps->line)", "ps->line)", "test_push_pb"),
    of("pb-kind-of-none", "push_pb_event.c", "symbol >= 1 && symbol <= nr ? symbol - 1 : -1", "symbol >= 0 && symbol <= nr ? symbol - 1 : nr - 1", "test_push_pb"),
    of("pb-kind-of-nothing", "push_pb_event.c", "		c->kind = (enum check_in_kind)-1; /* as long as nothing else is said */\n", "", "test_push_pb"),
    of("pb-frames-not-counted", "push_pb_event.c", "	ps->backtrace_len++;\n", "", "test_push_pb"),
    of("pb-params-are-tags", "push_pb_event.c", "read_entry(ps, &ps->event.params, at, end)", "read_entry(ps, &ps->event.tags, at, end)", "test_push_pb"),
    # memory
    of("json-no-room-for-a-text", "push_json_events.c", "if (!t || !node_keep(p, text, &t->value))", "if (!node_keep(p, text, &t->value))", "test_nomem"),
    of("draft-no-room-for-params", "event_draft.c", "return e->backtrace && e->params && e->breadcrumbs ? 0 : -1;", "return 0;", "test_nomem"),
    of("draft-no-room-for-metadata", "event_draft.c", "if (!b->metadata || (", "if ((", "test_nomem"),
    of("draft-no-room-for-span-tags", "event_draft.c", "if (!s || !d->span.tags)", "if (!s)", "test_nomem"),
]
