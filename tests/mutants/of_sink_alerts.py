"""The mutants of alerts and incidents in the sink: their documents, and the collections they go to."""
from mutant import unit


def of(name, module, find, replace, test=None):
    """One in sink/mongo/MODULE.c that a unit test of the sink must notice."""
    return unit(name, f"sink/mongo/{module}.c", find, replace, "sink", f"test_{test or module}")


MUTANTS = [
    of("alert-by-when-it-opened", "alert_document", "document_id(e->fingerprint, e->minute,", "document_id(e->fingerprint, e->opened_at,"),
    of("alert-at-any-time", "alert_document", '{"at", e->at}', '{"at", e->minute}'),
    of("alert-of-its-own", "alert_document", 'STR("alert"), e->episode', 'STR("alert"), e->id'),
    of("summary-has-a-series", "alert_document", "	if (e->kind != ALERT_EVENT_KIND_SUMMARY)\n", "	if (e->kind <= ALERT_EVENT_KIND_SUMMARY)\n"),
    of("only-a-summary-counts", "alert_document", "	if (e->kind == ALERT_EVENT_KIND_SUMMARY) {", "	if (e->opened || e->closed) {"),
    of("alert-without-a-value", "alert_document", "	if (e->has_value)\n", ""),
    of("alert-of-unsorted-tags", "alert_document", "return document_check_tags(e->tags, e->tags_len, err);", "return document_check_tags(e->tags, e->tags_len / 2, err);"),
    of("incident-by-when-it-opened", "incident_document", "document_id(n->id, n->updated_at,", "document_id(n->id, n->opened_at,"),
    of("incident-leaves-while-open", "incident_document", 'STR("t"), n->updated_at', 'STR("t"), n->opened_at'),
    of("unknown-time-is-1970", "incident_document", "		if (moments[i].has)\n", "		if (moments[i].t_ms >= 0)\n"),
    of("unknown-time-is-judged", "incident_document", "if (moments[i].has && !document", "if (!document"),
    of("first-alert-is-judged", "incident_document", "for (size_t i = 0; i < n->alerts_len; i++) {", "for (size_t i = 0; i < n->alerts_len && i < 1; i++) {"),
    of("open-and-known-are-one", "incident_document", 'STR("open_alerts"), n->open_alerts', 'STR("open_alerts"), n->alerts_total'),
    of("never-behind", "incident_document", "	if (n->behind_opened || n->behind_closed) {", "	if (n->behind_opened && n->behind_closed) {"),
    of("somebody-took-care", "incident_document", "	if (n->has_acked_by)\n", ""),
    of("texts-that-are-none-stand", "document", "	if (!len)\n		return;\n	array = element_open(b, ELEMENT_ARRAY, key);", "	array = element_open(b, ELEMENT_ARRAY, key);", "alert_document"),
    of("alert-has-its-tags-always", "document", "	if (len)\n		put_tags(b, tags, len);", "	put_tags(b, tags, len);", "alert_document"),
    of("incidents-have-no-versions", "indexes", "[INDEX_TRIGGER] = true, [INDEX_INCIDENT] = true,", "[INDEX_TRIGGER] = true,"),
    unit("letter-of-an-alert-is-bytes", "deploy/ctl/letter_value.c", "alert_event_decode(value, arena, &alert, NULL) == 0", "alert_event_decode(value, arena, &alert, NULL) > 0",
         "ctl", "test_letter_value"),
    unit("letter-tells-unknown-times", "deploy/ctl/letter_alert.c", "	if (has)\n		json_write_int(", "	if (has || !has)\n		json_write_int(", "ctl", "test_letter_value"),
    unit("notifier-reads-nothing", "common/lag.c", '{"alerts"}};', "{NULL}};", "ctl", "test_status"),
    of("dropped-alerts-are-stored", "reader", "if (dropped(r, e.site, sink_collection_name(k->collection)))", "if (dropped(r, e.site_name, sink_collection_name(k->collection)))"),
    of("dropped-incidents-are-stored", "reader", "if (dropped(r, n.site, sink_collection_name(k->collection)))", "if (dropped(r, n.site_name, sink_collection_name(k->collection)))"),
]
