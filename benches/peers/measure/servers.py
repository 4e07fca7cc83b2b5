"""The servers: read from servers.txt, built, started on their core, watched, and ended for certain."""

import ctypes
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

START_SECONDS_MAX = 10
STOP_SECONDS_MAX = 3
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Skipped(Exception):
    """This server cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Entry:
    """A line of servers.txt."""

    name: str
    kinds: tuple  # kinds or names of rows
    command: str

    def serves(self, row_name, row):
        return row.kind in self.kinds or row_name in self.kinds


def entries(path):
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.split(None, 2)
        if len(words) != 3:
            raise SystemExit(f"{path}:{number}: a line is: name kinds command")
        found.append(Entry(words[0], tuple(words[1].split(",")), words[2]))
    return found


class Programs:
    """Where the programs of a command are; what has to be built is built when it is first asked for."""

    def __init__(self, scratch, build=True):
        self.scratch = scratch
        self.build = build
        self.built = {}

    def cargo(self, key, program, *args):
        """Builds once; a failure is remembered as the reason for skipping."""
        if not self.build:
            return str(program)
        if key not in self.built:
            print(f"building {key}", flush=True)
            command = ["cargo", "build", "--release", "--quiet", *args]
            outcome = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
            reason = next((l for l in outcome.stderr.splitlines() if l.startswith("error")), "cargo failed")
            self.built[key] = None if outcome.returncode == 0 else f"does not build: {reason}"
        if self.built[key] is not None:
            raise Skipped(self.built[key])
        return str(program)

    def longshore(self):
        return self.cargo("longshore", TARGET / "release/longshore")

    def null(self):
        target = TARGET / "null"
        manifest = str(ROOT / "benches/null/Cargo.toml")
        return self.cargo("null", target / "release/null", "--manifest-path", manifest, "--target-dir", str(target))

    def package(self, name):
        """Each by itself: cargo gives packages that are built together the features that any of them asks for."""
        target = TARGET / "peers"
        args = ["--manifest-path", str(HERE / "Cargo.toml"), "--target-dir", str(target), "--package", name]
        return self.cargo(name, target / "release" / name, *args)

    def expand(self, command, port):
        """Replaces {…} and splits into words."""

        def value(match):
            name, _, of = match.group(1).partition(":")
            if name == "peer":
                return self.package(f"peer-{of}")
            if name == "conf":
                return self.configuration(of, port)
            if name in ("longshore", "null"):
                return getattr(self, name)()
            return {"port": str(port), "here": str(HERE), "dir": str(self.scratch)}.get(name, match.group(0))

        return [re.sub(r"\{([a-z]+(?::[\w.-]+)?)\}", value, word) for word in shlex.split(command)]

    def configuration(self, name, port):
        """A copy of conf/NAME with its {port}, {dir} and {here} filled in."""
        text = (HERE / "conf" / name).read_text()
        for word, value in (("port", port), ("dir", self.scratch), ("here", HERE)):
            text = text.replace("{" + word + "}", str(value))
        copy = self.scratch / f"{port}-{name}"
        copy.write_text(text)
        return str(copy)


class Server:
    """A running server, and the processor time that it and its children have used."""

    def __init__(self, entry, programs, core):
        self.name = entry.name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.words = programs.expand(entry.command, self.port)
        if shutil.which(self.words[0]) is None:
            raise Skipped(f"`{self.words[0]}` is not there")
        self.log = programs.scratch / f"{self.name}-{self.port}.log"
        self.process = self.start(core)
        try:
            self.wait_until_it_listens()
        except BaseException:
            self.stop()
            raise
        self.used_in_slices = 0.0
        self.began = (time.monotonic(), self.cpu_seconds())

    def start(self, core):
        def before_exec():
            os.sched_setaffinity(0, {core})
            # Also when this command is killed: no server outlives it.
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        with self.log.open("wb") as log:
            return subprocess.Popen(
                self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=before_exec,
            )

    def wait_until_it_listens(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Skipped(f"ended with {self.process.returncode}: {self.complaint()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Skipped(f"does not listen on its port within {START_SECONDS_MAX} s: {self.complaint()}")

    def complaint(self):
        """What it said last, or its line about an error."""
        said = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        blamed = [line for line in said if re.search(r"error|cannot|panicked", line, re.IGNORECASE)]
        return (blamed or said or ["it said nothing"])[:1][0][:200]

    def pids(self):
        found, queue = [], [self.process.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    queue += [int(child) for child in children.read_text().split()]
                except OSError:
                    continue  # a thread that has just ended
        return found

    def cpu_seconds(self):
        """User and system time of the process and its children, of threads that have ended too, in nanoseconds.

        clock_getcpuclockid(3) names the clock of another process. /proc/PID/stat counts ticks of 10 ms.
        """
        total = 0.0
        for pid in self.pids():
            clock = ctypes.c_int()
            if LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)) == 0:
                try:
                    total += time.clock_gettime(clock.value)
                except OSError:
                    continue  # it has just ended
        return total

    def idle_share(self):
        """Of a core, used while others were measured on it: above a percent or two it falsifies their figures."""
        wall, cpu = time.monotonic() - self.began[0], self.cpu_seconds() - self.began[1]
        return max(0.0, cpu - self.used_in_slices) / wall

    def stop(self):
        """Asks, then kills; with everything that it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                continue
