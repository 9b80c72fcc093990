"""The mutants of operators' files of YAML, and of triggers and receivers in them."""
from mutant import unit


def yaml(name, find, replace, module="read"):
    """One in deploy/ctl/yaml_MODULE.c."""
    return unit(f"yaml-{name}", f"deploy/ctl/yaml_{module}.c", find, replace, "ctl", "test_yaml_read")


def trigger(name, module, find, replace):
    return unit(f"trigger-{name}", f"deploy/ctl/{module}.c", find, replace, "ctl", "test_trigger_yaml")


def receiver(name, find, replace):
    return unit(f"receiver-{name}", "common/receiver.c", find, replace, "common", "test_receiver")


def receiver_yaml(name, module, find, replace):
    return unit(f"receiver-yaml-{name}", f"deploy/ctl/{module}.c", find, replace, "ctl", "test_receiver_yaml")


MUTANTS = [
    yaml("second-key-wins", "		if (same)\n			return true;\n", ""),
    yaml("twice-is-fine", "		if (same)\n			yaml_fail(b->f", "		if (same && !b)\n			yaml_fail(b->f"),
    yaml("lines-from-zero", "(int)mark.line + 1, .column", "(int)mark.line, .column"),
    yaml("faults-unsorted", "	while (at && (f->faults[at - 1].line > line ||", "	while (at && (f->faults[at - 1].line < 0 ||"),
    yaml("last-faults-kept", "	if (at == YAML_FAULTS_MAX)\n		return;\n", "	if (at == YAML_FAULTS_MAX)\n		at--;\n"),
    yaml("deeper", "if (b->depth == YAML_DEPTH_MAX)", "if (b->depth + 1 == YAML_DEPTH_MAX)"),
    yaml("any-number-of-keys", "->nr == YAML_KEYS_MAX)", "->nr == SIZE_MAX)"),
    yaml("second-document-read", "return !b->done || refuse", "return b->done || !b->done || refuse"),
    yaml("tags-ignored", "	if (e->data.scalar.tag)\n", "	if (e->data.scalar.tag && !b)\n"),
    yaml("anchors-ignored", "	if (e->data.scalar.anchor)\n", "	if (e->data.scalar.anchor && !b)\n"),
    yaml("quotes-forgotten", "node.plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;", "node.plain = e->data.scalar.style != YAML_FOLDED_SCALAR_STYLE;"),
    yaml("larger", "text.len > YAML_BYTES_MAX", "text.len > 2 * YAML_BYTES_MAX"),
    yaml("byte-for-line", "line += text.p[i] == '\\n';", "line += text.p[i] == ' ';"),
    yaml("json-text-is-bare", ".plain = from->type != JSON_TEXT}", ".plain = true}"),
    yaml("escape-sequences-printed", 'fprintf(out, "%s\\n", printable(line));', 'fprintf(out, "%s\\n", line);'),
    unit("yaml-no-memory-is-a-good-file", "deploy/ctl/yaml_read.c", "	if (f->nomem)\n		return err_nomem", "	if (f->nomem && f->nr_faults)\n		return err_nomem", "ctl", "test_nomem"),
    yaml("unknown-keys-taken", "		else if (!is_known(child->key, known))\n", "		else if (!is_known(child->key, known) && meant)\n", "value"),
    yaml("nothing-meant", "if (distance < least && distance", "if (distance < least && distance > 99 && distance", "value"),
    yaml("null-is-text", "	if (is_null(node)) {", "	if (is_null(node) && !node->text.len) {", "value"),
    yaml("range-open", "	if (number < min || number > max) {", "	if (number < min) {", "value"),
    yaml("quoted-numbers", "	if (node->plain)\n		return node;", "	if (node)\n		return node;", "value"),
    yaml("leading-zeros", " || (s.p[at] == '0' && end > at + 1))", ")", "value"),
    yaml("infinite", "	if (!isfinite(number)) {", "	if (isnan(number)) {", "value"),
    yaml("yes-is-true", "	if (!str_eq(node->text, STR(\"true\")) && !str_eq(node->text, STR(\"false\"))) {", "	if (!node->text.len) {", "value"),
    yaml("bare-milliseconds", "if (skip_digits(text, 0) == text.len && !str_eq", "if (skip_digits(text, 0) > text.len && !str_eq", "value"),
    yaml("repetitions", "		if (str_eq(texts[i], texts[nr])) {", "		if (i > nr) {", "value"),
    trigger("unsorted", "trigger_yaml", "	qsort(t->tags,", "	if (0) qsort(t->tags,"),
    trigger("list-is-one", "trigger_yaml", "node->type == YAML_LIST ? SELECTOR_OP_ONE_OF : SELECTOR_OP_EXACT", "node->nr > 1 ? SELECTOR_OP_ONE_OF : SELECTOR_OP_EXACT"),
    trigger("absent-is-present", "trigger_yaml", "s->op = present ? SELECTOR_OP_PRESENT : SELECTOR_OP_ABSENT;", "s->op = SELECTOR_OP_PRESENT;"),
    trigger("gt-is-ge", "trigger_yaml", '{">", ">=", "<", "<=", "==", "!="}', '{">=", ">", "<", "<=", "==", "!="}'),
    trigger("block-of-nothing", "trigger_yaml", "!compare->plain && !compare->text.len)", "compare->plain && !compare->text.len)"),
    trigger("two-conditions", "trigger_yaml", "t->has_check_in != 1)", "t->has_check_in < 1)"),
    trigger("no-warm-up", "trigger_yaml", ".warm_up_minutes = 1, ", ".warm_up_minutes = 0, "),
    trigger("unchecked", "trigger_yaml", "	if (f->nr_faults == before && !f->nomem)\n		check(", "	if (f->nomem)\n		check("),
    trigger("told-at-the-entry", "yaml_value", "			return node;\n		node = at;", "			return node;\n		return node;"),
    trigger("id-twice", "rule_file", "	if (store_item(s, kind, id)) {", "	if (!s) {"),
    trigger("percent-as-its-name", "rule_json", "	if (t->has_threshold)\n		json_write_number(", "	if (t->has_kind)\n		json_write_number("),
    trigger("kind-unwritten", "rule_json", "	if (t->has_kind)\n		json_write_text(", "	if (0)\n		json_write_text("),
    trigger("present-as-absent", "rule_json", 's->op == SELECTOR_OP_PRESENT);', 's->op != SELECTOR_OP_PRESENT);'),
    unit("any-number-of-rules", "deploy/ctl/diff.c", "	if (!added || there + added <= max)\n", "	if (!added || there + added <= max + 1)\n", "ctl", "test_diff"),
    unit("full-is-for-ever", "deploy/ctl/diff.c", "	if (!added || there + added <= max)\n", "	if (there + added < max)\n", "ctl", "test_diff"),
    trigger("words-run-on", "diff_words", "	diff_describe(c, &words);\n	buf_printf(&line,", '	buf_printf(&words, " ");\n	diff_describe(c, &words);\n	buf_printf(&line,'),
    receiver_yaml("repeat-unread", "receiver_yaml", "&r->repeat_ms);", "&r->group_wait_ms);"),
    receiver_yaml("unchecked", "receiver_yaml", "&& receiver_check(&r, &err) < 0)", "&& receiver_check(&r, &err) < -1)"),
    receiver_yaml("tls-by-hand", "receiver_yaml", ".require_tls = true}", ".require_tls = false}"),
    receiver_yaml("escalates-at-once", "receiver_yaml", 'if (yaml_get(node, "escalate_to") && !yaml_get(node, "escalate_after"))', "if (!node)"),
    receiver_yaml("path-cut-short", "yaml_value", "message += strspn(message, \".: \");", "message += 0;"),
    receiver_yaml("minutes-for-hours", "rule_json", '{3600000, "h"}', '{3600000, "m"}'),
    receiver_yaml("resolve-unwritten", "rule_json", "json_write_bool(w, key, ((const struct receiver *)record)->resolve);", "(void)w, (void)key, (void)record;"),
    receiver("userinfo", '	if (find_any(authority, "@") < authority.len)', '	if (find_any(authority, "@") > authority.len)'),
    receiver("backslashes", 'find_any(*url, "\\\\\\"<>^`{|}")', 'find_any(*url, "\\"<>^`{|}")'),
    receiver("blanks", "if (s.p[i] <= 0x20 ||", "if (s.p[i] < 0x20 ||"),
    receiver("any-host", "host.len > authority.len || !host_valid(host)", "host.len > authority.len || (!host_valid(host) && !host.len)"),
    receiver("any-port", "port >= 1 && port <= 65535", "port >= 0"),
    receiver("fragments", '	if (find_any(url, "#") < url.len)', '	if (find_any(url, "#") > url.len)'),
    receiver("server-with-a-path", "return url.len ? err_set", "return url.len > SIZE_MAX - 1 ? err_set"),
    receiver("nul-in-an-address", "(c && strchr(extra, c))", "strchr(extra, c)"),
    receiver("two-ats", '!is_made_of(domain, ".-")', '!is_made_of(domain, ".-@")'),
    receiver("upwards", '		if (str_eq(part, STR("..")))', '		if (str_eq(part, STR("...")))'),
    receiver("both-targets", "if (r->has_webhook == r->has_mail)", "if (!r->has_webhook && !r->has_mail)"),
    receiver("user-alone", "if (!m->user.len != !m->password_file.len)", "if (!m->user.len && m->password_file.len)"),
    receiver("severity-twice", " || (j < i && r->severities[i] == r->severities[j]))", ")"),
    receiver("negative-times", "if (times[i].ms < 0 || ", "if ("),
    receiver("itself", "return str_eq(r->escalate_to, r->id) ?", "return !r->id.len ?"),
    receiver("longer-ways", "if (steps == RECEIVER_CHAIN_MAX)", "if (steps == RECEIVER_CHAIN_MAX + 1)"),
    receiver("in-a-circle", "		if (str_eq(next->id, r->id))\n", "		if (!next->id.len)\n"),
]
