"""Answers for one shopper, from what they did up to now."""
import pytest

from conftest import problem


def order(name, user, *items, day=1):
    return {"order_id": name, "user_id": user, "timestamp": f"2026-02-{day:02d}T10:00:00Z", "items": list(items)}


def rebuy(server, user, **more):
    return server.get("/recommend", params={"surface": "rebuy", "user_id": user, **more}).json()


def ids(answer):
    return [i["item_id"] for i in answer["items"]]


def test_an_order_shows_in_the_next_answer(start):
    server = start()
    assert rebuy(server, "ann")["fallback"] == "popular:unknown_user"
    server.ingest(order("r1", "ann", "sku-000003", "sku-000004"))
    assert set(ids(rebuy(server, "ann"))) == {"sku-000003", "sku-000004"}
    server.ingest(order("r2", "ann", "sku-000004", "brand-new", day=11))
    answer = rebuy(server, "ann")
    assert answer["fallback"] is None and answer["surface"] == "rebuy"
    assert set(ids(answer)) == {"sku-000004", "brand-new", "sku-000003"}
    scores = [i["score"] for i in answer["items"]]
    assert scores == sorted(scores, reverse=True) and 0 < scores[-1] and scores[0] < 1
    because = {i["item_id"]: i["because"] for i in answer["items"]}
    assert because["sku-000004"] == {"kind": "habit", "source": "history", "items": [], "count": 2,
                                     "last": "2026-02-11T10:00:00.000Z", "gap_days": 10}
    assert because["brand-new"]["gap_days"] is None
    assert ids(rebuy(server, "ann", limit=1)) == ids(answer)[:1]


def test_get_and_post_answer_alike(start):
    server = start()
    server.ingest(order("r1", "ann", "sku-000003", "sku-000004"), order("r2", "ann", "sku-000004", day=3))
    got = rebuy(server, "ann", exclude="sku-000003")
    posted = server.post("/recommend", json={"surface": "rebuy", "user_id": "ann", "exclude": ["sku-000003"]}).json()
    assert got["items"] == posted["items"] and ids(got) == ["sku-000004"]
    assert got["diagnostics"]["filtered"] == {"excluded": 1} and got["diagnostics"]["candidates"] == 2


def test_a_cancelled_replaced_or_moved_order_counts_no_more(start):
    server = start()
    server.ingest(order("r1", "ann", "sku-000003"), order("r2", "ann", "sku-000004"), order("r3", "ann", "sku-000005"))
    server.ingest({"kind": "cancel", "order_id": "r1"})
    assert set(ids(rebuy(server, "ann"))) == {"sku-000004", "sku-000005"}
    server.ingest(order("r2", "ann", "sku-000006"), order("r3", "ben", "sku-000005"))
    assert ids(rebuy(server, "ann")) == ["sku-000006"]
    assert ids(rebuy(server, "ben")) == ["sku-000005"]
    server.ingest({"kind": "cancel", "order_id": "r2"})
    assert rebuy(server, "ann")["fallback"] == "popular:no_candidates"


@pytest.mark.parametrize("flag", [[], ["--users-erase-orders"]])
def test_an_erased_shopper_is_unknown_at_once(start, flag):
    server = start(*flag)
    server.ingest(order("r1", "ann", "sku-000003"))
    assert server("DELETE", "/users/ann").status_code == 200
    assert rebuy(server, "ann")["fallback"] == "popular:unknown_user"
    server.ingest(order("r2", "ann", "sku-000004"))
    assert ids(rebuy(server, "ann")) == ["sku-000004"]


def test_filters_hold_and_history_is_never_mixed_with_other_items(start):
    server = start()
    server.ingest(order("r1", "ann", "sku-000003", "sku-000004", "sku-000005"))
    assert server("PATCH", "/items/sku-000003", json={"available": False}).status_code == 200
    assert server("PATCH", "/items/sku-000004", json={"price": 1000000}).status_code == 200
    answer = rebuy(server, "ann", price_max=1000, limit=50)
    assert ids(answer) == ["sku-000005"]
    assert answer["diagnostics"]["filtered"] == {"unavailable": 1, "price": 1}


