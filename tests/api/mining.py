"""What the tests of basketd mine and basketd shard share: the program, files of baskets, brute force."""
import gzip
import itertools
import random

import pytest

from conftest import SANITIZED, SHARED, run


def mine(*words, **more):
    return run("mine", *words, **more).stdout


def sets_of(text):
    """FIMI text as {frozenset: count}; a set that stands twice is an error."""
    found = {}
    for line in text.splitlines():
        items, count = line.rsplit(" (", 1)
        key = frozenset(items.split())
        assert key not in found and len(key) == len(items.split())
        found[key] = int(count[:-1])
    return found


def write(path, baskets):
    path.write_text("".join(" ".join(map(str, b)) + "\n" for b in baskets))
    return path


def random_baskets(seed, names=None):
    r = random.Random(seed)
    items = names or [str(i) for i in range(r.randint(3, 9))]
    return [r.sample(items, r.randint(0, min(len(items), 7))) for _ in range(r.randint(4, 30))]


def brute_force(baskets, support, least=1, most=99):
    baskets = [frozenset(map(str, b)) for b in baskets]
    items = sorted({i for b in baskets for i in b})
    found = {}
    for length in range(least, min(most, len(items)) + 1):
        for chosen in itertools.combinations(items, length):
            count = sum(1 for b in baskets if b.issuperset(chosen))
            if count >= support:
                found[frozenset(chosen)] = count
    return found


def shared_file(name, tmp_path_factory):
    packed = SHARED / "fimi" / f"{name}.dat.gz"
    if not packed.exists():
        pytest.skip("skipped: no shared data")
    path = tmp_path_factory.getbasetemp() / f"{name}.dat"
    if not path.exists():
        path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path


def usage(*words):
    done = run("mine", *words, check=False)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("basketd: "), (words, done)
    return done.stderr


def failed(*words, **more):
    done = run("mine", *words, check=False, **more)
    assert done.returncode == 1 and done.stderr.startswith("basketd: ") and done.stderr.count("\n") == 1, done
    return done.stderr
