"""What stands in an expression of PromQL, as far as a test must know it: metrics, the labels they are chosen by, and those they are added
up by.

Not a parser: the expressions are ours, and what this does not understand shows as a name that nobody knows. Prometheus judges the syntax.
"""
import re

METRIC = re.compile(r"(?<![\w:\"])(millrace[\w:]+|process_\w+|up|ALERTS)\b(?!\s*\()(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def selectors(expression):
    """[(metric, [labels it is chosen by])]."""
    return [(name, LABEL.findall(QUOTED.sub('""', chosen or ""))) for name, chosen in METRIC.findall(expression)]


def vectors(expression):
    """[(metric, the selector as it stands)]."""
    return [(match[1], match[0]) for match in METRIC.finditer(expression)]


def closing(text, at):
    """Where the bracket that opens at `at` closes."""
    depth = 0
    for i in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i
    raise ValueError(f"a bracket is not closed: {text}")


def groupings(expression):
    """[([labels], [metrics within])] of each `by (..) (..)`."""
    found = []
    for match in re.finditer(r"\bby\s*\(([^)]*)\)\s*\(", expression):
        inside = expression[match.end() - 1:closing(expression, match.end() - 1) + 1]
        found.append(([label.strip() for label in match[1].split(",") if label.strip()], [name for name, _ in selectors(inside)]))
    return found
