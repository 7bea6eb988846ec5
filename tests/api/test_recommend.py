"""GET and POST /recommend."""
import pytest

from conftest import problem


def test_get_and_post_give_the_same_answer(server, truth):
    item = truth["bundles"][0]["items"][0]
    got = server.get("/recommend", params={"items": item, "limit": 5}).json()
    posted = server.post("/recommend", json={"items": [item], "limit": 5}).json()
    for answer in (got, posted):
        answer.pop("request_id")
        answer["diagnostics"].pop("model_age_s")
    assert got == posted
    assert len(got["items"]) == 5 and got["fallback"] is None


def test_planted_bundles_come_back_with_their_rule(server, truth):
    found = 0
    for bundle in truth["bundles"]:
        first, *others = bundle["items"]
        answer = server.get("/recommend", params={"items": first, "limit": 5}).json()
        because = {i["item_id"]: i["because"] for i in answer["items"]}
        hits = [o for o in others if o in because]
        found += len(hits) == len(others)
        for other in hits:
            assert because[other]["kind"] == "rule" and because[other]["items"] == [first]
            assert because[other]["confidence"] > 0.2 and because[other]["lift"] > 1
    assert found >= 0.9 * len(truth["bundles"])


def test_because_says_what_rules_says(server, truth):
    item = truth["bundles"][0]["items"][0]
    first = server.get("/recommend", params={"items": item, "limit": 1}).json()["items"][0]
    rules = server.get("/rules", params={"antecedent": item, "consequent": first["item_id"]}).json()["rules"]
    assert len(rules) == 1
    for key in ("count", "support", "confidence", "lift"):
        assert first["because"][key] == rules[0][key]


def test_context_and_excluded_items_are_never_suggested(server, truth):
    a, b = truth["bundles"][0]["items"][:2]
    answer = server.get("/recommend", params={"items": a, "exclude": b, "limit": 100}).json()
    ids = [i["item_id"] for i in answer["items"]]
    assert a not in ids and b not in ids and len(ids) == len(set(ids))
    assert answer["diagnostics"]["filtered"]["excluded"] == 1


def test_scores_fall(server, truth):
    answer = server.get("/recommend", params={"items": truth["bundles"][0]["items"][0], "limit": 50}).json()
    scores = [i["score"] for i in answer["items"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("surface", ["basket", "similar", "session", "trending", "popular"])
def test_every_surface_answers(server, truth, surface):
    item = truth["bundles"][1]["items"][0]
    answer = server.get("/recommend", params={"items": item, "surface": surface}).json()
    assert answer["surface"] == surface
    assert answer["items"] or answer["fallback"]


def test_fallbacks_say_so(server):
    empty = server.get("/recommend").json()
    assert "empty_context" in empty["fallback"] and empty["items"]
    unknown = server.get("/recommend?items=nobody-sells-this").json()
    assert "unknown_context" in unknown["fallback"] and unknown["unknown_items"] == ["nobody-sells-this"]


def test_filters(server):
    body = {"surface": "popular", "limit": 50, "filter": {"category": ["Grocery"], "price": {"min": 2, "max": 6},
            "attributes": {"brand": ["Alder", "Brook"]}, "in_stock": True}}
    answer = server.post("/recommend", json=body).json()
    assert answer["items"]
    for found in answer["items"]:
        item = server.get(f"/items/{found['item_id']}").json()
        assert "Grocery" in item["category"] and 2 <= item["price"] <= 6
        assert item["attributes"]["brand"] in ("Alder", "Brook") and item["stock"] > 0
    got = server.get("/recommend?surface=popular&limit=50&category=Grocery&price_min=2&price_max=6&in_stock=true"
                     "&attributes=brand:Alder,brand:Brook").json()
    assert got["items"] == answer["items"]


def test_etag_lets_a_client_keep_its_answer(server):
    first = server.get("/recommend?surface=popular")
    again = server.get("/recommend?surface=popular", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and not again.content
    other = server.get("/recommend?surface=popular&limit=3", headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


@pytest.mark.parametrize("query, name", [
    ("limit=0", "limit"), ("limit=x", "limit"), ("limit=501", "limit"), ("surface=magic", "surface"),
    ("colour=red", "colour"), ("limit=1&limit=2", "limit"), ("items=" + "a" * 257, "items"),
    ("items=a,,b", "items"), ("price_min=-1", "price_min"), ("in_stock=maybe", "in_stock"),
    ("user_id=", "user_id"), ("items=%ff", "items")])
def test_bad_parameters_are_named(server, query, name):
    assert problem(server.get("/recommend?" + query), 400)["errors"][0]["parameter"] == name


@pytest.mark.parametrize("body, pointer", [
    ({"items": "a"}, "/items"), ({"items": [1]}, "/items/0"), ({"limit": 0}, "/limit"), ({"limit": "5"}, "/limit"),
    ({"colour": 1}, "/colour"), ({"filter": []}, "/filter"), ({"filter": {"size": 1}}, "/filter/size"),
    ({"filter": {"price": {"max": -1}}}, "/filter/price/max"), ({"surface": 7}, "/surface"),
    ({"explain": 1}, "/explain"), ({"items": [""]}, "/items/0")])
def test_bad_fields_are_pointed_at(server, body, pointer):
    assert problem(server.post("/recommend", json=body), 400)["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("text", ["", "{", "[]", '{"limit":1,"limit":2}', "\xff", "nonsense"])
def test_bodies_that_are_no_object(server, text):
    problem(server.post("/recommend", data=text.encode("latin-1")), 400)


def test_without_a_model_it_says_what_to_do(start):
    empty = start(empty=True)
    body = problem(empty.get("/recommend"), 503)
    assert "/ingest" in body["detail"]
    assert empty.get("/readyz").status_code == 503 and empty.get("/livez").status_code == 200
