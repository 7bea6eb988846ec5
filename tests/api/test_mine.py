"""basketd mine and basketd shard against brute force on small files, and against published counts."""
import gzip
import itertools
import json
import math
import os
import pathlib
import random
import signal
import subprocess
import time
from fractions import Fraction

import pytest

from conftest import PROGRAM, SHARED, run

SANITIZED = any(s in PROGRAM for s in ("address", "thread"))


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


def closed(sets):
    return {s: c for s, c in sets.items() if not any(s < t and c == d for t, d in sets.items())}


def maximal(sets):
    return {s: c for s, c in sets.items() if not any(s < t for t in sets)}


CASES = range(6 if SANITIZED else 30)


@pytest.mark.parametrize("seed", CASES)
def test_sets_equal_brute_force(tmp_path, seed):
    baskets = random_baskets(seed)
    file = write(tmp_path / "b.dat", baskets)
    support = 1 + seed % 4
    everything = brute_force(baskets, support)
    assert sets_of(mine("--support", support, file)) == everything
    assert sets_of(mine("--support", support, "--target", "closed", file)) == closed(everything)
    assert sets_of(mine("--support", support, "--target", "maximal", file)) == maximal(everything)
    assert int(mine("--support", support, "--count", file)) == len(everything)
    assert sets_of(mine("--support", support, "--sorted", file)) == everything


@pytest.mark.parametrize("seed", CASES)
def test_lengths_and_chosen_items_equal_brute_force(tmp_path, seed):
    baskets = random_baskets(100 + seed)
    file = write(tmp_path / "b.dat", baskets)
    least, most = 1 + seed % 3, 2 + seed % 3
    lengths = ("--min-length", least, "--max-length", most)
    for target, of in (("all", dict), ("closed", closed), ("maximal", maximal)):
        expected = {s: c for s, c in of(brute_force(baskets, 2)).items() if least <= len(s) <= most}
        assert sets_of(mine("--support", 2, "--target", target, *lengths, file)) == expected
    items = sorted({str(i) for b in baskets for i in b})
    with_, without = items[0], items[-1]
    everything = brute_force(baskets, 2)
    assert sets_of(mine("--support", 2, "--with", with_, file)) == {
        s: c for s, c in everything.items() if with_ in s}
    assert sets_of(mine("--support", 2, "--with", with_, "--with", items[1], file)) == {
        s: c for s, c in everything.items() if with_ in s and items[1] in s}
    assert sets_of(mine("--support", 2, "--without", without, "--without", items[1], file)) == {
        s: c for s, c in everything.items() if without not in s and items[1] not in s}


def test_formats_show_the_same_sets_for_any_number_of_threads(tmp_path):
    baskets = random_baskets(7, ["milk", "bread", "85123A", "7", "bröt", "x\"y"])
    file = write(tmp_path / "b.dat", baskets)
    plain = mine("--support", 2, file)
    expected = brute_force(baskets, 2)
    assert sets_of(plain) == expected
    table = mine("--support", 2, "--output-format", "tsv", file).splitlines()
    assert table[0] == "items\tcount\tsupport"
    lines = [json.loads(line) for line in mine("--support", 2, "--output-format", "ndjson", file).splitlines()]
    assert len(table) - 1 == len(lines) == len(plain.splitlines())
    for text, row, record in zip(plain.splitlines(), table[1:], lines):
        items, count, share = row.split("\t")
        assert text == f"{items.replace(',', ' ')} ({count})"
        assert record["items"] == items.split(",") and record["count"] == int(count)
        assert float(share) == record["support"] == pytest.approx(int(count) / len(baskets))
    for threads in (1, 2, 4):
        assert mine("--support", 2, "--threads", threads, file) == plain


def rules_of(baskets, support, confidence, left=99, right=1):
    sets = brute_force(baskets, support)
    found = {}
    for s, c in sets.items():
        for n in range(1, min(right, len(s) - 1) + 1):
            for head in map(frozenset, itertools.combinations(s, n)):
                body = s - head
                if len(body) <= left and Fraction(c, sets[body]) >= confidence:
                    found[body, head] = (c, sets[body], sets[head])
    return found


def parse_rules(text):
    found = {}
    for line in text.splitlines():
        r = json.loads(line)
        found[frozenset(r["antecedent"]), frozenset(r["consequent"])] = r
    assert len(found) == len(text.splitlines())
    return found


