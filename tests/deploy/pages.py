"""Commands that a page in Markdown shows: what stands in indented blocks, taken apart into whole commands as a shell would.

A block that is no shell (its first line is a key of YAML) is a file's text. A command may go over several lines, by a backslash or an open quote: lines are gathered
until the shell finds them complete.
"""
import re
import subprocess

YAML = re.compile(r"^[a-z_]+:$")


def blocks(text):
    """The indented blocks, each without its indent; tables, lists and fenced code are none."""
    found, fenced = [[]], False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("    ") and not fenced:
            found[-1].append(line[4:])
        elif found[-1] and line.strip():
            found.append([])
    return [block for block in found if block]


def is_complete(command):
    """Does the shell take it as it is? It reads it without running it, and warns of what it misses."""
    done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
    return done.returncode == 0 and not done.stderr and not command.endswith("\\")


def commands(block):
    found, lines = [], []
    for line in block:
        lines.append(line)
        if is_complete("\n".join(lines)):
            found.append("\n".join(lines))
            lines = []
    assert not lines, f"a command without an end: {lines}"
    return [command for command in found if command.strip() and not command.strip().startswith("#")]


def read(text):
    """[("file", text) or ("command", text)] in the page's order."""
    parts = []
    for block in blocks(text):
        parts += [("file", "\n".join(block) + "\n")] if YAML.match(block[0]) else [("command", command) for command in commands(block)]
    return parts
