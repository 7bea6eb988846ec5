"""openapi.yaml as a judge: every answer that the tests get is held against it, and what was seen is counted."""
import pathlib
import re

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = ("get", "post", "put", "patch", "delete")
# Any request can get these before a route is chosen; the contract's introduction says so.
ANYWHERE = {400, 413, 414, 417, 431, 501}


class Contract:
    def __init__(self):
        self.tree = yaml.safe_load((ROOT / "openapi.yaml").read_text())
        self.seen = set()  # (path, method, status)
        self._validators = {}
        self._paths = []
        for path in sorted(self.tree["paths"], key=lambda p: "{" in p):
            pattern = re.escape(path).replace(re.escape("{id}"), ".+")
            self._paths.append((re.compile(pattern + "$"), path))

    def resolve(self, node):
        while "$ref" in node:
            at = self.tree
            for part in node["$ref"][2:].split("/"):
                at = at[part]
            node = at
        return node

    def operations(self):
        """(path, method, operation) of each, with the path's parameters added to its own."""
        for path, item in self.tree["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = dict(item[method])
                    both = item.get("parameters", []) + operation.get("parameters", [])
                    operation["parameters"] = [self.resolve(p) for p in both]
                    yield path, method, operation

    def path_of(self, url):
        for pattern, path in self._paths:
            if pattern.match(url):
                return path
        return None

    def validator(self, schema):
        key = id(schema)
        if key not in self._validators:
            whole = {"allOf": [schema], "components": self.tree["components"]}
            # The schema is kept beside its validator, so that its id stays its own.
            self._validators[key] = (jsonschema.Draft202012Validator(whole), schema)
        return self._validators[key][0]

    def check(self, method, url, response):
        """Asserts that this answer is one the contract has."""
        path = self.path_of(url)
        method = method.lower()
        status = response.status_code
        if path is None or method not in METHODS or method not in self.tree["paths"][path]:
            if status >= 400:
                self.check_body(self.resolve(self.tree["components"]["responses"]["Error"]), method, response)
            return
        responses = self.tree["paths"][path][method]["responses"]
        listed = str(status) in responses
        assert listed or status in ANYWHERE, f"{method} {path}: {status} is not in openapi.yaml: {response.text}"
        self.seen.add((path, method, status))
        self.check_body(self.resolve(responses[str(status) if listed else "default"]), method, response)

    def check_body(self, answer, method, response):
        where = f"{method} {response.url} {response.status_code}"
        assert response.headers.get("X-Request-ID"), where
        for name in answer.get("headers", {}):
            assert name in response.headers, f"{where}: no {name}"
        content = answer.get("content")
        if not content:
            assert not response.content, where
            return
        media = response.headers["Content-Type"].split(";")[0]
        assert media in content, f"{where}: {media}"
        body = response.json() if media.endswith("json") else response.text
        errors = list(self.validator(content[media]["schema"]).iter_errors(body))
        assert not errors, f"{where}: {errors[0].message} at {list(errors[0].absolute_path)}"


contract = Contract()
