#!/usr/bin/env python3
"""skerry setup and doctor on a host of their own: a private /etc, network namespace and directories.
Usage: setup_test.py PROGRAM_DIR. Needs root."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import skerry_host
from skerry_host import PROGRAMS

FILES = ("/etc/sysctl.d/60-skerry.conf", "/etc/modules-load.d/skerry.conf", "/etc/systemd/system/skerryd.service")


class Setup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="skerry-setup.")
        cls.addClassCleanup(shutil.rmtree, cls.place)
        # The account tools replace /etc/group by renaming: it must lie in a directory of our own.
        subprocess.run(["cp", "-a", "/etc", f"{cls.place}/etc"], check=True)
        subprocess.run(["mount", "--bind", f"{cls.place}/etc", "/etc"], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", "/etc"], check=True)

    def setUp(self):
        self.state = f"{self.place}/state"
        self.options = ("--bridge", "skset0", "--subnet", "192.168.231.1/24", "--state-dir", self.state,
                        "--group", "skerry-setup")

    def skerry(self, *arguments, code=0):
        done = subprocess.run([f"{PROGRAMS}/skerry", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def setup_steps(self, *arguments, code=0):
        done = self.skerry("setup", *self.options, "--output", "json", *arguments, code=code)
        return {step["step"]: step["outcome"] for step in map(json.loads, done.stdout.splitlines())}

    def looks(self):
        """What of a set up host is there."""
        with open("/etc/group") as groups:
            group = "skerry-setup:" in groups.read()
        bridge = "skset0" in subprocess.run(["ip", "-o", "link"], stdout=subprocess.PIPE, text=True, check=True).stdout
        tables = subprocess.run(["nft", "list", "tables"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return {"group": group, "bridge": bridge, "nat": "skerry-skset0" in tables, "state": os.path.isdir(self.state),
                **{path: os.path.exists(path) for path in FILES}}

    def test_setup_can_be_shown_repeated_and_undone(self):
        nothing = self.looks()
        self.assertFalse(any(nothing.values()), nothing)
        self.setup_steps("--dry-run")
        self.assertEqual(self.looks(), nothing, "--dry-run changes nothing")
        first = self.setup_steps()
        self.assertTrue(all(self.looks().values()), self.looks())
        self.assertEqual({word for step, word in first.items() if step != "service skerryd"}, {"made"})
        again = self.setup_steps()
        self.assertEqual({word for step, word in again.items() if step != "service skerryd"}, {"there already"})
        self.setup_steps("--undo")
        self.assertEqual(self.looks(), nothing)
        self.assertFalse(os.path.exists("/etc/skerry/setup"))

    def test_undo_leaves_what_was_there_before_and_what_holds_data(self):
        subprocess.run(["groupadd", "--system", "skerry-setup"], check=True)
        self.setup_steps()
        with open(f"{self.state}/skerry.db", "w") as file:
            file.write("data")
        undone = self.setup_steps("--undo", code=1)
        self.assertEqual(undone["group skerry-setup"], "kept")
        self.assertEqual(undone[f"directory {self.state}"], "kept")
        self.assertEqual(undone["bridge skset0"], "removed")
        os.unlink(f"{self.state}/skerry.db")
        self.assertEqual(self.setup_steps("--undo")[f"directory {self.state}"], "removed")
        subprocess.run(["groupdel", "skerry-setup"], check=True)

    def test_a_bridge_in_use_stays(self):
        self.setup_steps()
        subprocess.run(["ip", "link", "add", "skuser0", "type", "veth", "peer", "name", "skuser1"], check=True)
        subprocess.run(["ip", "link", "set", "skuser0", "master", "skset0"], check=True)
        self.assertEqual(self.setup_steps("--undo", code=1)["bridge skset0"], "kept")
        subprocess.run(["ip", "link", "del", "skuser0"], check=True)
        self.setup_steps("--undo")

    def test_the_unit_is_one_that_systemd_takes(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("SKIP: no systemd-analyze")
        self.setup_steps()
        self.addCleanup(self.setup_steps, "--undo")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", FILES[2]], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        complaints = [line for line in done.stdout.splitlines() if "skerryd" in line]
        self.assertEqual(complaints, [])

    def test_setup_needs_root_and_says_so(self):
        os.chmod(self.place, 0o755)
        program = f"{self.place}/skerry"
        shutil.copy(f"{PROGRAMS}/skerry", program)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "setup"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("root", done.stderr)


class Doctor(unittest.TestCase):
    def test_every_finding_has_a_verdict_and_a_bad_one_a_remedy(self):
        done = subprocess.run([f"{PROGRAMS}/skerry", "doctor", "--socket", "/nonexistent/s.sock", "--output", "json"],
                              stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1, "no daemon answers")
        findings = {each["subject"]: each for each in json.loads(done.stdout)}
        for subject in ("kernel", "control groups", "capabilities", "seccomp", "firewall", "programs", "disk space", "skerryd"):
            self.assertIn(subject, findings)
        self.assertEqual(findings["skerryd"]["verdict"], "broken")
        for each in findings.values():
            self.assertIn(each["verdict"], ("ok", "weak", "broken"))
            if each["verdict"] == "broken":
                self.assertNotEqual(each["remedy"], "", each)


if __name__ == "__main__":
    skerry_host.main()
