"""The miners beside basketd: how each is called, and what it counts beside the sets expected.

Most print the empty set as well, or only when it is closed, or only into a file; some print rules with an empty body.
Each convention stands here once, as `extra`; what still differs after it is a wrong count.
"""
import os
import pathlib
import shutil
import subprocess
from typing import Callable, NamedTuple

import rows
from measure import Command, first, total

HERE = pathlib.Path(__file__).parent
SLOW = {"groceries@10", "retail@88", "retail@44", "T10I4@100", "online@104"}
SMALL = {"groceries@10"}


class Peer(NamedTuple):
    name: str
    targets: tuple
    words: Callable  # (program, task, path, output or None) → command line
    count: Callable = first(r"^(\d+)$")
    extra: Callable = lambda task: 0
    counted: bool = True
    written: bool = True
    only: set | None = None  # rows; all when None
    inside: bool = False


def share(task):
    """The threshold for those who want a fraction: half a basket less, so rounding cannot matter."""
    return f"{(task.support - 0.5) / task.baskets:.12f}"


def borgelt(program, task, path, out):
    target = {"all": "-ts", "closed": "-tc", "maximal": "-tm", "rules": "-tr"}[task.target]
    rules = ["-o", f"-c{task.confidence}"] if task.target == "rules" else []
    return [program, target, *rules, f"-s-{task.support}", path, *([out] if out else [])]


def borgelt_extra(task):
    """With a file the empty set, when some item is in every basket; rules with an empty body."""
    if task.target == "all":
        return int(task.written and rows.DATA[task.data].common)
    return task.empty_bodies


def fimi(program, task, path, out):
    return [program, path, task.support, *([out] if out else [])]


def lcm53(program, task, path, out):
    letter = {"all": "F", "closed": "C", "maximal": "M"}[task.target]
    return [program, letter + ("Q" if out else ""), path, task.support, *([out] if out else [])]


def lcm53_extra(task):
    if task.target == "maximal":
        return 0
    return 0 if task.target == "closed" and rows.DATA[task.data].common else 1


def spmf(program, task, path, out):
    algorithm = {"all": "PrePost+", "closed": "FPClose", "maximal": "FPMax"}[task.target]
    return ["java", "-XX:+UseSerialGC", "-Xms2g", "-Xmx6g", "-jar", program, "run", algorithm, path, out, share(task)]


def library(name):
    def words(python, task, path, out):
        return [python, "-B", HERE / "library.py", name, task.target, path, task.support, share(task),
                task.confidence, *([out] if out else [])]
    return words


def pyfim_extra(task):
    """It leaves out the set of what is in every basket."""
    in_every_basket = task.target in ("all", "closed") and rows.DATA[task.data].common
    return task.empty_bodies - in_every_basket


def always_one(task):
    return 1


ALL, SETS = ("all",), ("all", "closed", "maximal")
BORGELT_COUNT = first(r"\[(\d+) (?:set|rule)\(s\)\]")
LIBRARY_COUNT = first(r"^count (\d+)$")
BY_PATH = [  # named in PEERS
    Peer("lcm2_all", ALL, fimi, extra=always_one),
    Peer("lcm2_closed", ("closed",), fimi, extra=always_one),
    Peer("lcm3_all", ALL, fimi, extra=always_one),
    Peer("lcm3_closed", ("closed",), fimi, extra=always_one),
    Peer("lcm53", SETS, lcm53, extra=lcm53_extra),
    Peer("eclat", (*SETS, "rules"), borgelt, BORGELT_COUNT, borgelt_extra),
    Peer("fpgrowth", (*SETS, "rules"), borgelt, BORGELT_COUNT, borgelt_extra),
    Peer("relim", SETS, borgelt, BORGELT_COUNT, borgelt_extra),
    Peer("apriori", ("all", "rules"), borgelt, BORGELT_COUNT, borgelt_extra),
    Peer("freqmine", ALL, fimi, total, lambda task: int(task.written)),
]
LIBRARIES = [  # in PEERS_PYTHON
    Peer("pyfim", (*SETS, "rules"), library("pyfim"), LIBRARY_COUNT, pyfim_extra, inside=True),
    Peer("mlxtend", ("all", "maximal", "rules"), library("mlxtend"), LIBRARY_COUNT, written=False, only=SLOW,
         inside=True),
    Peer("efficient-apriori", ("all", "rules"), library("efficient_apriori"), LIBRARY_COUNT, written=False,
         only=SMALL, inside=True),
    Peer("pyspark", ALL, library("pyspark"), LIBRARY_COUNT, written=False, only=SLOW, inside=True),
]
JARS = [Peer("spmf", SETS, spmf, counted=False, only=SLOW | {"mushroom@812", "chess@1598"})]
NAMES = [p.name for p in BY_PATH + LIBRARIES + JARS]


def named():
    """PEERS="eclat=PATH lcm53=PATH …" as a dictionary."""
    paths = dict(word.partition("=")[::2] for word in os.environ.get("PEERS", "").split())
    unknown = set(paths) - {p.name for p in BY_PATH}
    if unknown:
        raise SystemExit(f"PEERS: no peer {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in BY_PATH)}")
    return paths


def has_module(python, name):
    module = {"pyfim": "fim", "efficient-apriori": "efficient_apriori"}.get(name, name)
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def found():
    """(peer, program) for each that is there; says which are not."""
    paths, python, jar = named(), os.environ.get("PEERS_PYTHON"), os.environ.get("SPMF")
    there = [(p, paths[p.name]) for p in BY_PATH if p.name in paths and shutil.which(paths[p.name])]
    there += [(p, python) for p in LIBRARIES if python and has_module(python, p.name)]
    there += [(p, jar) for p in JARS if jar and pathlib.Path(jar).exists() and shutil.which("java")]
    missing = [name for name in NAMES if name not in {p.name for p, _ in there}]
    if missing:
        print(f"skipped peers: {', '.join(missing)} (PEERS, PEERS_PYTHON or SPMF names what there is)")
    return there


def does(peer, task):
    mode = peer.written if task.written else peer.counted
    return mode and task.target in peer.targets and (peer.only is None or task.row in peer.only)


def command(peer, program, task, path, out):
    """How the peer is asked for the task; the count of a written task is that of the lines in the file."""
    words = peer.words(program, task, path, out if task.written else None)
    return Command(peer.name, words, None if task.written else peer.count, peer.extra(task), peer.inside)


def basketd(program, task, path, out):
    words = [program, "mine", "--target", task.target, "--support", task.support, "--threads", task.threads]
    if task.target == "rules":
        words += ["--confidence", f"{task.confidence}%"]
    words += ["--output", out] if task.written else ["--count"]
    return Command("basketd", [*words, path], None if task.written else first(r"^(\d+)$"))
