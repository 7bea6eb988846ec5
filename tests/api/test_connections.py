"""Slow clients, full queues, browsers, and the end of the server."""
import http.client
import json
import signal
import socket
import threading
import time

import pytest

from conftest import problem

ORDER = json.dumps({"order_id": "c-1", "items": ["sku-000001"]}).encode()


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def seconds_until_closed(sock, drip=None, pause=0.1):
    begun = time.monotonic()
    sock.settimeout(pause)
    while time.monotonic() - begun < 15:
        try:
            if drip:
                sock.sendall(drip)
            if not sock.recv(4096):
                break
        except TimeoutError:
            pass
        except OSError:
            break
    return time.monotonic() - begun


@pytest.fixture(scope="module")
def hasty(shop_directory, tmp_path_factory):
    import shutil

    from conftest import Server

    data = tmp_path_factory.mktemp("hasty") / "data"
    shutil.copytree(shop_directory / "data", data)
    made = Server(data, "--header-timeout", "1s", "--body-timeout", "1s", "--idle-timeout", "2s")
    yield made
    assert made.stop() == 0


def test_silent_and_dripping_heads_are_cut_off(hasty):
    with connect(hasty) as s:
        assert 0.9 <= seconds_until_closed(s) < 4
    with connect(hasty) as s:
        s.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n")
        assert 0.9 <= seconds_until_closed(s, b"X") < 4