@pytest.mark.parametrize("seed", CASES)
def test_rules_equal_brute_force(tmp_path, seed):
    baskets = random_baskets(200 + seed)
    file = write(tmp_path / "b.dat", baskets)
    right = 1 + seed % 3
    expected = rules_of(baskets, 2, Fraction(2, 5), right=right)
    common = ("--target", "rules", "--support", 2, "--consequents", right, "--output-format", "ndjson")
    found = parse_rules(mine(*common, "--confidence", "40%", file))
    assert found.keys() == expected.keys()
    n = len(baskets)
    for rule, (c, x, y) in expected.items():
        assert found[rule]["count"] == c
        assert found[rule]["support"] == pytest.approx(c / n)
        assert found[rule]["confidence"] == pytest.approx(c / x)
        assert found[rule]["lift"] == pytest.approx(c * n / (x * y))
        assert found[rule]["leverage"] == pytest.approx(c / n - x * y / n / n, abs=1e-8)
        assert (found[rule]["conviction"] is None) == (c == x)
    assert int(mine(*common, "--confidence", ".4", "--count", file)) == len(expected)
    items = sorted({str(i) for b in baskets for i in b})
    sides = ("--antecedent-only", items[0], "--consequent-only", items[1])
    found = parse_rules(mine(*common, "--confidence", ".4", *sides, file))
    assert found.keys() == {(b, h) for b, h in expected if items[0] not in h and items[1] not in b}
    found = parse_rules(mine(*common, "--confidence", ".4", "--with", items[0], file))
    assert found.keys() == {(b, h) for b, h in expected if items[0] in b | h}
    found = parse_rules(mine(*common, "--confidence", ".4", "--without", items[0], file))
    assert found.keys() == {(b, h) for b, h in expected if items[0] not in b | h}
    found = parse_rules(mine(*common, "--confidence", ".4", "--antecedents", 1, "--lift", 1.2, file))
    assert found.keys() == {(b, h) for (b, h), (c, x, y) in expected.items()
                            if len(b) == 1 and Fraction(c * n, x * y) >= Fraction(6, 5)}


def test_the_best_rules_come_first(tmp_path):
    baskets = random_baskets(3)
    file = write(tmp_path / "b.dat", baskets)
    n = len(baskets)
    everything = rules_of(baskets, 1, Fraction(1, 10))
    by = {"leverage": lambda c, x, y: c / n - x * y / n / n, "confidence": lambda c, x, y: c / x}
    for measure, value in by.items():
        best = sorted((value(*t) for t in everything.values()), reverse=True)[:7]
        words = ["--target", "rules", "--top", 7, "--by", measure, "--output-format", "ndjson", file]
        if measure == "confidence":
            words += ["--support", 1]
        found = [json.loads(line)[measure] for line in mine(*words).splitlines()]
        assert found == pytest.approx(best, abs=1e-8)


def test_the_most_frequent_sets_come_first(tmp_path):
    baskets = random_baskets(5)
    file = write(tmp_path / "b.dat", baskets)
    supports = sorted(brute_force(baskets, 1).values(), reverse=True)
    for k in (1, 5, 20, 10000):
        found = [int(line.rsplit("(", 1)[1][:-1]) for line in mine("--top", k, file).splitlines()]
        assert found == supports[:k]


@pytest.mark.parametrize("measure", ["leverage", "lift", "all_confidence"])
def test_the_best_sets_come_first(tmp_path, measure):
    baskets = random_baskets(6)
    file, n = write(tmp_path / "b.dat", baskets), len(baskets)
    sets = brute_force(baskets, 2)
    alone = {str(item): sum(item in basket for basket in baskets) for basket in baskets for item in basket}

    def value(items, count):
        expected = math.prod(alone[str(i)] / n for i in items)
        return {"leverage": count / n - expected, "lift": count / n / expected,
                "all_confidence": count / max(alone[str(i)] for i in items)}[measure]

    best = sorted((value(items, count) for items, count in sets.items()), reverse=True)[:9]
    lines = mine("--top", 9, "--by", measure, "--support", 2, "--output-format", "ndjson", file).splitlines()
    found = [json.loads(line) for line in lines]
    assert [value(f["items"], f["count"]) for f in found] == pytest.approx(best)
    if measure == "leverage":
        assert mine("--top", 9, "--by", measure, "--output-format", "ndjson", file).splitlines() == lines


