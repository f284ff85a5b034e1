"""What the tests of skerry-oci share: a root file system of busybox, bundles, and the runtime in a state directory of
its own. Everything made here is removed when the test ends, also when it fails."""

import copy
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

RUNTIME = os.environ.get("SKERRY_OCI") or sys.exit("SKERRY_OCI names the runtime")
APPLETS = ("sh ash true false cat ls ps mount umount id sleep hostname env echo head grep tail wc dd mkdir rm ln mv "
           "touch stat test tr cut sort awk sed find kill ip ifconfig nice ionice renice ulimit readlink mknod chmod "
           "chown df dmesg unshare chroot seq nproc stty tty setsid date printf od taskset").split()


def busybox():
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path):
            return path
    print("SKIP: busybox-static is not installed")
    sys.exit(77)


def has_capability(number):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> number & 1)
    return False


def wait_for(condition, seconds=60, what="condition"):
    """Asks again until it is true; there is no event to wait for in what the kernel shows here."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def in_terminal(argv, environment=None, typed=b"", seconds=60):
    """Runs below a terminal of ours, with `typed` typed into it; what appeared on it, and the exit code."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, environment or os.environ)
    os.write(master, typed)
    out = b""
    while True:
        if not select.select([master], [], [], seconds)[0]:
            os.kill(pid, signal.SIGKILL)
            break
        try:
            data = os.read(master, 4096)
        except OSError:  # the other side is closed
            break
        if not data:
            break
        out += data
    _, status = os.waitpid(pid, 0)
    os.close(master)
    return out.decode(), os.waitstatus_to_exitcode(status)


def cgroup_directories(name):
    """All cgroup directories of that name below any hierarchy."""
    found = []
    for hierarchy in ["/sys/fs/cgroup"] + [e.path for e in os.scandir("/sys/fs/cgroup") if e.is_dir()]:
        path = f"{hierarchy}/skerry-test/{name}"
        if os.path.isdir(path):
            found.append(path)
    return found


def cgroup_file(name, controller, v1_file, v2_file):
    """Content of a limit file of the container's group on the host."""
    for base, file in ((f"/sys/fs/cgroup/{controller}", v1_file), ("/sys/fs/cgroup", v2_file)):
        path = f"{base}/skerry-test/{name}/{file}"
        if os.path.exists(path):
            with open(path) as handle:
                return handle.read().strip()
    raise AssertionError(f"no {controller} group of {name}")


class OciTest(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        self.dir = tempfile.mkdtemp(prefix="skerry-oci-test-")
        os.chmod(self.dir, 0o755)
        self.state = f"{self.dir}/state"
        self.rootfs = f"{self.dir}/bundle/rootfs"
        self.ids = []
        os.makedirs(f"{self.rootfs}/bin")
        shutil.copy(busybox(), f"{self.rootfs}/bin/busybox")
        for applet in APPLETS:
            os.symlink("busybox", f"{self.rootfs}/bin/{applet}")
        for directory in "proc sys dev tmp etc root".split():
            os.mkdir(f"{self.rootfs}/{directory}")
        self.config = json.loads(subprocess.check_output([RUNTIME, "spec"]))
        self.config["process"]["terminal"] = False
        self.addCleanup(self.clean)

    def clean(self):
        for name in self.ids:
            self.run_oci("delete", "--force", name, check=False)
        # An engine cleans up behind its answer: its processes get a moment.
        deadline = time.monotonic() + 10
        while (left := self.left_behind()) and time.monotonic() < deadline:
            time.sleep(0.05)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.assertEqual(left, [], "residue")

    def left_behind(self):
        with open("/proc/self/mounts") as mounts:
            return [d for name in self.ids for d in cgroup_directories(name)] + [m for m in mounts if self.dir in m]

    def name(self):
        name = "t" + uuid.uuid4().hex[:12]
        self.ids.append(name)
        return name

    def write_config(self, config, bundle=None):
        with open(f"{bundle or self.dir + '/bundle'}/config.json", "w") as file:
            json.dump(config, file)

    def configure(self, args, name, change=None, bundle=None):
        """Writes the bundle's config.json: the default one with these arguments, changed by `change(config)`."""
        config = copy.deepcopy(self.config)
        config["process"]["args"] = list(args)
        config["linux"]["cgroupsPath"] = f"/skerry-test/{name}"
        if change:
            change(config)
        self.write_config(config, bundle)
        return config

    def run_oci(self, *args, check=True, input=None, timeout=30, env=None, **kwargs):
        result = subprocess.run([RUNTIME, "--root", self.state, *args], capture_output=True, text=True, input=input,
                                timeout=timeout, env=env, **kwargs)
        if check and result.returncode != 0:
            raise AssertionError(f"{args} ended with {result.returncode}: {result.stderr}")
        return result

    def run_container(self, *args, change=None, code=0, extra=(), **kwargs):
        """Runs to its end and answers with what it wrote to standard output."""
        name = self.name()
        self.configure(args, name, change)
        result = self.run_oci("run", "--bundle", f"{self.dir}/bundle", *extra, name, check=False, **kwargs)
        self.assertEqual(result.returncode, code, result.stderr + result.stdout)
        return result.stdout

    def sh(self, script, change=None, code=0, **kwargs):
        return self.run_container("sh", "-c", script, change=change, code=code, **kwargs)

    def refused(self, change, args=("true",)):
        """The container must not come to life; answers with the error's text."""
        name = self.name()
        self.configure(args, name, change)
        result = self.run_oci("run", "--bundle", f"{self.dir}/bundle", name, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(self.run_oci("list", "-q").stdout, "")
        self.assertEqual(cgroup_directories(name), [])
        return result.stderr

    def create(self, *args, change=None, extra=()):
        """A created container, with its output going to files; answers with its name."""
        name = self.name()
        self.configure(args, name, change)
        with open(f"{self.dir}/{name}.out", "wb") as out, open(f"{self.dir}/{name}.err", "wb") as err:
            result = subprocess.run([RUNTIME, "--root", self.state, "create", "--bundle", f"{self.dir}/bundle", *extra,
                                     name], stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=60)
        if result.returncode != 0:
            raise AssertionError(self.error_output(name))
        return name

    def start(self, *args, change=None, extra=()):
        name = self.create(*args, change=change, extra=extra)
        self.run_oci("start", name)
        return name

    def output(self, name):
        with open(f"{self.dir}/{name}.out") as file:
            return file.read()

    def error_output(self, name):
        with open(f"{self.dir}/{name}.err") as file:
            return file.read()

    def status(self, name):
        return json.loads(self.run_oci("state", name).stdout)["status"]

    def pid(self, name):
        return json.loads(self.run_oci("state", name).stdout)["pid"]

    def wait_stopped(self, name, seconds=60):
        wait_for(lambda: self.status(name) == "stopped", seconds, f"end of {name}")


def main():
    unittest.main(verbosity=2)
