#!/usr/bin/env python3
"""skerryd and skerry as users meet them. Usage: daemon_test.py PROGRAM_DIR [unittest arguments]. Needs root."""

import glob
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import skerry_host
from skerry_host import PROGRAMS, Host, busybox_image, entry, eventually

HTTPD = ("sh", "-c", "echo serving; exec httpd -f -p 80 -h /www")


class DaemonCase(skerry_host.HostCase):
    """Every test removes what it made."""

    @classmethod
    def make_image(cls):
        return busybox_image(HTTPD)

    def tearDown(self):
        if self.host.daemon is None:
            self.host.start()
        for each in self.host.document("ls"):
            self.host.skerry("rm", "--force", each["name"])

    def run_detached(self, name, *arguments, image=None):
        self.host.skerry("run", "-d", "--name", name, *arguments)
        return self.host.show(name)

    def fails(self, code, *arguments, holding=(), **options):
        """The command fails with this exit code and one line that says all of `holding`."""
        done = self.host.skerry(*arguments, check=False, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        for text in holding:
            self.assertIn(text, lines[0])
        return lines[0]

    def fetch(self, address, port=80):
        def answer():
            try:
                with urllib.request.urlopen(f"http://{address}:{port}/", timeout=5) as page:
                    return page.read().decode()
            except OSError:
                return None
        return eventually(answer, f"a page from {address}:{port}")


class MainJob(DaemonCase):
    def test_one_image_as_container_and_as_microvm(self):
        container = self.run_detached("c", "--isolation", "container", self.image)
        microvm = self.run_detached("m", "--isolation", "microvm", "--memory", "192", self.image)
        self.assertEqual([container["ip"], microvm["ip"]], ["192.168.229.100", "192.168.229.101"])
        for document in (container, microvm):
            self.assertEqual(document["state"], "running")
            self.assertEqual(self.fetch(document["ip"]), "hello from skerry\n")
        kernels = [self.host.skerry("exec", name, "--", "uname", "-r").stdout.strip() for name in ("c", "m")]
        self.assertEqual(kernels[0], os.uname().release)
        self.assertNotEqual(kernels[1], kernels[0])
        names = [line.split()[:3] for line in self.host.skerry("ls").stdout.splitlines()[1:]]
        self.assertEqual(names, [["c", "container", "running"], ["m", "microvm", "running"]])

    def both(self):
        for isolation in ("container", "microvm"):
            with self.subTest(isolation=isolation):
                name = f"x-{isolation}"
                self.run_detached(name, "--isolation", isolation, "--memory", "192", "-e", "MINE=1", self.image)
                yield name
                self.host.skerry("rm", "--force", name)

    def test_exec_is_the_same_in_both(self):
        for name in self.both():
            def run(*command, **options):
                return self.host.skerry("exec", *command, check=False, **options)
            done = run(name, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (7, "out\n", "err\n"))
            self.assertEqual(run("-i", name, "--", "wc", "-c", input="x" * 300000).stdout.strip(), "300000")
            self.assertEqual(run(name, "--", "sh", "-c", "kill -9 $$").returncode, 137)
            self.assertEqual(run("--user", "me", name, "--", "id", "-u").stdout, "1000\n")
            self.assertEqual(run(name, "--", "sh", "-c", "echo $FROM_IMAGE $MINE").stdout, "yes 1\n")
            self.assertEqual(run(name, "--", "no-such-command").returncode, 127)
            self.assertEqual(run(name, "--", "/bin/not-executable").returncode, 126)
            self.assertEqual(run(name, "--", "hostname").stdout.strip(), name)

    def test_a_followed_log_has_no_gap_where_the_keeper_rotates(self):
        lines = 500_000  # with their frames about 26 MiB: two rotations
        self.host.skerry("run", "-d", "--name", "talk", self.image, "--", "sh", "-c",
                         f"while [ ! -e /go ]; do sleep 0.1; done; seq 1 {lines}")
        self.addCleanup(self.host.skerry, "rm", "-f", "talk", check=False)
        with tempfile.TemporaryFile() as out:
            follower = subprocess.Popen([f"{PROGRAMS}/skerry", "logs", "-f", "talk"], env=self.host.environment, stdout=out)
            self.host.skerry("exec", "talk", "--", "touch", "/go")
            self.assertEqual(follower.wait(timeout=120), 0)
            out.seek(0)
            self.assertEqual(out.read(), b"".join(b"%d\n" % number for number in range(1, lines + 1)))
        logs = glob.glob(f"{self.host.place}/**/log.1", recursive=True)
        self.assertTrue(logs, "it has been rotated")

    def test_logs_and_stop(self):
        for name in self.both():
            self.fetch(self.host.show(name)["ip"])
            eventually(lambda name=name: "serving\n" in self.host.skerry("logs", name).stdout, "the workload's words")
            self.host.skerry("stop", "--time", "3", name)
            self.assertIn(self.host.show(name)["state"], ("stopped", "failed"))
            self.host.skerry("start", name)
            self.assertEqual(self.fetch(self.host.show(name)["ip"]), "hello from skerry\n")

    def test_writes_stay_over_a_restart_of_an_app_and_go_with_a_disposable(self):
        for isolation in ("container", "microvm"):
            for kind, kept in (("app", True), ("disposable", False)):
                with self.subTest(isolation=isolation, kind=kind):
                    self.run_detached("w", "--isolation", isolation, "--kind", kind, "--memory", "192", self.image)
                    self.host.skerry("exec", "w", "--", "sh", "-c", "echo mine > /var/file; sync")
                    self.host.skerry("restart", "w")
                    done = self.host.skerry("exec", "w", "--", "cat", "/var/file", check=False)
                    self.assertEqual(done.stdout == "mine\n", kept, done.stderr)
                    self.host.skerry("rm", "--force", "w")


class Lifecycle(DaemonCase):
    def test_a_foreground_run_has_the_streams_and_the_exit_code(self):
        for isolation in ("container", "microvm"):
            with self.subTest(isolation=isolation):
                done = self.host.skerry("run", "--rm", "-i", "--isolation", isolation, "--memory", "192", self.image, "--",
                                        "sh", "-c", "cat; echo err >&2; exit 42", input="typed\n", check=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (42, "typed\n", "err\n"))
                eventually(lambda: self.host.document("ls") == [], "removed on exit")

    def test_published_ports(self):
        self.run_detached("p", "-p", "8081:80", self.image)
        self.assertEqual(self.fetch("127.0.0.1", 8081), "hello from skerry\n")
        self.fails(125, "run", "-d", "--name", "q", "-p", "8081:80", self.image, holding=["8081", "\"p\""])
        self.host.skerry("rm", "--force", "p")
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", 8081), 2)

    def test_environments_reach_each_other_by_address(self):
        first = self.run_detached("one", self.image)
        self.run_detached("two", self.image)
        done = self.host.skerry("exec", "two", "--", "wget", "-q", "-O", "-", f"http://{first['ip']}/")
        self.assertEqual(done.stdout, "hello from skerry\n")

    def test_memory_limit_kills_inside_only(self):
        self.run_detached("hungry", "--memory", "24", self.image, "--", "sh", "-c", "tail /dev/zero; exit $?")
        gone = eventually(lambda: (lambda d: d if d["state"] in ("failed", "stopped") else None)(self.host.show("hungry")),
                          "the hungry one ended")
        self.assertEqual(gone["exit_code"], 137)

    def test_pids_limit_holds_a_fork_bomb(self):
        self.run_detached("bomb", "--pids", "20", self.image, "--", "sh", "-c", "while :; do sleep 60 & done")
        eventually(lambda: "fork" in self.host.skerry("logs", "bomb").stdout + self.host.skerry("logs", "bomb").stderr or
                   self.host.show("bomb")["state"] != "running", "the bomb hits its limit")

    def test_restart_policy(self):
        self.run_detached("again", "--restart", "on-failure:2", self.image, "--", "sh", "-c", "echo run; exit 3")
        eventually(lambda: self.host.skerry("logs", "again").stdout.count("run\n") == 3, "two restarts")
        eventually(lambda: self.host.show("again")["state"] == "failed", "it gave up")
        self.assertFalse(self.host.show("again")["restarting"])
        self.assertEqual(self.host.skerry("logs", "again").stdout.count("run\n"), 3)

    def test_a_crash_loop_is_told(self):
        self.run_detached("loops", "--restart", "always", self.image, "--", "sh", "-c", "exit 3")
        shown = eventually(lambda: (now := self.host.show("loops"))["crash_looping"] and now, "it loops")
        self.assertTrue(shown["restarting"])
        self.assertGreaterEqual(shown["restarts"], 3)
        self.assertIn("crash loop (", self.host.skerry("ls").stdout)

    def test_events_tell_what_happened_in_order(self):
        self.run_detached("told", self.image)
        self.host.skerry("rm", "--force", "told")
        lines = self.host.skerry("events", "--output", "json").stdout.splitlines()
        events = [json.loads(line) for line in lines]
        types = [each["type"] for each in events if each["data"].get("name") == "told"]
        self.assertEqual(types, ["container.created", "container.started", "container.deleted"])
        ids = [each["id"] for each in events]
        self.assertEqual(ids, sorted(set(ids)))

    def test_following_events_goes_on_when_the_daemon_is_replaced(self):
        path = f"{self.host.place}/followed"
        with open(path, "w") as out:
            follower = subprocess.Popen([f"{PROGRAMS}/skerry", "events", "-f", "--after", "0", "--output", "json"],
                                        env=self.host.environment, stdout=out)
        self.addCleanup(lambda: (follower.kill(), follower.wait()))

        def seen():
            with open(path) as out:
                return [json.loads(line) for line in out.read().splitlines()]
        for name in ("before", "after"):
            eventually(lambda: follower.poll() is None, "it follows")
            self.run_detached(name, self.image)
            eventually(lambda: any(each["resource"] == name and each["type"] == "container.started" for each in seen()),
                       f"it tells of {name}")
            self.host.kill()
            self.host.start()
        ids = [each["id"] for each in seen()]
        self.assertEqual(ids, sorted(set(ids)), "none twice")

    def test_bind_mounts_and_read_only_root(self):
        shared = os.path.join(self.host.place, "shared")
        os.mkdir(shared)
        with open(f"{shared}/file", "w") as file:
            file.write("from the host\n")
        self.run_detached("b", "-v", f"{shared}:/mnt:ro", "--read-only", self.image)
        self.assertEqual(self.host.skerry("exec", "b", "--", "cat", "/mnt/file").stdout, "from the host\n")
        for path in ("/mnt/new", "/etc/new"):
            done = self.host.skerry("exec", "b", "--", "touch", path, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Read-only", done.stderr)

    def test_one_look_at_the_statistics_has_a_share_of_the_processor(self):
        self.host.skerry("run", "-d", "--name", "busy", self.image, "--", "sh", "-c", "while :; do :; done")
        head, line = self.host.skerry("stats", "busy").stdout.splitlines()
        self.assertRegex(head, r"^NAME +CPU ")
        self.assertRegex(line, r"^busy +[1-9][0-9]*\.[0-9] % ")


class Files(DaemonCase):
    def test_a_plugin_from_a_url(self):
        manifest = json.dumps({"name": "from-url", "version": "1", "image": self.image}).encode()

        class Server(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                body = manifest if self.path == "/good.json" else b"x" * (3 << 20)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # it has read enough

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_address[1]}"
        direct = {**self.host.environment, "no_proxy": "127.0.0.1"}
        self.host.skerry("plugins", "install", "--manifest", f"{place}/good.json", env=direct)
        self.addCleanup(self.host.skerry, "plugins", "rm", "from-url")
        self.assertEqual(self.host.document("plugins", "list")[0]["name"], "from-url")
        done = self.host.skerry("run", "--rm", "from-url@9", check=False)
        self.assertIn('plugin "from-url" has no version "9"', done.stderr, "and nothing of an image")
        self.assertEqual(done.returncode, 125)
        done = self.host.skerry("plugins", "install", "--manifest", f"{place}/huge.json", check=False, env=direct)
        self.assertEqual(done.returncode, 1)
        self.assertIn("larger than", done.stderr)

    def test_images_from_and_to_files(self):
        place = f"{self.host.place}/files"
        os.makedirs(f"{place}/rootfs/bin")
        self.addCleanup(shutil.rmtree, place)
        shutil.copy(skerry_host.BUSYBOX, f"{place}/rootfs/bin/busybox")
        os.symlink("busybox", f"{place}/rootfs/bin/echo")
        subprocess.run(["tar", "-C", f"{place}/rootfs", "-czf", f"{place}/rootfs.tar.gz", "."], check=True)
        self.host.skerry("images", "import", f"{place}/rootfs.tar.gz", "own:1", "--", "/bin/echo", "from", "a", "tar")
        self.addCleanup(self.host.skerry, "images", "rm", "own:1", check=False)
        self.assertEqual(self.host.skerry("run", "--rm", "own:1").stdout, "from a tar\n")
        self.host.skerry("images", "save", "own:1", "-f", f"{place}/own.tar")
        self.host.skerry("images", "rm", "own:1")
        self.host.skerry("images", "load", "-i", f"{place}/own.tar")
        self.assertEqual(self.host.skerry("run", "--rm", "own:1", "--", "echo", "again").stdout, "again\n")
        with open(f"{place}/rootfs.tar.gz", "rb") as tar:
            self.host.skerry("images", "import", "-", "piped:1", stdin=tar)
        self.assertEqual(self.host.skerry("run", "--rm", "piped:1", "--", "echo", "in").stdout, "in\n")
        self.host.skerry("images", "rm", "piped:1")
        before = self.host.document("images", "ls")
        with open(f"{place}/rootfs.tar.gz", "rb") as whole, open(f"{place}/half", "wb") as half:
            half.write(whole.read(5000))
        self.fails(1, "images", "import", f"{place}/half", "half:1")
        self.fails(3, "images", "import", f"{place}/absent", "half:1", holding=["absent"])
        self.fails(2, "images", "import", f"{place}/half", "UPPER:1")
        self.assertEqual(self.host.document("images", "ls"), before)


class Survival(DaemonCase):
    def test_kill_9_of_the_daemon_loses_nothing(self):
        count = "i=0; while :; do i=$((i+1)); echo line $i; usleep 5000; done"
        for isolation in ("container", "microvm"):
            self.run_detached(f"k-{isolation}", "--isolation", isolation, "--memory", "192", self.image, "--",
                              "sh", "-c", count)
        names = ("k-container", "k-microvm")
        before = {name: self.host.show(name) for name in names}
        for _ in range(3):
            for name in names:
                eventually(lambda name=name: self.host.skerry("logs", name).stdout.count("\n") > 20, "it counts")
            self.host.kill()
            self.host.start()
        for name in names:
            after = self.host.show(name)
            self.assertEqual((after["pid"], after["state"], after["ip"]),
                             (before[name]["pid"], "running", before[name]["ip"]))
            numbers = [int(line.split()[1]) for line in self.host.skerry("logs", name).stdout.splitlines()
                       if re.fullmatch(r"line \d+", line)]
            self.assertGreater(len(numbers), 20)
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)), "a gap in the log")
            self.assertEqual(self.host.skerry("exec", name, "--", "echo", "hi").stdout, "hi\n")

    def test_an_end_while_no_daemon_watched_is_recorded(self):
        document = self.run_detached("short", self.image)
        self.host.kill()
        os.kill(document["pid"], signal.SIGKILL)
        self.host.start()
        ended = eventually(lambda: (lambda d: d if d["state"] == "failed" else None)(self.host.show("short")), "ended")
        self.assertEqual(ended["exit_code"], 137)

    def test_kill_9_at_any_moment_of_many_starts_and_removals(self):
        for round_number in range(8):
            workers = [threading.Thread(target=lambda n=n: self.host.skerry("run", "-d", "--name", f"r{n}", self.image,
                                                                            check=False)) for n in range(3)]
            for worker in workers:
                worker.start()
            time.sleep(0.02 * round_number)  # a different moment each time
            self.host.kill()
            for worker in workers:
                worker.join()
            self.host.start()
            for each in self.host.document("ls"):
                eventually(lambda name=each["name"]: self.settled(name), f"{each['name']} settles")
                self.host.skerry("rm", "--force", each["name"])
            state = f"{self.host.place}/state/environments"
            self.assertEqual(os.listdir(state), [])

    def settled(self, name):
        done = self.host.skerry("show", name, "--output", "json", check=False)
        return done.returncode == 3 or '"starting"' not in done.stdout

    def test_kill_9_of_a_keeper_ends_its_environment_only(self):
        self.run_detached("victim", self.image)
        self.run_detached("other", self.image)
        main = self.host.show("victim")["pid"]
        with open(f"/proc/{main}/stat") as stat:
            keeper = int(stat.read().rsplit(")", 1)[1].split()[1])
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: self.host.show("victim")["state"] in ("failed", "stopped"), "the victim's end is seen")
        eventually(lambda: not os.path.exists(f"/proc/{main}"), "its workload is gone")
        self.assertEqual(self.host.show("other")["state"], "running")

    def test_a_second_daemon_is_refused(self):
        done = subprocess.run([f"{PROGRAMS}/skerryd"], env=self.host.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another skerryd", done.stdout)


class BadInput(DaemonCase):
    settings = {"SKERRY_POOL_LAST": "192.168.229.101"}

    def nothing_left(self):
        self.assertEqual(self.host.document("ls"), [])
        self.assertEqual(os.listdir(f"{self.host.place}/state/environments"), [])

    def test_unknown_image(self):
        self.fails(3, "images", "pull", f"127.0.0.1:{self.host.registry.port}/no/such:1", holding=["no/such"])

    def test_registry_down(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.fails(1, "images", "pull", f"127.0.0.1:{port}/x:1", holding=[f"127.0.0.1:{port}"])

    def test_digest_mismatch_and_truncated_layer(self):
        def lie(handler, data):
            handler.answer(200, data[:-1] + bytes([data[-1] ^ 1]), "application/octet-stream")

        def cut(handler, data):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data[:len(data) // 2])
            handler.close_connection = True

        for number, fault in enumerate((lie, cut)):
            image = busybox_image(extra=[entry(f"unique-{number}", data=os.urandom(64))])
            reference = self.host.registry.add(f"test/bad{number}", image)
            self.host.registry.faults[image.layers[1]] = fault
            self.fails(1, "images", "pull", reference)
            self.assertNotIn("bad", self.host.skerry("images", "ls").stdout)

    def test_a_hostile_layer_is_no_image(self):
        reference = self.host.registry.add("test/bad-path", busybox_image(extra=[entry("a/../../x", data=b"x")]))
        self.fails(1, "images", "pull", reference, holding=["a/../../x"])
        self.assertNotIn("bad", self.host.skerry("images", "ls").stdout)

    def test_names(self):
        self.run_detached("taken", self.image)
        self.fails(125, "run", "-d", "--name", "taken", self.image, holding=["taken"])
        self.host.skerry("rm", "--force", "taken")
        for name in ("Upper", "a/b", "../x", "-x", "x" * 64, "a b", ""):
            done = self.host.skerry("run", "-d", f"--name={name}", self.image, check=False)
            self.assertIn(done.returncode, (1, 2), f"{name}: {done.stderr}")
        self.nothing_left()

    def test_commands_that_cannot_run(self):
        for isolation in ("container", "microvm"):
            for command, code in (("no-such-command", 127), ("/bin/not-executable", 126), ("/www", 126)):
                with self.subTest(isolation=isolation, command=command):
                    line = self.fails(code, "run", "--isolation", isolation, "--memory", "192", "--name", "n", self.image,
                                      "--", command, holding=[command])
                    self.assertNotIn("\t", line)
                    self.nothing_left()

    def test_out_of_addresses(self):
        for name in ("a", "b"):
            self.run_detached(name, self.image)
        self.fails(125, "run", "-d", "--name", "c", self.image, holding=["no free address"])
        self.host.skerry("rm", "--force", "a")
        self.assertEqual(self.run_detached("c", self.image)["ip"], "192.168.229.100")

    def test_unknown_things_and_wrong_usage(self):
        self.fails(3, "show", "nobody", holding=["nobody"])
        self.fails(125, "exec", "nobody", "--", "true", holding=["nobody"])
        for arguments in (("run",), ("frobnicate",), ("run", "--memory", "lots", self.image), ("run", "--nonsense", "x")):
            self.assertEqual(self.host.skerry(*arguments, check=False).returncode, 2, arguments)

    def test_daemon_not_running(self):
        done = self.host.skerry("ls", check=False, env={**self.host.environment, "SKERRY_SOCKET": "/nonexistent/s.sock"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("skerryd", done.stderr)

    def test_socket_without_permission(self):
        os.chmod(self.host.place, 0o755)
        readable = f"{self.host.place}/skerry"
        shutil.copy(f"{PROGRAMS}/skerry", readable)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", readable, "ls"],
                              env=self.host.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ermission", done.stderr)

    def test_malformed_http_does_not_harm(self):
        for text in (b"\0" * 4096, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100000, b"POST /api/v1/environments HTTP/1.1\r\n"
                     b"Host: x\r\nContent-Length: 99999999999\r\n\r\n", b"GET /\xff\xfe HTTP/9.9\r\n\r\n"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.host.environment["SKERRY_SOCKET"])
                client.settimeout(20)
                try:
                    client.sendall(text)
                    client.recv(4096)
                except OSError:
                    pass
        self.assertEqual(self.host.skerry("ls").returncode, 0)


class DiskFull(unittest.TestCase):
    def test_a_full_state_directory_is_said_and_leaves_nothing(self):
        host = Host()
        os.mkdir(f"{host.place}/state")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", f"{host.place}/state"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", f"{host.place}/state"], check=True)
        host.start()
        try:
            image = host.registry.add("test/big", busybox_image(extra=[entry("big", data=os.urandom(12 << 20))]))
            done = host.skerry("images", "pull", image, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("space", done.stderr.lower())
            self.assertEqual(host.document("images", "ls"), [])
        finally:
            host.kill(signal.SIGTERM)
            host.registry.close()


if __name__ == "__main__":
    skerry_host.main()
