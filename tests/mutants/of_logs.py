"""The mutants of the log's limit, and of what is told of payloads."""
from mutant import unit


def limit(name, find, replace):
    return unit(f"log-limit-{name}", "common/log_limit.c", find, replace, "common", "test_log_limit")


def log(name, find, replace, test="test_log_flood"):
    return unit(f"log-{name}", "common/log.c", find, replace, "common", test)


def complaint(name, find, replace, module="complaint"):
    return unit(f"complaint-{name}", f"ingest/{module}.c", find, replace, "ingest", "test_complaint")


MUTANTS = [
    limit("one-more", "if (row->credit_us < l->cost_us)", "if (row->credit_us <= 0)"),
    limit("starts-empty", "	row->credit_us = l->full_us;\n", ""),
    limit("rounds-down", "(1000000 + per_s - 1) / per_s", "1000000 / per_s"),
    limit("overflows", "passed_ms > missing_us / 1000 ?", "passed_ms > missing_us ?"),
    limit("levels-share", "l->rows[i].level == level && strncmp", "strncmp"),
    limit("words-by-their-beginning", "event, LOG_LIMIT_WORD - 1) == 0)", "event, 1) == 0)"),
    limit("told-twice", "		*kept_back = row->untold;\n		row->untold = 0;\n", "		*kept_back = row->untold;\n"),
    limit("untold", "		*kept_back = row->untold;\n", "		*kept_back = 0;\n"),
    limit("overdue-twice", "		out->lines = row->untold;\n		row->untold = 0;\n", "		out->lines = row->untold;\n"),
    limit("overdue-early", "now_mono_ms - row->kept_back_mono_ms < LOG_LIMIT_REPEAT_MS)", "now_mono_ms - row->kept_back_mono_ms < LOG_LIMIT_REPEAT_MS - 1)"),
    limit("repeats-come", "now_mono_ms - said->at_mono_ms < LOG_LIMIT_REPEAT_MS)", "now_mono_ms - said->at_mono_ms < 0)"),
    limit("repeats-wait-longer", "now_mono_ms - said->at_mono_ms < LOG_LIMIT_REPEAT_MS)", "now_mono_ms - said->at_mono_ms <= LOG_LIMIT_REPEAT_MS)"),
    limit("forgets-the-latest", "row->said[i].at_mono_ms < oldest->at_mono_ms)", "row->said[i].at_mono_ms > oldest->at_mono_ms)"),
    limit("table-without-end", "	if (l->nr == LOG_LIMIT_EVENTS)\n		return &l->rows[l->nr - 1];\n", "	if (l->nr == LOG_LIMIT_EVENTS)\n		l->nr--;\n"),
    log("debug-limited", "level == LOG_LEVEL_DEBUG || log_limit_take", "log_limit_take"),
    log("level-later", "	if (level < log->level)\n		return;\n	if (!log->limit", "	if (!log->limit"),
    log("suppressed-not-told", "	if (suppressed)\n", "	if (suppressed && !suppressed)\n"),
    log("hash-without-values", "hash = hash_bytes(hash, fields->v.str, strlen(fields->v.str) + 1);", "hash = hash_bytes(hash, \"\", 1);"),
    log("hash-without-keys", "		hash = hash_bytes(hash, fields->key, strlen(fields->key) + 1);\n", ""),
    log("tick-tells-all", "	tell_kept_back(log, false);", "	tell_kept_back(log, true);"),
    log("nothing-is-a-field", "		if (fields->type != LOG_TYPE_NONE)\n			line_add_field", "		if (fields->key || true)\n			line_add_field", "test_log"),
    complaint("ids-unknown", "	if (!about->has_agent_id)\n		return LOG_NONE;\n", ""),
    complaint("seq-always", "about->has_seq ? LOG_INT(\"seq\", about->seq) : LOG_NONE", "LOG_INT(\"seq\", about->seq)"),
    complaint("first-reason", "t->rejected_by[i] > t->rejected_by[most]", "t->rejected_by[i] && !t->rejected_by[most]"),
    complaint("says-nothing-happened", "!log || samples->rejected == 0", "!log"),
    complaint("json-ids-at-the-end", "	if (rc < 0)\n		node_note_sender(&parser);\n", "", "push_json"),
    complaint("json-any-seq", "node_has(root, ROOT_SEQ) && p->root.seq > 0", "node_has(root, ROOT_SEQ)", "push_json_nodes"),
    complaint("protobuf-ids-at-the-end", "	p->has_seq = p->seq != 0; /* also", "	p->has_seq = good && p->seq != 0; /* also", "push_pb"),
]
