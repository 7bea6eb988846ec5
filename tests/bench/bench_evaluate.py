"""How good the suggestions are, on the data that papers use: the tables of docs/evaluation.md.

Parts by name on the command line, all when none is given: beauty uci short retail groceries basket personal rebuy. With
--tables the tables themselves, as Markdown, and no results."""
import json
import os
import pathlib
import subprocess
import sys

BUILD = os.environ.get("BUILD", "build/release")
PROGRAM = os.environ.get("BASKETD") or f"{BUILD}/basketd"
SHARED = pathlib.Path("../shared/data")
UCI = ["--items", "^[0-9]{5}", "--priced", SHARED / "online-retail/online_retail.csv.gz"]
FIMI = ["--format", "fimi", "--protocol", "leave-one-out", "--targets", "2"]

PARTS = {
    "beauty": ["--format", "sequences", "--protocol", "leave-last-out", SHARED / "sequences/beauty.txt.gz"],
    "uci": ["--protocol", "leave-one-out", "--anonymous", "--models", "ridge,blend,ease,ials,sgns,lowrank", *UCI],
    "short": ["--protocol", "leave-one-out", "--anonymous", "--context-max", "3", *UCI],
    "retail": [*FIMI, SHARED / "fimi/retail.dat.gz"],
    "groceries": [*FIMI, SHARED / "fimi/groceries.dat.gz"],
    "basket": ["--surface", "basket", *UCI],
    "personal": ["--surface", "personal", *UCI],
    "rebuy": ["--surface", "rebuy", "--models", "repeat,tifu", *UCI],
}
SHOWN = ["hr@10", "ndcg@10", "mrr@20", "coverage@10"]


def table(report):
    many = report["split"]["targets"] > report["split"]["questions"]
    keys = (["recall@10"] if many else []) + SHOWN
    print("| model | " + " | ".join(keys) + " | train CPU s | us p50 |")
    print("|---" * (len(keys) + 3) + "|")
    for name, model in report["models"].items():
        interval = model["intervals"]["ndcg@10"]
        cells = [f"{model['metrics'][k]:.4f}" for k in keys]
        cells[keys.index("ndcg@10")] += f" ({interval['low']:.4f} to {interval['high']:.4f})"
        cost = model["cost"]
        print(f"| {name} | " + " | ".join(c.replace("0.", ".") for c in cells) +
              f" | {cost['train_cpu_s']:.1f} | {cost['us_per_query']['p50']:.0f} |")


def main():
    tables = "--tables" in sys.argv
    chosen = [a for a in sys.argv[1:] if a != "--tables"] or PARTS
    for part in chosen:
        words = [str(w) for w in PARTS[part]]
        if not pathlib.Path(words[-1]).exists():
            print(f"{part}: skipped, no shared data")
            continue
        done = subprocess.run([PROGRAM, "evaluate", "--json", *words], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{part}: {done.stderr}")
        report = json.loads(done.stdout)
        if tables:
            print(f"\n{part}: basketd evaluate {' '.join(words)}\n{json.dumps(report['split'])}\n")
            table(report)
            continue
        for name, model in report["models"].items():
            for key in SHOWN:
                print(f"result evaluate.{part}.{name}.{key} {model['metrics'][key]:.4f} share", flush=True)
            print(f"result evaluate.{part}.{name}.train {model['cost']['train_cpu_s']:.3f} s", flush=True)


if __name__ == "__main__":
    main()