def test_all_measures_are_columns(tmp_path):
    file = write(tmp_path / "b.dat", [[1, 2]] * 6 + [[1, 3]] * 3 + [[2]] * 4 + [[4]] * 7)
    words = ("--target", "rules", "--support", 2, "--measures", "all")
    table = [line.split("\t") for line in mine(*words, "--output-format", "tsv", file).splitlines()]
    lines = [json.loads(line) for line in mine(*words, "--output-format", "ndjson", file).splitlines()]
    assert table[0] == list(lines[0])
    assert len(table[0]) == 3 + 18 + 4
    for row, record in zip(table[1:], lines):
        for name, cell in zip(table[0][3:], row[3:]):
            value = record[name]
            assert cell == ("" if value is None else str(value).lower() if isinstance(value, bool) else cell)
            if cell and not isinstance(value, bool):
                assert float(cell) == value
    assert "inf" not in json.dumps(lines) and "NaN" not in json.dumps(lines)
    assert mine("--target", "rules", "--support", 6, file).splitlines() == [
        "2 -> 1 (6 0.6 1.333333333)", "1 -> 2 (6 0.666666667 1.333333333)"]


def test_odds_ratios_are_adjusted_for_basket_size(tmp_path):
    baskets = random_baskets(40, list("abcdefgh"))
    file = write(tmp_path / "b.dat", baskets)
    words = ("--target", "rules", "--support", 2, "--measures", "odds_ratio", "--adjust", "size")
    lines = [json.loads(line) for line in mine(*words, "--output-format", "ndjson", file).splitlines()]
    table = [line.split("\t") for line in mine(*words, "--output-format", "tsv", file).splitlines()]
    assert table[0][-3:] == ["adjusted_odds_ratio", "adjusted_low", "adjusted_high"] and len(lines) > 10
    size_bin = {0: 0, 1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 5}
    for record, row in zip(lines, table[1:]):
        above = below = 0
        for size in set(size_bin.values()):
            rows = [set(b) for b in baskets if size_bin[len(b)] == size]
            x = [r >= set(record["antecedent"]) for r in rows]
            y = [r >= set(record["consequent"]) for r in rows]
            if rows:
                above += sum(a and b for a, b in zip(x, y)) * sum(not a and not b for a, b in zip(x, y)) / len(rows)
                below += sum(a and not b for a, b in zip(x, y)) * sum(b and not a for a, b in zip(x, y)) / len(rows)
        ratio = record["adjusted_odds_ratio"]
        assert ratio == (pytest.approx(above / below) if below else None)
        assert row[-3] == "" if ratio is None else float(row[-3]) == ratio
        if ratio and record["adjusted_low"] is not None:
            assert record["adjusted_low"] <= ratio <= record["adjusted_high"]
    assert "tsv" in usage("--target", "rules", "--support", 2, "--adjust", "size", file)


# Published counts (retail and so on are FIMI files): file, support, all sets, closed sets.
KNOWN = [("retail", 88, 7712, 7695), ("retail", 44, 19836, 19698), ("retail", 9, 240852, 189077),
         ("retail", 5, 1506775, 504142), ("T10I4D100K", 100, 27532, 26806), ("T10I4D100K", 20, 129875, 107822),
         ("T10I4D100K", 10, 411365, 283397), ("mushroom", 812, 574513, 4897), ("mushroom", 406, 3755705, 12854),
         ("chess", 1598, 1272932, 369450), ("chess", 1278, 6472980, 1366833), ("groceries", 10, 13492, 13464),
         ("groceries", 5, 49580, 46267), ("online_retail", 104, 16352, 16254), ("online_retail", 62, 192013, 171149)]


def shared_file(name, tmp_path_factory):
    packed = SHARED / "fimi" / f"{name}.dat.gz"
    if not packed.exists():
        pytest.skip("skipped: no shared data")
    path = tmp_path_factory.getbasetemp() / f"{name}.dat"
    if not path.exists():
        path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path


def shared_rows(rows):
    return [r for r in rows if not SANITIZED or r[2] < 50000]


