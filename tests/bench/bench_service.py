"""The program end to end: import, training, start, answers under load, model swaps under load.

Parts by name on the command line, all when none is given: uci big http swap. `big` takes minutes and some
gigabytes of disk. wrk drives the load; what is missing is said and skipped. Where the machine's own speed
matters the program and a bare epoll responder that sends the same bytes are measured in turns."""
import json
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

BUILD = os.environ.get("BUILD", "build/release")
PROGRAM = os.environ.get("BASKETD") or f"{BUILD}/basketd"
UCI = pathlib.Path("../shared/data/online-retail/online_retail.csv.gz")
ROUNDS = 5


def result(name, value, unit):
    print(f"result {name} {value:.6g} {unit}", flush=True)


def command(*words):
    """Runs the program; (seconds, CPU seconds, peak MiB, standard output)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True)
    took = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"basketd {words}: {done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, cpu, after.ru_maxrss / 1024, done.stdout


class Serving:
    def __init__(self, data, *flags):
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        self.begun = time.monotonic()
        self.process = subprocess.Popen([PROGRAM, "serve", "--data", str(data), "--listen", "127.0.0.1:0",
                                         "--train-min-new-orders", "0", "--train-interval", "0", *flags],
                                        stderr=self.log)
        found = None
        while not found and self.process.poll() is None:
            time.sleep(0.005)
            found = re.search(r"serve.ready address=(\S+)", open(self.log.name).read())
        if not found:
            raise SystemExit(open(self.log.name).read())
        self.url = "http://" + found[1]
        self.get("/readyz")
        self.ready_s = time.monotonic() - self.begun

    def get(self, path, body=None):
        with urllib.request.urlopen(self.url + path, data=body, timeout=600) as answer:
            return answer.read()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wrk(url, seconds, connections=64, script=None):
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", *(["-s", script] if script else []), url]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    unit = {"us": 1e-3, "ms": 1, "s": 1e3}
    latency = {p: float(v) * unit[u] for p, v, u in re.findall(r"\s(50|99)%\s+([\d.]+)(us|ms|s)\b", text)}
    failed = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text))) + \
        sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", text)))
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), latency, failed, text


def part_import(name, data, *files):
    took, cpu, peak, out = command("import", "--json", "--data", data, *files)
    last = json.loads(out.strip().splitlines()[-1])
    result(f"{name}_import_seconds", took, "s")
    result(f"{name}_import_cpu_seconds", cpu, "s")
    result(f"{name}_import_orders", last["orders"]["read"] / took, "orders/s")
    result(f"{name}_import_lines", last["lines"]["read"] / took, "lines/s")


def part_train(name, data, *flags):
    took, cpu, peak, out = command("train", "--json", "--data", data, *flags)
    outcome = json.loads(out)
    result(f"{name}_train_seconds", took, "s")
    result(f"{name}_train_cpu_seconds", cpu, "s")
    result(f"{name}_train_peak", outcome["peak_rss_bytes"] / 2**20, "MiB")
    result(f"{name}_model", outcome["model_bytes"] / 2**20, "MiB")


def part_start(name, data):
    times = []
    for _ in range(ROUNDS):
        server = Serving(data)
        times.append(server.ready_s)
        server.stop()
    result(f"{name}_start_to_ready", statistics.median(times), "s")


def uci(base):
    if not UCI.exists():
        print("skipped: no shared data")
        return
    part_import("uci", base / "uci", UCI)
    part_train("uci", base / "uci")
    part_start("uci", base / "uci")


def big(base):
    command("demo", "--out", base / "demo", "--items", 100000, "--orders", 2000000)
    command("import", "--data", base / "big", base / "demo" / "items.ndjson")
    part_import("big", base / "big", base / "demo" / "orders.ndjson")
    part_train("big", base / "big")
    part_start("big", base / "big")
    path = "/recommend?items=sku-000011,sku-020033,sku-000500,sku-077000,sku-001234&limit=10"
    load("big", base / "big", path)
    meanwhile("big", base / "big", path)


def meanwhile(name, data, path):
    """The same questions at a steady pace, with and without a training on all cores beside them."""
    if not shutil.which("wrk"):
        print("skipped: no wrk")
        return
    server = Serving(data)
    script = data / "pace.lua"
    script.write_text("function delay() return 2 end")
    for connections in (16, 64):
        rate, latency, failed, text = wrk(server.url + path, 5, connections, script)
        result(f"{name}_paced_{connections}", rate, "requests/s")
        result(f"{name}_paced_{connections}_p99", latency["99"], "ms")
    job = json.loads(server.get("/train", b""))["id"]
    during = {16: [], 64: []}
    while json.loads(server.get(f"/jobs/{job}"))["state"] in ("queued", "running"):
        for connections, found in during.items():
            found.append(wrk(server.url + path, 2, connections, script)[1]["99"])
    for connections, found in during.items():
        result(f"{name}_training_{connections}_p99", statistics.median(found), "ms")
        result(f"{name}_training_{connections}_p99_worst", max(found), "ms")
    server.stop()


def load(name, data, path):
    """basketd and the bare responder in turns, same bytes, 64 connections."""
    if not shutil.which("wrk"):
        print("skipped: no wrk")
        return
    server = Serving(data)
    with urllib.request.urlopen(server.url + path) as answer:
        head = "".join(f"{k}: {v}\r\n" for k, v in answer.headers.items() if k != "Connection")
        reply = f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + answer.read()
    with tempfile.NamedTemporaryFile() as file:
        file.write(reply)
        file.flush()
        bare = subprocess.Popen([f"{BUILD}/bench/bare_responder", file.name], stdout=subprocess.PIPE, text=True)
        port = int(bare.stdout.readline())
        ours, theirs, p50, p99 = [], [], [], []
        for _ in range(ROUNDS):
            rate, latency, failed, text = wrk(server.url + path, 3)
            assert failed == 0, text
            ours.append(rate)
            p50.append(latency["50"])
            p99.append(latency["99"])
            theirs.append(wrk(f"http://127.0.0.1:{port}{path}", 3)[0])
        bare.terminate()
        bare.wait()
    server.stop()
    result(f"{name}_recommend", statistics.median(ours), "requests/s")
    result(f"{name}_recommend_p50", statistics.median(p50), "ms")
    result(f"{name}_recommend_p99", statistics.median(p99), "ms")
    result(f"{name}_bare_responder", statistics.median(theirs), "requests/s")
    result(f"{name}_times_slower_than_bare", statistics.median(b / o for o, b in zip(ours, theirs)), "x")


CHECK = """
local bad = 0
function response(status, headers, body)
    if status ~= 200 or not body:find('"fallback":null') or not body:find('"items":%[{') then
        bad = bad + 1
        wrk.thread:set("bad", bad)
    end
