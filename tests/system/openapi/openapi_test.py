#!/usr/bin/env python3
"""What skerryd answers, held against the OpenAPI document that it serves; and the command line's requests against its
paths. Usage: openapi_test.py PROGRAM_DIR [unittest arguments]. Needs root."""

import json
import pathlib
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "daemon"))
import skerry_host  # noqa: E402
from skerry_host import PROGRAMS, Host, eventually  # noqa: E402

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "number": (int, float),
         "integer": int}


class Schemas:
    """Checks values against the part of JSON Schema (2020-12) that the document uses; any other word is an error."""

    WORDS = {"$ref", "type", "enum", "const", "oneOf", "properties", "required", "additionalProperties", "items",
             "pattern", "minimum", "maximum", "exclusiveMinimum", "minItems", "maxItems", "format", "default",
             "description"}

    def __init__(self, document):
        self.document = document

    def check(self, value, schema, where):
        unknown = set(schema) - self.WORDS
        assert not unknown, f"{where}: this test does not know {unknown}"
        if "$ref" in schema:
            self.check(value, self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], where)
        if "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            is_flag = isinstance(value, bool)
            assert any(isinstance(value, TYPES[name]) and (name == "boolean" or not is_flag) for name in names), \
                f"{where}: {value!r} is no {names}"
        assert value in schema.get("enum", [value]), f"{where}: {value!r} is none of {schema['enum']}"
        assert value == schema.get("const", value), f"{where}: {value!r} is not {schema['const']!r}"
        if "oneOf" in schema:
            fitting = [each for each in schema["oneOf"] if self.fits(value, each)]
            assert len(fitting) == 1, f"{where}: {value!r} fits {len(fitting)} of {schema['oneOf']}"
        if isinstance(value, str) and "pattern" in schema:
            assert re.search(schema["pattern"], value), f"{where}: {value!r} is not {schema['pattern']}"
        if isinstance(value, (int, float)):
            assert schema.get("minimum", value) <= value <= schema.get("maximum", value), f"{where}: {value}"
        if isinstance(value, dict):
            self.check_object(value, schema, where)
        if isinstance(value, list) and "items" in schema:
            for number, item in enumerate(value):
                self.check(item, schema["items"], f"{where}[{number}]")

    def check_object(self, value, schema, where):
        missing = [name for name in schema.get("required", []) if name not in value]
        assert not missing, f"{where}: {missing} missing in {value}"
        others = schema.get("additionalProperties", True)
        for name, member in value.items():
            if name in schema.get("properties", {}):
                self.check(member, schema["properties"][name], f"{where}.{name}")
            elif isinstance(others, dict):
                self.check(member, others, f"{where}.{name}")
            else:
                assert others, f"{where}.{name} is not in the schema"

    def fits(self, value, schema):
        try:
            self.check(value, schema, "")
        except AssertionError:
            return False
        return True


# What stands for {name} below each path, and the bodies of the calls that are to succeed. Everything else is called
# too: its refusal has to be a problem document.
NAMES = {"environments": "web", "vms": "none", "plugins": "plug", "deployments": "dep", "tokens": "tok", "zones": "default"}
# What a question needs to be one.
QUERIES = {"/api/v1/policy/explain": "?source=web&target=@host&service=rpc"}
MUST_SUCCEED = {"GET": None, "POST /api/v1/environments/{name}/exec": {"command": ["true"]},
                "POST /api/v1/environments/{name}/stop": {"grace_ms": 0}, "POST /api/v1/environments/{name}/start": None,
                "POST /api/v1/environments/{name}/restart": {"grace_ms": 0},
                "POST /api/v1/environments/{name}/pause": None, "POST /api/v1/environments/{name}/resume": None,
                "POST /api/v1/environments/{name}/kill": {"signal": "CONT"},
                "PATCH /api/v1/deployments/{name}": {"replicas": 0}, "POST /api/v1/plugins/{name}/disable": None,
                "POST /api/v1/plugins/{name}/enable": None, "POST /api/v1/images/prune": None}


