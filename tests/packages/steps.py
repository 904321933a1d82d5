"""A test whose steps build on each other: the methods of a class that begin with `step_`, in the order of the source."""

import time
import traceback


def lead(life, explain=lambda: ""):
    """Runs the steps and prints how each ended; gives the exit code. The first that fails ends the test, and `explain` says more."""
    passed = 0
    for name in [name for name in vars(type(life)) if name.startswith("step_")]:
        words, begun = name[5:].replace("_", " "), time.monotonic()
        try:
            getattr(life, name)()
        except Exception:
            traceback.print_exc()
            print(explain())
            print(f"FAILED: {words}\n{passed} passed, 1 failed")
            return 1
        passed += 1
        print(f"ok [{time.monotonic() - begun:5.1f} s] {words}", flush=True)
    print(f"{passed} passed, 0 failed")
    return 0
