"""Reads what /metrics of a program says: Prometheus' text format, by its description.

Every house reads through checked(): a metric that schemas/metrics.txt does not list is missing from the page, which no test would see that does
not ask for it; the page says so, and no test passes with it.
"""
import collections
import re

Sample = collections.namedtuple("Sample", "labels value")
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Family:
    """The samples of one name, with its HELP and TYPE."""

    def __init__(self):
        self.type = self.help = None
        self.samples = []

    def value(self, **labels):
        """The sum over the labels that are not given; None where there is no sample."""
        found = [s.value for s in self.samples if labels.items() <= s.labels.items()]
        return sum(found) if found else None


def read_labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"labels {text!r}"
        labels[match[1]] = re.sub(r'\\[\\"n]', lambda m: ESCAPES[m[0]], match[2])
        at = match.end()
    return labels


def parse(text):
    """{name: Family}; anything that is not in the format is an AssertionError."""
    families = collections.defaultdict(Family)
    for line in text.splitlines():
        if line.startswith("# HELP ") or line.startswith("# TYPE "):
            _, kind, name, rest = line.split(" ", 3)
            attribute = kind.lower()
            assert getattr(families[name], attribute) is None, f"{line}: twice"
            setattr(families[name], attribute, rest)
        elif line and not line.startswith("#"):
            match = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
            assert match, f"no sample: {line}"
            families[match[1]].samples.append(Sample(read_labels(match[2] or ""), float(match[3])))
    return dict(families)


def checked(text):
    """text, in which no metric is missing because it is not listed."""
    assert "\n# a mistake: " not in text, text[text.index("\n# a mistake: "):].strip()
    return text
