"""The systemd cgroup manager: containers in scope units. The test host has what it takes; elsewhere it is refused."""

import json
import os
import random
import subprocess
import unittest

import ocitest
from ocitest import RUNTIME, wait_for

PURE_V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
SYSTEMD = PURE_V2 and os.path.isdir("/run/systemd/system") and os.path.exists("/run/dbus/system_bus_socket")
INJECTOR = os.environ.get("SKERRY_FAULT_INJECTOR", "")


class WithoutSystemd(ocitest.OciTest):
    @unittest.skipIf(SYSTEMD, "systemd runs here")
    def test_it_is_refused_with_a_reason_and_a_way_out(self):
        name = self.name()
        self.configure(["true"], name, lambda c: c["linux"].update(cgroupsPath="machine.slice:test:x"))
        result = self.run_oci("--systemd-cgroup", "run", "-b", f"{self.dir}/bundle", name, check=False)
        self.assertIn("--systemd-cgroup", result.stderr)
        self.assertIn("--cgroup-manager cgroupfs", result.stderr)
        self.assertFalse(os.path.exists(f"{self.state}/{name}"))


@unittest.skipUnless(SYSTEMD, "SKIP: needs systemd, its bus and cgroup v2 alone (tests/testhost has them)")
class Scopes(ocitest.OciTest):
    SLICE = "/sys/fs/cgroup/skerry.slice/skerry-test.slice"

    def run_oci(self, *args, **kwargs):
        return super().run_oci("--systemd-cgroup", *args, **kwargs)

    def unit(self, name):
        return f"test-{name}.scope"

    def show(self, name):
        out = subprocess.check_output(["systemctl", "show", self.unit(name)], text=True)
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def limit(self, name, file):
        with open(f"{self.SLICE}/{self.unit(name)}/{file}") as content:
            return content.read().strip()

    def new(self, args, change=None, **resources):
        name = self.name()

        def scoped(c):
            c["linux"]["cgroupsPath"] = f"skerry-test.slice:test:{name}"
            c["linux"]["resources"].update(resources)
            if change:
                change(c)
        self.configure(args, name, scoped)
        return name

    def started(self, *args, **more):
        name = self.new(args, **more)
        with open(os.devnull, "r+b") as null:
            subprocess.run([RUNTIME, "--root", self.state, "--systemd-cgroup", "run", "-d", "-b", f"{self.dir}/bundle", name],
                           check=True, stdin=null, stdout=null, timeout=60)
        return name

    def assert_gone(self, name):
        wait_for(lambda: self.show(name)["LoadState"] == "not-found", 10, "end of the scope")
        self.assertFalse(os.path.exists(f"{self.SLICE}/{self.unit(name)}"))
        self.assertFalse(os.path.exists(f"{self.state}/{name}"))

    def test_limits_are_those_of_the_scope_and_of_the_kernel(self):
        name = self.started("sleep", "1000", memory={"limit": 64 << 20, "reservation": 32 << 20, "swap": 96 << 20},
                            cpu={"shares": 512, "quota": 50000, "period": 200000, "burst": 10000, "cpus": "0"},
                            pids={"limit": 33})
        shown = self.show(name)
        self.assertEqual(shown["ActiveState"], "active")
        self.assertEqual((shown["Delegate"], shown["Slice"]), ("yes", "skerry-test.slice"))
        self.assertEqual((shown["MemoryMax"], shown["MemoryLow"], shown["MemorySwapMax"]),
                         (str(64 << 20), str(32 << 20), str(32 << 20)))
        self.assertEqual((shown["TasksMax"], shown["CPUWeight"], shown["CPUQuotaPerSecUSec"]), ("33", "20", "250ms"))
        self.assertEqual(shown["AllowedCPUs"], "0")
        self.assertEqual([self.limit(name, f) for f in ("memory.max", "pids.max", "cpu.weight", "cpu.max", "cpu.max.burst")],
                         [str(64 << 20), "33", "20", "50000 200000", "10000"])
        with open(f"/proc/{self.pid(name)}/cgroup") as group:
            self.assertEqual(group.read(), f"0::/skerry.slice/skerry-test.slice/{self.unit(name)}\n")
        # Only the container is in it: the process that held its place has gone.
        self.assertEqual(json.loads(self.run_oci("ps", "-f", "json", name).stdout), [self.pid(name)])
        self.run_oci("delete", "--force", name)
        self.assert_gone(name)

    def test_update_changes_the_scope_and_outlives_a_reload(self):
        name = self.started("sleep", "1000", memory={"limit": 64 << 20}, pids={"limit": 10})
        self.run_oci("update", "--memory", str(96 << 20), "--pids-limit", "44", "--cpu-share", "300", name)
        subprocess.check_call(["systemctl", "daemon-reload"])
        shown = self.show(name)
        self.assertEqual((shown["MemoryMax"], shown["TasksMax"]), (str(96 << 20), "44"))
        self.assertEqual((self.limit(name, "memory.max"), self.limit(name, "pids.max")), (str(96 << 20), "44"))

    def test_devices_exec_and_the_end_by_itself(self):
        name = self.started("sleep", "1000", change=lambda c: c["linux"].update(
            devices=[{"type": "c", "path": "/dev/kmsg", "major": 1, "minor": 11}]))
        out = self.run_oci("exec", name, "sh", "-c", "test -c /dev/kmsg && head -c 1 /dev/kmsg 2>&1 >/dev/null; "
                           "echo x > /dev/null && echo null; cat /proc/self/cgroup").stdout
        self.assertEqual(out, "head: /dev/kmsg: Operation not permitted\nnull\n0::/\n")
        self.run_oci("kill", name, "KILL")
        self.wait_stopped(name)
        self.run_oci("delete", name)
        self.assert_gone(name)

    def test_the_kernel_ends_what_eats_memory_and_says_so(self):
        name = self.started("sh", "-c", "cat /dev/zero | tail -c 200000000; sleep 1000", memory={"limit": 32 << 20, "swap": 32 << 20})
        wait_for(lambda: "oom_kill 0" not in self.limit(name, "memory.events"), 60, "the end of the eater")

    def test_names(self):
        name = self.name()
        self.configure(["sleep", "1000"], name, lambda c: c["linux"].pop("cgroupsPath"))
        with open(os.devnull, "r+b") as null:
            subprocess.run([RUNTIME, "--root", self.state, "--systemd-cgroup", "create", "-b", f"{self.dir}/bundle", name],
                           check=True, stdin=null, stdout=null, timeout=60)
        with open(f"/proc/{self.pid(name)}/cgroup") as group:
            self.assertEqual(group.read(), f"0::/system.slice/skerry-{name}.scope\n")
        for bad in ("/absolute", "a:b", "a.slice:b:", "noslice:b:c", "a.slice:b:c/d", "a.slice:b:" + "x" * 300):
            other = self.name()
            self.configure(["true"], other, lambda c: c["linux"].update(cgroupsPath=bad))
            result = self.run_oci("run", "-b", f"{self.dir}/bundle", other, check=False)
            self.assertIn("/linux/cgroupsPath", result.stderr)

    def test_a_name_that_is_taken_is_refused(self):
        name = self.started("sleep", "1000")
        other = self.name()
        self.configure(["true"], other, lambda c: c["linux"].update(cgroupsPath=f"skerry-test.slice:test:{name}"))
        result = self.run_oci("run", "-b", f"{self.dir}/bundle", other, check=False)
        self.assertIn("/linux/cgroupsPath", result.stderr)
        self.assertEqual(self.status(name), "running")

    @unittest.skipUnless(INJECTOR, "SKERRY_FAULT_INJECTOR names the injector")
    def test_the_runtime_killed_at_some_moments_leaves_no_scope(self):
        def command():
            name = self.new(["sleep", "1000"])
            return name, [INJECTOR, f"{self.dir}/report", "kill"], ["--", RUNTIME, "--root", self.state, "--systemd-cgroup",
                                                                   "create", "-b", f"{self.dir}/bundle", name]
        with open(os.devnull, "r+b") as null:
            name, before, behind = command()
            subprocess.run([*before, "0", *behind], check=True, stdin=null, stdout=null, stderr=null)
            with open(f"{self.dir}/report") as report:
                total = int(report.read().split()[0])
            for point in sorted(random.Random(1).sample(range(14, total + 1), 15)):
                name, before, behind = command()
                subprocess.run([*before, str(point), *behind], stdin=null, stdout=null, stderr=null, timeout=60)
                self.run_oci("delete", "--force", name)
                self.assert_gone(name)


if __name__ == "__main__":
    ocitest.main()