@pytest.mark.parametrize("name,support,count,closed_count", shared_rows(KNOWN))
def test_counts_of_shared_files_are_the_published_ones(tmp_path_factory, name, support, count, closed_count):
    file = shared_file(name, tmp_path_factory)
    for threads in (1, 2, 4):
        assert int(mine("--support", support, "--count", "--threads", threads, file)) == count
        words = ("--support", support, "--target", "closed", "--count", "--threads", threads)
        assert int(mine(*words, file)) == closed_count


@pytest.mark.parametrize("name,support,confidence,rules", [
    ("groceries", 10, "20%", 21633), ("retail", 44, "20%", 22356), ("online_retail", 104, "30%", 26360)])
def test_rule_counts_of_shared_files_are_the_published_ones(tmp_path_factory, name, support, confidence, rules):
    """The published ones count rules with nothing on the left too: 1, 2 and 0 of them."""
    file = shared_file(name, tmp_path_factory)
    words = ("--target", "rules", "--support", support, "--confidence", confidence, "--count")
    assert int(mine(*words, file)) == rules


@pytest.mark.threads
@pytest.mark.parametrize("name,support", [("groceries", 5), ("retail", 44), ("online_retail", 104)])
@pytest.mark.parametrize("target", ["all", "closed"])
def test_threads_do_not_change_a_byte(tmp_path_factory, name, support, target):
    file = shared_file(name, tmp_path_factory)
    words = ("--support", support, "--target", target)
    once = mine(*words, "--threads", 1, file)
    assert once and all(mine(*words, "--threads", t, file) == once for t in (2, 4))


def by_shards(file, support, shards, directory, one_by_one=False):
    """Lines of all groups, sorted, through two processes that share nothing but lines and F-list."""
    flist = directory / "flist"
    lines = run("shard", "--support", support, "--shards", shards, "--flist", flist, file).stdout.splitlines(True)
    ordered = directory / "sharded"
    ordered.write_text("".join(sorted(lines)))
    if not one_by_one:
        return sorted(mine("--flist", flist, ordered).splitlines())
    return sorted(line for g in range(shards)
                  for line in mine("--flist", flist, "--group", g, ordered).splitlines())


@pytest.mark.parametrize("seed", range(2 if SANITIZED else 12))
def test_shards_give_the_whole_result_of_small_files(tmp_path, seed):
    baskets = random_baskets(300 + seed, ["7", "a", "10", "b", "c", "9", "03"] if seed % 2 else None)
    file = write(tmp_path / "b.dat", baskets)
    for shards in (1, 3, 8, 64):
        whole = sorted(mine("--support", 2, "--sorted", file).splitlines())
        assert by_shards(file, 2, shards, tmp_path) == whole
        assert by_shards(file, 2, shards, tmp_path, one_by_one=True) == whole
        groups = [mine("--support", 2, "--groups", shards, "--group", g, file) for g in range(shards)]
        assert sorted("".join(groups).splitlines()) == whole
        for target in ("closed", "maximal"):
            words = ("--support", 2, "--target", target)
            parts = [mine(*words, "--groups", shards, "--group", g, file) for g in range(shards)]
            assert sorted("".join(parts).splitlines()) == sorted(mine(*words, "--sorted", file).splitlines())


@pytest.mark.parametrize("name,support", [("groceries", 10), ("retail", 44)])
@pytest.mark.parametrize("shards", [1, 3, 8, 64])
def test_shards_give_the_whole_result_of_shared_files(tmp_path_factory, tmp_path, name, support, shards):
    file = shared_file(name, tmp_path_factory)
    whole = sorted(mine("--support", support, "--sorted", file).splitlines())
    assert by_shards(file, support, shards, tmp_path) == whole
    if shards < 64 or not SANITIZED:
        parts = (mine("--support", support, "--groups", shards, "--group", g, file) for g in range(shards))
        assert sorted(line for part in parts for line in part.splitlines()) == whole


def test_the_pipe_of_the_help_works(tmp_path):
    file = write(tmp_path / "b.dat", random_baskets(11))
    pipe = (f'"$0" shard --support 2 --shards 4 --flist {tmp_path}/f {file} | LC_ALL=C sort | '
            f'"$0" mine --flist {tmp_path}/f - | LC_ALL=C sort')
    out = subprocess.run(["sh", "-c", pipe, PROGRAM], capture_output=True, text=True, timeout=60, check=True).stdout
    assert out.splitlines() == sorted(mine("--support", 2, "--sorted", file).splitlines())