def test_dripping_bodies_are_cut_off(hasty):
    with connect(hasty) as s:
        s.sendall(b"POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        assert 0.9 <= seconds_until_closed(s, b" ") < 4


def test_idle_connections_are_closed_and_may_be_used_until_then(hasty):
    with connect(hasty) as s:
        for _ in range(3):
            s.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            assert s.recv(4096).endswith(b"ok\n")
            time.sleep(0.7)
        assert 0.5 <= seconds_until_closed(s) < 5


def test_slow_clients_do_not_hold_up_others(hasty):
    slow = [connect(hasty) for _ in range(200)]
    for s in slow:
        s.sendall(b"POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
    for _ in range(20):
        assert hasty.get("/recommend?items=sku-000001").status_code == 200
    for s in slow:
        s.close()


def test_connections_beyond_the_limit_wait_and_the_others_go_on(start):
    server = start("--connections", "8")
    held = [connect(server) for _ in range(8)]
    for s in held:
        s.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert s.recv(4096).endswith(b"ok\n")
    with connect(server) as late:
        late.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        late.settimeout(0.3)
        try:
            assert late.recv(4096) == b""
        except (TimeoutError, ConnectionResetError):
            pass
        held[0].sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert held[0].recv(4096).endswith(b"ok\n")
        for s in held:
            s.close()
    time.sleep(0.2)
    assert server.get("/livez").status_code == 200


def test_a_full_queue_is_503_and_loses_nothing(start):
    server = start("--ingest-queue", "1")
    accepted, busy, lock = set(), [], threading.Lock()

    def post(number):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for i in range(20):
            name = f"q-{number}-{i}"
            connection.request("POST", "/ingest", json.dumps({"order_id": name, "items": ["a"]}))
            answer = connection.getresponse()
            body = answer.read()
            with lock:
                if answer.status == 200:
                    accepted.add(name)
                else:
                    assert answer.status == 503 and answer.getheader("Retry-After") == "1", body
                    busy.append(body)
        connection.close()

    threads = [threading.Thread(target=post, args=(i,)) for i in range(32)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert accepted and busy
    for name in list(accepted)[:20]:
        assert server.post("/ingest", data=json.dumps({"order_id": name, "items": ["a"]})).json()["orders"]["duplicate"] == 1


def test_many_posts_on_many_connections_are_each_answered_once(start):
    server = start("--loops", "2")
    failures = []

    def post(number):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for i in range(25):
            connection.request("POST", "/ingest", json.dumps({"order_id": f"m-{number}-{i}", "items": ["a", "b"]}),
                               {"X-Request-ID": f"r-{number}-{i}"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status != 200 or answer.getheader("X-Request-ID") != f"r-{number}-{i}" \
                    or body["orders"]["accepted"] != 1:
                failures.append(body)
        connection.close()

    threads = [threading.Thread(target=post, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_pages_of_other_origins_may_not_write(start):
    server = start("--cors-origins", "https://shop.example")
    foreign = {"Origin": "https://evil.example"}
    problem(server.post("/ingest", data=ORDER, headers=foreign), 403)
    problem(server.post("/train", headers=foreign), 403)
    problem(server("DELETE", "/items/sku-000001", headers={"Origin": "https://shop.example"}), 403)
    assert server.post("/ingest", data=ORDER, headers={"Origin": server.url}).status_code == 200
    assert server.get("/recommend", headers=foreign).status_code == 200  # the browser keeps it from the page
    answer = server.get("/recommend?limit=x", headers={"Origin": "https://shop.example"})
    assert answer.status_code == 400 and answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert answer.headers["Vary"] == "Origin"


def test_preflights(start):
    server = start("--cors-origins", "https://shop.example,https://www.shop.example")
    for path, methods in (("/recommend", "GET, POST"), ("/rules", "GET"), ("/items/a", "GET")):
        asked = server("OPTIONS", path, headers={"Origin": "https://www.shop.example",
                                                 "Access-Control-Request-Method": "GET"})
        assert asked.status_code == 204 and asked.headers["Access-Control-Allow-Methods"] == methods
        assert "X-API-Key" in asked.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in asked.headers
    for path, origin in (("/ingest", "https://shop.example"), ("/models", "https://shop.example"),
                         ("/recommend", "https://evil.example"), ("/recommend", "null")):
        asked = server("OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert "Access-Control-Allow-Origin" not in asked.headers
    off = start()
    assert "Vary" not in off.get("/recommend", headers={"Origin": "https://shop.example"}).headers


def test_request_ids_and_traces_pass_through(server):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = server.get("/recommend", headers={"X-Request-ID": "a.b:c-1_2", "traceparent": trace})
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "a.b:c-1_2"
    assert answer.headers["traceparent"] == trace
    for bad in ("a b", 'a"b', "x" * 65, "é".encode().decode("latin-1")):
        answer = server.get("/livez", headers={"X-Request-ID": bad, "traceparent": "nonsense"})
        assert len(answer.headers["X-Request-ID"]) == 32 and "traceparent" not in answer.headers
    ids = {server.get("/livez").headers["X-Request-ID"] for _ in range(50)}
    assert len(ids) == 50


def test_a_drain_answers_what_is_under_way(start):
    server = start("--loops", "2")
    sockets = [connect(server) for _ in range(8)]
    for i, s in enumerate(sockets):
        body = json.dumps({"order_id": f"drain-{i}", "items": ["a"]}).encode()
        s.sendall(b"POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
    bodies = [json.dumps({"order_id": f"drain-{i}", "items": ["a"]}).encode()[10:] for i in range(8)]
    idle = connect(server)
    idle.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
    assert idle.recv(4096)
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    idle.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
    late = idle.recv(4096)
    assert late.startswith(b"HTTP/1.1 503") and b"Connection: close" in late
    with pytest.raises(OSError):
        connect(server)
    time.sleep(0.6)
    for s, body in zip(sockets, bodies):
        s.sendall(body)
    for s in sockets:
        answer = s.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200") and b"Connection: close" in answer
    assert server.process.wait(timeout=5) == 0


def test_the_drain_has_an_end_and_a_second_signal_a_nearer_one(start):
    for flags, signals, most in ((("--drain-timeout", "1s"), 1, 4), (("--drain-timeout", "60s"), 2, 3)):
        server = start(*flags)
        held = connect(server)
        held.sendall(b"POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
        time.sleep(0.2)
        begun = time.monotonic()
        for _ in range(signals):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        assert server.process.wait(timeout=20) == 0
        assert time.monotonic() - begun < most
        held.close()


def test_hangup_is_ignored_and_interrupt_ends(start):
    server = start()
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    assert server.get("/livez").status_code == 200
    assert server.stop(signal.SIGINT) == 0


def test_a_port_that_is_taken_is_told(start, tmp_path):
    from conftest import run

    for loops in (1, 2):
        server = start("--loops", str(loops))
        for more in (1, 2):
            done = run("serve", "--data", tmp_path / "other", "--listen", f"127.0.0.1:{server.port}", "--loops", more,
                       check=False)
            assert done.returncode == 1 and str(server.port) in done.stderr
