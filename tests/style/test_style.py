"""The house's own limits, held on every change: function and file length, no file-scope state, documented headers,
no function that a safer one replaces. Reads C by its layout: what begins a definition stands at column 0, and so does the
brace that ends it. An exception is a comment `style: WHY` on the line itself or the one above.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "mutants")]
import cases
from mutants import MUTANTS

FUNCTION_LINES, FILE_LINES = 60, 600
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|strtok|gets|localtime|gmtime|asctime|ctime|strerror_r|alloca|atoi|atol|atof)\s*\(")
CLOCKS = re.compile(r"\b(time|gettimeofday|clock_gettime)\s*\(")
SIGNATURE = re.compile(r"^[A-Za-z_][\w\s*]*?[\s*]\**(\w+)\(")


def sources(*endings):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.splitlines():
        if name.endswith(endings) and (ROOT / name).is_file():
            yield name, (ROOT / name).read_text().split("\n")


def excused(lines, i):
    return "style:" in lines[i] or (i and "style:" in lines[i - 1])


def functions(lines):
    """(line number, name, length) of every function defined in a .c or .h file."""
    begin = None
    for i, line in enumerate(lines):
        match = SIGNATURE.match(line)
        if match and begin is None and not line.rstrip().endswith(";"):
            begin, name = i, match.group(1)
        elif begin is not None and line.rstrip().endswith(";") and not any(x.startswith("{") for x in lines[begin:i + 1]):
            begin = None  # a prototype over several lines
        elif begin is not None and line.startswith("}"):
            yield begin + 1, name, i - begin + 1
            begin = None


def none(found):
    assert not found, "\n" + "\n".join(found)


def test_functions_are_short():
    none([f"{path}:{at}: {name}() has {length} lines" for path, lines in sources(".c", ".h")
          for at, name, length in functions(lines) if length > FUNCTION_LINES and not excused(lines, at - 1)])


def test_files_are_short():
    none([f"{path}: {len(lines)} lines" for path, lines in sources(".c", ".h", ".py") if len(lines) > FILE_LINES])


def test_no_state_at_file_scope():
    variable = re.compile(r"^(static\s+|_Atomic\s+|extern\s+)*[A-Za-z_][\w\s*]*\s\**\w+(\[[^\]]*\])*\s*(=.*|;)$")
    found = []
    for path, lines in sources(".c"):
        for i, line in enumerate(lines):
            if variable.match(line) and not re.search(r"\b(const|typedef|return|goto|struct \w+;|enum \w+;)\b", line) \
               and "(" not in line.split("=")[0] and not excused(lines, i):
                found.append(f"{path}:{i + 1}: {line}")
    none(found)


def test_header_functions_are_documented():
    found = []
    for path, lines in sources(".h"):
        if path.startswith("tests/"):
            continue
        for i, line in enumerate(lines):
            if SIGNATURE.match(line) and not line.startswith(("typedef", "#", "}")):
                above = lines[i - 1].rstrip()
                end = next((j for j in range(i, len(lines)) if ";" in lines[j]), i)
                beside = any("/*" in x for x in lines[i:end + 1])
                if not (above.endswith("*/") or above.endswith(",") or beside):
                    found.append(f"{path}:{i + 1}: {line}")
    none(found)


def test_banned_functions():
    none([f"{path}:{i + 1}: {line.strip()}" for path, lines in sources(".c", ".h") for i, line in enumerate(lines)
          if BANNED.search(line.split("/*")[0]) and not excused(lines, i)])


def test_time_is_read_in_one_place():
    none([f"{path}:{i + 1}: {line.strip()}" for path, lines in sources(".c", ".h") for i, line in enumerate(lines)
          if path != "common/clock.c" and not path.startswith("tests/") and not line.lstrip().startswith("*")
          and CLOCKS.search(line.split("/*")[0]) and not excused(lines, i)])


def test_programs_stay_apart():
    """A program includes common/, schemas/ and its own folder only."""
    found = []
    for path, lines in sources(".c", ".h"):
        part = "deploy/ctl" if path.startswith("deploy/") else "/".join(path.split("/")[:2]) if path.startswith("sink/") else path.split("/")[0]
        if part == "tests":
            continue
        allowed = ("common/", "schemas/", "pb/", part + "/")  # pb/: what protoc-c makes of schemas/push.proto
        for i, line in enumerate(lines):
            match = re.match(r'#include "(.*)"', line)
            if match and "/" in match.group(1) and not match.group(1).startswith(allowed):
                found.append(f"{path}:{i + 1}: {line}")
    none(found)


def test_mutants_have_their_text():
    """Each row's text stands once where it is said to, or the hour that a run takes is spent for nothing."""
    found, names = [], set()
    for mutant in MUTANTS:
        times = (ROOT / mutant.path).read_text().count(mutant.find) if (ROOT / mutant.path).is_file() else 0
        if times != 1 or mutant.find == mutant.replace:
            found.append(f"{mutant.name}: {mutant.find!r} stands {times} times in {mutant.path}, and becomes {mutant.replace!r}")
        if mutant.name in names:
            found.append(f"{mutant.name}: the name of two")
        names.add(mutant.name)
    none(found)


def test_links_between_documents_lead_somewhere():
    """Relative links, and the files that README.md's reading order names."""
    found = []
    for path, lines in sources(".md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", "\n".join(lines)):
            if not (ROOT / path).parent.joinpath(target).exists():
                found.append(f"{path}: {target}")
    readme = (ROOT / "README.md").read_text()
    for folder, first, others in re.findall(r"`((?:ingest|processor|sink/mongo|sink/notify)/)(\w+\.c)`((?:,\s`\w+\.c`)*)", readme):
        found += [f"README.md: {folder}{name}" for name in [first, *re.findall(r"\w+\.c", others)] if not (ROOT / folder / name).exists()]
    none(found)


def test_only_what_the_layout_names_is_at_the_top():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    top = {name.split("/")[0] for name in names}
    allowed = {"ingest", "processor", "sink", "common", "schemas", "deploy", "tests", "Makefile", "docker-compose.yml", "README.md"}
    none(sorted(name for name in top if name not in allowed and not name.startswith(".")))


if __name__ == "__main__":
    cases.run(globals())