def test_shards_are_as_documented(tmp_path):
    file = write(tmp_path / "b.dat", [["b", "a", "c"], ["a", "b"], ["a"], ["c", "b"], ["x"], []])
    out = run("shard", "--support", 2, "--shards", 2, "--flist", tmp_path / "f", file).stdout
    assert (tmp_path / "f").read_text() == "baskets\t6\tsupport\t2\tshards\t2\na\t3\nb\t3\nc\t2\n"
    assert out == "0\t0 1 2\n1\t0 1\n" "1\t0 1\n0\t0\n" "0\t0\n" "0\t1 2\n1\t1\n"


def test_bad_shards_are_refused(tmp_path):
    flist = tmp_path / "f"
    good = "baskets\t4\tsupport\t2\tshards\t2\na\t3\nb\t2\n"
    lines = tmp_path / "lines"

    def refused(text, list_text=good, *more):
        flist.write_text(list_text)
        lines.write_text(text)
        done = run("mine", "--flist", flist, *more, lines, check=False)
        assert done.returncode in (1, 2) and done.stderr, (text, done)
        return done.stderr

    assert "line 2" in refused("0\t0\n0 1\n")
    assert "line 1" in refused("2\t0\n")
    assert "line 1" in refused("0\t2\n")
    assert "line 1" in refused("0\t1 0\n")
    assert "line 1" in refused("0\t\n")
    assert "line 3" in refused("0\t0\n1\t0 1\n0\t0\n") and "sort" in refused("0\t0\n1\t0 1\n0\t0\n")
    assert "line 1" in refused("", "a\t3\n")
    assert "line 3" in refused("", "baskets\t4\tsupport\t2\tshards\t2\na\t2\nb\t3\n")
    assert "line 3" in refused("", "baskets\t4\tsupport\t2\tshards\t2\na\t3\na\t3\n")
    assert "--group 2" in refused("0\t0\n", good, "--group", 2)
    assert "--groups" in refused("0\t0\n", good, "--target", "closed")


def ancestors(item, above):
    while item in above:
        item = above[item]
        yield item


@pytest.mark.parametrize("seed", CASES)
def test_item_groups_equal_brute_force(tmp_path, seed):
    """Kettles 0 to 2, cups 3 and 4; both are kitchenware; no group holds both sides of a set."""
    baskets = [list(map(str, b)) for b in random_baskets(400 + seed)]
    above = {"0": "kettle", "1": "kettle", "2": "kettle", "3": "cup", "4": "cup", "kettle": "kitchen",
             "cup": "kitchen", "5": "tea"}
    file = write(tmp_path / "b.dat", baskets)
    groups = tmp_path / "groups.tsv"
    groups.write_text("".join(f"{i}\t{g}\n" for i, g in above.items()) + "unknown\tcup\n\n")
    grown = [sorted(set(b) | {g for i in b for g in ancestors(i, above)}) for b in baskets]
    everything = {s: c for s, c in brute_force(grown, 2).items()
                  if not any(a in s for i in s for a in ancestors(i, above))}
    words = ("--support", 2, "--item-groups", groups)
    assert sets_of(mine(*words, file)) == everything
    assert int(mine(*words, "--count", file)) == len(everything)
    pairs = parse_rules(mine(*words, "--target", "rules", "--output-format", "ndjson", "--confidence", "1%", file))
    assert pairs.keys() == {(s - {h}, frozenset([h])) for s in everything if len(s) > 1 for h in s
                            if Fraction(everything[s], everything[s - {h}]) >= Fraction(1, 100)}
    parts = [mine(*words, "--groups", 3, "--group", g, file) for g in range(3)]
    assert sets_of("".join(parts)) == everything


def test_bad_item_groups_are_refused(tmp_path):
    file = write(tmp_path / "b.dat", [["a", "b"]])
    groups = tmp_path / "groups.tsv"
    for text, line in (("a\tx\nb\n", "line 2"), ("a\tx\na\ty\n", "line 2"), ("a\ta\n", "line 1"),
                       ("a\tx\nx\ty\ny\tx\n", "own group"), ("\tx\n", "line 1"), ("a\t\n", "line 1")):
        groups.write_text(text)
        assert line in failed("--support", 1, "--item-groups", groups, file)
    assert "No such file" in failed("--support", 1, "--item-groups", tmp_path / "none", file)


