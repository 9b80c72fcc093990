"""What a mutant is: which line, how it goes wrong, who must notice. The text to find stands exactly once in its file."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    path: str
    find: str
    replace: str
    target: str  # what make must build for the test
    test: str    # a shell command, green without the mutation


def unit(name, path, find, replace, part, test):
    """A mutant that a unit test must notice."""
    binary = f"build/plain/tests/unit/{part}/{test}"
    return Mutant(name, path, find, replace, binary, "./" + binary)


def sim(name, path, find, replace, seconds=0):
    """A mutant that the simulation of the whole processor must notice; seconds: what shows it is rare, so that it takes that long."""
    mutant = unit(name, path, find, replace, "processor", "test_simulation")
    return dataclasses.replace(mutant, test=f"SIM_SECONDS={seconds} {mutant.test}") if seconds else mutant


def script(name, path, find, replace, test):
    """A mutant that only real processes show."""
    return Mutant(name, path, find, replace, "programs", f'"$MILLRACE_PARTS/venv/bin/python" tests/e2e/{test}.py')


def case(name, path, find, replace, test, one):
    """The same by one case of the script, where the others have nothing to do with it."""
    mutant = script(name, path, find, replace, test)
    return dataclasses.replace(mutant, test=f"{mutant.test} {one}")


def bench(name, path, find, replace, test):
    """A mutant in what the benches measure with."""
    return Mutant(name, path, find, replace, f"build/plain/{path.removesuffix('.c')}", f'"$MILLRACE_PARTS/venv/bin/python" tests/bench/{test}.py')


def chaos(name, path, find, replace):
    """A mutant that instances which freeze and are replaced must bring to light."""
    return Mutant(name, path, find, replace, "programs",
                  '"$MILLRACE_PARTS/venv/bin/python" tests/chaos/run --only freeze --minutes 1 --samples 60000')


def trial(name, path, find, replace):
    """A mutant in the verdict of the rehearsal, that its trial must notice."""
    return Mutant(name, f"tests/rehearsal/{path}", find, replace, "help", '"$MILLRACE_PARTS/venv/bin/python" tests/rehearsal/test_verdict.py')
