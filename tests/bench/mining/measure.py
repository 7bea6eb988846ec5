"""Runs commands in turns, A B C A B C, and keeps the medians of what each took."""
import os
import pathlib
import re
import statistics
import subprocess
from typing import Callable, NamedTuple

TIMED = os.environ.get("BUILD", "build/release") + "/bench/timed"
LIMIT_S = 60  # CPU seconds; who takes more is ended
WARM_UP_S = 2  # a first run shorter than this is not counted
FACTOR = float(os.environ.get("ROUNDS") or 1)
SIGXCPU, SIGKILL = 24, 9


class Command(NamedTuple):
    name: str
    words: list
    count: Callable | None  # of what was printed; None: the lines of the file written
    extra: int = 0  # sets it counts beside those expected
    inside: bool = False  # it prints its own "took WALL_S CPU_S", without its start


class Run(NamedTuple):
    wall_s: float
    cpu_s: float
    peak_mib: float
    status: int
    count: int | None


def lines_of(path):
    with open(path, "rb") as file:
        return sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b""))


def first(pattern):
    """A function that finds a count in what was printed: the first match of the pattern, or None."""
    def count(text):
        found = re.search(pattern, text, re.M)
        return int(found[1]) if found else None
    return count


def total(text):
    """The sum of the lines that are numbers, for those who print only how many sets of each size there are."""
    found = re.findall(r"^\d+$", text, re.M)
    return sum(map(int, found)) if found else None


def count_of(command, text, out):
    if command.count:
        found = command.count(text)
    else:
        found = lines_of(out) if out.exists() else None
    return found if found is None else found - command.extra


def run(command, cores, scratch):
    """One run, pinned to the cores. What it prints goes to a file, so nobody has to read along."""
    out, figures = pathlib.Path(scratch) / "out", pathlib.Path(scratch) / "figures"
    out.unlink(missing_ok=True)
    with open(pathlib.Path(scratch) / "printed", "w+", errors="replace") as printed:
        subprocess.run([TIMED, figures, cores, str(LIMIT_S), *map(str, command.words)], check=True, cwd=None,
                       stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT)
        printed.seek(0)
        text = printed.read()
    wall_s, cpu_s, peak_kib, status = figures.read_text().split()
    took = re.search(r"^took (\S+) (\S+)$", text, re.M) if command.inside else None
    if took:
        wall_s, cpu_s = took.groups()
    count = count_of(command, text, out)
    out.unlink(missing_ok=True)
    return Run(float(wall_s), float(cpu_s), int(peak_kib) / 1024, int(status), count)


def over_time(one):
    """Ended for its CPU time, or its child process was and it gave up."""
    return one.status in (-SIGXCPU, -SIGKILL) or (one.count is None and one.cpu_s >= LIMIT_S)


def rounds(one):
    """How many runs are worth their time, after one of them: the shorter, the more."""
    if over_time(one):
        return 0
    for limit_s, wanted in ((0.05, 21), (0.2, 11), (0.5, 7), (2, 5), (10, 3)):
        if one.wall_s < limit_s:
            return round(wanted * FACTOR) if one.wall_s < 0.5 else wanted
    return 0


def verdict(runs, expected):
    """Empty when all is well: × for a wrong count, or why there are no figures."""
    if any(map(over_time, runs)):
        return f"> {LIMIT_S} s"
    if any(r.status < 0 or r.count is None for r in runs):
        return "failed"
    if len({r.count for r in runs}) > 1 or (expected is not None and runs[0].count != expected):
        return "×"
    return ""


def summary(command, runs, expected):
    return {"name": command.name, "wall_s": statistics.median(r.wall_s for r in runs),
            "cpu_s": statistics.median(r.cpu_s for r in runs), "peak_mib": max(r.peak_mib for r in runs),
            "runs": len(runs), "count": runs[0].count, "verdict": verdict(runs, expected)}


def together(commands, cores, expected, scratch):
    """The summary of each command. Runs alternate, so what slows the machine for a while slows everyone.

    `cores` has the list of cores of each command. A long first run is kept and is the only one."""
    tried = [run(c, on, scratch) for c, on in zip(commands, cores)]
    wanted = [rounds(r) for r in tried]
    runs = [[r] if r.wall_s >= WARM_UP_S or not n else [] for r, n in zip(tried, wanted)]
    for _ in range(max(wanted)):
        for i, command in enumerate(commands):
            if len(runs[i]) < wanted[i]:
                runs[i].append(run(command, cores[i], scratch))
    return [summary(c, r, expected) for c, r in zip(commands, runs)]
