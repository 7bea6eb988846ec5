"""Starts the real program on a free port in a directory of its own. The trained demo shop is made once and
copied for each server, so that tests may change it."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest
import requests

from contract import contract

PROGRAM = os.environ.get("BASKETD") or str(pathlib.Path("build/release/basketd").resolve())
SANITIZED = any(s in PROGRAM for s in ("address", "thread"))
SHARED = pathlib.Path("../shared/data")


def run(*words, check=True, **more):
    """A command to its end; its CompletedProcess."""
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=300, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"basketd {words}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Server:
    def __init__(self, data, *flags, wait=True):
        self.data = pathlib.Path(data)
        self.log = open(self.data.parent / f"serve-{time.monotonic_ns()}.log", "w+")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--data", str(data), "--listen", "127.0.0.1:0", "--train-min-new-orders", "0",
             "--train-interval", "0", *flags],
            stdout=subprocess.DEVNULL, stderr=self.log)
        self.http = requests.Session()
        self.url = self._wait() if wait else None

    def _wait(self):
        for _ in range(600):
            text = pathlib.Path(self.log.name).read_text()
            found = re.search(r"event=serve.ready address=(\S+)", text)
            if found:
                self.port = int(found[1].rsplit(":", 1)[1])
                return f"http://{found[1]}"
            if self.process.poll() is not None:
                raise AssertionError(f"basketd serve ended: {text}")
            time.sleep(0.02)
        raise AssertionError("basketd serve is not ready after 12 s")

    def __call__(self, method, path, **more):
        """The answer, held against openapi.yaml."""
        response = self.http.request(method, self.url + path, timeout=60, **more)
        if method != "HEAD":
            contract.check(method, path.split("?")[0], response)
        return response

    def get(self, path, **more):
        return self("GET", path, **more)

    def post(self, path, **more):
        return self("POST", path, **more)

    def ingest(self, *records, **params):
        body = "".join(json.dumps(r) + "\n" for r in records)
        return self.post("/ingest", data=body.encode(), params=params)

    def wait_job(self, number):
        for _ in range(1200):
            job = self.get(f"/jobs/{number}").json()
            if job["state"] not in ("queued", "running"):
                return job
            time.sleep(0.05)
        raise AssertionError(f"job {number} does not end")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.http.close()
        self.log.close()

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        self.http.close()
        return code


@pytest.fixture(scope="session")
def shop_directory(tmp_path_factory):
    base = tmp_path_factory.mktemp("shop")
    run("demo", "--out", base / "demo", "--items", 200, "--orders", 6000)
    run("import", "--data", base / "data", base / "demo" / "items.ndjson", base / "demo" / "orders.ndjson")
    run("train", "--data", base / "data", "--min-support", "20", "--max-length", "3")
    return base


@pytest.fixture(scope="session")
def truth(shop_directory):
    return json.loads((shop_directory / "demo" / "truth.json").read_text())


@pytest.fixture
def start(shop_directory, tmp_path):
    """start(*flags, empty=False) -> Server on a copy of the demo shop, or on nothing."""
    servers = []

    def make(*flags, empty=False, data=None):
        directory = data or tmp_path / f"data{len(servers)}"
        if not empty and not data:
            shutil.copytree(shop_directory / "data", directory)
        servers.append(Server(directory, *flags))
        return servers[-1]

    yield make
    for server in servers:
        if server.process.poll() is None:
            assert server.stop() == 0


@pytest.fixture(scope="module")
def server(shop_directory, tmp_path_factory):
    """One server for the tests of a file that change nothing the others look at."""
    directory = tmp_path_factory.mktemp("server") / "data"
    shutil.copytree(shop_directory / "data", directory)
    made = Server(directory)
    yield made
    assert made.stop() == 0


def problem(response, status):
    """The problem object of an error answer, checked for its form."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status and body["title"] and body["detail"]
    return body
