"""Prints "PASSED FAILED" from a JUnit report: a test that was skipped did not pass."""

import sys
import xml.etree.ElementTree as tree

if __name__ == "__main__":
    suites = list(tree.parse(sys.argv[1]).getroot().iter("testsuite"))
    total = sum(int(suite.get("tests", "0")) for suite in suites)
    bad = sum(
        int(suite.get(key, "0")) for suite in suites for key in ("errors", "failures", "skipped")
    )
    print(total - bad, bad if total else 1)
