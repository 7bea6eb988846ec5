"""Input that is broken, hostile, or too much of a good thing."""
import gzip
import json
import sqlite3
import subprocess

import pytest

from conftest import problem, run

GOOD = b'{"order_id":"in-%d","items":["sku-000001"]}'


@pytest.mark.parametrize("line, field", [
    (b'{"order_id":"a","items":["b"]', ""),
    (b'nonsense', ""),
    (b'{"order_id":7,"items":["b"]}', "order_id"),
    (b'{"order_id":"a","items":"b"}', "items"),
    (b'{"order_id":"a","items":[{"item_id":"b","quantity":"two"}]}', "quantity"),
    (b'{"order_id":"a","items":["b"],"colour":"red"}', "colour"),
    (b'{"order_id":"a","order_id":"b","items":["c"]}', "order_id"),
    (b'{"order_id":"\xff","items":["b"]}', ""),
    (b'{"order_id":"a","items":["b"],"timestamp":"yesterday"}', "timestamp"),
    (b'{"order_id":"a","items":["b"],"timestamp":"2999-01-01T00:00:00Z"}', "timestamp"),
    (b'{"order_id":"","items":["b"]}', "order_id"),
    (b'{"order_id":"a\\u0000","items":["b"]}', "order_id"),
    (b'{"order_id":"a","items":[]}', "items"),
    (b'{"order_id":"a","items":[' + b"[" * 1000 + b']}', "")])
def test_a_bad_line_is_named_alone_and_beside_good_ones(server, line, field):
    refused = problem(server.post("/ingest?format=ndjson", data=line), 422)
    assert field in refused["errors"][0]["field"] + refused["errors"][0]["detail"]
    number = len(line) + sum(line)
    report = server.post("/ingest?format=ndjson", data=line + b"\n" + GOOD % number).json()
    assert report["orders"]["accepted"] == 1 and report["error_count"] == 1 and report["errors"][0]["line"] == 1


@pytest.mark.parametrize("body", [b'[{"order_id":"t","items":["a"]},', b'[{"order_id":"t","items":["a"]}', b"["])
def test_a_truncated_array_writes_nothing(server, body):
    problem(server.post("/ingest", data=body, headers={"Content-Type": "application/json"}), 400)
    report = server.post("/ingest?strict=true", data=b'{"order_id":"t","items":["a"]}').json()
    assert report["orders"]["duplicate"] + report["orders"]["accepted"] == 1


def test_one_object_of_several_lines_is_taken(server):
    body = json.dumps({"order_id": "pretty", "items": ["sku-000001"]}, indent=2).encode()
    for headers in ({}, {"Content-Type": "application/json"}, {"Content-Type": "application/json; charset=utf-8"}):
        report = server.post("/ingest", data=body, headers=headers).json()
        assert report["orders"]["accepted"] + report["orders"]["duplicate"] == 1


def test_truncated_and_false_gzip(server):
    whole = gzip.compress(b"".join(GOOD % i + b"\n" for i in range(5000, 5500)))
    problem(server.post("/ingest", data=whole[:-20], headers={"Content-Encoding": "gzip"}), 400)
    problem(server.post("/ingest", data=GOOD % 1, headers={"Content-Encoding": "gzip"}), 400)
    problem(server.post("/ingest", data=GOOD % 1, headers={"Content-Encoding": "zstd"}), 400)


def peak_mib(server):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024


def test_two_gibibytes_of_zeros_stop_early_and_cost_no_memory(start):
    server = start()
    before = peak_mib(server)
    piece = gzip.compress(b"\0" * (64 << 20))
    answer = server.post("/ingest?format=ndjson", data=piece * 32)  # members of one gzip stream
    assert answer.status_code == 202
    job = server.wait_job(answer.json()["id"])
    assert job["state"] == "failed" and job["error"]
    zstd = subprocess.run(["zstd", "-q", "-c"], input=b"\n" * (64 << 20), capture_output=True)
    if zstd.returncode == 0:
        problem(server.post("/ingest?format=ndjson", data=zstd.stdout), 413)
    assert peak_mib(server) - before < 128
    assert server.get("/livez").status_code == 200


def test_an_order_of_a_million_lines(start):
    server = start()
    lines = b",".join(b'"i%d"' % i for i in range(1000000))
    answer = server.post("/ingest?format=ndjson", data=b'{"order_id":"huge","items":[' + lines + b"]}")
    assert answer.status_code == 202
    job = server.wait_job(answer.json()["id"])
    assert job["state"] == "done" and job["report"]["orders"]["accepted"] == 1
    assert job["report"]["lines"]["accepted"] == 1000000
    answer = server.post("/ingest?format=ndjson", data=b'{"order_id":"huger","items":[' + lines + b',"more"]}')
    job = server.wait_job(answer.json()["id"])
    assert job["report"]["orders"]["rejected"] == 1


def test_uploads_have_a_limit(start):
    server = start("--ingest-upload", "1MiB", "--ingest-inline-body", "64KiB")
    problem(server.post("/ingest", data=b" " * (1 << 20) + b"x"), 413)
    pieces = (b'{"order_id":"%d","items":["a"]}\n' % i for i in range(40000))
    assert server.post("/ingest", data=pieces).status_code == 413
    assert server.get("/livez").status_code == 200
    assert not list((server.data / "spool").iterdir())


def test_fimi_needs_a_source_and_makes_ids_of_it(server):
    problem(server.post("/ingest?format=fimi", data=b"1 2 3\n4 5\n"), 400)
    first = server.post("/ingest?format=fimi&source=month", data=b"1 2 3\n4 5\n", headers={"Content-Type": "text/plain"})
    assert first.json()["orders"]["accepted"] == 2
    again = server.post("/ingest?format=fimi&source=month", data=b"1 2 3\n4 5\n")
    assert again.json()["orders"]["duplicate"] == 2


