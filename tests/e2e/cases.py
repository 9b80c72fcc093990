"""Runs the test_* functions of a script in the order they are written and counts them.

The last line is `N passed, N failed`; the exit code is 0 only when something passed and nothing failed. A case fails
by any exception: its traceback is printed, and the others still run. Under CONCLUSION it is said of each that failed how its exception begins, as a
traceback can be long.
"""
import pathlib
import signal
import sys
import time
import traceback

signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a runner whose patience ends must leave no broker behind: from the import on, as stacks begin before run()

CONCLUSION = "what failed:"  # known to tests/run
SAID_LINES = 12  # of an exception


def run(module, *arguments):
    """module is the caller's globals(); every case gets the same arguments."""
    passed, failed = 0, []
    for name, case in list(module.items()):
        if not name.startswith("test_") or not callable(case):
            continue
        begun = time.monotonic()
        try:
            case(*arguments)
        except Exception as error:
            failed.append((name, error))
            print(f"FAIL {name}\n{traceback.format_exc()}", flush=True)
        else:
            passed += 1
            print(f"ok   {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    if failed:
        print(CONCLUSION, flush=True)
    for name, error in failed:
        place = traceback.extract_tb(error.__traceback__)[-1]
        print(f"{name}: {type(error).__name__} in {pathlib.Path(place.filename).name}, line {place.lineno}: {place.line}\n  " +
              "\n  ".join(str(error).splitlines()[:SAID_LINES]), flush=True)
    print(f"{passed} passed, {len(failed)} failed", flush=True)
    sys.exit(0 if passed and not failed else 1)
