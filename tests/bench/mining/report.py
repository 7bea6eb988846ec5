"""Tables in Markdown and a chart in SVG of what was measured."""
import math

TITLES = {
    "all-counted": "All itemsets, counted", "all-written": "All itemsets, written to a file",
    "closed-counted": "Closed itemsets, counted", "closed-written": "Closed itemsets, written to a file",
    "maximal-counted": "Maximal itemsets, counted", "rules-counted": "Rules, counted",
    "rules-written": "Rules, written to a file", "zipf1m-all": "A million baskets: all itemsets, counted",
    "zipf1m-closed": "A million baskets: closed itemsets, counted", "threads": "Two threads: all itemsets, counted",
}


def ours(row):
    return row["figures"][0]


def best(row):
    """The fastest peer whose count is right, or None."""
    right = [f for f in row["figures"][1:] if not f["verdict"]]
    return min(right, key=lambda f: f["wall_s"], default=None)


def ratio(row, key="wall_s"):
    """How many times longer the best peer takes; None without a peer."""
    peer = best(row)
    return peer[key] / ours(row)[key] if peer else None


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def ms(seconds):
    return f"{seconds * 1e3:,.1f}" if seconds < 0.1 else f"{seconds * 1e3:,.0f}"


def line(cells):
    return "| " + " | ".join(cells) + " |\n"


def table(head, lines):
    return line(head) + "|" + "---|" * len(head) + "\n" + "".join(map(line, lines))


def count_cell(row):
    return f"{ours(row)['count']:,}" + ours(row)["verdict"] if ours(row)["count"] is not None else ours(row)["verdict"]


def summary_line(row):
    """data, count, ours, the best peer, ratios, memory."""
    peer, lcm = best(row), next((f for f in row["figures"] if f["name"] == "lcm53"), None)
    cells = [row["row"], count_cell(row), f"{ms(ours(row)['wall_s'])} ({ms(ours(row)['cpu_s'])})"]
    if peer:
        cells += [peer["name"], f"{ms(peer['wall_s'])} ({ms(peer['cpu_s'])})",
                  f"**{ratio(row):.2f}** ({ratio(row, 'cpu_s'):.2f})"]
    else:
        cells += ["–", "–", "–"]
    return cells + [f"{ours(row)['peak_mib']:.1f}", f"{lcm['peak_mib']:.1f}" if lcm else "–"]


def peer_cell(row, name):
    figure = next((f for f in row["figures"] if f["name"] == name), None)
    if not figure:
        return "–"
    if figure["verdict"] not in ("", "×"):
        return figure["verdict"]
    wrong = f" × {figure['count']:,}" if figure["verdict"] else ""
    mark = "**" if figure is best(row) else ""
    return f"{mark}{ms(figure['wall_s'])}{mark}{wrong} ({figure['peak_mib']:.0f})"


def part(title, rows):
    ratios = [ratio(r) for r in rows if best(r)]
    head = ["data@minsup", "count", "basketd ms (CPU)", "best peer", "its ms (CPU)", "ratio (CPU)", "MiB", "LCM's MiB"]
    written = f"### {title}\n\n" + table(head, [summary_line(r) for r in rows])
    if ratios:
        written += f"\nGeometric mean {mean(ratios):.2f}, least {min(ratios):.2f}.\n"
    names = list(dict.fromkeys(f["name"] for r in rows for f in r["figures"][1:]))
    if names:
        written += "\nEveryone, ms (MiB):\n\n" + table(
            ["data@minsup", "basketd", *names],
            [[r["row"], *(peer_cell(r, name) for name in ["basketd", *names])] for r in rows])
    return written


def threads(title, rows):
    lines = []
    for row in rows:
        one, two = row["figures"][:2]
        lines.append([row["row"], count_cell(row), f"{ms(one['wall_s'])} ({ms(one['cpu_s'])})",
                      f"{ms(two['wall_s'])} ({ms(two['cpu_s'])})" + two["verdict"],
                      f"**{one['wall_s'] / two['wall_s']:.2f}**", f"{one['peak_mib']:.1f}", f"{two['peak_mib']:.1f}"])
    return f"### {title}\n\n" + table(
        ["data@minsup", "count", "1 thread, ms (CPU)", "2 threads, ms (CPU)", "faster", "MiB", "MiB of 2"], lines)