def usage(*words):
    done = run("mine", *words, check=False)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("basketd: "), (words, done)
    return done.stderr


def test_bad_options_say_what_is_right(tmp_path):
    file = write(tmp_path / "b.dat", [[1, 2], [2, 3]])
    for support in ("0", "-1", "nan", "NaN", "inf", "101%", "0%", "-5%", "", "%", "1e3", "two", "99999999999"):
        assert "0.1%" in usage("--support", support, file)
    assert "say 0.1%" in usage("--support", "0.001", file)
    assert "only 2 baskets" in usage("--support", 3, file)
    assert "no option --suport" in usage("--suport", 3, file)
    assert "closed" in usage("--target", "some", file)
    assert "--min-length 3" in usage("--min-length", 3, "--max-length", 2, file)
    assert "'x'" in usage("--with", "x", file)
    assert "--target rules" in usage("--confidence", ".5", file)
    assert "20%" in usage("--target", "rules", "--confidence", "120%", file)
    assert "20%" in usage("--target", "rules", "--confidence", "0", file)
    assert "lift" in usage("--target", "rules", "--measures", "lift,nothing", file)
    assert "nothing" in usage("--target", "rules", "--top", 3, "--by", "nothing", file)
    assert "minimum support" in usage("--target", "rules", "--top", 3, "--by", "lift", file)
    assert "--group g" in usage("--groups", 3, file)
    assert "--group 3" in usage("--groups", 3, "--group", 3, "--support", 1, file)
    assert "64MiB" in usage("--memory-limit", "much", file)
    assert "tsv" in usage("--output-format", "xml", file)
    assert "name one file" in usage()
    assert "name one file" in usage(file, file)


def failed(*words, **more):
    done = run("mine", *words, check=False, **more)
    assert done.returncode == 1 and done.stderr.startswith("basketd: ") and done.stderr.count("\n") == 1, done
    return done.stderr


def test_bad_files_are_clear_errors(tmp_path):
    bad = tmp_path / "bad.dat"
    assert "No such file" in failed(tmp_path / "none")
    assert "directory" in failed(tmp_path)
    bad.write_bytes(b"")
    assert "no baskets" in failed(bad)
    bad.write_bytes(b"1 2\n3 \x00\n")
    assert "line 2: item: has a control character" in failed(bad)
    bad.write_bytes(b"1\n\xff\xff\n")
    assert "line 2: item: not valid UTF-8" in failed(bad)
    bad.write_bytes(b"\xff\xfe1\x00")
    assert "UTF-16" in failed(bad)
    bad.write_bytes(gzip.compress(b"1 2\n" * 1000)[:40])
    assert "bad.dat" in failed(bad)
    bad.write_bytes(b"nothing,known\n1,2\n")
    assert "bad.dat" in failed(bad)
    bad.write_bytes(b"1 2\n")
    assert "No space left" in failed("--support", 1, "--output", "/dev/full", bad)
    assert "No such file" in failed("--support", 1, "--output", tmp_path / "no" / "where", bad)


@pytest.mark.parametrize("content,expected", [
    (b"1 2\n1 2", {"1 2": 2, "1": 2, "2": 2}),
    (b"1 2\r\n1 2\r\n", {"1 2": 2, "1": 2, "2": 2}),
    (b"1\t2\n 2  1 \n", {"1 2": 2, "1": 2, "2": 2}),
    (b"\xef\xbb\xbf1 2\n2 1\n", {"1 2": 2, "1": 2, "2": 2}),
    (b"1 1 2\n2 1 2\n", {"1 2": 2, "1": 2, "2": 2}),
    (b"4294967297 x\nx 4294967297\n", {"4294967297 x": 2, "4294967297": 2, "x": 2}),
    (b"+1 -1\n-1 +1\n", {"+1 -1": 2, "+1": 2, "-1": 2}),
    (b"007 7\n7 007\n", {"007 7": 2, "007": 2, "7": 2}),
])
def test_unusual_files_are_read_as_documented(tmp_path, content, expected):
    file = tmp_path / "b.dat"
    file.write_bytes(content)
    assert sets_of(mine("--support", 2, file)) == {frozenset(k.split()): c for k, c in expected.items()}
    piped = subprocess.run([PROGRAM, "mine", "--support", "2", "-"], input=content, capture_output=True, timeout=60)
    assert sets_of(piped.stdout.decode()) == sets_of(mine("--support", 2, file))


