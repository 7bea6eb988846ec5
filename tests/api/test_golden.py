"""Answers of the demo shop as they were once looked at and found good (tests/golden/demo.json). A change that
means to alter them rewrites the file with WRITE_GOLDEN=1 and shows the difference in its commit."""
import json
import os
import pathlib

from conftest import run

GOLDEN = pathlib.Path("tests/golden/demo.json")


def ask(server, items, surface):
    answer = server.get("/recommend", params={"items": ",".join(items), "surface": surface, "limit": 3}).json()
    return [{"item_id": i["item_id"], "kind": i["because"]["kind"], "items": i["because"]["items"],
             "count": i["because"]["count"]} for i in answer["items"]]


def test_answers_are_those_of_the_golden_file(server, truth):
    asked = [(bundle["items"][:1], "basket") for bundle in truth["bundles"]]
    asked += [(bundle["items"][:2], "basket") for bundle in truth["bundles"] if len(bundle["items"]) > 2]
    asked += [([], "popular")]
    answers = [{"items": i, "surface": s, "answer": ask(server, i, s)} for i, s in asked]
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text("[\n" + ",\n".join(map(json.dumps, answers)) + "\n]\n")
    assert answers == json.loads(GOLDEN.read_text())


def test_the_documentation_has_the_settings_table_of_the_program():
    table = run("config", "--markdown").stdout
    assert table in pathlib.Path("docs/settings.md").read_text()
