"""One system call after the other fails, or the runtime is killed there: each time a clear error or the full effect, and
nothing is left behind. fault_injector_main.cc does the disturbing.

A sample is taken of the several hundred points; SKERRY_FAULTS=all takes them all, SKERRY_FAULTS=N that many of each kind.
"""

import ctypes
import errno
import json
import os
import random
import re
import subprocess
import unittest

import ocitest
from ocitest import RUNTIME, cgroup_directories, wait_for

INJECTOR = os.environ.get("SKERRY_FAULT_INJECTOR", "")
AMOUNT = os.environ.get("SKERRY_FAULTS", "10")
# What a container's process is: whatever a failed step would have taken from it shows here.
PORTRAIT = ("grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp):?' /proc/self/status; cut -d' ' -f4-6,9- /proc/self/mountinfo; "
            "hostname; cut -d: -f2- /proc/self/cgroup; umask; ulimit -n; pwd; ls -l /dev | cut -c1-10; ls /proc/self/fd; "
            "cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj; ifconfig lo | grep -c UP; echo $HOME")


def points(first, last):
    every = range(first, last + 1)
    return every if AMOUNT == "all" else sorted(random.Random(last).sample(every, min(len(every), int(AMOUNT))))


def may_fall_back(hit, error):
    """Where a user namespace may not do it, a device node is bound and the host's sysfs shown instead."""
    libseccomp = ctypes.CDLL("libseccomp.so.2")
    libseccomp.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    names = (b"mknodat", b"fsopen", b"fsmount", b"fsconfig")
    return error == errno.EPERM and int(hit.split()[1]) in map(libseccomp.seccomp_syscall_resolve_name, names)


def rich(config):
    """What takes further steps than the default configuration."""
    config["hostname"] = "faults"
    config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    config["process"]["user"] = {"uid": 7, "gid": 8, "additionalGids": [9]}
    config["process"]["oomScoreAdj"] = 100
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    config["linux"]["resources"].update(memory={"limit": 64 << 20}, pids={"limit": 40}, cpu={"shares": 512})
    config["hooks"] = {"createRuntime": [{"path": "/bin/true"}], "createContainer": [{"path": "/bin/true"}],
                       "startContainer": [{"path": "/bin/true"}], "poststop": [{"path": "/bin/true"}]}
    config["mounts"].append({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "ro"]})


