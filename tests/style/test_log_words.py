"""Lines of the log can be searched: every event is a fixed word, every field has a name of the one list in common/README.md, and the list has no
name that nobody writes. Reads the calls of common/log.h's functions in all C files of the product.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "style")]
import cases
from test_style import none, sources

CALL = re.compile(r"\blog_(debug|info|warn|error|repeat|repeat_about|write|write_repeat|write_about)\(")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
FIELD = re.compile(r'\bLOG_(?:STR|INT|UINT|NUM|BOOL)\(\s*"((?:[^"\\]|\\.)*)"')
WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
OWN = {"time", "level", "program", "instance", "event", "suppressed"}  # every line's; no call gives them
LIMIT = re.compile(r"LOG_LIMIT_EVENTS = (\d+),.*?LOG_LIMIT_WORD = (\d+)", re.S)


def arguments(text, begin):
    """The arguments of a call, from behind its parenthesis, apart at commas of the outermost level."""
    parts, depth, at, last = [], 0, begin, begin
    while depth >= 0:
        string = STRING.match(text, at)
        if string:
            at = string.end()
            continue
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth < 0 or (depth == 0 and text[at] == ","):
            parts.append(text[last:at].strip())
            last = at + 1
        at += 1
    return parts


def calls(text):
    """(line, level or verb, the event's argument, names of fields) of each call in a file."""
    text = re.sub(r"/\*.*?\*/", lambda found: re.sub(r"[^\n]", " ", found.group()), text, flags=re.S)
    for found in CALL.finditer(text):
        if text[text.rfind("\n", 0, found.start()) + 1:found.start()].startswith(("static", "void", "#define")):
            continue
        parts = arguments(text, found.end())
        event = parts[2 if "write" in found.group(1) else 1]
        yield text.count("\n", 0, found.start()) + 1, found.group(1), event, FIELD.findall(",".join(parts))


def product():
    """(path, line, verb, event's argument, names of fields) of every call in the product."""
    for path, lines in sources(".c"):
        if not path.startswith("tests/") and path != "common/log.c":
            for call in calls("\n".join(lines)):
                yield path, *call


def listed():
    """The names of fields that common/README.md explains."""
    section = (ROOT / "common" / "README.md").read_text().split("## Lines of the log", 1)[1]
    return {name for row in re.findall(r"^\| (`.*?) \|", section, re.M) for name in re.findall(r"`(\w+)`", row)}


def wrong_events(found):
    """An event is a literal, a choice between literals, or what is called so: a parameter, a field of a table."""
    for path, line, _, event, _ in found:
        words = STRING.findall(event)
        if [word for word in words if not WORD.fullmatch(word)] or (not words and not re.fullmatch(r"(.*(->|\.))?event", event)):
            yield f"{path}:{line}: event {event}"


def wrong_fields(found, names):
    for path, line, _, _, fields in found:
        for name in fields:
            if name not in names or name in OWN:
                yield f"{path}:{line}: field {name} is not in the list of common/README.md"
        if len(set(fields)) != len(fields):
            yield f"{path}:{line}: a field stands there twice"


def test_events_are_words():
    none(list(wrong_events(product())))


def test_fields_are_of_the_list():
    found = list(product())
    assert len(found) > 100, len(found)
    none(list(wrong_fields(found, listed() | {"of"})))
    unused = listed() - {name for *_, fields in found for name in fields} - OWN - {"of", "cut"}
    assert not unused, f"nobody writes {sorted(unused)}"


def test_every_event_has_a_bucket():
    """All words of the product, were they one program's and each of two levels, have room in the limit's table, and are told apart."""
    most, room = (int(number) for number in LIMIT.search((ROOT / "common" / "log_limit.h").read_text()).groups())
    words = set(re.findall(r'"([a-z][a-z0-9]*(?:_[a-z0-9]+)*)"', " ".join(event for _, _, _, event, _ in product())))
    assert len(words) * 2 < most and max(map(len, words)) < room, (len(words), max(words, key=len))


def test_the_judge_can_say_no():
    text = 'log_warn(log, "Bad word", LOG_STR("x", f("a,b)", 1)), LOG_INT("x", 1));\nlog_error(l, name, LOG_STR("nowhere", 0));\n'
    found = [("f.c", *call) for call in calls(text + 'log_info(l, ok ? "one" : "two_2", LOG_INT("topic", 1)); /* log_warn(l, "A B", 1); */')]
    assert [(line, fields) for _, line, _, _, fields in found] == [(1, ["x", "x"]), (2, ["nowhere"]), (3, ["topic"])], found
    assert len(list(wrong_events(found))) == 2
    assert len(list(wrong_fields(found, {"topic", "x"}))) == 2


if __name__ == "__main__":
    cases.run(globals())
