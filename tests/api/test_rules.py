"""GET /rules, held against a recount of the orders."""
import collections
import json
import pathlib
import re

import pytest

from conftest import SANITIZED, SHARED, problem, run


def test_pages_have_no_gaps_or_repeats(server):
    whole = server.get("/rules?limit=1000&sort=-confidence").json()
    seen, cursor = [], None
    while True:
        page = server.get("/rules", params={"limit": 37, "sort": "-confidence", **({"cursor": cursor} if cursor else {})}).json()
        seen += page["rules"]
        cursor = page["next"]
        if not cursor or len(seen) >= 1000:
            break
    assert seen[:1000] == whole["rules"][:len(seen)]
    confidences = [r["confidence"] for r in seen]
    assert confidences == sorted(confidences, reverse=True)


def test_a_cursor_of_another_question_is_refused(server):
    cursor = server.get("/rules?limit=1").json()["next"]
    assert problem(server.get(f"/rules?limit=1&min_lift=2&cursor={cursor}"), 400)["errors"][0]["parameter"] == "cursor"
    problem(server.get("/rules?cursor=AAAA"), 400)


def test_thresholds_hold(server):
    page = server.get("/rules?min_support=0.01&min_confidence=0.3&min_lift=2&limit=1000").json()
    assert page["rules"]
    for rule in page["rules"]:
        assert rule["support"] >= 0.01 and rule["confidence"] >= 0.3 and rule["lift"] >= 2


def recount(baskets, min_share, min_confidence):
    """Pair rules by the plainest count: {(x, y): (count, support, confidence, lift)}."""
    single, pairs = collections.Counter(), collections.Counter()
    for basket in baskets:
        single.update(basket)
    floor = min_share * len(baskets)
    frequent = {i for i, c in single.items() if c >= floor}
    for basket in baskets:
        items = sorted(basket & frequent)
        for a, x in enumerate(items):
            for y in items[a + 1:]:
                pairs[x, y] += 1
    rules = {}
    for (a, b), count in pairs.items():
        for x, y in ((a, b), (b, a)):
            if count >= floor and count >= min_confidence * single[x]:
                rules[x, y] = (count, count / len(baskets), count / single[x],
                               count * len(baskets) / single[x] / single[y])
    return rules


def compare(server, expected, baskets, min_share, min_confidence):
    cursor, found = None, {}
    while True:
        page = server.get("/rules", params={"min_support": min_share, "min_confidence": min_confidence, "limit": 1000,
                                            **({"cursor": cursor} if cursor else {})}).json()
        assert page["baskets"] == baskets
        for r in page["rules"]:
            if len(r["antecedent"]) == 1:
                found[r["antecedent"][0], r["consequent"]] = r
        cursor = page["next"]
        if not cursor:
            break
    assert set(found) == set(expected)
    for key, (count, support, confidence, lift) in expected.items():
        rule = found[key]
        assert rule["count"] == count
        for name, value in (("support", support), ("confidence", confidence), ("lift", lift)):
            assert rule[name] == pytest.approx(value, rel=1e-8)


def test_pair_rules_equal_a_recount(server, shop_directory):
    baskets = []
    for line in open(shop_directory / "demo" / "orders.ndjson"):
        baskets.append({i["item_id"] for i in json.loads(line)["items"]})
    expected = recount(baskets, 0.01, 0.3)
    assert expected
    compare(server, expected, len(baskets), 0.01, 0.3)


def check_readme(baskets):
    """The README's rules: "Of 100 orders with … (x, y), N also have … (z); of all orders|with …, M"."""
    text = pathlib.Path("README.md").read_text()
    lines = re.findall(r"^- Of 100 orders with .*\((.+)\), (\d+) also have .*\((\w+)\); (.*), (\d+)", text, re.M)
    assert len(lines) == 5
    for left, share, right, other, base in lines:
        left = left.split(", ")
        both = [b for b in baskets if set(left) <= b]
        assert round(100 * sum(right in b for b in both) / len(both)) == int(share)
        rest = baskets if other == "of all orders" else [b for b in baskets if left[1] in b]
        assert round(100 * sum(right in b for b in rest) / len(rest)) == int(base)


def test_uci_rules_equal_a_recount_of_the_file(start, tmp_path):
    source = SHARED / "online-retail" / "online_retail.csv.gz"
    if not source.exists():
        pytest.skip("no shared data")
    import csv
    import gzip
    data = tmp_path / "uci"
    report = json.loads(run("import", "--json", "--data", data, source).stdout)
    assert report["lines"]["read"] == 541909
    assert sum(v for k, v in report["lines"].items() if k != "read") == 541909
    again = json.loads(run("import", "--json", "--data", data, source).stdout)
    assert again["orders"]["accepted"] == again["orders"]["replaced"] == 0
    assert again["orders"]["duplicate"] == report["orders"]["accepted"]
    options = ("--data", data, "--min-support", "0.5%", "--max-length", "3")
    need = json.loads(run("train", "--estimate", "--json", *options).stdout)["peak_bytes"]
    refused = run("train", "--memory-limit", need // 2, *options, check=False)
    assert refused.returncode == 1 and "memory limit" in refused.stderr
    outcome = json.loads(run("train", "--memory-limit", need, "--json", *options).stdout)
    if not SANITIZED:  # which adds memory of its own
        assert outcome["peak_rss_bytes"] <= need
    orders = collections.defaultdict(lambda: collections.Counter())
    with gzip.open(source, "rt", newline="") as file:
        for row in csv.DictReader(file):
            if float(row["UnitPrice"]) >= 0:
                orders[row["InvoiceNo"]][row["StockCode"]] += int(row["Quantity"])
    baskets = [{i for i, q in lines.items() if q > 0} for lines in orders.values()]
    baskets = [b for b in baskets if b]
    check_readme(baskets)
    server = start(data=data)
    compare(server, recount(baskets, 0.01, 0.5), len(baskets), 0.01, 0.5)
    answer = server.get("/recommend?items=22697&limit=3").json()
    because = {i["item_id"]: i["because"]["kind"] for i in answer["items"]}
    assert because.get("22698") == "rule" and because.get("22699") == "rule"