def test_empty_lines_are_baskets(tmp_path):
    file = tmp_path / "b.dat"
    file.write_bytes(b"1\n\n1\n \n")
    assert "0.5\n" in mine("--support", "50%", "--output-format", "tsv", file)
    assert "baskets 4\n" in run("mine", "--support", 1, "--stats", file).stderr


def test_a_million_items_on_a_line(tmp_path):
    file = tmp_path / "b.dat"
    file.write_text(" ".join(map(str, range(1000000))) + "\n1 2 3\n")
    assert sets_of(mine("--support", 2, file)) == brute_force([[1, 2, 3]] * 2, 2)
    assert int(mine("--support", 1, "--max-length", 1, "--count", file)) == 1000000


def test_orders_in_any_format_are_the_same_baskets(tmp_path):
    baskets = [b for b in random_baskets(21, ["red kettle", "tea", "cup", "85123A"]) if b]
    csv, ndjson, array, packed = (tmp_path / n for n in ("o.csv", "o.ndjson", "o.json", "o.ndjson.gz"))
    csv.write_text("order_id,item_id\n" + "".join(f"{n},{i}\n" for n, b in enumerate(baskets) for i in b))
    records = [{"order_id": str(n), "items": [{"item_id": i, "quantity": 1} for i in b]}
               for n, b in enumerate(baskets)]
    stale = {"order_id": "0", "items": [{"item_id": "tea", "quantity": 1}, {"item_id": "cup", "quantity": 1}]}
    ndjson.write_text("".join(json.dumps(r) + "\n" for r in [stale] + records + [{**stale, "order_id": "x"}])
                      + '{"kind":"cancel","order_id":"x"}\nbroken\n')
    array.write_text(json.dumps(records))
    packed.write_bytes(gzip.compress(array.read_bytes()))
    expected = {(tuple(sorted(s)), c) for s, c in brute_force(baskets, 2).items()}
    for file in (csv, ndjson, array, packed):
        done = run("mine", "--support", 2, "--output-format", "ndjson", file)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert {(tuple(sorted(r["items"])), r["count"]) for r in lines} == expected
        assert ("1 bad lines left out, the first: line" in done.stderr) == (file == ndjson)
    assert "red kettle" in failed("--support", 2, "--output-format", "fimi", csv)
    assert "red kettle,tea\t" in mine("--support", 2, "--sorted", csv)


def test_numbers_read_from_csv_and_from_fimi_give_the_same_bytes(tmp_path):
    baskets = [b for b in random_baskets(22) if b]
    file = write(tmp_path / "b.dat", baskets)
    csv = tmp_path / "b.csv"
    csv.write_text("order_id,item_id\n" + "".join(f"{n:04},{i}\n" for n, b in enumerate(baskets) for i in b))
    assert mine("--support", 2, file) == mine("--support", 2, "--output-format", "fimi", csv)


def test_budgets_keep_the_most_frequent_sets(tmp_path_factory, tmp_path):
    baskets = random_baskets(31)
    file = write(tmp_path / "b.dat", baskets)
    everything = brute_force(baskets, 1)
    for budget in (1, 10, 40):
        done = run("mine", "--support", 1, "--max-itemsets", budget, "--stats", file)
        reached = int(done.stderr.split("\nsupport ")[1].split()[0])
        assert sets_of(done.stdout) == {s: c for s, c in everything.items() if c >= reached}
        assert len(sets_of(done.stdout)) <= budget
        assert reached == 1 or sum(c >= reached - 1 for c in everything.values()) > budget
        assert ("raised the support" in done.stderr) == (reached > 1)


