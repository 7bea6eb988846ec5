"""kill -9 at random points: what was acknowledged is there, once, as it was sent."""
import collections
import http.client
import json
import random
import signal
import sqlite3
import threading
import time

from conftest import Server

KILLS = 200
CLIENTS = 8


def order(name):
    number = sum(name.encode())
    return {"order_id": name, "items": [{"item_id": f"i{number % 50}", "quantity": number % 3 + 1, "price": 2.5},
                                        {"item_id": f"j{number % 7}", "quantity": 1, "price": 1}]}


class Client(threading.Thread):
    """Posts orders until the server is gone; what it knows of each is in `acknowledged` or `unknown`."""

    def __init__(self, port, number, seed, again):
        super().__init__()
        self.port, self.number, self.rng, self.again = port, number, random.Random(seed), again
        self.acknowledged, self.unknown, self.jobs, self.refused = set(), set(), set(), []

    def post(self, connection, names, headers):
        self.unknown.update(names)
        connection.request("POST", "/ingest", "".join(json.dumps(order(n)) + "\n" for n in names), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status == 200:
            orders = body["orders"]
            assert orders["accepted"] + orders["duplicate"] == len(names) and orders["replaced"] == 0
            self.acknowledged.update(names)
        elif answer.status == 202:
            self.jobs.update(names)
        else:
            self.refused.append(body)

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            if self.again:
                self.post(connection, self.again, {})
            while True:
                count = self.rng.choice((1, 1, 1, 2, 20))
                names = [f"{self.number}-{self.rng.getrandbits(48):x}" for _ in range(count)]
                self.post(connection, names, {"Prefer": "respond-async"} if self.rng.random() < 0.02 else {})
        except (OSError, http.client.HTTPException):
            pass  # killed


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    data, rng = tmp_path / "data", random.Random(1)
    acknowledged, promised = set(), set()
    again = [[] for _ in range(CLIENTS)]  # sent with an unknown end: sent once more after the restart
    for round_number in range(KILLS):
        if round_number % 10 == 9:  # while it starts
            server = Server(data, wait=False)
            time.sleep(rng.uniform(0, 0.03))
            server.kill()
            continue
        server = Server(data)
        clients = [Client(server.port, i, rng.random(), again[i]) for i in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(rng.uniform(0.002, 0.08))
        server.kill()
        for client in clients:
            client.join()
            assert not client.refused
            acknowledged |= client.acknowledged
            promised |= client.jobs
            again[client.number] = sorted(client.unknown - client.acknowledged - client.jobs)
    server = Server(data)
    for job in server.get("/jobs?limit=200").json()["jobs"]:
        assert server.wait_job(job["id"])["state"] == "done"
    assert server.stop(signal.SIGTERM) == 0
    base = sqlite3.connect(data / "orders.db")
    assert base.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    names = dict(base.execute("SELECT item_key, item_id FROM items"))
    rows = base.execute("SELECT order_id, lines FROM orders").fetchall()
    base.close()
    stored = collections.Counter(name for name, _ in rows)
    assert acknowledged <= set(stored) and promised <= set(stored)
    assert max(stored.values()) == 1
    for name, lines in rows:
        sent = sorted((i["item_id"], i["quantity"], round(i["price"] * 100)) for i in order(name)["items"])
        assert sorted((names[key], quantity, price) for key, quantity, price in json.loads(lines)) == sent
    assert len(acknowledged) > 20 * KILLS and promised
