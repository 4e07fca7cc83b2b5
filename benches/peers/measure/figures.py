"""From slices to figures: paired ratios, their spread, their interval, a verdict, tables."""

import math
import statistics
from dataclasses import dataclass

from .rows import BEST_PEER

SATURATED = 0.95


@dataclass
class Slice:
    units: int
    seconds: float
    cpu: float
    busy: float  # the load's share of its core
    reply_bytes: int

    def rate(self, per):
        return self.units / (self.cpu if per == "cpu" else self.seconds)


@dataclass
class Line:
    """One server in one row."""

    server: str
    rates: list
    ratios: list
    wall: float
    cpu_share: float
    busy: float
    reply_bytes: int
    goal: object = None
    goal_base: str = ""
    goal_ratios: list = None

    @property
    def verdict(self):
        if self.goal is None:
            return ""
        against = "" if self.goal_base == "" else f" of {self.goal_base}"
        text = f"≤ {self.goal.limit:.2f}{against}: "
        if self.goal_ratios is None:
            return text + "not measured"
        low, high = interval_95(self.goal_ratios)
        if against:
            text += f"{statistics.median(self.goal_ratios):.3f} ({bounds_of(low, high)}), "
        if high <= self.goal.limit:
            return text + "met"
        return text + ("missed" if low > self.goal.limit else "not resolved")


def interval_95(values):
    """Where the median of all possible rounds lies with at least 95 % confidence: two of the ordered values.

    Each value falls below that median with probability ½, whatever the distribution, so the number that do is binomial.
    Fewer than six values bound nothing.
    """
    values, count = sorted(values), len(values)
    below, inside = 0.0, -1
    for k in range(count):
        below += math.comb(count, k) / 2**count
        if below > 0.025:
            break
        inside = k
    if inside < 0:
        return -math.inf, math.inf
    return values[inside], values[count - 1 - inside]


def bounds_of(low, high):
    return f"{low:.3f} – {high:.3f}" if math.isfinite(low) else "too few rounds"


def lines(row, slices):
    """`slices`: server → one Slice a round, None where it failed. Best first."""
    slices = {name: own for name, own in slices.items() if all(own)}
    made = []
    for name, own in slices.items():
        rates = [slice_.rate(row.per) for slice_ in own]
        made.append(
            Line(
                server=name,
                rates=rates,
                ratios=ratios(row, slices, row.base, name),
                wall=statistics.median(s.rate("wall") for s in own),
                cpu_share=statistics.median(s.cpu / s.seconds for s in own),
                busy=statistics.median(s.busy for s in own),
                reply_bytes=own[0].reply_bytes,
            )
        )
    made.sort(key=lambda line: -statistics.median(line.rates))
    for line in made:
        line.goal = row.goals.get(line.server)
        if line.goal is None:
            continue
        base = line.goal.base
        if base == BEST_PEER:
            peers = [l.server for l in made if not l.server.startswith(("longshore", "null", "threads"))]
            base = peers[0] if peers else base
        line.goal_base = "" if base == row.base else base
        line.goal_ratios = ratios(row, slices, base, line.server)
    return made


def ratios(row, slices, base, name):
    if base not in slices:
        return None
    return [a.rate(row.per) / b.rate(row.per) for a, b in zip(slices[base], slices[name])]


def spread(values, digits):
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} – {max(values):,.{digits}f})"


def cells(line):
    ratio, bounds = "–", "–"
    if line.ratios is not None:
        ratio = spread(line.ratios, 3)
        bounds = bounds_of(*interval_95(line.ratios))
    busy = "–"  # wrk and h2load do not say
    if math.isfinite(line.busy):
        busy = f"{line.busy:.0%}" + (" (saturated)" if line.busy >= SATURATED else "")
    rates = spread([rate / 1000 for rate in line.rates], 1)
    return [
        line.server, ratio, bounds, rates, f"{line.wall / 1000:,.1f}", f"{line.cpu_share:.0%}", busy,
        str(line.reply_bytes or "–"), line.verdict,
    ]


def heads(row):
    per = "server-CPU-second" if row.per == "cpu" else "second"
    return [
        "server", f"{row.base} ÷ server", "95 %", f"thousand {row.unit} / {per}", "thousand / s",
        "server CPU", "load CPU", "reply bytes", "goal",
    ]


def text_table(row, made):
    table = [heads(row)] + [cells(line) for line in made]
    widths = [max(len(cells_[i]) for cells_ in table) for i in range(len(table[0]))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(cells_, widths)).rstrip() for cells_ in table]
    return "\n".join("  " + line for line in rows)


def markdown_table(row, made):
    rows = ["| " + " | ".join(heads(row)) + " |", "|" + "---|" * len(heads(row))]
    rows += ["| " + " | ".join(cells(line)) + " |" for line in made]
    return f"### {row.title}\n\n" + "\n".join(rows) + "\n"
