"""POST /ingest, its jobs, and what becomes of the records."""
import gzip
import json

import pytest

from conftest import problem

ORDER = {"order_id": "t-1", "user_id": "tu", "timestamp": "2025-12-30T10:00:00Z",
         "items": [{"item_id": "sku-000001", "quantity": 2, "price": 3.5}, {"item_id": "new-1", "title": "New thing"}]}


def test_sending_again_changes_nothing(server):
    first = server.ingest(ORDER).json()
    assert first["orders"]["accepted"] == 1 and first["lines"]["accepted"] == 2
    again = server.ingest(ORDER).json()
    assert again["orders"]["duplicate"] == 1 and again["orders"]["accepted"] == 0
    later = server.ingest(dict(ORDER, items=["sku-000001"])).json()
    assert later["orders"]["replaced"] == 1
    assert server.get("/items/new-1").json()["title"] == "New thing"


def test_a_cancelled_order_stays_cancelled(server):
    order = dict(ORDER, order_id="t-cancel")
    assert server.ingest(order).json()["orders"]["accepted"] == 1
    assert server.ingest({"kind": "cancel", "order_id": "t-cancel"}).json()["cancels"]["accepted"] == 1
    assert server.ingest(order).json()["orders"]["cancelled"] == 1


def test_bad_lines_are_listed_and_good_ones_taken(server):
    lines = [json.dumps(dict(ORDER, order_id="t-good")), "{", json.dumps({"order_id": "t-bad", "items": []}),
             json.dumps(dict(ORDER, order_id="t-typed", colour="red")), '{"order_id":"x","order_id":"y","items":["a"]}']
    report = server.post("/ingest", data="\n".join(lines).encode()).json()
    assert report["orders"]["accepted"] == 1 and report["error_count"] == 4
    assert [e["line"] for e in report["errors"]] == [2, 3, 4, 5]
    assert any("colour" in e["field"] + e["reason"] for e in report["errors"])


def test_strict_is_all_or_nothing(server):
    lines = json.dumps(dict(ORDER, order_id="t-strict")) + "\n{\n"
    refused = problem(server.post("/ingest?strict=true", data=lines.encode()), 422)
    assert refused["errors"][0]["line"] == 2
    assert server.ingest(dict(ORDER, order_id="t-strict")).json()["orders"]["accepted"] == 1


def test_csv_rows_of_an_order_may_lie_anywhere(server):
    text = "order_id,item_id,quantity,price\nc-1,a,1,2.50\nc-2,b,1,1\nc-1,c,2,3\nc-1,a,1,2.50\nc-3,a,-1,1\n"
    report = server.post("/ingest", data=text.encode(), headers={"Content-Type": "text/csv"}).json()
    assert report["orders"]["accepted"] == 2 and report["orders"]["cancelled"] == 1
    assert report["lines"]["merged"] == 1 and report["lines"]["read"] == 5


@pytest.mark.parametrize("coding", ["gzip", None])
def test_gzip_with_or_without_its_header(server, coding):
    body = gzip.compress(json.dumps(dict(ORDER, order_id=f"t-gzip-{coding}")).encode())
    headers = {"Content-Encoding": coding} if coding else {}
    assert server.post("/ingest", data=body, headers=headers).json()["orders"]["accepted"] == 1


def test_a_bomb_is_refused(server):
    bomb = gzip.compress(b"\0" * (64 << 20))
    assert server.post("/ingest", data=bomb).status_code in (400, 413)
    assert server.get("/livez").status_code == 200


def test_a_large_body_becomes_a_job(server):
    orders = [dict(ORDER, order_id=f"big-{i}") for i in range(12000)]
    answer = server.ingest(*orders)
    assert answer.status_code == 202
    job = server.wait_job(answer.json()["id"])
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    assert job["state"] == "done" and job["report"]["orders"]["accepted"] == 12000


def test_respond_async_and_a_body_of_unknown_length(server):
    answer = server.post("/ingest", data=json.dumps(dict(ORDER, order_id="t-async")).encode(),
                         headers={"Prefer": "respond-async"})
    assert answer.status_code == 202 and server.wait_job(answer.json()["id"])["state"] == "done"
    pieces = (json.dumps(dict(ORDER, order_id=f"chunk-{i}")).encode() + b"\n" for i in range(12000))
    answer = server.post("/ingest", data=pieces)
    assert answer.status_code == 202
    assert server.wait_job(answer.json()["id"])["report"]["orders"]["accepted"] == 12000


@pytest.mark.parametrize("query", ["format=xml", "strict=maybe", "colour=red"])
def test_bad_parameters(server, query):
    problem(server.post("/ingest?" + query, data=b"{}"), 400)


def test_an_empty_body_and_an_unknown_coding(server):
    problem(server.post("/ingest", data=b""), 400)
    problem(server.post("/ingest", data=b"x", headers={"Content-Encoding": "br"}), 415)


def test_an_id_of_a_mebibyte_is_a_bad_line(server):
    refused = problem(server.ingest(dict(ORDER, order_id="i" * 900000)), 422)
    assert refused["report"]["error_count"] == 1 and "256" in refused["errors"][0]["detail"]


def test_jobs_are_listed_and_unknown_ones_are_not_found(server):
    assert {"jobs", "next"} == set(server.get("/jobs").json())
    problem(server.get("/jobs/99999"), 404)
    problem(server("DELETE", "/jobs/99999"), 404)
