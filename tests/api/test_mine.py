"""What basketd mine and basketd shard find, against brute force on small files and published counts."""
import itertools
import json
import math
import subprocess
from fractions import Fraction

import pytest

from conftest import PROGRAM, run
from mining import SANITIZED, brute_force, failed, mine, random_baskets, sets_of, shared_file, usage, write


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
