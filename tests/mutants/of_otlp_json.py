"""The mutants of OTLP in JSON."""
from mutant import unit


def of(name, module, find, replace, test="test_otlp_json"):
    """One in ingest/MODULE.c."""
    return unit(name, f"ingest/{module}.c", find, replace, "ingest", test)


MUTANTS = [
    of("otlp-field-twice", "otlp_json", "if (f->seen & bit)", "if (0)"),
    of("otlp-two-of-one", "otlp_json", "f->field->choice && f->chosen)", "f->field->choice && f->chosen && 0)"),
    of("otlp-null-chooses", "otlp_json", "	return top(p)->message ? 1 : refuse_type", "	top(p)->chosen = true;\n	return top(p)->message ? 1 : refuse_type"),
    of("otlp-null-is-an-element", "otlp_json", "return top(p)->message ? 1 : refuse_type(p, wire_wants(top(p)->field->type));", "return 1;"),
    of("otlp-one-for-a-list", "otlp_json", "f->message && f->field->repeated != is_list", "f->message && is_list && !f->field->repeated"),
    of("otlp-list-in-a-list", "otlp_json", "top(p)->message ? open_frame(p, NULL, f) : refuse_type", "1 ? open_frame(p, NULL, f) : refuse_type"),
    of("otlp-depth-one-more", "otlp_json", "p->frames_len + p->skipped == OTLP_JSON_DEPTH_MAX", "p->frames_len + p->skipped == OTLP_JSON_DEPTH_MAX + 1"),
    of("otlp-skipped-has-no-depth", "otlp_json", "if (p->frames_len + p->skipped ==", "if (p->frames_len =="),
    of("otlp-no-key", "otlp_json", "	*rc = go_on(p, wire_put_key(&p->wire, f), f);", "	*rc = 1;"),
    of("otlp-key-in-a-packed-list", "otlp_json", "if (!f || !top(p)->message)", "if (!f)"),
    of("otlp-length-stays-zero", "otlp_json", "	if (top(p)->length_at)\n", "	if (top(p)->length_at && !top(p)->message)\n"),
    of("otlp-place-is-the-first", "otlp_json", "	top(p)->index++;\n", "	top(p)->index = 0;\n"),
    of("otlp-path-without-end", "otlp_json", " && out->len < PATH_BYTES_ENOUGH", ""),
    of("otlp-out-grows-by-bodies", "otlp_json", "	buf_clear(out);\n", ""),
    of("otlp-one-byte-too-many", "otlp_json_wire", "n > w->max_bytes - w->out->len", "n > w->max_bytes - w->out->len + 1"),
    of("otlp-memory-is-never-short", "otlp_json_wire", "return *to || n == 0 ? WIRE_DONE : WIRE_NO_MEMORY;", "return *to || n == 0 ? WIRE_DONE : WIRE_WRONG;", "test_nomem"),
    of("otlp-long-number-is-wrong", "otlp_json_wire", "	if (rc < 0)\n			return WIRE_NO_MEMORY;", "	if (rc < 0)\n			return WIRE_WRONG;", "test_nomem"),
    of("otlp-numbers-are-not-packed", "otlp_json_wire", "packed ? PB_LEN :", "packed && 0 ? PB_LEN :"),
    of("otlp-uint32-wraps", "otlp_json_wire", "*bits > UINT32_MAX ? -1 : 0", "*bits > UINT64_MAX - 1 ? -1 : 0"),
    of("otlp-int32-wraps", "otlp_json_wire", "n < INT32_MIN ||", "n < INT64_MIN + 1 ||"),
    of("otlp-sint-without-its-sign", "otlp_json_wire", "(n < 0 ? UINT64_MAX : 0)", "0"),
    of("otlp-overflow-is-infinity", "otlp_json_wire", "isinf(value) ? WIRE_WRONG :", "0 ? WIRE_WRONG :"),
    of("otlp-infinities-are-one", "otlp_json_wire", "*text.p == '-' ? -INFINITY : INFINITY", "INFINITY"),
    of("otlp-half-a-byte", "otlp_json_wire", "	if (text.len % 2)\n		return WIRE_WRONG;\n", "	text.len -= text.len % 2;\n"),
    of("otlp-any-letter-is-hex", "otlp_json_wire", "c <= 'f' ? c - 'a' + 10 : -1", "c <= 'z' ? c - 'a' + 10 : -1"),
    of("otlp-one-alphabet", "otlp_json_wire", "c == '+' || c == '-' ? 62", "c == '+' ? 62"),
    of("otlp-lone-sextet", "otlp_json_wire", "	if (text.len % 4 == 1)\n		return WIRE_WRONG;\n", ""),
    of("otlp-padded-anyhow", "otlp_json_wire", "if (text.len && text.len % 4 == 0)", "if (text.len)"),
    of("otlp-text-is-any-number", "otlp_json_wire", "return json_is_number(text) ?", "return text.len ?"),
    of("otlp-enum-by-number-only", "otlp_json_wire", "if (number >= 0)", "if (number >= 99)"),
    of("otlp-length-counts-itself", "otlp_json_wire", "w->out->len - at - LENGTH_BYTES", "w->out->len - at"),
    of("otlp-one-spelling", "otlp_json_schema", "if (!memchr(name.p, '_', name.len))", "if (name.len)"),
    of("otlp-spelling-by-its-beginning", "otlp_json_schema", "return i == text.len;", "return true;"),
    of("otlp-mixed-spelling", "otlp_json_schema", "text.p[i++] != (capital ? *name | 0x20 : *name)", "(text.p[i++] | 0x20) != (*name | 0x20)"),
    of("json-natural-below-zero", "json_text", "(d.negative && n)", "0", "test_json_text"),
    of("json-integer-one-too-far", "json_text", "n > (uint64_t)INT64_MAX + d.negative", "n > (uint64_t)INT64_MAX + 1", "test_json_text"),
    of("json-zero-in-front", "json_text", "(*part == '0' && p - part > 1)", "0", "test_json_text"),
    of("json-number-and-more", "json_text", "	return p == end;\n}", "	return p <= end;\n}", "test_json_text"),
]