def test_columns_are_mapped_and_items_chosen(server):
    text = "Beleg,Artikel,Farbe\nb1,x-1,red\nb1,y-2,blue\n"
    report = server.post("/ingest?map=Beleg%3Dorder_id,Artikel%3Ditem_id,Farbe%3Dignore&include_items=^x",
                         data=text.encode(), headers={"Content-Type": "text/csv"}).json()
    assert report["orders"]["accepted"] == 1 and report["lines"]["accepted"] == 1 and report["lines"]["excluded"] == 1
    problem(server.post("/ingest?include_items=[", data=GOOD % 2), 400)
    problem(server.post("/ingest?include_items=(a{1,250}){1,250}", data=GOOD % 2), 400)
    problem(server.post("/ingest?exclude_items=(a)\\1", data=GOOD % 2), 400)
    problem(server.post("/ingest?format=csv", data=b"{}", headers={"Content-Type": "application/json"}), 400)


@pytest.mark.parametrize("path, field", [("/items/%01", None), ("/items/" + "a" * 257, None), ("/users/%7f", None)])
def test_ids_in_paths_are_judged(server, path, field):
    assert "id" in problem(server.get(path), 400)["detail"]


@pytest.mark.parametrize("body, pointer", [
    ({"title": 5}, "/title"), ({"stock": 1.5}, "/stock"), ({"attributes": {"a": {}}}, "/attributes"),
    ({"colour": 1}, "/colour"), ({"kind": "order"}, "/kind"), ({"available": "no"}, "/available"),
    ({"category": [""]}, "/category"), ({"item_id": "other"}, "/item_id")])
def test_bad_item_fields_are_pointed_at(server, body, pointer):
    assert problem(server("PUT", "/items/sku-000001", json=body), 400)["errors"][0]["pointer"] == pointer


def test_several_problems_are_told_at_once(server):
    body = problem(server.get("/recommend?limit=0&colour=red&in_stock=maybe"), 400)
    assert [e["parameter"] for e in body["errors"]] == ["limit", "colour", "in_stock"]
    body = problem(server.post("/recommend", json={"limit": 0, "filter": {"price": {"min": "x"}}}), 400)
    assert [e["pointer"] for e in body["errors"]] == ["/limit", "/filter/price/min"]


@pytest.mark.parametrize("body, pointer", [
    ({"session": {}}, "/session"), ({"session": ["a"]}, "/session/0"), ({"session": [{}]}, "/session/0/item_id"),
    ({"session": [{"item_id": ""}]}, "/session/0/item_id"), ({"session": [{"item_id": "a", "event": "buy"}]}, "/session/0/event"),
    ({"session": [{"item_id": "a", "at": 1}]}, "/session/0/at"), ({"session": [{"item_id": "a"}] * 1001}, "/session"),
    ({"bought": True}, "/bought"), ({"bought": "all"}, "/bought"), ({"user_id": 7}, "/user_id"),
    ({"surface": "personal"}, "/user_id")])
def test_bad_questions_about_shoppers_are_pointed_at(server, body, pointer):
    assert problem(server.post("/recommend", json=body), 400)["errors"][0]["pointer"] == pointer


def test_the_knobs_of_an_answer_are_shares(server):
    for name in ("diversity", "novelty"):
        for value in ("-0.1", "1.5", "nan", "inf", "-inf", "1e999"):
            assert problem(server.get(f"/recommend?{name}={value}"), 400)["errors"][0]["parameter"] == name
        for value in (-0.1, 1.5, "0.5", None):
            assert problem(server.post("/recommend", json={name: value}), 400)["errors"][0]["pointer"] == f"/{name}"
        for value in ("NaN", "Infinity", "1e999", "-1e-999x"):
            problem(server.post("/recommend", data=f'{{"{name}":{value}}}'), 400)
        assert server.get(f"/recommend?{name}=0.5").status_code == 200
        assert server.post("/recommend", json={name: 1}).status_code == 200


def test_json_bodies_are_limited_in_size_and_depth(server):
    problem(server.post("/recommend", data=b'{"items":[' + b"[" * 30000 + b"]}"), 400)
    problem(server.post("/recommend", data=b'{"items":[' + b",".join(b'"%d"' % i for i in range(1001)) + b"]}"), 400)
    keys = b",".join(b'"k%d":1' % i for i in range(5000))
    assert len(problem(server.post("/recommend", data=b"{" + keys + b"}"), 400)["errors"]) == 20


def test_a_newer_schema_is_refused(start, tmp_path):
    server = start()
    server.stop()
    base = sqlite3.connect(server.data / "orders.db")
    columns = [row[1] for row in base.execute("PRAGMA table_info(migrations)")]
    last = base.execute("SELECT * FROM migrations ORDER BY 1 DESC LIMIT 1").fetchone()
    values = [value + 1000 if isinstance(value, int) and i == 0 else f"999_{value}" if isinstance(value, str) else value
              for i, value in enumerate(last)]
    base.execute(f"INSERT INTO migrations VALUES ({','.join('?' * len(columns))})", values)
    base.commit()
    base.close()
    done = run("serve", "--data", server.data, "--listen", "127.0.0.1:0", check=False)
    assert done.returncode == 1 and "newer" in done.stderr


def test_a_truncated_models_db_is_survived(start):
    server = start()
    server.stop()
    path = server.data / "models.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    again = start(data=server.data)
    assert again.get("/livez").status_code == 200
    ready = again.get("/readyz?verbose")
    assert ready.status_code in (200, 503)
    assert "level=error" in open(again.log.name).read() or "level=warn" in open(again.log.name).read()
