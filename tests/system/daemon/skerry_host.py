"""A host of its own for a test: network namespace, directories, a registry that can lie, skerryd, and the command line."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "image"))
from oci_fixture import ImageFixture, LyingRegistry, entry, tar  # noqa: E402

# Where skerry and skerryd are: the first argument of every test.
PROGRAMS = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
BUSYBOX = "/bin/busybox"
DEADLINE = 60


def enter_network_namespace():
    """Starts this program again in a network namespace of its own, unless it is there already."""
    if os.environ.get("SKERRY_TEST_NETNS") != "1":
        os.environ["SKERRY_TEST_NETNS"] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "slave", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def main(own=2):
    """Runs the tests of the program, in a network of their own. Behind its `own` arguments come those of unittest."""
    enter_network_namespace()
    unittest.main(argv=[sys.argv[0], *sys.argv[own:]], verbosity=2)


def processes(naming):
    """(pid, words of the command line) of each process that has that in one of the words."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(naming in word for word in words):
            yield int(pid), words


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def eventually(question, what, seconds=DEADLINE):
    """Waits until the question has a true answer, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.02)


def busybox_image(command=("sleep", "86400"), extra=(), config=None):
    """A small image: static busybox, its applets, users, and a page for its httpd."""
    applets = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    with open(BUSYBOX, "rb") as program:
        base = [entry("bin", "dir"), entry("bin/busybox", data=program.read(), mode=0o755)]
    base += [entry(f"bin/{name}", "sym", link="busybox") for name in applets if name != "busybox"]
    base += [entry("etc", "dir"), entry("etc/passwd", data=b"root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/tmp:/bin/sh\n"),
             entry("etc/group", data=b"root:x:0:\nme:x:1000:\n"), entry("root", "dir", mode=0o700),
             entry("tmp", "dir", mode=0o1777), entry("var", "dir")]
    top = [entry("www", "dir"), entry("www/index.html", data=b"hello from skerry\n"),
           entry("bin/not-executable", data=b"#!/bin/sh\n", mode=0o644), *extra]
    settings = {"Cmd": list(command), "Env": ["PATH=/bin", "FROM_IMAGE=yes"], **(config or {})}
    return ImageFixture([tar(*base), tar(*top)], config=settings)


class Host:
    """One skerryd with everything it needs. Use close() (addCleanup) to end it."""

    def __init__(self, programs=PROGRAMS, **settings):
        self.programs = programs
        self.place = tempfile.mkdtemp(prefix="skerry-test.")
        os.mkdir(f"{self.place}/policy", 0o755)  # named, so it has to be there
        self.registry = LyingRegistry()
        name = f"skt{os.getpid() % 100000}"
        self.environment = {
            **os.environ, "PATH": f"{programs}:{os.environ['PATH']}",
            "SKERRY_STATE_DIR": f"{self.place}/state", "SKERRY_RUN_DIR": f"{self.place}/run",
            "SKERRY_SOCKET": f"{self.place}/s.sock", "SKERRY_POLICY_DIR": f"{self.place}/policy", "SKERRY_BRIDGE": name, "SKERRY_SUBNET": "192.168.229.1/24",
            "SKERRY_CGROUP_PARENT": f"skerry-test-{name}", "SKERRY_LISTEN": "none", "SKERRY_SPARES": "0", "SKERRY_LOG_LEVEL": "debug",
            **settings}
        self.daemon = None

    def start(self):
        log = open(f"{self.place}/skerryd.log", "ab")
        self.daemon = subprocess.Popen([f"{self.programs}/skerryd"], env=self.environment, stdout=log, stderr=log)
        log.close()
        eventually(self.serves, "skerryd serves: " + self.log())

    def serves(self):
        if self.daemon.poll() is not None:
            raise AssertionError("skerryd ended: " + self.log())
        return self.skerry("ls", check=False).returncode == 0

    def log(self):
        with open(f"{self.place}/skerryd.log", errors="replace") as file:
            return file.read()[-4000:]

    def kill(self, number=signal.SIGKILL):
        self.daemon.send_signal(number)
        code = self.daemon.wait(DEADLINE)
        self.daemon = None
        return code

    def skerry(self, *arguments, check=True, timeout=DEADLINE * 3, **options):
        """Runs the command line; with `check` a failure is an AssertionError that tells what it said."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": self.environment, **options}
        done = subprocess.run([f"{self.programs}/skerry", *arguments], timeout=timeout, check=False, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"skerry {' '.join(arguments)}: exit {done.returncode}: {done.stderr}\n{self.log()}")
        return done

    def document(self, *arguments):
        return json.loads(self.skerry(*arguments, "--output", "json").stdout)

    def show(self, name):
        return self.document("show", name)

    def ask(self, method, path, body=None):
        """Status, text and content type of what skerryd's socket answers; sooner there than a command line."""
        connection = UnixConnection(self.environment["SKERRY_SOCKET"])
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Accept": "application/json"} if body is None else
                               {"Accept": "application/json", "Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers.get("Content-Type", "")
        finally:
            connection.close()

    def close(self):
        if self.daemon is None:
            self.start()
        for each in self.document("ls"):
            self.skerry("rm", "--force", each["name"], check=False)
        self.kill(signal.SIGTERM)
        self.registry.close()
        left = self.residue()
        shutil.rmtree(self.place, ignore_errors=True)
        if left:
            raise AssertionError("left on the host:\n" + "\n".join(left))

    def residue(self):
        """What Skerry has on this host, one thing a line; nothing when it keeps no environment."""
        left = []
        with open("/proc/self/mounts") as mounts:
            left += [f"mount {line.split()[1]}" for line in mounts if self.place in line]
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            left += [f"cgroup {folder}/{name}" for name in names if name == self.environment["SKERRY_CGROUP_PARENT"]]
        links = subprocess.run(["ip", "-o", "link"], stdout=subprocess.PIPE, text=True, check=True).stdout
        left += [f"device {line}" for line in links.splitlines() if ": lo:" not in line]
        left += subprocess.run(["nft", "list", "tables"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        left += [f"process {pid} {' '.join(words)}" for pid, words in processes(self.place)]
        for folder, _, files in os.walk(f"{self.place}/run"):
            left += [f"file {folder}/{name}" for name in files]
        environments = f"{self.place}/state/environments"
        if os.path.isdir(environments):
            left += [f"state {name}" for name in os.listdir(environments)]
        return left


class HostCase(unittest.TestCase):
    """One host, daemon and image for each suite. The programs are in the directory that is the test's first argument."""
    maxDiff = None
    settings = {}  # the daemon's, as variables
    image_name = "test/base"

    @classmethod
    def setUpClass(cls):
        cls.host = Host(**cls.settings)
        cls.addClassCleanup(cls.host.close)
        cls.host.start()
        cls.image = cls.host.registry.add(cls.image_name, cls.make_image())
        cls.host.skerry("images", "pull", cls.image)

    @classmethod
    def make_image(cls):
        return busybox_image()

    def start_microvm(self, name, *options, memory=128, command=()):
        """One that is gone at the end of the test."""
        self.host.skerry("run", "-d", "--isolation", "microvm", "--memory", str(memory), "--name", name, *options, self.image,
                         *command)
        self.addCleanup(self.host.skerry, "rm", "--force", name, check=False)

    def inside(self, name, command):
        """What the command of the shell there writes."""
        return self.host.skerry("exec", name, "sh", "-c", command).stdout.strip()
