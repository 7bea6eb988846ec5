"""openapi.yaml is complete and true: held against itself, the route table, and real answers of every status."""
import gzip
import json
import shutil
import sqlite3
import time

import jsonschema
import pytest

from conftest import problem, run
from contract import contract

OPERATIONS = [(path, method, operation) for path, method, operation in contract.operations()]
NAMES = [f"{method} {path}" for path, method, _ in OPERATIONS]
# Nothing a test can do from outside makes the disk fail or fill, or the queue overflow for certain.
OUT_OF_REACH = {500, 507}
BUSY = "#/components/responses/Busy"


def concrete(path):
    """The path with an id that fits."""
    return path.replace("{id}", "1" if path.startswith(("/jobs", "/models")) else "sku-000001")


def test_references_schemas_and_examples_are_sound():
    def walk(node):
        if isinstance(node, dict):
            contract.resolve(node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(contract.tree)
    for schema in contract.tree["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert len({operation["operationId"] for _, _, operation in OPERATIONS}) == len(OPERATIONS)


def contents(node):
    """Every media type object of the contract that has examples."""
    if isinstance(node, dict):
        if "schema" in node and ("example" in node or "examples" in node):
            yield node
        for value in node.values():
            yield from contents(value)
    elif isinstance(node, list):
        for value in node:
            yield from contents(value)


def test_examples_fit_their_schemas():
    count = 0
    for node in contents(contract.tree):
        examples = [contract.resolve(e)["value"] for e in node.get("examples", {}).values()]
        examples += [node["example"]] if "example" in node else []
        for example in examples:
            contract.validator(node["schema"]).validate(example)
            count += 1
    assert count >= 15


def test_paths_have_the_methods_of_the_route_table(server):
    for path, item in contract.tree["paths"].items():
        allowed = server("OPTIONS", concrete(path))
        assert allowed.status_code == 204
        methods = {m.upper() for m in item if m in ("get", "post", "put", "patch", "delete")}
        if "GET" in methods:
            methods.add("HEAD")
        assert set(allowed.headers["Allow"].split(", ")) == methods | {"OPTIONS"}, path


@pytest.mark.parametrize("path, method, operation", OPERATIONS, ids=NAMES)
def test_unknown_parameters_are_refused_everywhere(server, path, method, operation):
    body = problem(server(method.upper(), concrete(path) + "?colour=red"), 400)
    assert body["errors"] == [{"detail": "unknown parameter", "parameter": "colour"}]


def valid_value(parameter):
    schema = contract.resolve(parameter["schema"])
    if "example" in parameter:
        value = parameter["example"]
    elif "default" in schema or "enum" in schema:
        value = schema.get("default", schema.get("enum", [None])[0])
    else:
        value = {"number": 1, "integer": 1, "boolean": "true", "string": "a", "array": ["a"]}[schema["type"]]
    if isinstance(value, bool):
        value = "true" if value else "false"
    return ",".join(value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("path, method, operation", OPERATIONS, ids=NAMES)
def test_documented_parameters_are_known(server, path, method, operation):
    for parameter in operation["parameters"]:
        if parameter["in"] != "query" or parameter["name"] == "cursor":
            continue
        answer = server(method.upper(), concrete(path), params={parameter["name"]: valid_value(parameter)},
                        data=b"1 2\n" if path == "/ingest" else None)
        if answer.status_code == 400:
            assert parameter["name"] not in [e.get("parameter") for e in answer.json().get("errors", [])], answer.text


def minimum_and_maximum():
    for path, method, operation in OPERATIONS:
        for parameter in operation["parameters"]:
            schema = contract.resolve(parameter["schema"])
            if parameter["in"] == "query" and schema.get("type") in ("integer", "number"):
                for bound, beyond in (("minimum", -1), ("maximum", 1)):
                    if bound in schema:
                        yield path, parameter["name"], schema[bound], schema[bound] + beyond


@pytest.mark.parametrize("path, name, inside, outside", minimum_and_maximum())
def test_bounds_are_the_documented_ones(server, path, name, inside, outside):
    assert server.get(concrete(path), params={name: inside}).status_code == 200
    assert problem(server.get(concrete(path), params={name: outside}), 400)["errors"][0]["parameter"] == name


@pytest.fixture(scope="module")
def keyed(shop_directory, tmp_path_factory):
    from conftest import Server

    data = tmp_path_factory.mktemp("keyed") / "data"
    shutil.copytree(shop_directory / "data", data)
    keys = {scope: run("key", "add", "--scopes", scope, "--data", data).stdout.strip()
            for scope in ("read", "ingest", "admin", "metrics")}
    made = Server(data)
    yield made, keys
    assert made.stop() == 0


@pytest.mark.parametrize("path, method, operation", OPERATIONS, ids=NAMES)
def test_scopes_are_the_documented_ones(keyed, path, method, operation):
    server, keys = keyed
    scope = operation["x-scope"]
    assert (scope == "open") == (operation.get("security") == [])
    url = concrete(path) + "?colour=red"  # with a good key: refused for this
    for name, key in keys.items():
        for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
            answer = server(method.upper(), url, headers=headers)
            opens = scope == "open" or name in (scope, "admin")
            assert answer.status_code == (400 if opens else 403), (name, answer.text)
    answer = server(method.upper(), url)
    assert answer.status_code == (400 if scope == "open" else 401)
    if scope != "open":
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def answer_reads(server):
    for path, method, operation in OPERATIONS:
        if method == "get" and path != "/jobs/{id}":
            first = server.get(concrete(path))
            if "304" in operation["responses"]:
                tag = first.headers["ETag"]
                assert server.get(concrete(path), headers={"If-None-Match": f'"x", {tag}'}).status_code == 304
    for path in ("/jobs/99", "/models/99", "/models/x", "/items/none", "/users/none"):
        problem(server.get(path), 404)
    server.post("/recommend", json={})


def answer_writes(server):
    order = json.dumps({"order_id": "o1", "user_id": "someone", "items": ["sku-000001"]}).encode()
    assert server.post("/ingest", data=order).status_code == 200
    assert server.get("/users/someone").status_code == 200
    assert server("DELETE", "/users/someone").status_code == 200
    problem(server("DELETE", "/users/someone"), 404)
    problem(server.post("/ingest", data=b"{"), 422)
    problem(server.post("/ingest", data=b"x", headers={"Content-Type": "image/png"}), 415)
    bomb = gzip.compress(b"\n" * (40 << 20))
    problem(server.post("/ingest?format=ndjson", data=bomb, headers={"Content-Encoding": "gzip"}), 413)
    assert server("PUT", "/items/new", json={}).status_code == 201
    assert server("PUT", "/items/new", json={"title": "New"}).status_code == 200
    assert server("PATCH", "/items/new", json={"stock": 1}).status_code == 200
    assert server("DELETE", "/items/new").status_code == 204
    problem(server("DELETE", "/items/new"), 404)
    problem(server("PATCH", "/items/new", json={}), 404)
    for path, method in (("/recommend", "POST"), ("/models/live", "PUT"), ("/items/a", "PUT"), ("/items/a", "PATCH")):
        problem(server(method, path, data=b" " * 70000), 413)
        problem(server(method, path, data=b"{}", headers={"Content-Type": "text/plain"}), 415)


def answer_jobs(server):
    running = server.post("/train")
    assert running.status_code == 202 and running.headers["Location"] == f"/jobs/{running.json()['id']}"
    for _ in range(1000):
        if server.get(running.headers["Location"]).json()["state"] != "queued":
            break
        time.sleep(0.005)
    waiting = server.post("/train").json()["id"]
    assert waiting != running.json()["id"]
    assert server("DELETE", f"/jobs/{waiting}").status_code == 204
    assert server("DELETE", running.headers["Location"]).status_code == 202
    assert server.wait_job(running.json()["id"])["state"] == "cancelled"
    problem(server("DELETE", running.headers["Location"]), 409)
    problem(server("DELETE", "/jobs/99"), 404)
    spooled = server.post("/ingest", data=b'{"order_id":"o2","items":["a"]}', headers={"Prefer": "respond-async"})
    assert spooled.status_code == 202
    assert server.wait_job(spooled.json()["id"])["report"]["orders"]["accepted"] == 1


def answer_models(server):
    cursor = server.get("/rules?limit=1").json()["next"]
    model = server.wait_job(server.post("/train").json()["id"])["report"]["model"]
    while server.get("/rules?limit=1").json()["model"] != model:
        time.sleep(0.02)
    assert problem(server.get(f"/rules?cursor={cursor}"), 410)["errors"][0]["parameter"] == "cursor"
    assert server("PUT", "/models/live", json={"id": 1}).status_code == 200
    problem(server("PUT", "/models/live", json={"id": 99}), 404)
    server.stop()
    base = sqlite3.connect(server.data / "models.db")
    base.execute("UPDATE chunks SET bytes = zeroblob(length(bytes)) WHERE part_key IN"
                 " (SELECT part_key FROM parts WHERE model_id = ?)", (model,))
    base.commit()
    base.close()
    return model


def test_every_status_of_every_operation_is_answered(start, keyed, server):
    one = start("--min-support", "20", "--max-length", "3")
    answer_reads(one)
    answer_writes(one)
    answer_jobs(one)
    damaged = answer_models(one)
    again = start(data=one.data)
    problem(again("PUT", "/models/live", json={"id": damaged}), 500)
    assert again.get("/recommend").status_code == 200
    empty = start(empty=True)
    for path in ("/recommend", "/rules", "/readyz"):
        assert empty.get(path).status_code == 503
    assert empty.post("/recommend", json={}).status_code == 503
    for path, method, operation in OPERATIONS:
        test_unknown_parameters_are_refused_everywhere(server, path, method, operation)
        test_scopes_are_the_documented_ones(keyed, path, method, operation)
    missing = []
    for path, method, operation in OPERATIONS:
        for status, answer in operation["responses"].items():
            reachable = status != "default" and int(status) not in OUT_OF_REACH and answer.get("$ref") != BUSY
            if reachable and (path, method, int(status)) not in contract.seen:
                missing.append(f"{method} {path} {status}")
    assert not missing
    assert ("/models/live", "put", 500) in contract.seen