def peak_kib(*words):
    """The program's largest resident size, its output thrown away."""
    measure = ("import os, resource, subprocess, sys\n"
               "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n"
               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([os.sys.executable, "-c", measure, PROGRAM, "mine", *map(str, words)],
                          capture_output=True, text=True, timeout=300, check=True)
    return int(done.stdout)


@pytest.mark.skipif(SANITIZED, reason="memory is not the program's own")
def test_memory_does_not_grow_with_what_is_written(tmp_path):
    """24 items bought together: 16.8 million sets, 600 MB of text."""
    small = write(tmp_path / "small.dat", [range(10)] * 3)
    large = write(tmp_path / "large.dat", [range(24)] * 3)
    for threads in (1, 4):
        few = peak_kib("--support", 2, "--threads", threads, small)
        many = peak_kib("--support", 2, "--threads", threads, large)
        assert many < few + 4096
    dense = write(tmp_path / "dense.dat", [[i for i in range(22) if i != n] for n in range(22)])
    for threads in (1, 4):
        assert peak_kib("--support", 2, "--threads", threads, dense) < few + 80 * 1024


@pytest.mark.skipif(SANITIZED, reason="memory is not the program's own")
@pytest.mark.parametrize("limit,mib", [("1MiB", 1), ("64MiB", 64), ("1GiB", 1024)])
@pytest.mark.parametrize("name,support", [("retail", 5), ("chess", 800)])
def test_a_memory_limit_keeps_the_most_frequent_sets(tmp_path_factory, limit, mib, name, support):
    file = shared_file(name, tmp_path_factory)
    words = ("--support", support, "--memory-limit", limit)
    done = run("mine", *words, "--stats", "--output", "/dev/null", file)
    stats = dict(line.split(" ", 1) for line in done.stderr.splitlines())
    reached, kept = int(stats["support"]), int(stats["results"])
    assert int(mine("--support", reached, "--count", file)) == kept
    assert (reached > support) == (stats["raised"] == "yes") == ("raised the support" in done.stderr)
    assert peak_kib(*words, file) <= 32 * 1024 + mib * 1024 * 9 // 8
    assert reached > support or mib > 64


def test_a_closed_pipe_is_a_failure(tmp_path):
    file = write(tmp_path / "b.dat", [range(20)] * 3)
    process = subprocess.Popen([PROGRAM, "mine", "--support", "2", file], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert process.stderr.read() == "basketd: writing: Broken pipe\n"
    process.stderr.close()


@pytest.mark.parametrize("words", [["--count"], ["--output", "/dev/null"], ["--target", "maximal", "--count"]])
def test_sigint_ends_it(tmp_path, words):
    r = random.Random(1)
    file = write(tmp_path / "b.dat", [r.sample(range(400), 120) for _ in range(1500)])
    process = subprocess.Popen([PROGRAM, "mine", "--support", "2", *words, file], stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True)
    time.sleep(0.7)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 1
    assert "cancelled" in process.stderr.read()
    process.stderr.close()


def test_waiting_for_input_can_be_cancelled():
    process = subprocess.Popen([PROGRAM, "mine", "--support", "2", "-"], stdin=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 1
    assert process.stderr.read() == "basketd: standard input: cancelled\n"
    process.stdin.close()
    process.stderr.close()


def test_a_support_that_was_not_given_is_named(tmp_path):
    file = write(tmp_path / "b.dat", [[1, 2]] * 300)
    assert "no --support given, took 1 % = 3 baskets" in run("mine", file).stderr
    assert run("mine", "--support", 3, file).stderr == ""


def test_stats_tell_what_was_read_and_found(tmp_path):
    file = write(tmp_path / "b.dat", [[1, 2, 2], [2, 3], []])
    stats = dict(line.split(" ", 1) for line in run("mine", "--support", 2, "--stats", file).stderr.splitlines())
    assert stats["baskets"] == "3" and stats["items"] == "3" and stats["entries"] == "4"
    assert stats["repeats"] == "1" and stats["support"] == "2" and stats["results"] == "1"
    assert stats["written_bytes"] == str(len("2 (2)\n")) and stats["format"] == "fimi"
    assert float(stats["read_s"]) >= 0 and int(stats["peak_bytes"]) > 0


def test_mine_has_no_data_directory(tmp_path):
    file = write(tmp_path / "b.dat", [[1]])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "basketd.conf").write_text("this is broken\n")
    assert mine("--support", 1, file, cwd=tmp_path) == "1 (1)\n"
    assert "no option --data" in usage("--data", tmp_path, file)
    for command in ("mine", "shard"):
        help_text = run(command, "--help").stdout
        assert "--support" in help_text and "--data" not in help_text
