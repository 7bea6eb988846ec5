"""basketd mine beside other miners, on the same files in turns: `make bench-mine`. See docs/benchmarks.md.

    main.py                 measures, and leaves bench-mine.json, .md and .svg in BUILD
    main.py report FILE…    writes .md and .svg from such JSON files, later rows in place of earlier ones

Chosen by the environment: PEERS, PEERS_PYTHON and SPMF say what peers there are, PARTS and ROWS what is measured
(all when not set), ROUNDS multiplies the runs of what takes less than half a second, CORE is the core of everything
with one thread.
"""
import json
import os
import pathlib
import sys
import tempfile

import measure
import peers
import report
import rows

BUILD = pathlib.Path(os.environ.get("BUILD", "build/release"))
PROGRAM = os.environ.get("BASKETD") or str(BUILD / "basketd")


def wanted(variable, names):
    chosen = os.environ.get(variable, "").split() or list(names)
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise SystemExit(f"{variable}: no {', '.join(unknown)}; there are {', '.join(names)}")
    return chosen


def one_core():
    return os.environ.get("CORE") or str(max(os.sched_getaffinity(0)))


def compare(task, path, there, scratch):
    """basketd first, then each peer that does the task."""
    out = pathlib.Path(scratch) / "out"
    commands = [peers.basketd(PROGRAM, task, path, out)]
    commands += [peers.command(peer, program, task, path, out) for peer, program in there if peers.does(peer, task)]
    return measure.together(commands, [one_core()] * len(commands), task.expected, scratch)


def with_threads(task, path, there, scratch):
    """One thread and two; any two cores, since one thread needs a core of its own as well."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    one, two = (peers.basketd(PROGRAM, task._replace(threads=n), path, None)._replace(name=f"{n} threads")
                for n in (1, 2))
    return measure.together([one, two], [one_core(), ",".join(map(str, cores))], task.expected, scratch)


def say(name, row):
    own, best = report.ours(row), report.best(row)
    beside = f"{best['name']} {report.ms(best['wall_s'])} ms, {report.ratio(row):.2f} times" if best else "alone"
    figures = f"{report.ms(own['wall_s']):>9} ms {own['peak_mib']:7.1f} MiB"
    print(f"{name:16} {row['row']:13} {figures}, {beside}", flush=True)
    for figure in row["figures"]:
        if figure["verdict"]:
            print(f"    {figure['name']}: {figure['verdict']} {figure['count'] or ''}", flush=True)


def measure_part(name, there, chosen, scratch):
    how = with_threads if name == "threads" else compare
    if name == "threads" and len(os.sched_getaffinity(0)) < 2:
        print("skipped: threads, with one core")
        return []
    done = []
    for task in rows.PARTS[name]:
        path = rows.unpack(task.data, scratch, os.environ.get("PEERS_PYTHON")) if task.row in chosen else None
        if path:
            done.append({"row": task.row, "figures": how(task, path, there, scratch)})
            say(name, done[-1])
    return done


def keep(results):
    """After each part, so that what was measured outlives an end before time."""
    (BUILD / "bench-mine.json").write_text(json.dumps(results, indent=1) + "\n")


def render(results):
    (BUILD / "bench-mine.md").write_text(report.markdown(results))
    (BUILD / "bench-mine.svg").write_text(report.chart(results))
    print(f"written to {BUILD}/bench-mine.md and .svg")


def merged(files):
    """Later rows in place of earlier ones, in the order of the parts."""
    found = {name: {} for name in rows.PARTS}
    for file in files:
        for name, part in json.loads(pathlib.Path(file).read_text()).items():
            found[name].update({row["row"]: row for row in part})
    return {name: [part[t.row] for t in rows.PARTS[name] if t.row in part] for name, part in found.items() if part}


def main():
    if not rows.SHARED.is_dir():
        print("skipped: no shared data")
        return 0
    parts = wanted("PARTS", rows.PARTS)
    chosen = wanted("ROWS", list(dict.fromkeys(t.row for tasks in rows.PARTS.values() for t in tasks)))
    there = peers.found()
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in parts:
            if part := measure_part(name, there, chosen, scratch):
                results[name] = part
                keep(results)
    render(results)
    wrong = [row for part in results.values() for row in part if report.ours(row)["verdict"]]
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["report"]:
        render(merged(sys.argv[2:]))
        sys.exit(0)
    sys.exit(main())
