"""The mutants of `millrace-ctl tail` and of what it reads any record by."""
from mutant import unit


def of(name, module, find, replace, test):
    return unit(name, f"deploy/ctl/{module}.c", find, replace, "ctl", f"test_{test}")


MUTANTS = [
    of("tail-bytes-unchecked", "record_any", "	return found ? rc : err_set(", "	return found ? 0 * rc : err_set(", "tail_line"),
    of("tail-controls-are-bare", "tail_line", "		if (p[i] == 0x7f) {\n", "		if (p[i] == 0xff) {\n", "tail_line"),
    of("tail-c1-is-bare", "tail_line", "p[i + 1] < 0xa0) {", "p[i + 1] < 0x80) {", "tail_line"),
    of("tail-text-is-raw", "record_any", "\"%s%s\", printable(cut),", "\"%s%s\", cut,", "tail_line"),
    of("tail-junk-is-nobodys", "tail_line", "	if (read ? !is_wanted(&any, style) : !there && (", "	if (read ? !is_wanted(&any, style) : (", "tail_line"),
    of("tail-oldest-are-kept", "tail_last", "	if (l->nr == l->max && at == 0) {", "	if (l->nr == l->max) {", "tail_last"),
    of("tail-any-cell", "tail_last", "		if (found) {\n", "		if (found && !list->nr) {\n", "tail_last"),
    of("tail-part-of-a-name", "tail_last", "sizeof(behind), \".%s\", word", "sizeof(behind), \"%s\", word", "tail_last"),
]
