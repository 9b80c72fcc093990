"""Runs the test_* functions of a script in the order they are written and counts them.

The last line is `N passed, N failed`; the exit code is 0 only when something passed and nothing failed. A case fails
by any exception: its traceback is printed, and the others still run.
"""
import signal
import sys
import time
import traceback

signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a runner whose patience ends must leave no broker behind: from the import on, as stacks begin before run()


def run(module, *arguments):
    """module is the caller's globals(); every case gets the same arguments."""
    passed = failed = 0
    for name, case in list(module.items()):
        if not name.startswith("test_") or not callable(case):
            continue
        begun = time.monotonic()
        try:
            case(*arguments)
        except Exception:
            failed += 1
            print(f"FAIL {name}\n{traceback.format_exc()}", flush=True)
        else:
            passed += 1
            print(f"ok   {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(0 if passed and not failed else 1)
