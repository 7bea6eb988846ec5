"""basketd tune: tries, goes on, says what it adopted; trainings read it."""
import json
import random

from conftest import run

ITEMS = 60


def walkers(shoppers, steps, rng):
    """Each shopper buys an item, then mostly its neighbour on a ring, a day later."""
    for user in range(shoppers):
        at = rng.randrange(ITEMS)
        for step in range(steps):
            yield {"order_id": f"{user}-{step}", "user_id": f"u{user}",
                   "timestamp": 1_600_000_000 + 86400 * step + user * 20,
                   "items": [{"item_id": f"i{at}"}, {"item_id": f"i{(at + 7) % ITEMS}"}]}
            at = (at + 1) % ITEMS if rng.random() < 0.7 else rng.randrange(ITEMS)


def shop(data, tmp_path):
    rows = walkers(1500, 12, random.Random(2))
    (tmp_path / "orders.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("import", "--data", data, tmp_path / "orders.ndjson")


def tune(data, *options):
    return json.loads(run("tune", "--data", data, "--json", *options).stdout)


def test_a_search_is_resumed_and_its_result_used(tmp_path):
    data = tmp_path / "data"
    shop(data, tmp_path)
    stopped = tune(data, "--tries", "6", "--budget", "1ms")
    assert not stopped["complete"] and not stopped["adopted"]
    first = tune(data, "--tries", "6")
    assert first["complete"] and first["tries"] == 6 + 2 + 1 - stopped["tries"]
    lines = (data / "tune.ndjson").read_text().splitlines()
    assert len(lines) == 9 and {json.loads(line)["rung"] for line in lines} == {0, 1, 2}
    with open(data / "tune.ndjson", "a") as log:
        log.write('{"orders_hash":"torn')
    again = tune(data, "--tries", "6")
    assert again["resumed"] == 9 and again["tries"] == 0
    assert [again[k] for k in ("draw", "ndcg_tuned")] == [first[k] for k in ("draw", "ndcg_tuned")]
    assert first["adopted"] == (first["difference"]["low"] > 0) == (data / "tuned.json").exists()

    plain = json.loads(run("train", "--data", data, "--json", "--gate=false").stdout)["recipe"]
    (data / "tuned.json").write_text(json.dumps({"basket": {"space": 1, "seed": 1, "draw": 3}}))
    tuned = json.loads(run("train", "--data", data, "--json", "--gate=false").stdout)["recipe"]
    ridges = lambda r: [i for i in r["ingredients"] if i["matrix"] == "orders" and i["learner"] == "ridge"]
    assert ridges(tuned) and ridges(tuned) != ridges(plain)


def test_what_is_wrong_is_told(tmp_path):
    data = tmp_path / "data"
    shop(data, tmp_path)
    for text, says in (("[]", "not an object"), ("{", "line"), ('{"basket":{"seed":"x"}}', "basket.seed"),
                       ('{"basket":{"seed":1,"draw":-1}}', "basket.draw")):
        (data / "tuned.json").write_text(text)
        done = run("train", "--data", data, check=False)
        assert done.returncode == 1 and "tuned.json" in done.stderr and says in done.stderr
    for words, says in ((("--surface", "similar"), "basket or personal"), (("--budget", "soon"), "--budget"),
                        (("--tries", "1000"), "tries"), (("x",), "takes no")):
        done = run("tune", "--data", data, *words, check=False)
        assert done.returncode == 2 and says in done.stderr
    few = tmp_path / "few"
    (tmp_path / "few.ndjson").write_text('{"order_id":"1","items":[{"item_id":"a"},{"item_id":"b"}]}\n')
    run("import", "--data", few, tmp_path / "few.ndjson")
    done = run("tune", "--data", few, check=False)
    assert done.returncode == 1 and ("too few" in done.stderr or "no question" in done.stderr)
