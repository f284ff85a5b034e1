#!/usr/bin/env python3
"""The policy with real environments: a rule opens what it says between zones, and out of them, and nothing else; it
closes, for open connections too, when the rule is gone and the policy read again. Usage: policy_test.py PROGRAM_DIR."""

import json
import os
import signal
import subprocess

import skerry_host
from outside import BEYOND, PAGE, Outside
from skerry_host import PROGRAMS, eventually

SERVE = ("sh", "-c", "hostname > /www/index.html; httpd -p 8080 -h /www; httpd -p 9090 -h /www; exec sleep 86400")


class Policies(skerry_host.HostCase):
    """work: a, b. vault (no egress): c. default: d."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.outside = Outside(80, 8443)
        cls.addClassCleanup(cls.outside.close)
        cls.rules = f"{cls.host.place}/policy"
        cls.host.skerry("zones", "create", "work")
        cls.host.skerry("zones", "create", "vault", "--egress", "none")
        cls.addClassCleanup(cls.clear)
        cls.ips = {}
        for name, zone in (("a", "work"), ("b", "work"), ("c", "vault"), ("d", "default")):
            cls.run_one(name, zone)

    @classmethod
    def run_one(cls, name, zone):
        cls.host.skerry("run", "-d", "--name", name, "--zone", zone, cls.image, "--", *SERVE)
        cls.ips[name] = cls.host.show(name)["ip"]
        eventually(lambda: cls.fetch(name, "127.0.0.1", 9090) == f"{name}\n", f"{name} serves")

    @classmethod
    def clear(cls):
        for each in cls.host.document("ls"):
            cls.host.skerry("rm", "--force", each["name"])
        cls.host.skerry("zones", "rm", "work", "vault")

    def setUp(self):
        self.addCleanup(self.set_rules, {})

    @classmethod
    def fetch(cls, name, address, port):
        return cls.host.skerry("exec", name, "--", "timeout", "1", "wget", "-q", "-O", "-", f"http://{address}:{port}/index.html",
                               check=False).stdout

    def reaches(self, source, target, port):
        return self.fetch(source, self.ips[target], port) == f"{target}\n"

    def set_rules(self, files, reload=True):
        for name in os.listdir(self.rules):
            os.unlink(f"{self.rules}/{name}")
        for name, text in files.items():
            with open(f"{self.rules}/{name}.policy", "w", encoding="utf-8") as file:
                file.write(text)
        if reload:
            self.host.skerry("policy", "reload", check=False)

    def check_open(self, expected):
        """Exactly these (source, target, port) pass, of all that could."""
        found = {(source, target, port) for source in self.ips for target in self.ips for port in (8080, 9090)
                 if {source, target} != {"a", "b"} and source != target and self.reaches(source, target, port)}
        self.assertEqual(found, expected)

    def explain(self, *words):
        done = self.host.skerry("policy", "explain", *words, "--output", "json", check=False)
        return done.returncode, json.loads(done.stdout)

    def test_1_a_rule_opens_one_port_and_closes_again(self):
        self.check_open(set())
        self.set_rules({"10-web": "net.connect +tcp:8080 a c allow\n"}, reload=False)
        self.assertFalse(self.reaches("a", "c", 8080), "not before it is read")
        self.host.daemon.send_signal(signal.SIGHUP)
        eventually(lambda: self.reaches("a", "c", 8080), "SIGHUP reads it")
        self.check_open({("a", "c", 8080)})
        self.assertNotEqual(self.host.skerry("exec", "a", "--", "ping", "-c", "1", "-W", "2", self.ips["c"],
                                             check=False).returncode, 0, "a port, not the machine")
        code, said = self.explain("a", "c", "net.connect", "+tcp:8080")
        self.assertEqual((code, said["answer"], said["enforced"]), (0, "allow", True))
        self.assertEqual((said["decided_by"]["file"], said["decided_by"]["line"]), ("10-web.policy", 1))
        self.assertEqual(self.explain("c", "a", "net.connect", "+tcp:8080")[0], 4)
        self.set_rules({})
        self.check_open(set())

    def test_2_what_is_open_closes_too(self):
        self.set_rules({"10-web": "net.connect +tcp:7777 a c allow\n"})
        def said():
            return self.host.skerry("exec", "c", "--", "cat", "/tmp/said", check=False).stdout

        def unanswered():
            """What a has sent to the port and nobody has acknowledged."""
            table = self.host.skerry("exec", "a", "--", "cat", "/proc/net/tcp", check=False).stdout
            return any(line.split()[2].endswith(":1E61") and not line.split()[4].startswith("00000000:")
                       for line in table.splitlines()[1:])

        talk = f"(echo one; while [ ! -e /tmp/go ]; do usleep 50000; done; echo two; sleep 60) | nc {self.ips['c']} 7777"
        for name, script in (("c", "sleep 90 | nc -l -p 7777 > /tmp/said"), ("a", talk)):
            process = subprocess.Popen([f"{PROGRAMS}/skerry", "exec", name, "--", "sh", "-c", script], env=self.host.environment)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            if name == "c":
                eventually(lambda: ":1E61 " in self.host.skerry("exec", "c", "--", "cat", "/proc/net/tcp", "/proc/net/tcp6",
                                                                check=False).stdout, "it listens")
        eventually(lambda: said() == "one\n", "the connection works")
        self.set_rules({})
        self.host.skerry("exec", "a", "--", "touch", "/tmp/go")
        eventually(unanswered, "what is said after the rule is gone stays unanswered")
        self.assertEqual(said(), "one\n")

    def test_3_exceptions_and_order(self):
        self.set_rules({"10-no": "net.connect +tcp:9090 @zone:work c deny\n",
                        "20-yes": "net.connect * @zone:work @zone:vault allow\n"})
        self.check_open({("a", "c", 8080), ("b", "c", 8080)})
        self.set_rules({"30-no": "net.connect +tcp:9090 @zone:work c deny\n",
                        "20-yes": "net.connect * @zone:work @zone:vault allow\n"})
        self.check_open({("a", "c", 8080), ("b", "c", 8080), ("a", "c", 9090), ("b", "c", 9090)})

    def test_4_egress(self):
        self.assertEqual((self.fetch("c", BEYOND, 80), self.fetch("d", BEYOND, 80)), ("", PAGE))
        self.set_rules({"10-out": "net.egress +tcp:8443 @zone:vault @any allow\nnet.egress +tcp:80 d @any deny\n"})
        self.assertEqual((self.fetch("c", BEYOND, 80), self.fetch("c", BEYOND, 8443)), ("", PAGE))
        self.assertEqual((self.fetch("d", BEYOND, 80), self.fetch("d", BEYOND, 8443)), ("", PAGE), "a rule may close as well")
        self.assertEqual(self.fetch("a", BEYOND, 80), PAGE, "others are as before")
        code, said = self.explain("a", "@any", "net.egress", "+tcp:80")
        self.assertEqual((code, said["reason"]), (0, 'no rule matches, and zone "work" has egress nat'))
        self.set_rules({})
        self.assertEqual((self.fetch("c", BEYOND, 8443), self.fetch("d", BEYOND, 80)), ("", PAGE))

    def test_5_new_environments_and_new_daemons(self):
        self.set_rules({"10-web": "net.connect +tcp:8080 @tag:front @zone:vault allow\n"})
        self.host.skerry("run", "-d", "--name", "f", "--zone", "work", "--label", "front=", self.image, "--", *SERVE)
        self.ips["f"] = self.host.show("f")["ip"]
        eventually(lambda: self.reaches("f", "c", 8080), "a rule holds for who comes after it")
        self.assertFalse(self.reaches("a", "c", 8080))
        self.host.kill(signal.SIGKILL)
        self.host.start()
        self.assertTrue(self.reaches("f", "c", 8080))
        self.assertFalse(self.reaches("f", "c", 9090))
        self.host.skerry("rm", "--force", "f")
        address = self.ips.pop("f")
        self.run_one("g", "work")
        self.assertEqual(self.ips["g"], address, "the address is another's now")
        self.assertFalse(self.reaches("g", "c", 8080), "who has not got the rule")
        self.host.skerry("rm", "--force", "g")
        del self.ips["g"]

    def test_6_a_malformed_file_closes_everything(self):
        good = {"10-web": "net.connect +tcp:8080 a c allow\n"}
        self.set_rules(good)
        self.assertTrue(self.reaches("a", "c", 8080))
        self.set_rules({**good, "50-bad": "# fine\nnet.connect +tcp:http a c allow\n"}, reload=False)
        done = self.host.skerry("policy", "check", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('50-bad.policy:2:13: "+tcp:http" does not fit', done.stdout)
        self.assertTrue(self.reaches("a", "c", 8080), "checking changes nothing")
        self.assertIn("policy files: malformed", self.host.skerry("doctor", check=False).stdout)
        self.assertEqual(self.host.skerry("policy", "reload", check=False).returncode, 1)
        self.assertFalse(self.reaches("a", "c", 8080))
        self.assertEqual(self.fetch("d", BEYOND, 80), "", "nor does anybody leave: a rule may have been about to deny it")
        self.assertTrue(self.reaches("a", "b", 8080), "within a zone no rule is asked")
        code, said = self.explain("a", "c", "net.connect", "+tcp:8080")
        self.assertEqual(code, 4)
        self.assertIn("50-bad.policy:2:13", said["reason"])
        self.set_rules(good)
        self.assertTrue(self.reaches("a", "c", 8080))
        self.assertEqual(self.host.skerry("policy", "check").returncode, 0)
        os.chmod(f"{self.rules}/10-web.policy", 0o666)
        self.assertIn("may be changed by others", self.host.skerry("policy", "check", check=False).stdout)

    def test_7_explained_only(self):
        self.set_rules({"10": "clipboard.copy * a @zone:vault ask\nfile.copy * @any @any deny\n"})
        code, said = self.explain("a", "c", "clipboard.copy")
        self.assertEqual((code, said["answer"], said["enforced"]), (0, "ask", False))
        text = self.host.skerry("policy", "explain", "a", "c", "file.copy", check=False)
        self.assertEqual(text.returncode, 4)
        self.assertIn("10.policy:1  clipboard.copy * a @zone:vault ask  (another service)", text.stdout)
        self.assertIn("nothing of Skerry asks for this yet", text.stdout)
        self.assertEqual(self.host.skerry("policy", "explain", "a", "nobody", "rpc", check=False).returncode, 3)
        self.assertIn("10.policy:2", self.host.skerry("policy", "ls").stdout)


if __name__ == "__main__":
    skerry_host.main()