def test_histories_are_there_after_kill_9_and_restart(start):
    server = start()
    server.ingest(order("r1", "ann", "sku-000003"), order("r2", "ann", "sku-000004", day=2))
    server.ingest({"kind": "cancel", "order_id": "r1"})
    before = rebuy(server, "ann")
    server.kill()
    again = start(data=server.data)
    assert rebuy(again, "ann")["items"] == before["items"] and ids(before) == ["sku-000004"]


def test_personal_suggests_new_things_from_the_history(start, truth):
    server = start()
    a, b = truth["bundles"][0]["items"][:2]
    ask = "/recommend?surface=personal&user_id=ann&limit=100"
    assert server.get(ask).json()["fallback"] == "popular:unknown_user"
    server.ingest(order("r1", "ann", a))
    answer = server.get(ask).json()
    assert answer["fallback"] is None and answer["surface"] == "personal"
    assert b in ids(answer)[:10] and a not in ids(answer)
    assert {i for s in answer["items"] for i in s["because"]["items"]} == {a}
    server.ingest(order("r2", "ann", b, day=2))
    answer = server.get(ask).json()
    assert not {a, b} & set(ids(answer))
    assert {i for s in answer["items"] for i in s["because"]["items"]} == {a, b}
    assert {a, b} & set(ids(server.get(ask + "&bought=include").json()))
    posted = server.post("/recommend", json={"surface": "personal", "user_id": "ann", "limit": 100}).json()
    assert posted["items"] == answer["items"]


def test_a_view_moves_the_personal_answer_at_once(start, truth):
    server = start()
    a, b = truth["bundles"][0]["items"][0], truth["bundles"][1]["items"][0]
    server.ingest(order("r1", "ann", a))
    before = server.get("/recommend?surface=personal&user_id=ann").json()
    server.ingest({"event": "cart", "user_id": "ann", "item_id": b, "timestamp": "2026-02-03T10:00:00Z"})
    after = server.get("/recommend?surface=personal&user_id=ann").json()
    assert set(ids(after)) & set(truth["bundles"][1]["items"][1:])
    assert ids(after) != ids(before)


def test_a_session_is_its_clicks_in_order(server, truth):
    a, b = truth["bundles"][0]["items"][0], truth["bundles"][1]["items"][0]
    got = server.get("/recommend", params={"surface": "session", "items": f"{a},{b}"}).json()
    clicks = [{"item_id": a}, {"item_id": b, "event": "cart"}]
    posted = server.post("/recommend", json={"surface": "session", "session": clicks}).json()
    assert got["items"] == posted["items"] and got["fallback"] is None
    turned = server.get("/recommend", params={"surface": "session", "items": f"{b},{a}"}).json()
    assert [i["score"] for i in turned["items"]] != [i["score"] for i in got["items"]]
    clicks.append({"item_id": b, "event": "uncart"})
    alone = server.post("/recommend", json={"surface": "session", "session": clicks}).json()
    assert alone["items"] == server.get("/recommend", params={"surface": "session", "items": a}).json()["items"]
    assert server.post("/recommend", json={"surface": "session", "session": []}).json()["fallback"] == \
        "popular:empty_context"


def test_rebuy_wants_a_user(server):
    assert problem(server.get("/recommend?surface=rebuy"), 400)["errors"][0]["parameter"] == "user_id"
    assert problem(server.post("/recommend", json={"surface": "rebuy"}), 400)["errors"][0]["pointer"] == "/user_id"
    assert problem(server.get("/recommend?user_id=%01"), 400)["errors"][0]["parameter"] == "user_id"


def test_metrics_tell_what_is_in_memory(start):
    server = start(empty=True)
    server.ingest(order("r1", "ann", "a", "b"), {"event": "view", "user_id": "ann", "item_id": "a"})
    text = server.get("/metrics").text
    for line in ("histories_loaded 1", "history_shoppers 1", "history_lines 2", "history_events 1"):
        assert f"basketd_{line}\n" in text