class Answers(skerry_host.HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.document = json.loads(cls.ask("GET", "/openapi.json")[1])
        cls.schemas = Schemas(cls.document)

    @classmethod
    def ask(cls, method, path, body=None):
        status, text, cls.kind = cls.host.ask(method, path, body)
        return status, text

    def call(self, method, template, body=None):
        """One call, its answer held against the document; whether it succeeded."""
        operation = self.document["paths"][template][method.lower()]
        noun = template.removeprefix("/api/v1/").split("/")[0]
        path = template.replace("{name}", NAMES.get(noun, "none")).replace("{reference}", self.image).replace("{id}", "op-1")
        path += QUERIES.get(template, "")
        status, text = self.ask(method, re.sub(r"{\w+}", "none", path), body)
        success = [code for code in operation["responses"] if code != "default"][0]
        where = f"{method} {path}: {status}"
        if str(status) == success:
            schema = operation["responses"][success].get("content", {}).get("application/json", {}).get("schema")
            if schema:
                self.schemas.check(json.loads(text), schema, where)
            if status == 204:
                self.assertEqual(text, "", where)
            return True
        self.assertGreaterEqual(status, 400, f"{where}: neither {success} nor a refusal: {text}")
        if method == "HEAD":
            self.assertEqual(text, "", where)
            return False
        if not template.startswith("/mcp"):
            self.assertEqual(self.kind, "application/problem+json", where)
            self.schemas.check(json.loads(text), {"$ref": "#/components/schemas/Problem"}, where)
        return False

    def test_every_answer_is_as_documented(self):
        made = [("POST", "/api/v1/images", {"reference": self.image}),
                ("POST", "/api/v1/environments", {"name": "web", "image": self.image}),
                ("POST", "/api/v1/plugins", {"schema_version": "1", "name": "plug", "version": "1", "image": self.image}),
                ("POST", "/api/v1/deployments", {"name": "dep", "replicas": 0, "config": {"image": self.image}}),
                ("POST", "/api/v1/tokens", {"name": "tok"})]
        for method, path, body in made:
            self.assertTrue(self.call(method, path, body), path)
            eventually(lambda: not any(each["state"] == "running" for each in json.loads(self.ask("GET", "/api/v1/operations")[1])),
                       "the pull ends")
        removals = []
        for template, methods in self.document["paths"].items():
            for method in (name.upper() for name in methods):
                if method == "DELETE":
                    removals.append(template)
                    continue
                if template.endswith(("/wait", "/attach")):
                    continue  # the one answers at an end that does not come, the other is no document
                with self.subTest(method=method, path=template):
                    body = MUST_SUCCEED.get(f"{method} {template}")
                    succeeded = self.call(method, template, body)
                    expected = f"{method} {template}" in MUST_SUCCEED or (
                        method == "GET" and "{" not in template)
                    self.assertTrue(succeeded or not expected, "it was refused")
        for template in removals:
            with self.subTest(method="DELETE", path=template):
                self.call("DELETE", template)
        self.ask("DELETE", "/api/v1/environments/web?force=true&grace_ms=0")


class Recorder(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A daemon that refuses everything and remembers what it was asked."""
    daemon_threads = True


class CommandLine(unittest.TestCase):
    VERBS = ["ls", "show x", "start x", "stop x", "restart x", "pause x", "resume x", "suspend x", "kill x", "rm x", "wait x",
             "update x --memory 9", "exec x -- a", "attach x", "logs x", "stats x", "run a", "create a", "images pull a",
             "images ls", "images inspect a", "images rm a", "images prune", "images tag a b", "images load --input /a",
             "images save a -f /a", "vms list", "vms show x", "vms start x", "vms stop x", "plugins list", "plugins show x",
             "plugins enable x", "plugins disable x", "plugins remove x", "deployments list", "deployments show x",
             "action x", "action x y --data z", "fork x y", "fork --snapshot x y", "snapshot create x y", "snapshot ls", "snapshot show x", "snapshot restore x",
             "snapshot rm x", "deployments create x --plugin y --replicas 1", "deployments scale x --replicas 1", "deployments delete x",
             "events", "token create x", "token ls", "token revoke x", "operations ls", "operations cancel x", "system"]

    def test_every_verb_asks_for_a_path_that_there_is(self):
        asked = []

        class Refuse(socketserver.StreamRequestHandler):
            def handle(self):
                head = self.rfile.readline().decode().split()
                if head:
                    asked.append((head[0], head[1].split("?")[0]))
                    self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

        with tempfile.TemporaryDirectory() as place, Recorder(f"{place}/s", Refuse) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            document = self.document_of_a_daemon()
            paths = [(method.upper(), re.compile("^" + re.sub(r"{\w+}", ".+", path) + "$"))
                     for path, methods in document["paths"].items() for method in methods]
            for verb in self.VERBS:
                with self.subTest(verb=verb):
                    del asked[:]
                    done = subprocess.run([f"{PROGRAMS}/skerry", "--socket", f"{place}/s", *verb.split()], timeout=30,
                                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          text=True, check=False)
                    self.assertTrue(asked, f"it asked nothing: {done.stdout}")
                    for method, path in asked:
                        self.assertTrue(any(method == one and form.match(path) for one, form in paths), (method, path))
            server.shutdown()

    def document_of_a_daemon(self):
        host = Host()
        self.addCleanup(host.close)
        host.start()
        return json.loads(host.ask("GET", "/openapi.json")[1])


if __name__ == "__main__":
    skerry_host.main()
