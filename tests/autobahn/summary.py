#!/usr/bin/env python3
"""Says what an Autobahn|Testsuite report found, and whether that is good enough.

    tests/autobahn/summary.py target/autobahn/reports/epoll [--log target/autobahn/epoll.log]

Prints a table, then every case that is not OK with what was expected and what came. A case fails on FAILED, UNCLEAN,
NON-STRICT, WRONG CODE or UNIMPLEMENTED, in what was echoed or in how the connection was closed, unless ALLOWED names it.
INFORMATIONAL cases have no right answer (RFC 6455 leaves it open) and never fail. With --log it also fails when
fewer cases are reported than the suite had said that it would run.

Exit code: 0 good, 1 not good, 2 there is no report.
"""

import argparse
import collections
import json
import re
import sys
from pathlib import Path

# Case number: why its result is right although the suite does not like it. Empty, and meant to stay so.
ALLOWED: dict[str, str] = {}

GOOD = {"OK", "INFORMATIONAL"}
COLUMNS = ["OK", "NON-STRICT", "INFORMATIONAL", "FAILED", "UNCLEAN", "WRONG CODE", "UNIMPLEMENTED"]
SHOWN_CHARACTERS_MAX = 160


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path, help="the directory with index.json")
    parser.add_argument("--log", type=Path, help="what wstest printed")
    return parser.parse_args()


def order(case):
    return [int(part) for part in case.split(".")]


def verdict(result):
    """The worse of the two judgements: what was echoed, and how the connection was closed."""
    for judgement in (result["behavior"], result["behaviorClose"]):
        if judgement not in GOOD:
            return judgement
    return "INFORMATIONAL" if "INFORMATIONAL" in (result["behavior"], result["behaviorClose"]) else "OK"


def shown(value):
    text = json.dumps(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + " …"


def print_table(agent, results):
    groups = collections.defaultdict(collections.Counter)
    for case, result in results.items():
        groups[case.split(".")[0]][verdict(result)] += 1
        groups["all"][verdict(result)] += 1
    print(f"{agent:<10} {'cases':>6} " + " ".join(f"{name:>{max(len(name), 5)}}" for name in COLUMNS))
    for group in sorted(groups, key=lambda name: (name == "all", int(name) if name.isdigit() else 0)):
        counts = groups[group]
        cells = " ".join(f"{counts[name] or '·':>{max(len(name), 5)}}" for name in COLUMNS)
        print(f"{group if group == 'all' else group + '.*':<10} {counts.total():>6} {cells}")


def print_case(report, case, result):
    allowed = f" (allowed: {ALLOWED[case]})" if case in ALLOWED else ""
    print(f"  {case}: {result['behavior']}, close: {result['behaviorClose']}{allowed}")
    detail_file = report / result["reportfile"]
    if not detail_file.exists():
        return
    detail = json.loads(detail_file.read_text(errors="replace"))
    description = " ".join(re.sub(r"<[^>]*>", " ", detail["description"]).split())
    print(f"      what      {description}")
    print(f"      expected  {shown(detail['expected'])}")
    print(f"      got       {shown(detail['received'])}")
    wanted = detail["expectedClose"].get("closeCode")
    print(f"      close     expected {wanted}, got {detail['remoteCloseCode']}: {detail['resultClose']}")


def announced(log):
    """How many cases wstest said it would run."""
    found = re.search(r"will run (\d+) test cases", log.read_text(errors="replace"))
    return int(found.group(1)) if found else None


def main():
    args = arguments()
    index = args.report / "index.json"
    if not index.exists():
        print(f"summary: no report in {args.report}", file=sys.stderr)
        return 2
    bad = []
    for agent, results in json.loads(index.read_text()).items():
        print_table(agent, results)
        others = [case for case in sorted(results, key=order) if verdict(results[case]) != "OK"]
        for case in others:
            print_case(args.report, case, results[case])
        bad += [case for case in others if verdict(results[case]) not in GOOD and case not in ALLOWED]
        expected = announced(args.log) if args.log else None
        if not results or (expected is not None and len(results) != expected):
            bad.append(f"{len(results)} of {expected} cases were run")
    if bad:
        print(f"FAILED: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
