#!/usr/bin/env python3
"""Deployments of real containers: scaled, killed, sick, updated, rolled back. Usage: deployment_test.py PROGRAM_DIR."""

import json
import os
import signal

import skerry_host
from skerry_host import eventually

# Ends at once when asked: an ordinary program as first process would not hear SIGTERM.
SERVE = ["sh", "-c", "trap 'exit 0' TERM; echo $WORD > /www/index.html; httpd -f -p 80 -h /www & wait"]


class Deployments(skerry_host.HostCase):
    def setUp(self):
        self.addCleanup(self.delete)

    def delete(self):
        for each in self.host.document("deployments", "list"):
            self.host.skerry("deployments", "delete", each["name"])
        eventually(lambda: self.host.document("ls") == [], "all replicas are gone")

    def config(self, word, command=None):
        path = f"{self.host.place}/{word}.json"
        with open(path, "w") as file:
            json.dump({"image": self.image, "memory_mb": 64, "env": {"WORD": word}, "command": command or SERVE,
                       "health_check": {"probe": "http", "endpoint": "/index.html", "interval_ms": 200, "timeout_ms": 1000,
                                        "retries": 2}}, file)
        return path

    def replicas(self):
        return {each["name"]: each for each in self.host.document("ls") if each["state"] == "running"}

    def settles(self, *names):
        def ready():
            shown = self.host.document("deployments", "show", "web")
            found = self.replicas()
            return found if set(found) == set(names) and shown["ready"] == len(names) else None
        return eventually(ready, f"exactly {names} are ready")

    def word_of(self, name):
        return self.host.skerry("exec", name, "--", "cat", "/www/index.html", check=False).stdout.strip()

    def test_scaled_killed_and_sick(self):
        self.host.skerry("deployments", "create", "web", "--config", self.config("one"), "--replicas", "2")
        self.settles("web-1", "web-2")
        self.host.skerry("deployments", "scale", "web", "--replicas", "4")
        before = self.settles("web-1", "web-2", "web-3", "web-4")
        self.host.skerry("deployments", "scale", "web", "--replicas", "2")
        self.settles("web-1", "web-2")
        os.kill(before["web-1"]["pid"], signal.SIGKILL)
        eventually(lambda: self.replicas().get("web-1", before["web-1"])["pid"] != before["web-1"]["pid"], "replaced")
        after = self.settles("web-1", "web-2")
        self.assertEqual(after["web-2"]["pid"], before["web-2"]["pid"], "the other was left alone")
        # It answers, but with 404: unhealthy, and replaced by one that is well.
        self.host.skerry("exec", "web-2", "--", "rm", "/www/index.html")
        eventually(lambda: self.replicas().get("web-2", after["web-2"])["pid"] != after["web-2"]["pid"], "replaced")
        self.settles("web-1", "web-2")

    def test_updated_and_rolled_back(self):
        self.host.skerry("deployments", "create", "web", "--config", self.config("old"), "--replicas", "3")
        self.settles("web-1", "web-2", "web-3")
        self.host.skerry("deployments", "update", "web", "--config", self.config("new"))
        least = 3
        while self.host.document("deployments", "show", "web")["rolling"]:
            least = min(least, len(self.replicas()))
        self.assertGreaterEqual(least, 2, "never more than one was missing")
        self.settles("web-1", "web-2", "web-3")
        self.assertEqual({self.word_of(name) for name in ("web-1", "web-2", "web-3")}, {"new"})
        self.host.skerry("deployments", "rollback", "web")
        eventually(lambda: {self.word_of(name) for name in ("web-1", "web-2", "web-3")} == {"old"}, "all are back")
        self.settles("web-1", "web-2", "web-3")

    def test_an_update_that_never_gets_healthy_is_taken_back(self):
        self.host.skerry("deployments", "create", "web", "--config", self.config("good"), "--replicas", "2")
        before = self.settles("web-1", "web-2")
        self.host.skerry("deployments", "update", "web", "--config", self.config("bad", ["sh", "-c", "exit 3"]))
        eventually(lambda: not self.host.document("deployments", "show", "web")["rolling"], "it has been judged")
        self.assertEqual(self.host.document("deployments", "show", "web")["config"]["env"]["WORD"], "good")
        after = self.settles("web-1", "web-2")
        self.assertEqual(after["web-2"]["pid"], before["web-2"]["pid"], "the other served all the time")
        types = [json.loads(line)["type"] for line in self.host.skerry("events", "--output", "json").stdout.splitlines()]
        self.assertIn("deployment.rolled_back", types)

    def test_the_command_line_waits_for_the_end(self):
        self.host.skerry("deployments", "create", "web", "--config", self.config("old"), "--replicas", "2")
        self.settles("web-1", "web-2")
        done = self.host.skerry("deployments", "update", "web", "--config", self.config("new"), "--wait")
        self.assertEqual(done.stdout, "web: 2 wanted, 2 ready\n")
        self.assertEqual({self.word_of(name) for name in ("web-1", "web-2")}, {"new"})
        self.host.skerry("deployments", "rollback", "web", "--wait=120")
        self.assertEqual({self.word_of(name) for name in ("web-1", "web-2")}, {"old"})
        # Upon an update that has just begun: nothing is over until it is.
        self.host.skerry("deployments", "update", "web", "--config", self.config("new"))
        self.host.skerry("deployments", "scale", "web", "1", "--wait")
        self.assertEqual(set(self.replicas()), {"web-1"})
        self.assertEqual(self.word_of("web-1"), "new")

    def test_the_command_line_tells_why_it_waited_in_vain(self):
        self.host.skerry("deployments", "create", "web", "--config", self.config("good"), "--replicas", "1")
        self.settles("web-1")
        bad = self.config("bad", ["sh", "-c", "exit 3"])
        done = self.host.skerry("deployments", "update", "web", "--config", bad, "--wait", check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "web: was taken back: web-1: .*exit code 3")
        self.settles("web-1")
        # It is alive, and never answers its check.
        deaf = self.config("deaf", ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"])
        done = self.host.skerry("deployments", "update", "web", "--config", deaf, "--wait=1", check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "web: 0 of 1 ready, .* after 1 s")
        for nonsense in ("--wait=0", "--wait=soon"):
            done = self.host.skerry("deployments", "rollback", "web", nonsense, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)


if __name__ == "__main__":
    skerry_host.main()
