#!/usr/bin/env python3
"""Says what an Autobahn|Testsuite report found, and whether that is good enough.

    tests/autobahn/summary.py target/autobahn/reports/epoll [--log target/autobahn/epoll.log]
    tests/autobahn/summary.py --table target/autobahn/reports

Prints a table, then every case that is not OK with what was expected and what came. A case fails on FAILED, UNCLEAN,
NON-STRICT, WRONG CODE or UNIMPLEMENTED, in what was echoed or in how the connection was closed, unless ALLOWED names it.
INFORMATIONAL cases have no right answer (RFC 6455 leaves it open) and never fail. With --log it also fails when
fewer cases are reported than the suite had said that it would run.

--table prints Markdown instead: each report that lies in the directory, by groups of cases, with how many connections
were closed cleanly, and what is not OK by name. It judges in the same way.

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

# What the suite calls its groups, and in which order the reports are shown.
GROUPS = {
    1: "framing", 2: "pings and pongs", 3: "reserved bits", 4: "opcodes", 5: "fragmentation", 6: "UTF-8",
    7: "close handshake", 9: "limits, performance", 10: "automatic fragmentation", 12: "compression of different payloads",
    13: "compression with different parameters",
}
REPORTS = ["epoll", "io-uring", "mio", "server", "client"]
JUDGEMENTS = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED"]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path, help="the directory with index.json; with --table, the one above")
    parser.add_argument("--log", type=Path, help="what wstest printed")
    parser.add_argument("--table", action="store_true", help="print Markdown about all reports")
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


def rank(name):
    return (REPORTS.index(name) if name in REPORTS else len(REPORTS), name)


def row(cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def counts(results):
    """How many cases there are, how their behaviour was judged, and how many connections were closed cleanly."""
    behaviors = collections.Counter(result["behavior"] for result in results)
    closes = collections.Counter(result["behaviorClose"] for result in results)
    cells = [behaviors[name] or "·" for name in JUDGEMENTS]
    # Where the RFC leaves the close open, the suite calls it informational.
    clean = closes["OK"] + closes["INFORMATIONAL"]
    return [len(results), *cells, clean, len(results) - clean or "·"]


def print_markdown(name, results):
    print(f"\n## {name}\n")
    row(["cases", "about", "run", *JUDGEMENTS, "closed cleanly", "not"])
    row(["---", "---"] + ["---:"] * (len(JUDGEMENTS) + 3))
    groups = collections.defaultdict(list)
    for case, result in results.items():
        groups[order(case)[0]].append(result)
    for group in sorted(groups):
        row([f"{group}.*", GROUPS.get(group, ""), *counts(groups[group])])
    row(["**all**", "", *counts(results.values())])
    others = collections.defaultdict(list)
    for case in sorted(results, key=order):
        result = results[case]
        if (result["behavior"], result["behaviorClose"]) != ("OK", "OK"):
            others[f"{result['behavior']}, close {result['behaviorClose']}"].append(case)
    for judgement, cases in others.items():
        print(f"\n{judgement}: {', '.join(cases)}.")


def table(reports):
    """Markdown about every report below a directory; the exit code."""
    names = sorted((path.parent.name for path in reports.glob("*/index.json")), key=rank)
    if not names:
        print(f"summary: no report below {reports}", file=sys.stderr)
        return 2
    bad = []
    for name in names:
        for results in json.loads((reports / name / "index.json").read_text()).values():
            print_markdown(name, results)
            bad += [f"{name} {case}" for case in sorted(results, key=order)
                    if verdict(results[case]) not in GOOD and case not in ALLOWED]
    if bad:
        print(f"FAILED: {', '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


def main():
    args = arguments()
    if args.table:
        return table(args.report)
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
