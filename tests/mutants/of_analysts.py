"""The mutants of deploy/analysts: of merging, and of what makes a second run change nothing."""
from mutant import Mutant, case


def of(name, find, replace):
    """One in fragments.py that its test against the models must notice."""
    return Mutant(f"analysts-{name}", "deploy/analysts/fragments.py", find, replace, "help", '"$MILLRACE_PARTS/venv/bin/python" tests/deploy/test_fragments.py')


def reading(name, module, find, replace, *cases):
    """One that these cases, on a running stack, must notice: the first posts what the others read."""
    return case(f"analysts-{name}", f"deploy/analysts/{module}.py", find, replace, "test_analysts",
                " ".join(("test_answers_are_those_of_what_was_posted", *cases)))


MUTANTS = [
    of("coarser-from-its-offset", "total[(i >> steps) - low] += n", "total[((i - offset) >> steps)] += n"),
    of("scale-of-the-first", "scale = min(h.scale for h in parts)", "scale = parts[0].scale"),
    of("zeros-forgotten", "return Histogram(scale, sum(h.zero for h in parts), *positive", "return Histogram(scale, parts[0].zero, *positive"),
    of("offsets-forgotten", "for i, n in enumerate(counts, offset - low):", "for i, n in enumerate(counts):"),
    of("rank-one-short", "max(1, math.ceil(q * self.total()))", "max(1, math.floor(q * self.total()))"),
    of("negative-upwards", "for k in range(len(self.neg_counts) - 1, -1, -1):", "for k in range(len(self.neg_counts)):"),
    of("lower-end-told", "return 2.0 / (1.0 + 2.0 ** -(2.0 ** -scale)) * 2.0 ** exponent", "return 2.0 ** exponent"),
    of("greatest-forgotten", "value = value if greatest is None else min(value, greatest)", "pass"),
    of("last-by-value", "max(lasts, default=(None, None))", "max(lasts, key=lambda l: l[::-1], default=(None, None))"),
    of("sum-in-their-order", "sum=math.fsum(f.sum for f in parts)", "sum=sum(f.sum for f in parts)"),
    of("errors-forgotten", "errors=sum(f.errors for f in parts)", "errors=parts[0].errors"),
    reading("sent-again-counts-twice", "read_topic", "if origin:", "if False:", "test_what_is_sent_again_from_the_dead_letters_counts_once"),
    reading("window-is-the-newest-fragment", "warehouse", "FROM fragments SEMI JOIN batch USING (fingerprint, window_start) GROUP BY ALL",
            "FROM batch GROUP BY ALL"),
    reading("progress-unsaved", "warehouse", "            if progress:\n", "            if not progress:\n",
            "test_run_again_and_from_the_beginning_it_is_the_same"),
]