def processes_of(name):
    """Processes whose command line or control group names the container; zombies wait for the host's init only."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as line, open(f"/proc/{pid}/cgroup") as group, open(f"/proc/{pid}/stat") as stat:
                if (name in line.read() or name in group.read()) and stat.read().rpartition(")")[2].split()[0] != "Z":
                    found.append(pid)
        except OSError:
            pass
    return found


@unittest.skipUnless(INJECTOR, "SKERRY_FAULT_INJECTOR names the injector")
class Disturbed(ocitest.OciTest):
    def disturb(self, how, *command):
        """The result of the disturbed command, how many calls were counted, and which one was hit, by whom."""
        report = f"{self.dir}/report"
        with open(os.devnull) as null, open(f"{self.dir}/out", "w+") as out, open(f"{self.dir}/err", "w+") as err:
            code = subprocess.run([INJECTOR, report, *map(str, how), "--", RUNTIME, "--root", self.state, *command],
                                  stdin=null, stdout=out, stderr=err, timeout=30).returncode
            out.seek(0)
            err.seek(0)
            with open(report) as file:
                calls, number, who = file.read().split()
            return subprocess.CompletedProcess(command, code, out.read(), err.read()), int(calls), f"{who} {number}"

    def all_points(self, *command, how="count"):
        """Those behind what the C library does before main(): there, only it could say anything."""
        _, begin, _ = self.disturb([how, *([0] if how == "kill" else [])], "--version")
        _, total, _ = self.disturb([how, *([0] if how == "kill" else [])], *command)
        return points(begin, total)

    def residue(self, name):
        left = cgroup_directories(name)
        with open("/proc/self/mounts") as mounts:
            left += [line for line in mounts if self.dir in line]
        if os.path.exists(f"{self.state}/{name}"):
            left.append(f"{self.state}/{name}")
        return left

    def assert_nothing_left(self, name, what):
        self.assertEqual(self.residue(name), [], what)
        wait_for(lambda: not processes_of(name), 5, f"end of the processes of {what}")

    def assert_clear_error(self, stderr, what):
        lines = [line for line in stderr.splitlines() if line.startswith("skerry-oci: ")]
        self.assertEqual(len(lines), 1, f"{what}: {stderr!r}")
        # A step, and why: "make cgroup: mkdir /sys/…: Input/output error".
        self.assertRegex(lines[0], r"^skerry-oci: .{8,}", what)
        if os.environ.get("SKERRY_FAULTS_SHOW"):
            print(f"    {what}: {lines[0]}")

    def new(self, args, change=None):
        name = self.name()
        self.configure(args, name, change)
        return name


class Faults(Disturbed):
    def run_is_whole_or_fails(self, change=None, errors=(errno.EIO, errno.EPERM, errno.ENOMEM)):
        def bundle():
            name = self.new(["sh", "-c", PORTRAIT], change)
            return name, ["run", "--bundle", f"{self.dir}/bundle", name]
        name, command = bundle()
        result, _, _ = self.disturb(["count"], *command)
        self.assertEqual(result.returncode, 0, result.stderr)
        portrait = result.stdout.replace(name, "NAME")
        name, command = bundle()
        sample = self.all_points(*command)
        for error in errors:
            for point in sample:
                name, command = bundle()
                result, _, hit = self.disturb(["fail", point, error], *command)
                what = f"call {point} of run ({hit}) with {errno.errorcode[error]}"
                with self.subTest(what):
                    if result.returncode != 0:
                        self.assert_clear_error(result.stderr, what)
                        # A deletion that failed can be asked again.
                        self.run_oci("delete", "--force", name)
                    elif not may_fall_back(hit, error):
                        self.assertEqual(result.stdout.replace(name, "NAME"), portrait, what)
                    self.assert_nothing_left(name, what)

    def test_run(self):
        self.run_is_whole_or_fails()

    def test_run_with_more_of_everything(self):
        self.run_is_whole_or_fails(rich)

    def test_create_leaves_nothing_when_it_fails(self):
        self.new(["sleep", "1000"])

        def create():
            name = self.new(["sleep", "1000"], rich)
            return name, ["create", "--bundle", f"{self.dir}/bundle", name]
        for point in self.all_points(*create()[1]):
            name, command = create()
            result, _, hit = self.disturb(["fail", point, errno.EIO], *command)
            what = f"call {point} of create ({hit})"
            with self.subTest(what):
                if result.returncode == 0:
                    self.assertEqual(self.status(name), "created", what)
                    self.run_oci("delete", "--force", name)
                else:
                    self.assert_clear_error(result.stderr, what)
                self.assert_nothing_left(name, what)

    def test_start(self):
        for point in self.all_points("start", self.create("sleep", "1000")):
            name = self.create("sleep", "1000")
            result, _, hit = self.disturb(["fail", point, errno.EIO], "start", name)
            what = f"call {point} of start ({hit})"
            with self.subTest(what):
                if result.returncode == 0:
                    self.assertEqual(self.status(name), "running", what)
                else:
                    self.assert_clear_error(result.stderr, what)
                self.run_oci("delete", "--force", name)
                self.assert_nothing_left(name, what)

    def test_exec(self):
        name = self.start("sleep", "1000")
        command = ["exec", "--user", "3:4", name, "sh", "-c", PORTRAIT]
        result, _, _ = self.disturb(["count"], *command)
        self.assertEqual(result.returncode, 0, result.stderr)
        for point in self.all_points(*command):
            disturbed, _, hit = self.disturb(["fail", point, errno.EIO], *command)
            what = f"call {point} of exec ({hit})"
            with self.subTest(what):
                if disturbed.returncode == 0:
                    self.assertEqual(disturbed.stdout, result.stdout, what)
                else:
                    self.assert_clear_error(disturbed.stderr, what)
                wait_for(lambda: json.loads(self.run_oci("ps", "-f", "json", name).stdout) == [self.pid(name)], 5, what)

    def test_delete_and_kill_can_be_repeated(self):
        for verb in (["delete", "--force"], ["kill", "--all"]):
            for point in self.all_points(*verb, self.start("sleep", "1000")):
                name = self.start("sleep", "1000")
                result, _, hit = self.disturb(["fail", point, errno.EIO], *verb, name)
                what = f"call {point} of {verb} ({hit})"
                with self.subTest(what):
                    if result.returncode != 0:
                        self.assert_clear_error(result.stderr, what)
                    elif verb[0] == "delete":
                        self.assert_nothing_left(name, what)
                    self.run_oci("delete", "--force", name)
                    self.assert_nothing_left(name, what)


class Killed(Disturbed):
    """kill -9 at every system call of the runtime itself; what remains is removed by `delete --force`."""

    def killed_everywhere(self, prepare):
        for point in self.all_points(*prepare()[1], how="kill"):
            name, command = prepare()
            result, _, hit = self.disturb(["kill", point], *command)
            what = f"{command[0]} killed at call {point} ({hit})"
            with self.subTest(what):
                self.run_oci("delete", "--force", name)
                self.assert_nothing_left(name, what)

    def test_create_and_run(self):
        for verb in ("create", "run"):
            def prepare():
                name = self.new(["sleep", "1000"] if verb == "create" else ["true"], rich)
                return name, [verb, "--bundle", f"{self.dir}/bundle", name]
            self.killed_everywhere(prepare)

    def test_start_and_delete(self):
        def start():
            name = self.create("sleep", "1000")
            return name, ["start", name]

        def delete():
            name = self.start("sleep", "1000")
            return name, ["delete", "--force", name]
        self.killed_everywhere(start)
        self.killed_everywhere(delete)


if __name__ == "__main__":
    ocitest.main()
