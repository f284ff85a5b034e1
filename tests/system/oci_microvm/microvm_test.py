"""skerry-oci-microvm: the command line of an OCI runtime, each container a microVM; by itself and driven by podman and
containerd."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oci"))
import clients_test  # noqa: E402
import ocitest  # noqa: E402
from ocitest import RUNTIME, wait_for  # noqa: E402

HOST_KERNEL = os.uname().release
for needed in ("/usr/bin/qemu-system-x86_64", "/usr/lib/qemu/virtiofsd"):
    if not os.path.exists(needed):
        print(f"SKIP: {needed} is missing")
        sys.exit(77)


def machines(directory, names=()):
    """Processes of machines whose files are below the directory, or that read from there."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            line = pathlib.Path(entry.path, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if directory in line or "guest=t" in line and any(f"guest={name} " in line for name in names):
                found.append(f"{entry.name} {line[:120]}")
    return found


class Machine(ocitest.OciTest):
    def clean(self):
        super().clean()
        self.assertEqual(machines(self.dir, self.ids), [], "residue")


class CommandLine(Machine):
    def test_a_life(self):
        name = self.create("sh", "-c", "uname -r; cat /proc/1/comm; exec sleep 1000")
        self.assertEqual(self.status(name), "created")
        self.assertEqual(self.output(name), "")
        self.run_oci("start", name)
        self.assertEqual(self.status(name), "running")
        wait_for(lambda: self.output(name).count("\n") == 2, what="its output")
        self.assertNotIn(HOST_KERNEL, self.output(name))
        self.assertIn("init", self.output(name))
        again = self.run_oci("start", name, check=False)
        self.assertIn("cannot start a container that is running", again.stderr)

        done = self.run_oci("exec", name, "sh", "-c", "echo out; echo err >&2; exit 9", check=False)
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("out\n", "err\n", 9))
        self.assertEqual(self.run_oci("exec", name, "cat", input="through\n").stdout, "through\n")
        self.assertEqual(self.run_oci("exec", name, "nonexistent", check=False).returncode, 127)
        self.assertEqual(self.run_oci("exec", "--user", "1000:1000", name, "id", "-u").stdout, "1000\n")

        self.run_oci("pause", name)
        self.assertEqual(self.status(name), "paused")
        self.run_oci("resume", name)
        self.assertEqual(self.run_oci("exec", name, "echo", "awake").stdout, "awake\n")
        listed, = json.loads(self.run_oci("list", "--format", "json").stdout)
        self.assertEqual((listed["id"], listed["status"]), (name, "running"))
        pids = json.loads(self.run_oci("ps", "--format", "json", name).stdout)
        self.assertIn("qemu", pathlib.Path(f"/proc/{pids[0]}/comm").read_text())
        statistics = json.loads(self.run_oci("events", "--stats", name).stdout)
        self.assertGreater(statistics["data"]["memory"]["usage"]["usage"], 1 << 20)

        kept = self.run_oci("delete", name, check=False)
        self.assertNotEqual(kept.returncode, 0)
        self.run_oci("kill", name, "TERM")
        self.run_oci("kill", name, "KILL")
        self.wait_stopped(name)
        self.assertIn("container not running", self.run_oci("kill", name, "KILL", check=False).stderr)
        self.run_oci("delete", name)
        self.assertNotEqual(self.run_oci("state", name, check=False).returncode, 0)

    def stands_in_the_container(self, pid):
        """Callers reach into a container by its pid: it must not lead to the host."""
        for kind in ("net", "pid", "mnt", "ipc", "uts"):
            self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/{kind}"), os.readlink(f"/proc/self/ns/{kind}"), kind)
        self.assertEqual(sorted(os.listdir(f"/proc/{pid}/root")), sorted(os.listdir(self.rootfs)))
        self.assertEqual(os.listdir(f"/proc/{pid}/root/root"), [])

    def test_its_pid_leads_into_the_container_and_not_to_the_host(self):
        name = self.start("sleep", "1000")
        self.stands_in_the_container(self.pid(name))
        # The end of the supervisor is not the end of the machine; KILL is.
        os.kill(self.pid(name), signal.SIGKILL)
        self.wait_stopped(name)
        self.assertNotEqual(machines(self.dir, self.ids), [])
        self.run_oci("kill", name, "KILL")
        wait_for(lambda: "not running" in self.run_oci("kill", name, "KILL", check=False).stderr, what="its end")
        self.run_oci("delete", name)

    def test_the_pid_of_a_run_in_the_foreground_too(self):
        name = self.name()
        self.configure(("sleep", "1000"), name)
        running = subprocess.Popen([RUNTIME, "--root", self.state, "run", "--bundle", f"{self.dir}/bundle", name],
                                   stdin=subprocess.DEVNULL)
        wait_for(lambda: self.run_oci("state", name, check=False).returncode == 0 and self.status(name) == "running",
                 60, "its start")
        self.stands_in_the_container(self.pid(name))
        running.kill()
        running.wait()
        self.wait_stopped(name)
        self.run_oci("delete", "--force", name)

    def test_run_in_the_foreground(self):
        def change(config):
            config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [44, 4242]}
            config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 321, "hard": 654}]
            config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
            config["hostname"] = "by-spec"
            config["root"]["readonly"] = True

        out = self.sh("id -u; id -G; ulimit -n; cat /proc/sys/net/ipv4/ip_forward; hostname; echo x > /tmp/x || echo "
                      "refused; grep CapEff /proc/self/status; exit 5", change=change, code=5)
        self.assertEqual(out.split("\n")[:6], ["1000", "1000 44 4242", "321", "1", "by-spec", "refused"])
        self.assertIn("0000000000000000", out)
        self.assertEqual(self.run_oci("list", "-q").stdout, "")

    def test_a_slow_reader_loses_nothing(self):
        name = self.name()
        self.configure(("sh", "-c", "busybox yes abcdefghijklmno | busybox head -c 8000000; echo end"), name)
        reading = subprocess.Popen([RUNTIME, "--root", self.state, "run", "--bundle", f"{self.dir}/bundle", name],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        # Nothing is read until the guest has gone.
        wait_for(lambda: self.run_oci("state", name, check=False).returncode == 0, 30)
        wait_for(lambda: json.loads(self.run_oci("ps", "--format", "json", name).stdout or "null"), 30)
        wait_for(lambda: not json.loads(self.run_oci("ps", "--format", "json", name).stdout or "null"), 30)
        out = reading.communicate(timeout=60)[0]
        self.assertEqual((len(out), out[-4:], reading.returncode), (8000004, b"end\n", 0))

    def test_much_goes_both_ways_at_once(self):
        data = os.urandom(6_000_000)
        name = self.name()
        self.configure(("cat",), name)
        done = subprocess.run([RUNTIME, "--root", self.state, "run", "--bundle", f"{self.dir}/bundle", name], input=data,
                              capture_output=True, timeout=60)
        self.assertEqual((done.stdout == data, done.returncode), (True, 0), done.stderr)

    def test_what_cannot_be_is_refused_with_the_reason(self):
        def drop(kind):
            def change(config):
                config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != kind]
            return change

        def device(config):
            config["linux"]["devices"] = [{"type": "c", "path": "/dev/kmsg", "major": 1, "minor": 11}]

        def users(config):
            config["linux"]["namespaces"].append({"type": "user"})
            config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
                {"containerID": 0, "hostID": 100000, "size": 65536}]

        def socket(config):
            config["mounts"].append({"destination": "/null", "type": "bind", "source": "/dev/null", "options": ["bind"]})

        for change, words in ((drop("network"), "host's network namespace"), (drop("pid"), "host's pid namespace"),
                              (device, "/linux/devices"), (users, "no user namespace"),
                              (socket, "directories and files of the host only")):
            self.assertIn(words, self.refused(change))
            self.assertEqual(machines(self.dir, self.ids), [])

    def test_killed_at_any_point_leaves_nothing_that_delete_does_not_clean(self):
        # Each time a little later in its way to a running guest; the machine must be gone after delete --force.
        for delay in (0.02, 0.1, 0.3, 0.6, 1.2):
            name = self.name()
            self.configure(("sleep", "1000"), name)
            creating = subprocess.Popen([RUNTIME, "--root", self.state, "create", "--bundle", f"{self.dir}/bundle", name],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                creating.wait(delay)
            creating.kill()
            creating.wait()
            self.run_oci("delete", "--force", name)
            self.assertEqual(machines(self.dir, self.ids), [], f"after {delay} s")
        name = self.start("sleep", "1000")
        os.kill(self.pid(name), signal.SIGKILL)
        self.wait_stopped(name)
        self.run_oci("delete", name)
        self.assertEqual(machines(self.dir, self.ids), [])


class Containerd(clients_test.ContainerdTasks):
    """Also the test of containerd with any runtime."""

    def test_a_kernel_of_its_own_volumes_and_pipes(self):
        shared = pathlib.Path(self.dir, "shared")
        shared.mkdir()
        (shared / "in").write_text("from the host\n")
        name = f"t{os.getpid()}"
        done = self.ctr("run", "--rm", "--runc-binary", RUNTIME, "--mount",
                        f"type=bind,src={shared},dst=/data,options=rbind:rw", self.IMAGE, name, "sh", "-c",
                        "uname -r; cat /data/in; echo made > /data/out; echo told >&2; exit 4", check=False)
        kernel, text = done.stdout.splitlines()
        self.assertNotEqual(kernel, HOST_KERNEL)
        self.assertEqual((text, done.returncode), ("from the host", 4), done.stderr)
        self.assertIn("told", done.stderr)
        self.assertEqual((shared / "out").read_text(), "made\n")
        # Of the machine alone: containerd itself runs in our directory.
        wait_for(lambda: not machines("no directory", [name]), 20, "the end of the machine")


@unittest.skipUnless(shutil.which("podman"), "podman is not installed")
class Podman(Machine):
    def setUp(self):
        super().setUp()
        with open(f"{self.dir}/containers.conf", "w") as file:
            # podman raises these to 2^20 by default, which takes CAP_SYS_RESOURCE.
            file.write('[containers]\ndefault_ulimits = ["nofile=1024:1024","nproc=2048:2048"]\n')
        self.environment = {**os.environ, "CONTAINERS_CONF": f"{self.dir}/containers.conf"}
        rootfs_tar = f"{self.dir}/rootfs.tar"
        subprocess.check_call(["tar", "-C", self.rootfs, "-cf", rootfs_tar, "bin", "etc", "tmp", "root"])
        # Not by --runtime-flag: the cleanup that conmon starts does not hand it on.
        runtime = f"{self.dir}/runtime"
        with open(runtime, "w") as file:
            file.write(f'#!/bin/sh\nexec {RUNTIME} --root {self.state} "$@"\n')
        os.chmod(runtime, 0o755)
        self.base = ["podman", "--root", f"{self.dir}/storage", "--runroot", f"{self.dir}/run", "--tmpdir",
                     f"{self.dir}/tmp", "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", runtime]
        self.podman("import", rootfs_tar, "bb")
        self.addCleanup(self.podman, "rm", "-af", "-t", "0", check=False)

    def clean(self):
        # podman's own cleanup runs beside us, and leaves its storage bound to itself now and then.
        wait_for(lambda: not machines(self.dir, self.ids), 30, "the end of all processes")
        subprocess.call(["umount", f"{self.dir}/storage/overlay"], stderr=subprocess.DEVNULL)
        super().clean()

    def podman(self, *args, check=True, timeout=60, **kwargs):
        result = subprocess.run(self.base + list(args), capture_output=True, text=True, timeout=timeout,
                                env=self.environment, **kwargs)
        if check and result.returncode != 0:
            raise AssertionError(f"{args} ended with {result.returncode}: {result.stderr}")
        return result

    def test_run_pipes_volumes_and_exit_code(self):
        shared = pathlib.Path(self.dir, "shared")
        shared.mkdir()
        (shared / "in").write_text("from the host\n")
        done = self.podman("run", "--rm", "-i", "--network", "none", "-v", f"{shared}:/data", "-v", f"{shared}:/ro:ro",
                           "--hostname", "guest", "bb", "sh", "-c",
                           "cat; cat /data/in; echo made > /data/out; echo x > /ro/x || echo refused; hostname; "
                           "uname -r; cat /etc/hostname; exit 7", input="typed\n", check=False)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[:4], ["typed", "from the host", "refused", "guest"], done.stderr)
        self.assertNotEqual(lines[4], HOST_KERNEL)
        self.assertEqual(lines[5], "guest")
        self.assertEqual(done.returncode, 7)
        self.assertEqual((shared / "out").read_text(), "made\n")
        self.assertEqual(self.podman("run", "--rm", "--network", "none", "bb", "nonexistent", check=False).returncode, 127)
        self.assertEqual(self.podman("run", "--rm", "--network", "none", "bb", "/etc", check=False).returncode, 126)
        refused = self.podman("run", "--rm", "--network", "host", "bb", "true", check=False)
        self.assertIn("network namespace", refused.stderr)

    def test_a_guest_whose_volumes_lose_their_server_ends(self):
        shared = pathlib.Path(self.dir, "shared")
        shared.mkdir()
        self.podman("run", "-d", "--name", "v", "--network", "none", "-v", f"{shared}:/data", "bb", "sleep", "1000")

        def serves_us(entry):
            with contextlib.suppress(OSError):
                if b"virtiofsd" in pathlib.Path(entry, "cmdline").read_bytes():
                    return str(shared) in pathlib.Path(entry, "mountinfo").read_text()
            return False
        servers = [int(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit() and serves_us(entry)]
        self.assertNotEqual(servers, [])
        for server in servers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)
        self.assertEqual(self.podman("wait", "v", timeout=20).stdout.strip(), "137")

    def test_the_callers_network_is_the_guests(self):
        netns, link = f"skerry-test-{os.getpid()}", f"skt{os.getpid()}"
        for line in (f"netns add {netns}", f"link add {link} type veth peer name eth0 netns {netns}",
                     f"addr add 10.199.7.1/24 dev {link}", f"link set {link} up",
                     f"-n {netns} addr add 10.199.7.2/24 dev eth0", f"-n {netns} link set eth0 up",
                     f"-n {netns} route add default via 10.199.7.1"):
            subprocess.check_call(["ip"] + line.split())
        self.addCleanup(subprocess.call, ["ip", "netns", "del", netns])
        mac = json.loads(subprocess.check_output(["ip", "-n", netns, "-j", "link", "show", "eth0"]))[0]["address"]
        self.podman("run", "-d", "--name", "n", "--cap-add", "NET_ADMIN", "--network", f"ns:/run/netns/{netns}", "bb", "sh", "-c",
                    "echo a page > /root/index.html; exec busybox httpd -f -p 80 -h /root")
        inside = self.podman("exec", "n", "sh", "-c", "ip addr show eth0; ip route").stdout
        self.assertIn(mac, inside)
        self.assertIn("10.199.7.2/24", inside)
        self.assertIn("default via 10.199.7.1", inside)
        self.assertEqual(self.podman("exec", "n", "busybox", "ping", "-c", "1", "-W", "5", "10.199.7.1").returncode, 0)
        self.assertEqual(subprocess.check_output(["curl", "-s", "--max-time", "20", "http://10.199.7.2/"]), b"a page\n")
        # Nothing but its own addresses comes out, whatever the guest does.
        for change in ("ip addr add 10.199.7.99/24 dev eth0; busybox ping -I 10.199.7.99 -c 1 -W 2 10.199.7.1",
                       "ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:99; ip link set eth0 up; "
                       "busybox ping -c 1 -W 2 10.199.7.1"):
            self.assertNotEqual(self.podman("exec", "n", "sh", "-c", change, check=False).returncode, 0, change)
        self.podman("rm", "-f", "-t", "0", "n")
        wait_for(lambda: self.run_oci("list", "-q").stdout == "", what="the container's end")
        # The namespace has its interface back, as it was.
        self.assertNotIn("ingress", subprocess.check_output(["tc", "-n", netns, "qdisc"], text=True))
        self.assertEqual(subprocess.call([ocitest.busybox(), "ping", "-c", "1", "-W", "5", "10.199.7.2"],
                                         stdout=subprocess.DEVNULL), 0)

    def test_detached_exec_logs_pause_stop_and_rm(self):
        self.podman("run", "-d", "--name", "d", "--network", "none", "bb", "sh", "-c",
                    "trap 'echo bye; exit 3' TERM; echo logged; while :; do sleep 0.1; done")
        self.assertEqual(self.podman("exec", "d", "sh", "-c", "exit 9", check=False).returncode, 9)
        self.assertEqual(self.podman("exec", "-i", "d", "cat", input="in\n").stdout, "in\n")
        self.assertEqual(self.podman("exec", "d", "nonexistent", check=False).returncode, 127)
        outside = pathlib.Path(self.dir, "outside")
        outside.write_text("copied in\n")
        self.podman("cp", str(outside), "d:/root/inside")
        self.assertEqual(self.podman("exec", "d", "cat", "/root/inside").stdout, "copied in\n")
        self.assertNotEqual(self.podman("cp", f"d:{outside}", f"{self.dir}/stolen", check=False).returncode, 0)
        self.podman("pause", "d")
        self.assertIn("Paused", self.podman("ps", "--format", "{{.Status}}").stdout + "Paused" * (
            self.podman("inspect", "-f", "{{.State.Status}}", "d").stdout == "paused\n"))
        self.podman("unpause", "d")
        self.assertEqual(self.podman("logs", "d").stdout, "logged\n")
        self.assertIn("Up", self.podman("ps", "--format", "{{.Status}}").stdout)
        self.podman("stop", "-t", "20", "d")
        self.assertEqual(self.podman("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}", "d").stdout, "3 exited\n")
        self.assertEqual(self.podman("logs", "d").stdout, "logged\nbye\n")
        self.podman("start", "d")
        self.podman("kill", "d")
        wait_for(lambda: self.podman("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}", "d").stdout == "137 exited\n")
        self.podman("rm", "d")

    def test_a_terminal(self):
        out, code = ocitest.in_terminal([*self.base, "run", "-it", "--rm", "--network", "none", "bb", "sh", "-c",
                                         "tty; stty size; read line; echo got $line; exit 4"], self.environment, b"hello\n")
        self.assertEqual(code, 4, out)
        self.assertIn("/dev/pts/0", out)
        self.assertIn("got hello", out)


if __name__ == "__main__":
    ocitest.main()
