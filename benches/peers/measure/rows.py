"""The loads, and the goals that longshore set itself for them.

A goal is an upper limit for a ratio: base ÷ server, both of the same round. The base is the null server, or what the row
says. Above each row stands what is counted: units per second of the server's processor time, or of the clock.
"""

from dataclasses import dataclass, field

NULL = "null-epoll"
BEST_PEER = "the best peer"  # chosen when all have been measured


@dataclass(frozen=True)
class Goal:
    limit: float
    base: str = NULL


@dataclass(frozen=True)
class Row:
    title: str
    kind: str  # of the server: http or ws
    mode: str  # of the load: http, once or ws
    connections: int
    depth: int = 1
    bytes: int = 0
    per: str = "cpu"  # or "wall"
    base: str = NULL
    goals: dict = field(default_factory=dict)

    @property
    def unit(self):
        return "messages" if self.kind == "ws" else "requests"


def both(limit):
    return {"longshore-epoll": Goal(limit), "longshore-io-uring": Goal(limit)}


# A busy-polling server is compared with itself without it: twice the rate is half the ratio.
BUSY = {
    "longshore-epoll": Goal(1.00, "threads"),
    "longshore-io-uring": Goal(1.00, "threads"),
    "longshore-epoll-busy": Goal(0.50, "longshore-epoll"),
    "longshore-io-uring-busy": Goal(0.50, "longshore-io-uring"),
}

ROWS = {
    "keep-alive-64": Row(
        "HTTP keep-alive, 64 connections", "http", "http", 64,
        goals={"longshore-epoll": Goal(1.03), "longshore-io-uring": Goal(1.00)},
    ),
    "keep-alive-4000": Row(
        "HTTP keep-alive, 4000 connections", "http", "http", 4000,
        goals={"longshore-io-uring": Goal(1.00)},
    ),
    "pipelined-16": Row(
        "HTTP pipelined 16, 64 connections", "http", "http", 64, depth=16, goals=both(1.10),
    ),
    "once": Row(
        "HTTP, one request per connection, 64 at a time", "http", "once", 64,
        goals={"longshore-io-uring": Goal(1 / 1.10, BEST_PEER)},
    ),
    "ws-100x20": Row(
        "WebSocket echo, 100 × 20 B", "ws", "ws", 100, bytes=20, goals=both(0.99),
    ),
    "ws-1000x125": Row(
        "WebSocket echo, 1000 × 125 B", "ws", "ws", 1000, bytes=125, goals=both(1.03),
    ),
    "ws-100x16k": Row(
        "WebSocket echo, 100 × 16 KB", "ws", "ws", 100, bytes=16384, goals=both(1.02),
    ),
    "ws-16-in-flight": Row(
        "WebSocket echo, 100 × 125 B, 16 in flight", "ws", "ws", 100, depth=16, bytes=125, goals=both(1.02),
    ),
    "one-by-one": Row(
        "HTTP, one connection, one request at a time", "http", "http", 1, per="wall", base="threads", goals=BUSY,
    ),
}
