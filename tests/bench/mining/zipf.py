"""A million made-up baskets of 50,000 items, much like a large shop's: zipf.py FILE. Needs NumPy.

Items and patterns are drawn with Zipf-like weights; a basket holds one or more single items and, on average, one
pattern, of which each item is left out now and then. The draws and their order are fixed, so every machine makes the
same bytes; HASH says so, and a file that differs is not kept."""
import hashlib
import os
import sys

BASKETS, ITEMS, PATTERNS = 1_000_000, 50_000, 20_000
HASH = "a6c615a8638fe959"
DRAWN_AT_ONCE = 16  # uniforms per pattern of a basket: one for each of its items, and some to spare


def weights(count, exponent):
    import numpy
    raw = 1 / numpy.arange(1, count + 1) ** exponent
    return raw / raw.sum()


def draw(random):
    """The patterns, and for each basket how many of them and which, its single items, what is left out."""
    item_weights, pattern_weights = weights(ITEMS, 0.9), weights(PATTERNS, 0.8)
    lengths = 2 + random.poisson(1.2, PATTERNS)
    patterns = [random.choice(ITEMS, length, p=item_weights).tolist() for length in lengths]
    pattern_counts = random.poisson(1.0, BASKETS)
    single_counts = 1 + random.geometric(0.25, BASKETS)
    chosen = random.choice(PATTERNS, pattern_counts.sum(), p=pattern_weights)
    singles = random.choice(ITEMS, single_counts.sum(), p=item_weights)
    uniforms = random.random(DRAWN_AT_ONCE * len(chosen))
    return patterns, pattern_counts.tolist(), single_counts.tolist(), chosen.tolist(), singles.tolist(), uniforms


def baskets(random):
    patterns, pattern_counts, single_counts, chosen, singles, uniforms = draw(random)
    kept = iter((uniforms < 0.85).tolist())
    pattern_at = single_at = 0
    for pattern_count, single_count in zip(pattern_counts, single_counts):
        basket = set(singles[single_at:single_at + single_count])
        single_at += single_count
        for pattern in chosen[pattern_at:pattern_at + pattern_count]:
            basket.update(item for item in patterns[pattern] if next(kept))
        pattern_at += pattern_count
        yield " ".join(str(item + 1) for item in sorted(basket))


def hash_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:len(HASH)]


def make(path):
    import numpy
    with open(path + ".new", "w", encoding="ascii") as file:
        for line in baskets(numpy.random.default_rng(42)):
            file.write(line + "\n")
    found = hash_of(path + ".new")
    if found != HASH:
        os.remove(path + ".new")
        raise SystemExit(f"zipf1m: made {found}, expected {HASH}: another generator")
    os.rename(path + ".new", path)


if __name__ == "__main__":
    make(sys.argv[1])
