"""What is mined: the data sets, the thresholds, and how many sets or rules there are.

The counts of all and closed sets and of rules are published or were found by several other miners that agree; those
of maximal sets by Borgelt's eclat and LCM 5.3. The empty set is never counted, nor a rule with an empty body.
"""
import gzip
import hashlib
import os
import pathlib
import subprocess
from typing import NamedTuple

import zipf

SHARED = pathlib.Path("../shared/data/fimi")


class Data(NamedTuple):
    file: str
    baskets: int
    hash: str  # how the SHA-256 of the unpacked text begins
    common: bool = False  # some item is in every basket, so the empty set is not closed


class Task(NamedTuple):
    """One row of a table: what is asked of everyone."""
    data: str
    support: int
    target: str  # all, closed, maximal, rules
    written: bool
    expected: int | None
    confidence: int = 0  # percent
    empty_bodies: int = 0  # rules with an empty body, which some report and `expected` leaves out
    threads: int = 1

    @property
    def row(self):
        return f"{self.data}@{self.support}"

    @property
    def baskets(self):
        return DATA[self.data].baskets


DATA = {
    "retail": Data("retail.dat.gz", 88162, "d967431ba522e32f"),
    "T10I4": Data("T10I4D100K.dat.gz", 100000, "464d7b87aa7fdc0d"),
    "mushroom": Data("mushroom.dat.gz", 8124, "6cf94bc482712c39", common=True),
    "chess": Data("chess.dat.gz", 3196, "a12ea887df58a396"),
    "groceries": Data("groceries.dat.gz", 9835, "2a2cc8a7771dc1f1"),
    "online": Data("online_retail.dat.gz", 20728, "6ca07b2cdb3c2725"),
    "zipf1m": Data("", zipf.BASKETS, zipf.HASH),
}

# data, support, all, closed, maximal
SETS = [
    ("retail", 88, 7712, 7695, 3507), ("retail", 44, 19836, 19698, 8365),
    ("retail", 9, 240852, 189077, 75200), ("retail", 5, 1506775, 504142, 212923),
    ("T10I4", 100, 27532, 26806, 4054), ("T10I4", 20, 129875, 107822, 50258),
    ("T10I4", 10, 411365, 283397, 127264),
    ("mushroom", 812, 574513, 4897, 558), ("mushroom", 406, 3755705, 12854, 1452),
    ("chess", 1598, 1272932, 369450, 11463), ("chess", 1278, 6472980, 1366833, 37929),
    ("groceries", 10, 13492, 13464, 7794), ("groceries", 5, 49580, 46267, 22725),
    ("online", 104, 16352, 16254, 9975), ("online", 62, 192013, 171149, 81152),
]
ZIPF = [("zipf1m", 100, 53837, 53831), ("zipf1m", 50, 133877, 133796),
        ("zipf1m", 20, 451387, 445993), ("zipf1m", 10, 1151557, 1066891)]
# data, support, confidence in percent, rules with one item on the right, more with an empty body
RULES = [("groceries", 10, 20, 21633, 1), ("retail", 44, 20, 22356, 2), ("retail", 9, 50, 370233, 1),
         ("online", 104, 30, 26360, 0), ("online", 62, 30, 605472, 0)]
# data, support, all sets: each takes one thread about half a second or more
THREADS = [("T10I4", 2, 19561714), ("online", 40, 11803330), ("online", 30, 5172003317), ("zipf1m", 10, 1151557)]


def sets(target, written):
    column = ("all", "closed", "maximal").index(target)
    return [Task(data, support, target, written, counts[column]) for data, support, *counts in SETS]


def rules(written):
    return [Task(data, support, "rules", written, expected, confidence, empty)
            for data, support, confidence, expected, empty in RULES]


PARTS = {
    "all-counted": sets("all", False),
    "all-written": sets("all", True),
    "closed-counted": sets("closed", False),
    "closed-written": sets("closed", True),
    "maximal-counted": sets("maximal", False),
    "rules-counted": rules(False),
    "rules-written": rules(True),
    "zipf1m-all": [Task(data, support, "all", False, count) for data, support, count, _ in ZIPF],
    "zipf1m-closed": [Task(data, support, "closed", False, count) for data, support, _, count in ZIPF],
    "threads": [Task(data, support, "all", False, count) for data, support, count in THREADS],
}


def zipf_file(python):
    """Makes zipf1m once for all runs, outside the source tree; None without a Python that has NumPy."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "basketd"
    path = cache / "zipf1m.dat"
    if path.exists() and zipf.hash_of(path) == zipf.HASH:
        return path
    if not python or subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode != 0:
        print("skipped: zipf1m, whose making needs PEERS_PYTHON with NumPy")
        return None
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.run([python, "-B", zipf.__file__, str(path)], check=True)
    return path


def unpack(name, into, python):
    """The path of a data set as plain text, or None when it is not to be had."""
    data = DATA[name]
    if name == "zipf1m":
        return zipf_file(python)
    path = pathlib.Path(into) / f"{name}.dat"
    if not path.exists():
        text = gzip.decompress((SHARED / data.file).read_bytes())
        if not hashlib.sha256(text).hexdigest().startswith(data.hash):
            raise SystemExit(f"{SHARED / data.file} is not the {name} these counts are of")
        path.write_bytes(text)
    return path
