#!/usr/bin/env python3
"""MCP as the programs of AI agents meet it: the official clients, their inspector and the conformance suite, against a
real skerryd. Usage: mcp_test.py PROGRAM_DIR CACHE_DIR [unittest arguments]. Needs root, node, npm and its registry."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "daemon"))
import skerry_host  # noqa: E402
from skerry_host import PROGRAMS, eventually  # noqa: E402

MODULES = ""
PORT = 8097
STATELESS = "2026-07-28"
KEY = "io.modelcontextprotocol/"

# Scenarios of the conformance suite that speak of what this server has. The others want prompts, resources, sampling,
# elicitation, logging or the suite's own example tools.
CONFORMANCE = {
    "2025-11-25": ["server-initialize", "server-session-lifecycle", "ping", "tools-list", "server-sse-multiple-streams",
                   "dns-rebinding-protection"],
    STATELESS: ["server-stateless", "tools-list", "caching", "http-header-validation", "server-sse-multiple-streams",
                "dns-rebinding-protection"],
}
# Single checks of those that want more than there is: example tools, prompts and resources.
NOT_APPLICABLE = {
    "sep-2575-server-rejects-undeclared-capability", "sep-2575-missing-capability-http-400",
    "sep-2575-http-server-no-independent-requests-on-stream", "sep-2575-server-no-log-without-loglevel",
    "sep-2549-prompts-list-caching-hints", "sep-2549-resources-list-caching-hints",
    "sep-2549-resources-templates-list-caching-hints",
}


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


def install(cache):
    """node_modules as the lock file says, kept between runs. Before the network namespace: it needs the registry."""
    if not shutil.which("node") or not shutil.which("npm"):
        skip("node and npm are not installed")
    version = subprocess.run(["node", "--version"], text=True, stdout=subprocess.PIPE, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < 20:
        skip(f"node is {version}, the clients need 20")
    lock = (HERE / "package-lock.json").read_bytes()
    place = pathlib.Path(cache) / hashlib.sha256(lock).hexdigest()[:16]
    if not (place / "complete").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, place)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240, check=False)
        if done.returncode != 0:
            skip(f"the npm registry does not give the clients: {done.stdout[-300:]}")
        (place / "complete").touch()
    return str(place)


class TokenProxy:
    """Adds a token to every request: the conformance suite knows none."""

    def __init__(self, token):
        self.token = token.encode()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(65536)
            if not piece:
                client.close()
                return
            head += piece
        head, rest = head.split(b"\r\n\r\n", 1)
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        lines += [b"Authorization: Bearer " + self.token, b"Connection: close"]
        with client, socket.create_connection(("127.0.0.1", PORT)) as server:
            server.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + rest)
            upward = threading.Thread(target=self.pump, args=(client, server), daemon=True)
            upward.start()
            self.pump(server, client)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            upward.join()

    @staticmethod
    def pump(source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


class McpCase(skerry_host.HostCase):
    settings = {"SKERRY_LISTEN": f"127.0.0.1:{PORT}"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tokens = {role: cls.new_token(role, "--role", role) for role in ("viewer", "operator", "admin")}

    @classmethod
    def new_token(cls, name, *options):
        return json.loads(cls.host.skerry("token", "create", name, *options, "--output", "json").stdout)["token"]

    def tearDown(self):
        eventually(lambda: self.host.document("ls") == [], "nothing of a run is left")

    def post(self, message, role="operator", **headers):
        """Status and answer to one message; the last one of a stream."""
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}/mcp", data=json.dumps(message).encode(), headers={
            "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {self.tokens[role]}", **headers})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, body = answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            status, body = refusal.code, refusal.read().decode()
        if body.startswith("event:"):
            body = [line[6:] for line in body.splitlines() if line.startswith("data: ")][-1]
        return status, json.loads(body) if body else None

    def call(self, tool, role="operator", **arguments):
        return self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                          "params": {"name": tool, "arguments": arguments}}, role)[1]["result"]


class Clients(McpCase):
    def test_both_generations_over_http_and_stdio(self):
        done = subprocess.run(["node", str(HERE / "clients.mjs")], text=True, stdout=subprocess.PIPE, timeout=120,
                              env={**self.host.environment, "MCP_URL": f"http://127.0.0.1:{PORT}/mcp", "IMAGE": self.image,
                                   "TOKEN": self.tokens["operator"], "SKERRY": f"{PROGRAMS}/skerry",
                                   "NODE_MODULES": MODULES}, check=False)
        self.assertEqual(done.returncode, 0)
        seen = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(seen), 6)
        versions = {each["name"]: each["version"] for each in seen if each["version"]}
        self.assertEqual(versions, {"new http handshake": "2025-11-25", "new http stateless": STATELESS,
                                    "new http auto": STATELESS, "new stdio auto": STATELESS})
        for each in seen:
            with self.subTest(client=each["name"]):
                self.check(each)

    def check(self, seen):
        self.assertEqual(seen["tools"][:3], ["run_code", "run_command", "list_environments"])
        result = seen["result"]
        self.assertEqual((result["exit_code"], result["stdout"], result["stderr"], result["timed_out"]),
                         (7, "typed\nfile\n", "err\n", False))
        self.assertEqual(result["files"][0], {"path": "/tmp/b", "base64": "/w==", "truncated": False})
        self.assertIn("No such file", result["files"][1]["error"])
        self.assertEqual(json.loads(seen["text"]), result)
        self.assertGreater(len(seen["progress"]), 1)
        self.assertEqual(seen["progress"], sorted(set(seen["progress"])))
        self.assertTrue(seen["refused"]["isError"])
        self.assertIn("no-such", seen["refused"]["content"][0]["text"])
        self.assertIn("title", seen["wrong"]["content"][0]["text"])
        self.assertEqual(seen["unknown"], -32602)
        self.assertEqual(seen["cancelled"], "cancelled")
        self.assertEqual(seen["empty"], {"items": [], "total": 0})

    def test_the_inspector(self):
        proxy = TokenProxy(self.tokens["operator"])
        self.addCleanup(proxy.listener.close)

        def inspect(*arguments):
            done = subprocess.run(["node", f"{MODULES}/node_modules/@modelcontextprotocol/inspector-cli/build/index.js",
                                   f"http://localhost:{proxy.port}/mcp", "--transport", "http", *arguments], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout)
        listed = inspect("--method", "tools/list")["tools"]
        self.assertEqual(listed[0]["name"], "run_code")
        result = inspect("--method", "tools/call", "--tool-name", "list_images")["structuredContent"]
        self.assertEqual([each["name"] for each in result["items"]], [self.image])

    def test_conformance(self):
        proxy = TokenProxy(self.tokens["operator"])
        self.addCleanup(proxy.listener.close)
        program = f"{MODULES}/node_modules/@modelcontextprotocol/conformance/dist/index.js"
        failed = set()
        for version, scenarios in CONFORMANCE.items():
            for scenario in scenarios:
                with self.subTest(version=version, scenario=scenario):
                    place = f"{self.host.place}/conformance-{version}-{scenario}"
                    done = subprocess.run(["node", "--import", str(HERE / "node20.mjs"), program, "server", "--url",
                                           f"http://localhost:{proxy.port}/mcp", "--scenario", scenario,
                                           "--spec-version", version, "--output-dir", place], text=True, timeout=60,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                    checks = [each for file in pathlib.Path(place).rglob("checks.json")
                              for each in json.loads(file.read_text())]
                    self.assertTrue(checks, done.stdout)
                    bad = {each["id"]: each.get("errorMessage") for each in checks
                           if each["status"] not in ("SUCCESS", "INFO", "SKIPPED")}
                    failed |= set(bad)
                    self.assertEqual({key: why for key, why in bad.items() if key not in NOT_APPLICABLE}, {})
        self.assertEqual(failed, NOT_APPLICABLE, "a check that did not apply passes now: take it from the list")


class Rights(McpCase):
    def listed(self, role):
        return [each["name"] for each in self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, role)[1]
                ["result"]["tools"]]

    def test_the_list_is_cut_to_the_role(self):
        viewer, operator = self.listed("viewer"), self.listed("operator")
        self.assertIn("list_environments", viewer)
        for tool in ("run_code", "create_environment", "delete_environment", "exec_in_environment"):
            self.assertNotIn(tool, viewer)
            self.assertIn(tool, operator)
        self.assertEqual([each for each in operator if each in viewer], viewer)

    def test_what_is_not_listed_is_refused_and_audited(self):
        result = self.call("run_code", "viewer", image=self.image, language="sh", code="true")
        self.assertTrue(result["isError"])
        self.assertIn("viewer", result["content"][0]["text"])
        with open(f"{self.host.place}/state/audit.log") as trail:
            last = json.loads(trail.read().splitlines()[-1])
        self.assertEqual((last["who"], last["what"], last["status"]),
                         ("token viewer by MCP", "POST /api/v1/environments", 403))

    def test_a_local_agent_gets_no_more_than_it_is_given(self):
        def over_stdio(*options):
            question = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}) + "\n"
            answer = self.host.skerry("mcp", *options, input=question).stdout
            return [each["name"] for each in json.loads(answer)["result"]["tools"]]
        self.assertEqual(over_stdio(), self.listed("operator"))
        self.assertEqual(over_stdio("--role", "viewer"), self.listed("viewer"))

    def test_without_a_token_nothing(self):
        self.tokens["nobody"] = "skt_" + "A" * 43
        self.assertEqual(self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "nobody")[0], 401)


class Runs(McpCase):
    def test_time_output_and_what_is_missing(self):
        late = self.call("run_code", image=self.image, language="sh", code="echo early; sleep 60", timeout_ms=300)
        self.assertEqual((late["structuredContent"]["stdout"], late["structuredContent"]["timed_out"],
                          late["structuredContent"]["exit_code"]), ("early\n", True, None))
        flood = self.call("run_command", image=self.image, command=["head", "-c", "3000000", "/dev/zero"])
        self.assertTrue(flood["structuredContent"]["truncated"])
        for arguments, words in (({"command": ["no-such-program"]}, "no-such-program"),
                                 ({"command": ["true"], "image": "localhost/none:1"}, "none"),
                                 ({"command": ["true"], "files": [{"path": "relative", "text": ""}]}, "files[0].path")):
            failed = self.call("run_command", **{"image": self.image, **arguments})
            self.assertTrue(failed["isError"], failed)
            self.assertIn(words, failed["content"][0]["text"])

    def test_out_of_memory_is_said(self):
        hungry = self.call("run_command", image=self.image, command=["tail", "/dev/zero"], memory_mb=24)
        told = hungry["structuredContent"]
        self.assertEqual((told["exit_code"], told["oom_killed"]), (137, True), told)
        self.assertIn("out of memory", told["reason"])
        self.assertIn("out of memory", hungry["content"][0]["text"])
        killed = self.call("run_command", image=self.image, command=["sh", "-c", "kill -9 $$"])["structuredContent"]
        self.assertEqual((killed["exit_code"], killed["oom_killed"]), (137, False), killed)

    def test_environments_from_birth_to_death(self):
        created = self.call("create_environment", name="kept", image=self.image, command=["sh", "-c", "echo up; sleep 99"])
        self.assertEqual(created["structuredContent"]["state"], "running", created)
        ran = self.call("exec_in_environment", name="kept", command=["hostname"])
        self.assertEqual(ran["structuredContent"]["stdout"], "kept\n")
        eventually(lambda: "up" in self.call("environment_logs", name="kept", tail=5)["content"][0]["text"], "its words")
        names = [each["name"] for each in self.call("list_environments")["structuredContent"]["items"]]
        self.assertEqual(names, ["kept"])
        self.assertTrue(self.call("delete_environment", name="kept")["isError"], "it runs")
        stopped = self.call("stop_environment", name="kept", grace_ms=0)["structuredContent"]
        self.assertIn(stopped["state"], ("stopped", "failed"))
        self.assertEqual(self.call("delete_environment", name="kept")["structuredContent"], {"done": True})

    def test_an_agent_outlives_a_restart_of_the_daemon(self):
        bridge = subprocess.Popen([f"{PROGRAMS}/skerry", "mcp"], env=self.host.environment, text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(bridge.stdout.close)

        def ask(number, method, **params):
            bridge.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n")
            bridge.stdin.flush()
            return json.loads(bridge.stdout.readline())
        ask(1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "t", "version": "1"})
        self.host.kill()
        self.assertIn("skerryd", ask(2, "ping")["error"]["message"])
        self.host.start()
        self.assertEqual(ask(3, "ping"), {"jsonrpc": "2.0", "id": 3, "result": {}})
        bridge.stdin.close()
        self.assertEqual(bridge.wait(10), 0)


if __name__ == "__main__":
    MODULES = os.environ.get("SKERRY_TEST_MODULES") or install(os.path.abspath(sys.argv[2]))
    os.environ["SKERRY_TEST_MODULES"] = MODULES
    skerry_host.main(3)
