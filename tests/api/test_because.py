"""Each reason that /recommend gives, against a recount of the orders: of random shops, by every surface, with orders
that came after the training."""
import collections
import datetime
import json
import random
import re

import pytest

from conftest import run

DAY = 86400
START = 1_700_000_000


class Shop:
    """What was ordered: known to the training, and since."""

    def __init__(self, seed, shoppers, items, orders):
        self.r = random.Random(seed)
        self.items = [f"i{n:03}" for n in range(items)]
        self.users = [f"u{n}" for n in range(shoppers)]
        times = sorted(self.r.randrange(90 * DAY) for _ in range(orders))
        self.trained = [self.order(n, START + t) for n, t in enumerate(times)]
        self.fresh = []
        self.now = max(o["timestamp"] for o in self.trained)
        self.bought = collections.defaultdict(set)
        for o in self.trained:
            if "user_id" in o:
                self.bought[o["user_id"]] |= set(o["items"])

    def order(self, number, when, new=()):
        """Neighbours on a ring come together and after each other."""
        at = min(self.r.randrange(len(self.items)), self.r.randrange(len(self.items)))
        chosen = {self.items[(at + self.r.choice([0, 1, 1, 2, 7])) % len(self.items)]
                  for _ in range(self.r.randint(1, 4))} | set(new)
        user = {} if self.r.random() < .2 else {"user_id": self.r.choice(self.users)}
        return {"order_id": f"o{number}", "timestamp": when, "items": sorted(chosen), **user}

    def add_fresh(self, count):
        for n in range(count):
            new = [f"new{self.r.randrange(3)}"] if self.r.random() < .2 else []
            self.fresh.append(self.order(f"f{n}", self.now + self.r.randrange(DAY), new))

    def with_all(self, items, orders):
        return [o for o in orders if set(items) <= set(o["items"])]

    def buyers(self, items):
        """Known shoppers who bought each of them in some order before the training."""
        return sum(set(items) <= bought for bought in self.bought.values())

    def later(self, first, then):
        """Known shoppers who bought one, and the other in a later order."""
        seen, count = {}, set()
        for o in self.trained:
            user = o.get("user_id")
            if user and then in o["items"] and seen.get(user, o["timestamp"]) < o["timestamp"]:
                count.add(user)
            if user and first in o["items"]:
                seen.setdefault(user, o["timestamp"])
        return len(count)


def shares(why, count, of_item, of_suggestion, all_of_them):
    assert why["count"] == count > 0
    assert why["support"] == pytest.approx(count / all_of_them)
    assert why["confidence"] == pytest.approx(count / of_item)
    assert why["lift"] == pytest.approx(count / of_item * all_of_them / of_suggestion)


def of_orders(shop, why, item, orders):
    shares(why, len(shop.with_all(why["items"] + [item], orders)), len(shop.with_all(why["items"], orders)),
           len(shop.with_all([item], orders)), len(orders))


def check_rule(shop, server, why, item):
    of_orders(shop, why, item, shop.trained)
    page = server.get("/rules", params={"antecedent": ",".join(why["items"]), "consequent": item}).json()
    shown = [rule for rule in page["rules"] if sorted(rule["antecedent"]) == sorted(why["items"])]
    assert [rule["count"] for rule in shown] == [why["count"]]


def check_shoppers(shop, why, item):
    [other] = why["items"]
    count = shop.later(other, item) if why["source"] == "next" else shop.buyers([other, item])
    shares(why, count, shop.buyers([other]), shop.buyers([item]), len(shop.bought))


def check_taste(shop, why, item):
    assert shop.buyers(why["items"] + [item]) == 0 < shop.buyers(why["items"])
    assert why["count"] == shop.buyers([item]) > 0 and "confidence" not in why and why["source"] == "buyers"


def check_habit(shop, why, item, user):
    times = sorted(o["timestamp"] for o in shop.trained + shop.fresh
                   if o.get("user_id") == user and item in o["items"])
    assert why["count"] == len(times) > 0 and why["items"] == []
    last = f"{why['last']:.19}".replace("T", " ")

    assert last == str(datetime.datetime.fromtimestamp(times[-1], datetime.timezone.utc))[:19]
    gap = (times[-1] - times[0]) / DAY / (len(times) - 1) if len(times) > 1 else None
    assert why["gap_days"] == (gap if gap is None else pytest.approx(gap))


def check_popular(shop, why, item):
    orders = shop.with_all([item], shop.trained + shop.fresh)
    recent = [o for o in orders if shop.now - o["timestamp"] < 28 * DAY]
    assert why["source"] == ("orders_28d" if recent else "orders_all")
    assert why["count"] == len(recent or orders)


def check_trend(shop, why, item):
    ages = [shop.now - o["timestamp"] for o in shop.with_all([item], shop.trained)]
    week, before = sum(a < 7 * DAY for a in ages), sum(7 * DAY <= a < 28 * DAY for a in ages)
    assert why["count"] == week > 0 and why["source"] == "orders_7d"
    assert why["trend"] > 0 and (week / 7 > before / 21)


def check(shop, server, suggestion, user):
    why, item = suggestion["because"], suggestion["item_id"]
    kind, source = why["kind"], why["source"]
    if kind == "rule":
        check_rule(shop, server, why, item)
    elif kind == "habit":
        check_habit(shop, why, item, user)
    elif kind == "taste":
        check_taste(shop, why, item)
    elif kind == "popular":
        check_popular(shop, why, item)
    elif kind == "trend":
        check_trend(shop, why, item)
    elif source in ("next", "shoppers"):
        assert (kind == "after") == (source == "next")
        check_shoppers(shop, why, item)
    else:
        assert kind == "neighbour" and source in ("orders", "alike", "fresh")
        of_orders(shop, why, item, shop.fresh if source == "fresh" else shop.trained + shop.fresh)
    return f"{kind}:{source}"


