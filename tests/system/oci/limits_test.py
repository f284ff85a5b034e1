"""Limits hold: measured by what a container can and cannot do, on whichever hierarchies the host has."""

import json
import os
import subprocess
import time

import ocitest
from ocitest import RUNTIME, cgroup_directories, cgroup_file, wait_for


def resources(**values):
    return lambda c: c["linux"]["resources"].update(values)


def has_controller(name):
    if os.path.isdir(f"/sys/fs/cgroup/{name}"):
        return True
    try:
        with open("/sys/fs/cgroup/cgroup.controllers") as file:
            return name in file.read().split()
    except OSError:
        return False


class Limits(ocitest.OciTest):
    def test_memory_limit_kills_the_eater(self):
        out = self.sh("cat /dev/zero | head -c 100000000 | tail -c 100000000 | wc -c; echo $?",
                      resources(memory={"limit": 32 << 20, "swap": 32 << 20}))
        self.assertNotIn("100000000", out)

    def test_events_tell_of_use_and_of_lack_of_memory_until_the_end(self):
        name = self.start("sleep", "1000", change=resources(memory={"limit": 32 << 20, "swap": 32 << 20}))
        stream = subprocess.Popen([RUNTIME, "--root", self.state, "events", "--interval", "20s", name], text=True,
                                  stdout=subprocess.PIPE)
        first = json.loads(stream.stdout.readline())
        self.assertEqual((first["type"], first["id"], first["data"]["memory"]["usage"]["limit"]), ("stats", name, 32 << 20))
        self.run_oci("exec", name, "sh", "-c", "cat /dev/zero | head -c 100000000 | tail -c 100000000 | wc -c", check=False)
        # On a busy machine the eater may need longer than the interval.
        told = [json.loads(stream.stdout.readline())]
        while told[-1]["type"] == "stats" and len(told) < 4:
            told.append(json.loads(stream.stdout.readline()))
        self.assertEqual(told[-1], {"type": "oom", "id": name})
        self.run_oci("kill", name, "KILL")
        self.assertEqual(stream.wait(10), 0)
        stream.stdout.close()

    def test_memory_limit_can_be_read(self):
        name = self.start("sleep", "1000", change=resources(memory={"limit": 64 << 20, "reservation": 32 << 20}))
        self.assertEqual(int(cgroup_file(name, "memory", "memory.limit_in_bytes", "memory.max")), 64 << 20)
        self.assertEqual(int(cgroup_file(name, "memory", "memory.soft_limit_in_bytes", "memory.low")), 32 << 20)

    def test_a_very_small_memory_limit_is_a_clear_end(self):
        name = self.name()
        self.configure(["sh", "-c", "cat /dev/zero | tail -c 10000000 | wc -c"], name,
                       resources(memory={"limit": 512 << 10}))
        result = self.run_oci("run", "-b", f"{self.dir}/bundle", name, check=False)
        self.assertNotEqual((result.returncode, result.stdout), (0, "10000000\n"))

    def test_a_fork_bomb_stays_inside(self):
        # The flood ends where no further process can be made; those that were made stay. (Of "f | f &" so many may end at
        # once that nobody sees them at the limit.)
        name = self.start("sh", "-c", "(while :; do sleep 1000 & done); sleep 1000", change=resources(pids={"limit": 20}))
        wait_for(lambda: int(cgroup_file(name, "pids", "pids.current", "pids.current")) >= 15)
        self.assertLessEqual(len(json.loads(self.run_oci("ps", "--format", "json", name).stdout)), 20)
        self.run_oci("delete", "--force", name)
        self.assertEqual(cgroup_directories(name), [])

    def test_cpu_quota_is_measured_by_work_done(self):
        def change(c):
            resources(cpu={"quota": 10000, "period": 100000})(c)
        name = self.start("sh", "-c", "while :; do :; done", change=change)
        def used():
            return json.loads(self.run_oci("events", "--stats", name).stdout)["data"]["cpu"]["usage"]["total"]
        before, begin = used(), time.monotonic()
        time.sleep(1)
        share = (used() - before) / (time.monotonic() - begin) / 1e9
        self.assertLess(share, 0.2)

    def test_cpu_weight_cpuset_and_burst_are_written(self):
        name = self.start("sleep", "1000", change=resources(
            cpu={"shares": 512, "cpus": "0", "mems": "0", "quota": 50000, "period": 100000, "burst": 20000}))
        self.assertIn(cgroup_file(name, "cpu", "cpu.shares", "cpu.weight"), ("512", "20"))
        if has_controller("cpuset"):
            self.assertEqual(cgroup_file(name, "cpuset", "cpuset.cpus", "cpuset.cpus"), "0")
            self.assertEqual(os.sched_getaffinity(self.pid(name)), {0})
        self.assertEqual(cgroup_file(name, "cpu", "cpu.cfs_burst_us", "cpu.max.burst"), "20000")

    def test_update_changes_limits_of_a_running_container(self):
        name = self.start("sleep", "1000", change=resources(memory={"limit": 64 << 20}, pids={"limit": 10}))
        self.run_oci("update", "--memory", str(96 << 20), "--pids-limit", "33", "--cpu-share", "300", name)
        self.assertEqual(int(cgroup_file(name, "memory", "memory.limit_in_bytes", "memory.max")), 96 << 20)
        self.assertEqual(cgroup_file(name, "pids", "pids.max", "pids.max"), "33")
        self.run_oci("update", "--resources", "-", name, input=json.dumps({"pids": {"limit": 44}}))
        self.assertEqual(cgroup_file(name, "pids", "pids.max", "pids.max"), "44")
        self.assertIn("/pids/limit", self.run_oci("update", "-r", "-", name, input='{"pids":{"limit":"x"}}',
                                                  check=False).stderr)

    def test_devices_are_denied_unless_allowed(self):
        def change(c):
            c["linux"]["devices"] = [{"type": "c", "path": "/dev/kmsg", "major": 1, "minor": 11}]
        script = "head -c 1 /dev/kmsg >/dev/null 2>&1 && echo open || echo denied; echo x > /dev/null && echo null"
        if has_controller("devices") or os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            self.assertEqual(self.sh(script, change), "denied\nnull\n")

        def allowed(c):
            change(c)
            c["process"]["capabilities"]["bounding"].append("CAP_SYSLOG")
            c["process"]["capabilities"]["effective"].append("CAP_SYSLOG")
            c["process"]["capabilities"]["permitted"].append("CAP_SYSLOG")
            c["linux"]["resources"]["devices"].append({"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"})
        self.assertEqual(self.sh(script, allowed), "open\nnull\n")

    def test_a_limit_that_cannot_be_set_is_named(self):
        self.assertIn("/linux/resources/cpu", self.refused(resources(cpu={"cpus": "4000"})))
        self.assertIn("/linux/resources", self.refused(resources(rdma={"mlx5_0": {"hcaHandles": 1}})))
        self.assertIn("/linux/resources/hugepageLimits", self.refused(
            resources(hugepageLimits=[{"pageSize": "3MB", "limit": 1}])))

    def test_io_throttle_is_written(self):
        root = os.stat("/").st_dev
        device = {"major": os.major(root), "minor": os.minor(root), "rate": 1 << 20}
        if not has_controller("blkio") and not has_controller("io"):
            self.skipTest("the host has no io controller")
        name = self.name()
        self.configure(["sleep", "1000"], name, resources(blockIO={"throttleWriteBpsDevice": [device]}))
        name = self.start("sleep", "1000", change=resources(blockIO={"throttleWriteBpsDevice": [device]}))
        self.assertIn(str(1 << 20), cgroup_file(name, "blkio", "blkio.throttle.write_bps_device", "io.max"))

    def test_the_container_sees_only_its_own_group(self):
        out = self.sh("cat /proc/self/cgroup; touch /sys/fs/cgroup/x 2>/dev/null || echo refused; "
                      "mkdir /sys/fs/cgroup/*/x 2>/dev/null && echo made; ls -d /sys/fs/cgroup/*/skerry-test 2>/dev/null; true")
        self.assertEqual({line.split(":")[2] for line in out.splitlines()[:-1]}, {"/"})
        self.assertTrue(out.endswith("refused\n"))

    def test_disabled_cgroups(self):
        name = self.name()
        self.configure(["echo", "ran"], name, lambda c: (c["linux"].update(resources={}),
                                                        c.update(mounts=[m for m in c["mounts"] if m["type"] != "cgroup"])))
        out = self.run_oci("--cgroup-manager", "disabled", "run", "-b", f"{self.dir}/bundle", name).stdout
        self.assertEqual(out, "ran\n")
        self.assertEqual(cgroup_directories(name), [])

    def test_descriptor_flood_and_many_mounts(self):
        out = self.sh("ulimit -n; (i=10; while [ $i -lt 5000 ]; do eval \"exec $i</dev/null\"; i=$((i+1)); done) 2>/dev/null || "
                      "echo stopped")
        self.assertEqual(out, "1024\nstopped\n")

        def change(c):
            for i in range(300):
                c["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "t", "options": []})
        self.assertEqual(self.sh("grep -c ' /tmp ' /proc/self/mountinfo", change), "300\n")


if __name__ == "__main__":
    ocitest.main()
