"""basketd tune: tries, goes on, says what it adopted; trainings read it."""
import json
import random
import time

from conftest import problem, run

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
        for altered in ({"ndcg": 7}, {"ndcg": -1}, {"ndcg": None}, {"draw": -1}, {"rung": "2"}, {"questions": 1e300}):
            log.write(json.dumps({**json.loads(lines[0]), **altered}) + "\n")
        log.write(lines[0].replace('"ndcg":', '"ndcg":NaN,"x":') + "\n")
        log.write('{"orders_hash":"torn')
    again = tune(data, "--tries", "6")
    assert again["resumed"] == 9 and again["tries"] == 0
    assert [again[k] for k in ("draw", "ndcg_tuned")] == [first[k] for k in ("draw", "ndcg_tuned")]
    assert first["adopted"] == (first["difference"]["low"] > 0) == (data / "tuned.json").exists()

    plain = json.loads(run("train", "--data", data, "--json", "--gate=false").stdout)["recipe"]
    (data / "tuned.json").write_text(json.dumps({"basket": {"space": first["space"], "seed": 1, "draw": 3}}))
    tuned = json.loads(run("train", "--data", data, "--json", "--gate=false").stdout)["recipe"]
    assert tuned["mixes"]["basket"]["habit_decay"] != plain["mixes"]["basket"]["habit_decay"]


def test_trainings_do_without_a_damaged_file(tmp_path):
    data = tmp_path / "data"
    shop(data, tmp_path)
    plain = json.loads(run("train", "--data", data, "--json", "--gate=false").stdout)["recipe"]
    (data / "tuned.json").write_text('{"basket":{"space":')
    done = run("train", "--data", data, "--json", "--gate=false")
    assert json.loads(done.stdout)["recipe"] == plain
    assert done.stderr.count("event=tuning.damaged") == 1 and "tuned.json" in done.stderr
    done = run("train", "--data", data, "--json", "--rehearse=false")
    assert "tuned.json" not in done.stderr  # not rehearsed: not of use
    done = run("tune", "--data", data, "--budget", "1ms", check=False)
    assert done.returncode == 1 and "tuned.json" in done.stderr


def test_what_is_wrong_is_told(tmp_path):
    data = tmp_path / "data"
    shop(data, tmp_path)
    for words, says in ((("--surface", "similar"), "basket or personal"), (("--budget", "soon"), "--budget"),
                        (("--tries", "1000"), "tries"), (("x",), "takes no")):
        done = run("tune", "--data", data, *words, check=False)
        assert done.returncode == 2 and says in done.stderr
    few = tmp_path / "few"
    (tmp_path / "few.ndjson").write_text('{"order_id":"1","items":[{"item_id":"a"},{"item_id":"b"}]}\n')
    run("import", "--data", few, tmp_path / "few.ndjson")
    done = run("tune", "--data", few, check=False)
    assert done.returncode == 1 and ("too few" in done.stderr or "no question" in done.stderr)


def newest(server, kind):
    return next((job for job in server.get("/jobs").json()["jobs"] if job["kind"] == kind), None)


def wait_for(what, seconds=60):
    for _ in range(seconds * 20):
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it does not come")


def running(server):
    job = newest(server, "tune")
    trying = job and job["state"] == "running" and job["step"] == "trying menus"
    return job if trying and (job["done"] or 0) >= 1 else None


def test_the_server_tunes_by_itself(start, tmp_path):
    data = tmp_path / "data"
    shop(data, tmp_path)
    run("train", "--data", data)
    server = start("--train-tune", "1h", "--train-tune-budget", "1h", data=data)
    job = wait_for(lambda: running(server))
    assert job["step"] == "trying menus" and job["total"] == 27 + 9 + 3
    refused = run("tune", "--data", data, check=False)
    assert refused.returncode == 1 and "another search is at work" in refused.stderr
    slow = []
    for n in range(200):
        begin = time.monotonic()
        assert server.get("/recommend", params={"items": f"i{n % ITEMS}"}).status_code == 200
        slow.append(time.monotonic() - begin)
    assert sorted(slow)[100] < 0.1
    server.kill()

    tries = (data / "tune.ndjson").read_bytes().count(b"\n")
    assert tries >= 1
    server = start("--train-tune", "1h", "--train-tune-budget", "1h", data=data)
    server.ingest({"order_id": "late", "items": [{"item_id": "i1"}, {"item_id": "i2"}]})
    done = server.wait_job(job["id"])
    assert done["state"] == "done" and newest(server, "tune")["id"] == job["id"]
    basket = done["report"]["surfaces"][0]
    assert basket["resumed"] == tries and basket["tries"] == 27 + 9 + 3 - tries and basket["complete"]
    assert basket["adopted"] == (basket["difference"]["low"] > 0)
    adopted = json.loads((data / "tuned.json").read_text()) if (data / "tuned.json").exists() else {}
    assert ("basket" in adopted) == basket["adopted"]
    trained = server.wait_job(server.post("/train").json()["id"])
    assert trained["state"] == "done"


def test_a_search_of_the_server_can_be_cancelled_and_must_be_said_right(start, tmp_path):
    data = tmp_path / "data"
    shop(data, tmp_path)
    run("train", "--data", data)
    server = start("--train-tune", "1h", data=data)
    job = wait_for(lambda: running(server))
    assert server("DELETE", f"/jobs/{job['id']}").status_code == 202
    assert server.wait_job(job["id"])["state"] == "cancelled"
    problem(server("DELETE", f"/jobs/{job['id']}"), 409)
    for value in ("sometimes", "0s", ""):
        done = run("config", "--train-tune", value, check=False)
        assert done.returncode != 0 and "train.tune" in done.stderr
