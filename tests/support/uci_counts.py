"""What the cleaning rules make of UCI Online Retail, worked out apart from basketd.

Reads the CSV on standard input; prints the counts as tests/support/transcript.c does."""
import csv
import io
import sys

rows = csv.DictReader(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline=""))
orders, lines = {}, dict.fromkeys("read cancelled returned merged rejected".split(), 0)
for row in rows:
    lines["read"] += 1
    order = orders.setdefault(row["InvoiceNo"].strip(), [])
    quantity, price = int(row["Quantity"]), float(row["UnitPrice"])
    if quantity == 0 or price < 0:
        lines["rejected"] += 1
    else:
        order.append((row["StockCode"].strip(), quantity))

given = dict.fromkeys(("orders", "lines"), 0)
counts = {"read": len(orders), "cancelled": 0, "rejected": 0}
for order in orders.values():
    items = {}
    for item, quantity in order:
        items.setdefault(item, []).append(quantity)
    left = {item: q for item, q in items.items() if sum(q) > 0}
    if not order:
        counts["rejected"] += 1
    elif not left:
        counts["cancelled"] += 1
        lines["cancelled"] += len(order)
    else:
        given["orders"] += 1
        given["lines"] += len(left)
        for item, q in items.items():
            positive = sum(1 for n in q if n > 0)
            lines["returned"] += len(q) - positive if item in left else len(q)
            lines["merged"] += positive - 1 if item in left else 0


def show(name, tally):
    shown = " ".join(f"{key}={n}" for key, n in tally.items() if n)
    print(name, shown)


show("orders", counts)
show("lines", lines)
print("given", given["orders"], given["lines"])
