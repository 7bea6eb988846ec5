"""Catalogue, users, models, keys, health, draining, kills."""
import json
import os
import shutil
import socket
import sqlite3
import threading
import time

import pytest
import requests

from conftest import Server, problem, run

def test_stock_and_availability_act_on_the_next_answer(start, truth):
    server = start()
    a, b = truth["bundles"][0]["items"][:2]
    ask = lambda: [i["item_id"] for i in server.get(f"/recommend?items={a}&in_stock=true&limit=20").json()["items"]]
    server("PATCH", f"/items/{b}", json={"stock": 5})
    assert b in ask()
    assert server("PATCH", f"/items/{b}", json={"stock": 0}).json()["stock"] == 0
    assert b not in ask()
    server("PATCH", f"/items/{b}", json={"stock": 5, "available": False})
    assert b not in ask()
    server("PATCH", f"/items/{b}", json={"available": True})
    assert b in ask()
    assert server("DELETE", f"/items/{b}").status_code == 204
    assert b not in ask()
    problem(server.get(f"/items/{b}"), 404)


def test_items_are_made_replaced_and_listed(start):
    server = start()
    made = server("PUT", "/items/lamp%2F1", json={"title": "Lamp", "price": 12.5, "category": ["Home"]})
    assert made.status_code == 201 and made.json()["price"] == 12.5 and made.json()["item_id"] == "lamp/1"
    again = server("PUT", "/items/lamp%2F1", json={"title": "Lamp 2"})
    assert again.status_code == 200 and again.json()["price"] is None
    problem(server("PATCH", "/items/absent", json={"stock": 1}), 404)
    bad = problem(server("PUT", "/items/x", json={"price": "cheap"}), 400)
    assert bad["errors"][0]["pointer"] == "/price"
    problem(server("PUT", "/items/x", json={"item_id": "y"}), 400)
    seen, cursor = [], None
    while True:
        page = server.get("/items", params={"limit": 60, **({"cursor": cursor} if cursor else {})}).json()
        seen += [i["item_id"] for i in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 201


def test_a_user_is_shown_and_erased(start):
    server = start()
    server.ingest({"order_id": "u-1", "user_id": "somebody-unique", "items": ["sku-000001"]})
    assert server.get("/users/somebody-unique").json()["orders"] == 1
    assert server("DELETE", "/users/somebody-unique").json()["orders"] == 1
    problem(server.get("/users/somebody-unique"), 404)
    server.stop()
    for name in os.listdir(server.data):
        path = server.data / name
        if path.is_file():
            assert b"somebody-unique" not in path.read_bytes(), name


def test_train_publishes_and_a_model_can_be_rolled_back(start):
    server = start()
    before = server.get("/recommend?surface=popular").json()["model"]
    started = server.post("/train")
    assert started.status_code == 202
    assert server.wait_job(started.json()["id"])["state"] == "done"
    for _ in range(100):
        after = server.get("/recommend?surface=popular").json()["model"]
        if after != before:
            break
        time.sleep(0.05)
    assert after > before
    assert server("PUT", "/models/live", json={"id": before}).json()["live"] is True
    assert server.get("/recommend?surface=popular").json()["model"] == before
    problem(server("PUT", "/models/live", json={"id": 999}), 404)
    problem(server("PUT", "/models/live", json={"id": "x"}), 400)
    problem(server.get("/models/999"), 404)


@pytest.mark.threads
def test_ingest_and_training_fail_no_answer(start):
    server = start("--loops", "2")
    stop, bad, count = threading.Event(), [], [0]

    def ask():
        session = requests.Session()
        while not stop.is_set():
            answer = session.get(server.url + "/recommend?items=sku-000001&limit=5", timeout=30)
            count[0] += 1
            if answer.status_code != 200 or len(answer.json()["items"]) == 0:
                bad.append(answer.text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    for round_number in range(2):
        for i in range(200):
            assert server.ingest({"order_id": f"load-{round_number}-{i}", "items": ["sku-000001", "sku-000002"]}).ok
        job = server.wait_job(server.post("/train").json()["id"])
        assert job["state"] == "done"
    stop.set()
    for t in threads:
        t.join()
    assert not bad and count[0] > 50


def test_keys_and_scopes(start, shop_directory, tmp_path):
    data = tmp_path / "keyed"
    shutil.copytree(shop_directory / "data", data)
    keys = {scope: run("key", "add", "--scopes", scope, "--data", data).stdout.strip()
            for scope in ("read", "ingest", "admin", "metrics")}
    server = start("--cors-origins", "https://shop.example", data=data)
    problem(server.get("/recommend"), 401)
    problem(server.get("/recommend", headers={"X-API-Key": keys["read"][:-1] + "_"}), 401)
    assert server.get("/livez").status_code == 200
    routes = {"read": "/recommend", "ingest": "/jobs", "admin": "/models", "metrics": "/metrics"}
    for scope, key in keys.items():
        for need, path in routes.items():
            answer = server.get(path, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == (200 if scope in (need, "admin") else 403), (scope, path)
    answer = server.get("/recommend", headers={"X-API-Key": keys["read"], "Origin": "https://shop.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    other = server.get("/recommend", headers={"X-API-Key": keys["read"], "Origin": "https://other.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    asked = server("OPTIONS", "/recommend", headers={"Origin": "https://shop.example",
                                                     "Access-Control-Request-Method": "GET"})
    assert asked.status_code == 204 and "GET" in asked.headers["Access-Control-Allow-Methods"]
    assert not any(k.split("_", 2)[2] in open(server.log.name).read() for k in keys.values())


def test_other_addresses_need_a_key(tmp_path):
    done = run("serve", "--data", tmp_path / "d", "--listen", "0.0.0.0:0", check=False)
    assert done.returncode == 1 and "key" in done.stderr


def test_a_second_process_is_told_who_has_the_directory(server):
    done = run("train", "--data", server.data, check=False)
    assert done.returncode == 1 and str(server.port) in done.stderr


def test_unknown_routes_methods_and_request_ids(server):
    problem(server.get("/nowhere"), 404)
    assert problem(server("DELETE", "/recommend"), 405) and True
    assert server("DELETE", "/recommend").headers["Allow"]
    assert server("BREW", "/recommend").status_code == 501
    assert server.get("/livez", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    assert server("HEAD", "/version").status_code == 200
    assert server.get("/version").json()["version"]


def test_metrics_are_prometheus_text(server):
    server.get("/recommend?surface=popular")
    text = server.get("/metrics").text
    assert 'basketd_http_requests_total{route="/recommend",method="GET",code="200"}' in text
    for line in text.splitlines():
        assert line.startswith("#") or line.startswith(("basketd_", "process_")), line


def test_sigterm_ends_a_server_with_open_connections(start):
    server = start()
    idle = socket.create_connection(("127.0.0.1", server.port))
    server.get("/livez")
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 5
    idle.close()


def test_sigterm_during_training_keeps_the_old_model(start):
    server = start()
    before = server.get("/recommend?surface=popular").json()["model"]
    server.post("/train")
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 5 + 5
    again = start(data=server.data)
    assert again.get("/recommend?surface=popular").json()["model"] >= before


def test_a_damaged_newest_model_falls_back(start, shop_directory, tmp_path):
    data = tmp_path / "damaged"
    shutil.copytree(shop_directory / "data", data)
    run("train", "--data", data, "--min-support", "20", "--max-length", "2")
    base = sqlite3.connect(data / "models.db")
    newest = base.execute("SELECT max(model_id) FROM models").fetchone()[0]
    base.execute("UPDATE chunks SET bytes = zeroblob(length(bytes)) WHERE part_key IN"
                 " (SELECT part_key FROM parts WHERE model_id = ?)", (newest,))
    base.commit()
    base.close()
    server = start(data=data)
    assert server.get("/recommend?surface=popular").json()["model"] < newest
    assert "damaged" in server.get("/readyz?verbose").text


def test_a_backup_of_a_running_shop_can_be_served(start, tmp_path):
    server = start()
    run("backup", tmp_path / "copy", "--data", server.data)
    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "copy").rename(restored / "orders.db")
    (tmp_path / "copy.models").rename(restored / "models.db")
    again = start(data=restored)
    assert again.get("/recommend?surface=popular").json()["items"]