end
local threads = {}
function setup(thread) thread:set("bad", 0) table.insert(threads, thread) end
function done(summary, latency, requests)
    local n = 0
    for _, t in ipairs(threads) do n = n + t:get("bad") end
    print("Wrong answers: " .. n)
end
"""


def make_small(base):
    data = base / "small"
    if not data.exists():
        command("demo", "--out", base / "small-demo")
        command("import", "--data", data, base / "small-demo" / "items.ndjson", base / "small-demo" / "orders.ndjson")
        command("train", "--data", data)
    return data


def http(base):
    load("small", make_small(base), "/recommend?items=sku-000001,sku-000100,sku-000080,sku-000396,sku-000392&limit=10")


def swap(base):
    """64 connections ask all the time; 5,000 orders come in and two models go live. Nothing may fail."""
    data = base / "swapped"
    shutil.copytree(make_small(base), data)
    server = Serving(data)
    script = base / "check.lua"
    script.write_text(CHECK)
    output = []
    asking = threading.Thread(target=lambda: output.append(wrk(server.url + "/recommend?items=sku-000001&limit=5",
                                                               40, script=str(script))))
    asking.start()
    models = set()
    for round_number in range(2):
        for n in range(2500):
            order = {"order_id": f"swap-{round_number}-{n}", "items": ["sku-000001", f"sku-{n % 400 + 1:06d}"]}
            report = json.loads(server.get("/ingest", json.dumps(order).encode()))
            assert report["orders"]["accepted"] == 1, report
        job = json.loads(server.get("/train", b""))["id"]
        while json.loads(server.get(f"/jobs/{job}"))["state"] != "done":
            time.sleep(0.1)
        models.add(json.loads(server.get("/recommend?items=sku-000001"))["model"])
    in_time = asking.is_alive()
    asking.join()
    rate, latency, failed, text = output[0]
    wrong = int(re.search(r"Wrong answers: (\d+)", text)[1])
    server.stop()
    result("swap_requests", rate, "requests/s")
    result("swap_failed_or_wrong", failed + wrong, "answers")
    assert failed + wrong == 0 and len(models) == 2 and in_time, (failed, wrong, models, in_time, text)


def main():
    parts = {"uci": uci, "big": big, "http": http, "swap": swap}
    with tempfile.TemporaryDirectory(prefix="basketd-bench-") as base:
        for name in sys.argv[1:] or parts:
            parts[name](pathlib.Path(base))


if __name__ == "__main__":
    main()
