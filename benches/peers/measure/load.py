"""One slice of load on one server: our own load, or a judge from outside (wrk, h2load)."""

import json
import re
import shutil
import subprocess
import threading

from .figures import Slice
from .servers import ROOT

LOAD_SECONDS_MAX = 60


class Failed(Exception):
    """The load was not served as it should have been."""


class Own:
    """benches/peers/load: says when all connections stand, starts when told, checks every byte."""

    def __init__(self, programs, core):
        self.program = programs.package("load")
        self.core = core

    def slice(self, server, row, seconds):
        command = ["taskset", "-c", str(self.core), self.program, row.mode, f"127.0.0.1:{server.port}"]
        command += ["--connections", str(row.connections), "--depth", str(row.depth), "--seconds", str(seconds)]
        if row.bytes:
            command += ["--bytes", str(row.bytes)]
        pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
        load = subprocess.Popen(command, text=True, **pipes)
        watchdog = threading.Timer(LOAD_SECONDS_MAX + seconds, load.kill)
        watchdog.start()
        try:
            load.stdout.readline()  # ready
            before = server.cpu_seconds()
            load.stdin.write("go\n")
            load.stdin.flush()
            output = load.stdout.readline()
            # Nothing is in flight any more, and no connection is closed yet.
            cpu = server.cpu_seconds() - before
        except BrokenPipeError:
            output = ""
        finally:
            watchdog.cancel()
            # At the end of its input the load ends.
            _, complaint = ended(load)
        if not output:
            raise Failed(complaint.strip() or f"the load ended with {load.returncode}")
        result = json.loads(output)
        return measured(result["units"], result["seconds"], cpu, result["busy"], result["reply_bytes"])

    def serves(self, row):
        return True


class Outside:
    """wrk or h2load, in whole seconds, with their connecting in the measured time: a check of our own load."""

    def __init__(self, tool, core):
        self.tool, self.core = tool, core
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed")

    def serves(self, row):
        return row.mode == "http"

    def command(self, server, row, seconds):
        url = f"http://127.0.0.1:{server.port}/plaintext"
        whole = str(max(1, round(seconds)))
        if self.tool == "wrk":
            script = str(ROOT / "benches/wrk.lua")
            return ["wrk", "-t1", f"-c{row.connections}", f"-d{whole}s", "-s", script, url, "--", str(row.depth)]
        return ["h2load", "--h1", "-t1", f"-c{row.connections}", f"-m{row.depth}", f"-D{whole}", url]

    def slice(self, server, row, seconds):
        command = ["taskset", "-c", str(self.core), *self.command(server, row, seconds)]
        before = server.cpu_seconds()
        try:
            output = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX, check=False)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{self.tool} did not end") from error
        cpu = server.cpu_seconds() - before
        read = self.read_wrk if self.tool == "wrk" else self.read_h2load
        units, took = read(output.stdout + output.stderr)
        return measured(units, took, cpu, float("nan"), 0)

    @staticmethod
    def read_wrk(output):
        line = next((l[4:] for l in output.splitlines() if l.startswith("WRK ")), None)
        if line is None:
            raise Failed(f"wrk: {output[-200:]}")
        result = json.loads(line)
        if errors := {k: result[k] for k in ("connect", "read", "write", "timeout", "status") if result[k]}:
            raise Failed(f"wrk: errors {errors}")
        return result["requests"], result["seconds"]

    @staticmethod
    def read_h2load(output):
        requests = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
        took = re.search(r"finished in ([\d.]+)(ms|s)", output)
        if requests is None or took is None or any(int(n) for n in requests.groups()[1:]):
            raise Failed(f"h2load: {output[-300:]}")
        return int(requests[1]), float(took[1]) / (1000 if took[2] == "ms" else 1)


def ended(load):
    try:
        return load.communicate(timeout=LOAD_SECONDS_MAX)
    except (subprocess.TimeoutExpired, BrokenPipeError):
        load.kill()
        return load.communicate()
    except BaseException:
        load.kill()
        load.wait()
        raise


def measured(units, seconds, cpu, busy, reply_bytes):
    if units == 0 or cpu <= 0:
        raise Failed("nothing was served")
    return Slice(units, seconds, cpu, busy, reply_bytes)
