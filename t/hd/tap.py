# SPDX-License-Identifier: MIT
"""Functions as tests, in TAP."""
import traceback


def run(tests):
    """Calls each of (name, function); an exception is a failure. Returns how
    many failed."""
    bad = 0
    for i, (name, f) in enumerate(tests, 1):
        try:
            f()
            print(f"ok {i} - {name.replace('_', ' ')}", flush=True)
        except Exception:
            bad += 1
            print(f"not ok {i} - {name.replace('_', ' ')}", flush=True)
            print("# " + traceback.format_exc().replace("\n", "\n# "),
                  flush=True)
    print(f"1..{len(tests)}")
    return bad
