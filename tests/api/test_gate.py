"""A training that does worse than the live model on the newest orders is stored, but not served."""
import json
import random

import pytest

from conftest import Server, run

BUNDLES, ITEMS = 20, 30


def orders(first, count, rng):
    """Each order has four of the thirty items of one bundle, and one of anything."""
    for n in range(first, first + count):
        bundle = rng.randrange(BUNDLES)
        items = [f"b{bundle}-{x}" for x in rng.sample(range(ITEMS), 4)]
        items.append(f"b{rng.randrange(BUNDLES)}-{rng.randrange(ITEMS)}")
        yield {"order_id": f"o{n}", "user_id": f"u{n % 500}", "timestamp": 1_700_000_000 + 600 * n,
               "items": [{"item_id": item} for item in dict.fromkeys(items)]}


def junk(count, rng):
    """Large orders of anything, dated among the first ones."""
    for n in range(count):
        items = {f"b{rng.randrange(BUNDLES)}-{rng.randrange(ITEMS)}" for _ in range(25)}
        yield {"order_id": f"junk{n}", "timestamp": 1_700_000_000 + 600 * (n % 2000) + 300,
               "items": [{"item_id": item} for item in sorted(items)]}


def import_orders(data, rows, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("import", "--data", data, path)


def train(data, *options):
    return json.loads(run("train", "--data", data, "--json", "--embeddings=false", *options).stdout)


def live(data):
    listed = json.loads(run("models", "--data", data, "--json").stdout)
    return [m["id"] for m in listed["models"] if m["live"]]


def test_a_worse_model_is_stored_but_not_served(tmp_path):
    rng, data = random.Random(5), tmp_path / "data"
    import_orders(data, orders(0, 2500, rng), tmp_path / "old.ndjson")
    first = train(data)
    assert not first["rehearsal"]["refused"]
    assert not first["rehearsal"]["basket"]["gate"]["judged"]
    assert live(data) == [first["model"]]

    import_orders(data, junk(6000, rng), tmp_path / "junk.ndjson")
    import_orders(data, orders(2500, 1000, rng), tmp_path / "new.ndjson")
    spoilt = train(data)
    gate = spoilt["rehearsal"]["basket"]["gate"]
    assert spoilt["rehearsal"]["refused"] and gate["judged"] and gate["refused"], gate
    assert gate["ndcg_new"] < gate["ndcg_live"] and gate["difference"]["high"] < 0
    assert live(data) == [first["model"]]
    listed = json.loads(run("models", "--data", data, "--json").stdout)["models"]
    assert [m["id"] for m in listed if m["report"]["rehearsal"]["refused"]] == [spoilt["model"]]

    unjudged = train(data, "--gate=false")
    assert not unjudged["rehearsal"]["refused"] and live(data) == [unjudged["model"]]


def test_without_a_rehearsal_the_recipe_goes_on(tmp_path):
    rng, data = random.Random(6), tmp_path / "data"
    import_orders(data, orders(0, 2500, rng), tmp_path / "orders.ndjson")
    first = train(data)
    second = train(data, "--rehearse=false")
    assert second["rehearsal"] is None and second["recipe"] == first["recipe"]


def test_a_target_for_the_long_tail_is_kept_with_the_model(tmp_path):
    """Sales fall off steeply: the first answers are of the head, unless the target says otherwise."""
    rng, data = random.Random(8), tmp_path / "data"
    rows = []
    for n in range(4000):
        items = {f"i{int(300 * rng.random() ** 3)}" for _ in range(6)}
        rows.append({"order_id": f"o{n}", "user_id": f"u{n % 400}", "timestamp": 1_700_000_000 + 600 * n,
                     "items": [{"item_id": item} for item in sorted(items)]})
    import_orders(data, rows, tmp_path / "orders.ndjson")
    plain = train(data)
    assert "tail" not in plain["rehearsal"]["basket"]
    assert {m["novelty"] for m in plain["recipe"]["mixes"].values()} == {0}
    aimed = train(data, "--tail-target", "0.4")
    tail = aimed["rehearsal"]["basket"]["tail"]
    assert tail["target"] == 0.4 and tail["share_without"] < 0.4 <= tail["share"], tail
    assert tail["ndcg"] <= tail["ndcg_without"] and 0 < tail["novelty"] < 1
    assert aimed["recipe"]["mixes"]["basket"]["novelty"] == pytest.approx(tail["novelty"], abs=1e-6)
    assert live(data) == [aimed["model"]]

    server = Server(data, "--tail-target", "0.4")
    ask = lambda **more: [i["item_id"] for i in server.get("/recommend", params={"items": "i0", **more}).json()["items"]]
    assert ask() == ask(novelty=tail["novelty"]) != ask(novelty=0)
    assert server.stop() == 0
    carried = train(data, "--rehearse=false", "--tail-target", "0.4")
    assert carried["recipe"]["mixes"]["basket"]["novelty"] == aimed["recipe"]["mixes"]["basket"]["novelty"]
    assert train(data, "--rehearse=false")["recipe"]["mixes"]["basket"]["novelty"] == 0


def visits(first, count, rng):
    """Each looks at six items in a row, an hour after the other; orders know nothing of the row."""
    for n in range(first, first + count):
        at = rng.randrange(BUNDLES * ITEMS)
        for look in range(6):
            x = (at + look) % (BUNDLES * ITEMS)
            yield {"event": "view", "session_id": f"s{n}", "item_id": f"b{x % BUNDLES}-{x // BUNDLES}",
                   "timestamp": 1_700_000_000 + 600 * n + 20 * look}


def test_visits_choose_what_a_session_answers_by(start, tmp_path):
    rng, data = random.Random(7), tmp_path / "data"
    import_orders(data, orders(0, 2500, rng), tmp_path / "orders.ndjson")
    before = train(data)
    assert "no visits" in before["rehearsal"]["session"]["skipped"]
    import_orders(data, visits(0, 2500, rng), tmp_path / "visits.ndjson")
    after = train(data)
    session, weights = after["rehearsal"]["session"], after["recipe"]["mixes"]["session"]["weights"]
    assert session["ndcg"] > .7 and session["ndcg"] >= session["ndcg_menu"] and session["questions"] >= 500
    assert weights["visits"] > 2 * sum(w for matrix, w in weights.items() if matrix != "visits")
    assert before["recipe"]["ingredients"] == after["recipe"]["ingredients"]
    for surface in ("basket", "personal", "similar"):
        assert before["recipe"]["mixes"][surface] == after["recipe"]["mixes"][surface]
    text = run("train", "--data", data, "--embeddings=false").stdout
    assert "rehearsed session  NDCG@10 " in text and "rehearsed basket   NDCG@10 " in text
    server = start(data=data)
    report = server.get(f"/models/{after['model']}").json()["report"]
    assert report["rehearsal"]["session"] == session
    got = server.get("/recommend", params={"surface": "session", "items": "b3-0,b4-0"}).json()
    assert got["items"][0]["item_id"] == "b5-0"