def questions(shop, count):
    known = shop.items + ["new0", "new1", "new2"]
    for n in range(count):
        surface = ["basket", "similar", "personal", "session", "rebuy", "trending", "popular"][n % 7]
        user = shop.r.choice(shop.users) if surface in ("personal", "rebuy") or shop.r.random() < .5 else None
        items = [] if surface in ("rebuy", "trending", "popular") else shop.r.sample(known, shop.r.randint(1, 4))
        yield {"surface": surface, "limit": 40, **({"items": ",".join(items)} if items else {}),
               **({"user_id": user} if user and surface in ("basket", "personal", "rebuy") else {})}


def trained_shop(tmp_path, seed, *size):
    shop, data = Shop(seed, *size), tmp_path / "data"
    (tmp_path / "orders.ndjson").write_text("".join(json.dumps(o) + "\n" for o in shop.trained))
    run("import", "--data", data, tmp_path / "orders.ndjson")
    report = json.loads(run("train", "--data", data, "--json", "--min-support", "3").stdout)
    return shop, data, report


def ask_and_check(shop, server, count):
    reasons = collections.Counter()
    for question in questions(shop, count):
        for suggestion in server.get("/recommend", params=question).json()["items"]:
            reasons[check(shop, server, suggestion, question.get("user_id"))] += 1
    return reasons


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_said_of_a_random_shop_is_so(start, tmp_path, seed):
    shop, data, _ = trained_shop(tmp_path, seed, 12 * seed, 30 + 10 * seed, 150 * seed)
    server = start(data=data)
    reasons = ask_and_check(shop, server, 42)
    shop.add_fresh(60)
    server.ingest(*shop.fresh)
    reasons += ask_and_check(shop, server, 84)
    for reason in ("rule:rule", "neighbour:orders", "neighbour:alike", "after:next", "neighbour:shoppers",
                   "neighbour:fresh", "habit:history", "trend:orders_7d", "popular:orders_28d"):
        assert reasons[reason] > 0, reasons


def test_what_is_said_by_a_fitted_recipe_is_so(start, tmp_path):
    """With orders enough to choose by, low rank and priors have their say."""
    shop, data, report = trained_shop(tmp_path, 4, 900, 400, 9000)
    assert report["rehearsal"]["basket"]["ndcg"] and report["rehearsal"]["personal"]["ndcg"]
    server = start(data=data)
    reasons = ask_and_check(shop, server, 56)
    assert sum(reasons.values()) > 500, reasons


def test_what_is_said_of_past_visits_is_so(start, tmp_path):
    """As there are fewer than 500, all visits that share an item with this one speak."""
    shop, data, _ = trained_shop(tmp_path, 5, 20, 60, 200)
    visits = []
    for n in range(300):
        at = shop.r.randrange(60)
        visits.append([shop.items[(at + shop.r.choice([0, 1, 2, 3, 9])) % 60] for _ in range(shop.r.randint(2, 6))])
    (tmp_path / "events.ndjson").write_text("".join(
        json.dumps({"event": "view", "session_id": f"s{n}", "item_id": item, "timestamp": START + 3600 * n + 20 * step})
        + "\n" for n, visit in enumerate(visits) for step, item in enumerate(visit)))
    run("import", "--data", data, tmp_path / "events.ndjson")
    run("train", "--data", data, "--rehearse=false", "--min-support", "3")
    printed = run("recommend", "--data", data, "--surface", "session", *shop.items[:3]).stdout
    assert re.search(r"^ {8}visits: \d+ of the \d+ most like this one$", printed, re.M), printed
    server = start(data=data)
    told = 0
    for _ in range(60):
        context = shop.r.sample(shop.items, shop.r.randint(1, 3))
        speak = [v for v in visits if set(v) & set(context) and len(set(v)) > 1]
        got = server.get("/recommend", params={"surface": "session", "items": ",".join(context)}).json()
        for suggestion in got["items"]:
            why = suggestion["because"]
            assert suggestion["item_id"] not in context
            if why["kind"] != "visits":
                continue
            count = sum(suggestion["item_id"] in v for v in speak)
            assert why["source"] == "neighbours" and why["items"] == []
            assert why["count"] == count > 0 and why["support"] == pytest.approx(count / len(speak))
            told += 1
    assert told > 100


def test_models_with_and_without_past_visits_take_turns(start, tmp_path):
    """A rollback answers as before it, whatever the loops' memory was made for."""
    shop, data, _ = trained_shop(tmp_path, 6, 20, 60, 200)
    server = start(data=data)
    asked = {"surface": "session", "items": ",".join(shop.items[:3]), "limit": 50}

    def answer():
        return [(s["item_id"], s["score"], s["because"]) for s in server.get("/recommend", params=asked).json()["items"]]

    answers = {1: answer()}
    for number, visits in ((2, 300), (3, 40)):
        server.ingest(*({"event": "view", "session_id": f"m{number}s{n}", "timestamp": START + 3600 * n + step,
                         "item_id": f"seen{(n + step) % 90}" if number == 3 else shop.items[(n + step) % 60]}
                        for n in range(visits) for step in range(4)))
        assert server.wait_job(server.post("/train").json()["id"])["state"] == "done"
        answers[number] = answer()
    assert any(why["kind"] == "visits" for _, _, why in answers[2])
    for number in (1, 3, 2, 1, 2, 3, 3, 1):
        assert server("PUT", "/models/live", json={"id": number}).status_code == 200
        for _ in range(8):  # on whichever loop
            assert answer() == answers[number]
