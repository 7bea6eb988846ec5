"""A shop with few orders: the default recipe beside reciprocal rank fusion of the same learners.

The models learn from the first 300, 1000 or 3000 baskets of a stretch of a data set and are asked about the 2000 that
follow: with so few to learn from, a test among them would say nothing. --tables: as Markdown."""
import csv
import gzip
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BUILD = os.environ.get("BUILD", "build/release")
PROGRAM = os.environ.get("BASKETD") or f"{BUILD}/basketd"
SHARED = pathlib.Path("../shared/data")
SIZES = [300, 1000, 3000]
ASKED = 2000


def online_retail():
    """Baskets in order of time, as `--items '^[0-9]{5}' --priced` reads them."""
    orders = {}
    with gzip.open(SHARED / "online-retail/online_retail.csv.gz", "rt", encoding="utf-8", errors="replace") as f:
        rows = csv.reader(f)
        names = [n.strip().lower() for n in next(rows)]
        order, item, count = (names.index(n) for n in ("invoiceno", "stockcode", "quantity"))
        price = next(i for i, n in enumerate(names) if "price" in n)
        for row in rows:
            if re.match("[0-9]{5}", row[item]) and float(row[count]) > 0 and float(row[price]) > 0:
                orders.setdefault(row[order], {})[row[item]] = None
    return [list(items) for items in orders.values()]


def groceries():
    with gzip.open(SHARED / "fimi/groceries.dat.gz", "rt") as f:
        return [line.split() for line in f if line.strip()]


def ask(baskets, learnt, path):
    path.write_text("".join(" ".join(b) + "\n" for b in baskets))
    share = 1 - learnt / len(baskets)
    done = subprocess.run([PROGRAM, "evaluate", "--json", "--format", "fimi", "--protocol", "leave-one-out",
                           "--test-share", f"{share:.6f}", "--models", "default,fusion", "--against", "default",
                           path], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def short(number):
    return f"{number:+.4f}".replace("0.", ".", 1)


def main():
    tables = "--tables" in sys.argv
    if not SHARED.exists():
        print("skipped, no shared data")
        return
    if tables:
        print("| data, from basket | learnt from | questions | default | fusion | difference (95 %) |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name, baskets in (("uci", online_retail()), ("groceries", groceries())):
            for start in range(0, len(baskets) - SIZES[-1] - ASKED, 5000 if name == "uci" else 2000):
                for size in SIZES:
                    report = ask(baskets[start:start + size + ASKED], size, pathlib.Path(scratch) / "part.dat")
                    got = {m: report["metrics"][m]["ndcg@10"] for m in ("default", "fusion", "popularity")}
                    by = report["models"]["fusion"]["against"]["ndcg@10"]
                    if tables:
                        print(f"| {name}, {start} | {report['split']['train_orders']} | {report['split']['questions']} | " +
                              " | ".join(f"{got[m]:.4f}".replace("0.", ".", 1) for m in ("default", "fusion")) +
                              f" | {short(by['difference'])} ({short(by['low'])} – {short(by['high'])}) |", flush=True)
                    for model, value in got.items() if not tables else ():
                        print(f"result fusion.{name}.{start}.{size}.{model}.ndcg@10 {value:.4f} share", flush=True)


if __name__ == "__main__":
    main()
