"""basketd mine as a program: options, files of every kind, limits, pipes, signals."""
import gzip
import json
import os
import random
import signal
import subprocess
import time

import pytest

from conftest import PROGRAM, run
from mining import SANITIZED, brute_force, failed, mine, random_baskets, sets_of, shared_file, usage, write


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