def memory_ratio(row):
    """basketd's peak as a multiple of that of LCM 5.3; None where it did not run."""
    lcm = next((f for f in row["figures"] if f["name"] == "lcm53" and not f["verdict"]), None)
    return ours(row)["peak_mib"] / lcm["peak_mib"] if lcm else None


def overview(results):
    """A line for each part that has peers."""
    lines = []
    for name, rows in results.items():
        compared = [r for r in rows if best(r)]
        if name == "threads" or not compared:
            continue
        least, most = min(compared, key=ratio), max(compared, key=ratio)
        memory = [memory_ratio(r) for r in compared if memory_ratio(r)]
        lines.append([TITLES[name], str(len(compared)), f"**{mean(list(map(ratio, compared))):.2f}**",
                      f"{ratio(least):.2f} {least['row']}", f"{ratio(most):.2f} {most['row']}",
                      f"{min(memory):.2f}–{max(memory):.2f}" if memory else "–"])
    return table(["best peer / basketd", "rows", "geometric mean", "least", "most", "MiB / LCM 5.3"], lines) + "\n"


def markdown(results):
    """`results` has a list of rows for each part, in order."""
    parts = [(threads if name == "threads" else part)(TITLES[name], rows) for name, rows in results.items()]
    return overview(results) + "\n".join(parts)


# The chart: a panel for each part, a bar for each row; what is right of the line at 1 is faster than every peer.
PANEL, BAR, LEFT, TOP, MOST = 128, 17, 110, 58, 4.0


def text(x, y, words, anchor="start", size=11, fill="#333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}">{words}</text>\n'


def bar(x, y, value):
    width = (PANEL - 40) * min(value, MOST) / MOST
    colour = "#2f7d5b" if value >= 1 else "#b5533c"
    return f'<rect x="{x}" y="{y + 3}" width="{width:.1f}" height="{BAR - 6}" fill="{colour}"/>\n' + \
        text(x + width + 3, y + BAR - 5, f"{value:.2f}", size=10)


def panel(x, title, rows, places):
    bottom = TOP + BAR * len(places)
    one = x + (PANEL - 40) / MOST
    drawn = "".join(text(x, TOP - 22 + 13 * i, words, fill="#000") for i, words in enumerate(title.split(", ")))
    drawn += "".join(bar(x, TOP + BAR * places[r["row"]], ratio(r)) for r in rows if best(r))
    return drawn + f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}" stroke="#999"/>\n' + \
        f'<line x1="{one:.1f}" y1="{TOP}" x2="{one:.1f}" y2="{bottom}" stroke="#000" stroke-dasharray="3 3"/>\n'


def chart(results):
    shown = {n: rows for n, rows in results.items() if n not in ("threads", "zipf1m-all", "zipf1m-closed")}
    names = list(dict.fromkeys(r["row"] for rows in shown.values() for r in rows))
    places = {name: i for i, name in enumerate(names)}
    width, height = LEFT + PANEL * len(shown) + 10, TOP + BAR * len(names) + 12
    drawn = text(8, 18, "Time of the fastest other miner as a multiple of basketd's, one thread", size=13, fill="#000")
    drawn += "".join(text(LEFT - 8, TOP + BAR * i + BAR - 5, name, "end") for name, i in places.items())
    titles = [TITLES[name].replace(" to a file", "").replace(" itemsets", "") for name in shown]
    drawn += "".join(panel(LEFT + PANEL * i, titles[i], rows, places) for i, rows in enumerate(shown.values()))
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" ' \
        f'viewBox="0 0 {width} {height}" font-family="sans-serif">\n' \
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n{drawn}</svg>\n'
