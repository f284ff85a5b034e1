#!/usr/bin/env python3
"""The image store against real peers. Usage: image_test.py IMAGE_PROBE [unittest arguments]. Needs root."""

import crypt
import errno
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest

from oci_fixture import (ARCH, GZIP, INDEX, PLAIN, ZSTD, ImageFixture, LyingRegistry, entry, free_port, sha256, tar,
                         wait_for_port)

PROBE = ""


class Failed(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.code = text.split(":", 1)[0]


def attributes(path):
    try:
        return {key: os.getxattr(path, key) for key in os.listxattr(path) if not key.startswith("trusted.overlay")}
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return {}  # a kernel whose squashfs has no attributes


class StoreCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.registry = LyingRegistry()

    @classmethod
    def tearDownClass(cls):
        cls.registry.close()

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="skerry-image-test.")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.store = os.path.join(self.dir, "images")

    def probe(self, *arguments, env=None, store=None, timeout=300):
        done = subprocess.run([PROBE, store or self.store, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, **(env or {})}, timeout=timeout, text=True)
        if done.returncode != 0:
            raise Failed(done.stderr)
        return done.stdout.splitlines()

    def fails(self, code, *arguments, holding="", **options):
        with self.assertRaises(Failed) as caught:
            self.probe(*arguments, **options)
        self.assertEqual(caught.exception.code, code, str(caught.exception))
        for text in [holding] if isinstance(holding, str) else holding:
            self.assertIn(text, str(caught.exception))
        return str(caught.exception)

    def pull(self, image, name="test"):
        reference = self.registry.add(name, image)
        self.probe("pull", reference)
        return reference

    def blobs(self):
        folder = os.path.join(self.store, "blobs/sha256")
        return set(os.listdir(folder)) if os.path.isdir(folder) else set()

    def assert_empty(self):
        self.assertEqual(self.blobs(), set())
        for folder in ("staging", "layers", "disks"):
            self.assertEqual(os.listdir(os.path.join(self.store, folder)), [], folder)
        self.assertEqual(self.probe("ls"), [])


class Transport(StoreCase):
    def test_pull_from_docker_registry_pushed_by_skopeo(self):
        port = free_port()
        config = os.path.join(self.dir, "registry.yml")
        with open(config, "w") as out:
            out.write(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.dir}/r}}}}\n"
                      f"http: {{addr: 127.0.0.1:{port}}}\n")
        server = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        wait_for_port(port)
        layout = os.path.join(self.dir, "layout")
        subprocess.run(["umoci", "init", "--layout", layout], check=True)
        subprocess.run(["umoci", "new", "--image", layout + ":t"], check=True)
        layer = os.path.join(self.dir, "layer.tar")
        with open(layer, "wb") as out:
            out.write(tar(entry("etc", "dir"), entry("etc/x", data=b"content")))
        subprocess.run(["umoci", "raw", "add-layer", "--image", layout + ":t", layer], check=True)
        subprocess.run(["umoci", "config", "--image", layout + ":t", "--config.cmd", "/bin/true", "--config.env", "A=b"],
                       check=True, stdout=subprocess.DEVNULL)
        for form in ("oci", "v2s2"):
            with self.subTest(form=form):
                name = f"127.0.0.1:{port}/a/{form}:1"
                subprocess.run(["skopeo", "copy", "-q", "--format", form, "--dest-tls-verify=false", f"oci:{layout}:t",
                                "docker://" + name], check=True)
                self.probe("pull", name)
                served = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + name],
                                        check=True, stdout=subprocess.PIPE).stdout
                shown = self.probe("show", name)
                self.assertIn(sha256(served), shown[0])
                self.assertIn("cmd /bin/true", shown)
                self.assertIn("env A=b", shown)
                lower = self.probe("lower", name)
                with open(os.path.join(lower[0], "etc/x")) as file:
                    self.assertEqual(file.read(), "content")
        # The store itself is an OCI layout that others read.
        read = subprocess.run(["skopeo", "inspect", f"oci:{self.store}:127.0.0.1:{port}/a/oci:1"], stdout=subprocess.PIPE)
        self.assertEqual(read.returncode, 0)

    def test_second_pull_fetches_only_what_is_missing(self):
        base = tar(entry("base", data=os.urandom(100_000)))
        self.pull(ImageFixture([base]), "first")
        both = ImageFixture([base, tar(entry("more", data=b"1"))])
        reference = self.registry.add("second", both)
        self.registry.requests.clear()
        self.probe("pull", reference)
        fetched = [path for path in self.registry.requests if path.endswith(both.layers[0])]
        self.assertEqual(fetched, [])
        self.registry.requests.clear()
        self.probe("pull", reference)
        self.assertFalse([path for path in self.registry.requests if "/blobs/" in path])

    def test_index_chooses_this_machine(self):
        mine = ImageFixture([tar(entry("mine", data=b"1"))])
        other = ImageFixture([tar(entry("other", data=b"1"))])
        self.registry.add("many", other, "other")
        self.registry.add("many", mine, "mine")

        def descriptor(image, architecture):
            return {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image.digest,
                    "size": len(image.manifest), "platform": {"os": "linux", "architecture": architecture}}
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                            "manifests": [descriptor(other, "s390x"), descriptor(mine, ARCH)]}).encode()
        self.registry.images[("many", "all")] = index
        self.registry.images[("many", sha256(index))] = index
        name = f"127.0.0.1:{self.registry.port}/many"
        self.assertIn(mine.digest, self.probe("pull", name + ":all")[0])
        by_digest = f"{name}@{sha256(index)}"
        self.assertIn(mine.digest, self.probe("pull", by_digest)[0])
        self.assertIn(mine.digest, self.probe("show", by_digest)[0])
        nowhere = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(other, "s390x")]}).encode()
        self.registry.images[("many", "none")] = nowhere
        self.fails("unsupported", "pull", name + ":none", holding=f"linux/{ARCH}")

    def test_unknown_image_and_registry_down(self):
        name = f"127.0.0.1:{self.registry.port}/nothing:here"
        self.fails("not_found", "pull", name, holding=[name, f"registry 127.0.0.1:{self.registry.port}"])
        down = f"127.0.0.1:{free_port()}"
        self.fails("unavailable", "pull", down + "/a:1", holding=[f"registry {down}", "connection refused"])
        self.fails("invalid_argument", "pull", "Not/A:Name")
        self.fails("not_found", "show", "debian", holding="skerry images pull debian")
        self.assert_empty()

    def test_registry_that_accepts_and_says_nothing(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            name = f"127.0.0.1:{silent.getsockname()[1]}/a:1"
            self.fails("unavailable", "pull", name, env={"PROBE_ANSWER_MS": "500"}, holding="did not answer")
        self.assert_empty()

    def test_blob_with_other_content(self):
        image = ImageFixture([tar(entry("x", data=b"1" * 1000))])
        reference = self.registry.add("lies", image)
        self.registry.faults[image.layers[0]] = lambda handler, data: handler.answer(200, bytes(len(data)))
        self.addCleanup(self.registry.faults.clear)
        self.fails("corrupt", "pull", reference, holding=image.layers[0])
        self.assert_empty()

    def test_blob_cut_off(self):
        image = ImageFixture([tar(entry("x", data=os.urandom(100_000)))])
        reference = self.registry.add("cut", image)

        def cut(handler, data):
            handler.answer(200, data[:len(data) // 2])
        self.registry.faults[image.layers[0]] = cut
        self.addCleanup(self.registry.faults.clear)
        self.fails("corrupt", "pull", reference)
        self.assert_empty()

    def test_blob_without_end(self):
        image = ImageFixture([tar(entry("x", data=b"1"))])
        reference = self.registry.add("endless", image)
        sent = [0]

        def endless(handler, data):
            handler.send_response(200)
            handler.end_headers()
            while sent[0] < 1 << 30:
                handler.wfile.write(bytes(1 << 20))
                sent[0] += 1 << 20
        self.registry.faults[image.layers[0]] = endless
        self.addCleanup(self.registry.faults.clear)
        self.fails("corrupt", "pull", reference, holding="sends more than")
        self.assertLess(sent[0], 1 << 30)
        self.assert_empty()

    def test_manifest_by_digest_must_have_it(self):
        image = ImageFixture([tar(entry("x"))])
        self.registry.add("swap", image)
        wrong = "sha256:" + "0" * 64
        self.registry.images[("swap", wrong)] = image.manifest
        name = f"127.0.0.1:{self.registry.port}/swap@{wrong}"
        self.fails("corrupt", "pull", name, holding=wrong)
        self.assert_empty()

    def test_layer_that_is_not_its_diff_id(self):
        image = ImageFixture([tar(entry("x"))], diff_ids=["sha256:" + "1" * 64])
        reference = self.pull(image)
        for verb in ("lower", "disk"):
            self.fails("corrupt", verb, reference, holding=[image.layers[0], "diff_id"])
        self.assertEqual(os.listdir(os.path.join(self.store, "layers")), [])
        self.assertEqual(os.listdir(os.path.join(self.store, "disks")), [])

    def test_disk_full(self):
        image = ImageFixture([tar(entry("x", data=os.urandom(4_000_000)))])
        reference = self.registry.add("big", image)
        os.mkdir(self.store)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", self.store], check=True)
        self.addCleanup(subprocess.run, ["umount", self.store], check=True)
        self.fails("resource_exhausted", "pull", reference, holding="disk is full")
        self.assert_empty()

    def test_cancel_and_stall(self):
        image = ImageFixture([tar(entry("x", data=os.urandom(100_000)))])
        reference = self.registry.add("slow", image)
        going = threading.Event()
        self.addCleanup(going.set)

        def stall(handler, data):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data[:1000])
            handler.wfile.flush()
            going.wait(60)
        self.registry.faults[image.layers[0]] = stall
        self.addCleanup(self.registry.faults.clear)
        self.fails("cancelled", "pull", reference, env={"PROBE_CANCEL_AT": "downloading"})
        self.assert_empty()
        self.fails("unavailable", "pull", reference, env={"PROBE_STALL_MS": "700"}, holding="no byte came")
        self.assert_empty()

    def test_killed_at_any_moment(self):
        """kill -9 at many moments of pull + lower + disk: the store opens, holds no garbage, and works."""
        layers = [tar(*[entry(f"d{n}/f{i}", data=os.urandom(3000)) for i in range(150)]) for n in range(3)]
        image = ImageFixture(layers)
        reference = self.registry.add("kill", image)
        started = time.monotonic()
        for verb in ("pull", "lower", "disk"):
            self.probe(verb, reference)
        whole = time.monotonic() - started
        expected = self.contents()
        shutil.rmtree(self.store)
        moments = 30
        for moment in range(moments):
            deadline = time.monotonic() + whole * moment / moments
            for verb in ("pull", "lower", "disk"):
                running = subprocess.Popen([PROBE, self.store, verb, reference], stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL)
                try:
                    running.wait(max(0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    running.send_signal(signal.SIGKILL)
                    running.wait()
                    break
            listed = self.probe("ls")
            if not listed:
                self.assert_empty()
            self.assertEqual(os.listdir(os.path.join(self.store, "staging")), [])
            self.assertFalse([name for folder in ("layers", "disks")
                              for name in os.listdir(os.path.join(self.store, folder)) if name.startswith("tmp-")])
            if moment % 3 == 2:
                shutil.rmtree(self.store)
        for verb in ("pull", "lower", "disk"):
            self.probe(verb, reference)
        self.assertEqual(self.contents(), expected)

    def contents(self):
        out = {}
        for folder, _, files in os.walk(self.store):
            for name in files:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    with open(path, "rb") as file:
                        out[os.path.relpath(path, self.store)] = hashlib.sha256(file.read()).hexdigest()
        return out

    def test_two_processes_cannot_share_a_store(self):
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        running = subprocess.Popen([PROBE, self.store, "pull", f"127.0.0.1:{silent.getsockname()[1]}/a:1"],
                                   stderr=subprocess.DEVNULL)
        silent.accept()[0].close()  # skopeo calls: the store is open now
        self.fails("conflict", "ls", holding="another process")
        running.send_signal(signal.SIGKILL)
        running.wait()
        self.assertEqual(self.probe("ls"), [])


class Registry:
    """docker-registry on a port of its own; `tls` gives it a certificate nobody knows, `password` asks for one."""

    def __init__(self, folder, address="127.0.0.1", netns=None, tls=False, password=None):
        self.port = free_port()
        self.where = f"{address}:{self.port}"
        http = f"addr: '{self.where}'"
        if tls:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem", "-subj", "/CN=registry",
                            "-addext", f"subjectAltName=IP:{address}"], check=True, stderr=subprocess.DEVNULL)
            http += f", tls: {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}"
        auth = ""
        if password:
            with open(f"{folder}/htpasswd", "w") as out:
                out.write("u:" + crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
            auth = f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n"
        config = f"{folder}/registry-{self.port}.yml"
        with open(config, "w") as out:
            out.write(f"version: 0.1\nlog: {{level: error}}\nhttp: {{{http}}}\n{auth}"
                      f"storage: {{filesystem: {{rootdirectory: {folder}/r{self.port}}}}}\n")
        inside = ["ip", "netns", "exec", netns] if netns else []
        self.server = subprocess.Popen([*inside, "docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while subprocess.run([*inside, "bash", "-c", f"exec 3<>/dev/tcp/{address}/{self.port}"],
                             stderr=subprocess.DEVNULL).returncode != 0:
            if time.monotonic() > deadline or self.server.poll() is not None:
                raise RuntimeError("docker-registry does not listen")

    def close(self):
        self.server.terminate()
        self.server.wait()


class Push(StoreCase):
    def registry_with(self, **options):
        registry = Registry(self.dir, **options)
        self.addCleanup(registry.close)
        return registry

    def served(self, name):
        return subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + name], check=True,
                              stdout=subprocess.PIPE).stdout

    def test_what_was_pulled_arrives_byte_for_byte(self):
        there = self.registry_with()
        for form in ("oci", "v2s2"):
            with self.subTest(form=form):
                layer = tar(entry("etc", "dir"), entry("etc/x", data=form.encode() * 1000))
                source = self.pull(ImageFixture([layer]), form)
                name = f"{there.where}/a/{form}:1"
                if form == "v2s2":  # by way of the registry: another kind of manifest
                    self.probe("push", source, name)
                    subprocess.run(["skopeo", "copy", "-q", "--format", form, "--src-tls-verify=false",
                                    "--dest-tls-verify=false", "docker://" + name, "docker://" + name + "-docker"],
                                   check=True)
                    source = name + "-docker"
                    self.probe("pull", source)
                digest = self.probe("show", source)[0].split()[2]
                self.probe("push", source, name + "-again")
                self.assertEqual("sha256:" + hashlib.sha256(self.served(name + "-again")).hexdigest(), digest)
                other = os.path.join(self.dir, "other-" + form)
                self.assertIn(digest, self.probe("pull", name + "-again", store=other)[0])
                self.probe("push", digest, name + "-again")  # once more, by id: nothing to send
        self.assertEqual(os.listdir(os.path.join(self.store, "staging")), [])

    def test_credentials(self):
        there = self.registry_with(password="secret")
        source = self.pull(ImageFixture([tar(entry("x", data=b"1"))]))
        name = f"{there.where}/a/b:1"
        self.fails("permission_denied", "push", source, name,
                   holding=["push " + name, there.where, "credentials", "skopeo login"])
        auth = {"REGISTRY_AUTH_FILE": os.path.join(self.dir, "auth.json")}
        subprocess.run(["skopeo", "login", "--tls-verify=false", "-u", "u", "-p", "secret", there.where], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, **auth})
        self.probe("push", source, name, env=auth)
        subprocess.run(["skopeo", "logout", there.where], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, **auth})

    def test_a_certificate_nobody_knows(self):
        netns = f"skerry-push-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", netns], check=True)
        self.addCleanup(subprocess.run, ["ip", "netns", "del", netns], check=True)
        for words in (["link", "set", "lo", "up"], ["addr", "add", "10.99.0.1/32", "dev", "lo"]):
            subprocess.run(["ip", "-n", netns, *words], check=True)
        there = self.registry_with(address="10.99.0.1", netns=netns, tls=True)
        source = self.pull(ImageFixture([tar(entry("x", data=b"1"))]))
        name = f"{there.where}/a/b:1"
        inside = ["ip", "netns", "exec", netns, PROBE, self.store, "push", source, name]
        refused = subprocess.run(inside, capture_output=True, text=True)
        self.assertNotEqual(refused.returncode, 0)
        for text in ("unavailable", name, "its certificate is not trusted", "--insecure"):
            self.assertIn(text, refused.stderr)
        taken = subprocess.run([*inside, "insecure"], capture_output=True, text=True)
        self.assertEqual(taken.returncode, 0, taken.stderr)

    def test_nobody_there_and_nobody_who_answers(self):
        source = self.pull(ImageFixture([tar(entry("x", data=b"1"))]))
        self.fails("unavailable", "push", source, f"127.0.0.1:{free_port()}/a:1", holding="connection refused")
        with socket.create_server(("127.0.0.1", 0)) as silent:
            name = f"127.0.0.1:{silent.getsockname()[1]}/a:1"
            self.fails("unavailable", "push", source, name, holding="no byte went out", env={"PROBE_STALL_MS": "1000"})
            self.fails("cancelled", "push", source, name, env={"PROBE_CANCEL_AT": "uploading"})
        self.fails("not_found", "push", "nothing:1", "127.0.0.1:1/a:1")
        self.fails("invalid_argument", "push", source, "127.0.0.1:1/a@sha256:" + "0" * 64, holding="digest")


class Names(StoreCase):
    def test_remove_tag_prune(self):
        one = ImageFixture([tar(entry("a", data=b"1"))])
        two = ImageFixture([tar(entry("a", data=b"2"))])
        reference = self.pull(one)
        self.probe("lower", reference)
        self.probe("disk", reference)
        self.probe("tag", reference, "other/name:x")
        self.assertIn(one.digest, self.probe("show", "other/name:x")[0])
        self.assertIn(one.digest, self.probe("show", one.digest.split(":")[1][:12])[0])
        self.assertEqual(self.probe("rm", reference), ["untagged " + reference, "freed 0"])
        removed = self.probe("rm", "other/name:x")
        self.assertIn("removed " + one.digest, removed)
        self.assert_empty()
        # The name moves to another image: the old one stays until it is pruned, unless it is in use.
        self.pull(one)
        self.pull(two)
        self.assertEqual(len(self.probe("ls")), 2)
        self.assertEqual(self.probe("prune", one.digest), ["freed 0"])
        self.assertIn("removed " + one.digest, self.probe("prune"))
        self.assertEqual(len(self.probe("ls")), 1)
        self.fails("not_found", "rm", one.digest)
        self.probe("rm", two.digest)
        self.assert_empty()

    def test_save_and_load(self):
        image = ImageFixture([tar(entry("a", data=b"1")), tar(entry("b", data=b"2"))], config={"Cmd": ["/x"]})
        reference = self.pull(image)
        archive = os.path.join(self.dir, "a.tar")
        again = os.path.join(self.dir, "b.tar")
        self.probe("save", reference, archive)
        self.probe("save", reference, again)
        with open(archive, "rb") as a, open(again, "rb") as b:
            self.assertEqual(a.read(), b.read())
        subprocess.run(["skopeo", "inspect", f"oci-archive:{archive}"], check=True, stdout=subprocess.DEVNULL)
        other = os.path.join(self.dir, "other")
        self.probe("load", archive, store=other)
        self.assertIn(image.digest, self.probe("show", reference, store=other)[0])
        self.probe("load", archive, "new:name", store=other)
        self.assertIn(image.digest, self.probe("show", "new:name", store=other)[0])
        docker = os.path.join(self.dir, "docker.tar")
        subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{archive}", f"docker-archive:{docker}:from/docker:1"], check=True)
        self.probe("load", docker)
        self.assertIn("cmd /x", self.probe("show", "from/docker:1"))
        self.assertEqual(len(self.probe("lower", "from/docker:1")), 2)

    def test_load_refuses_a_bomb(self):
        path = self.dir + "/bomb.tar.gz"
        blob = tarfile.TarInfo("blobs/sha256/" + "a" * 64)
        blob.size = 600 << 20
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            archive.addfile(blob, open("/dev/zero", "rb"))
        with self.assertRaises(Failed) as caught:
            self.probe("load", path)
        self.assertIn("times its size", str(caught.exception))

    def test_load_refuses_bad_archives(self):
        image = ImageFixture([tar(entry("a", data=b"1"))])
        reference = self.pull(image)
        archive = os.path.join(self.dir, "a.tar")
        self.probe("save", reference, archive)
        self.probe("rm", reference)
        with open(archive, "rb") as file:
            whole = file.read()
        broken = os.path.join(self.dir, "broken.tar")
        blob = image.blobs[image.layers[0]]
        with open(broken, "wb") as file:
            file.write(whole.replace(blob, blob[:-1] + bytes([blob[-1] ^ 1])))
        self.fails("corrupt", "load", broken, holding=image.layers[0])
        with open(broken, "wb") as file:
            file.write(whole[:700])
        self.fails("corrupt", "load", broken)
        with open(broken, "wb") as file:
            file.write(tar(entry("x")))
        self.fails("invalid_argument", "load", broken, holding="neither")
        self.assert_empty()

    def test_import_rootfs(self):
        source = os.path.join(self.dir, "rootfs.tar.gz")
        with tarfile.open(source, "w:gz") as archive:
            info, _ = entry("bin", "dir")
            archive.addfile(info)
        self.probe("import", source, "mine:1", "/bin/sh", "-c", "true")
        self.assertIn("cmd -c", self.probe("show", "mine:1"))
        self.assertTrue(os.path.isdir(os.path.join(self.probe("lower", "mine:1")[0], "bin")))
        with open(source, "wb") as out:
            out.write(tar(entry("../escape", data=b"x")))
        self.fails("corrupt", "import", source, "mine:2", holding="../escape")


class Layers(StoreCase):
    """Good layers: both views (overlayfs of the lower directories; the EROFS disk) show the same, and the right thing."""

    def views(self, reference):
        lower = self.probe("lower", reference)
        disk = self.probe("disk", reference)[0]
        subprocess.run(["fsck.erofs", disk], check=True, stdout=subprocess.DEVNULL)
        points = [os.path.join(self.dir, name) for name in ("overlay", "erofs")]
        for point in points:
            os.makedirs(point, exist_ok=True)
        if len(lower) == 1:
            lower.insert(0, os.path.join(self.dir, "empty"))
            os.makedirs(lower[0], exist_ok=True)
        subprocess.run(["mount", "-t", "overlay", "-o", "ro,lowerdir=" + ":".join(reversed(lower)), "none", points[0]],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", points[0]], check=True)
        subprocess.run(["mount", "-t", "erofs", "-o", "loop,ro", disk, points[1]], check=True)
        self.addCleanup(subprocess.run, ["umount", points[1]], check=True)
        return points

    @staticmethod
    def describe(root):
        out = {}
        for folder, folders, files in os.walk(root):
            for name in folders + files:
                path = os.path.join(folder, name)
                info = os.lstat(path)
                kind = {0o040000: "dir", 0o100000: "file", 0o120000: "sym", 0o020000: "chr", 0o060000: "blk",
                        0o010000: "fifo"}[info.st_mode & 0o170000]
                fact = [kind, oct(info.st_mode & 0o7777), info.st_uid, info.st_gid, info.st_mtime_ns]
                if kind == "file":
                    with open(path, "rb") as file:
                        fact += [info.st_size, hashlib.sha256(file.read()).hexdigest()]
                if kind == "sym":
                    fact.append(os.readlink(path))
                if kind in ("chr", "blk"):
                    fact.append((os.major(info.st_rdev), os.minor(info.st_rdev)))
                if kind in ("file", "dir"):
                    fact.append(attributes(path))
                out[os.path.relpath(path, root)] = fact
        return out

    def check(self, layers, media_type=GZIP):
        reference = self.pull(ImageFixture(layers, media_type))
        overlay, erofs = self.views(reference)
        seen = self.describe(overlay)
        self.assertEqual(seen, self.describe(erofs))
        return seen, overlay, erofs

    def test_kinds_and_attributes(self):
        capability = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        pax = {"SCHILY.xattr.security.capability": capability.decode("latin-1"), "SCHILY.xattr.user.note": "x"}
        long_name = "n" * 255
        deep = "/".join(["d" * 100] * 20)
        seen, overlay, erofs = self.check([tar(
            entry("./", "dir", mode=0o755), entry("./bin", "dir", uid=3, gid=4, mode=0o1777),
            entry("bin/setuid", data=b"x" * 5000, mode=0o6755, uid=1, gid=2, mtime=12345),
            entry("bin/cap", data=b"c", pax=pax), entry("bin/hard", "hard", link="bin/setuid"),
            entry("bin/sym", "sym", link="../etc/" + "x" * 3000), entry("bin/null", "chr", dev=(1, 3), mode=0o666),
            entry("bin/big", "blk", dev=(259, 70000)), entry("bin/fifo", "fifo"), entry(long_name, data=b"1"),
            entry(deep, data=b"2"), entry("ünï", data=b"3"), entry("empty"), entry("later", mtime=4_000_000_000))])
        self.assertEqual(seen["bin"][:4], ["dir", "0o1777", 3, 4])
        self.assertEqual(seen["bin/setuid"][:5], ["file", "0o6755", 1, 2, 12345 * 10**9])
        self.assertEqual(seen["bin/cap"][-1], {"security.capability": capability, "user.note": b"x"})
        self.assertEqual(seen["bin/big"][-1], (259, 70000))
        self.assertEqual(seen["bin/fifo"][0], "fifo")
        self.assertIn(long_name, seen)
        self.assertIn(deep, seen)
        self.assertIn("ünï", seen)
        for root in (overlay, erofs):
            self.assertTrue(os.path.samefile(root + "/bin/hard", root + "/bin/setuid"))
            self.assertEqual(os.stat(root + "/bin/hard").st_nlink, 2)

    def test_whiteouts_and_opaque_directories(self):
        base = tar(entry("a", "dir", mode=0o700, uid=7), entry("a/keep", data=b"1"), entry("a/gone", data=b"1"),
                   entry("b", "dir"), entry("b/old", data=b"1"), entry("c", "dir"), entry("c/old", data=b"1"),
                   entry("f", data=b"file"), entry("d", "dir"), entry("d/old", data=b"1"), entry("e", data=b"1"),
                   entry("g", "dir"), entry("g/deep", "dir"), entry("g/deep/x", data=b"1"))
        second = tar(entry("a/.wh.gone"), entry("b/.wh..wh..opq"), entry("b/new", data=b"2"),
                     entry(".wh.c"), entry(".wh.f"), entry("f", "dir"), entry("f/inside", data=b"2"),
                     entry("d", data=b"now a file"), entry("e", "dir"), entry("e/x", data=b"2"), entry(".wh.g"))
        third = tar(entry("c", "dir"), entry("c/newer", data=b"3"), entry("d", "dir"), entry("d/x", data=b"3"),
                    entry("g/deep/y", data=b"3"), entry(".wh..wh.plnk", "dir"), entry("a/keep", data=b"3"))
        seen, _, _ = self.check([base, second, third])
        files = sorted(path for path, fact in seen.items() if fact[0] == "file")
        self.assertEqual(files, ["a/keep", "b/new", "c/newer", "d/x", "e/x", "f/inside", "g/deep/y"])
        self.assertEqual(seen["a"][:3], ["dir", "0o700", 7])  # not described above: as the layer below says

    def test_hard_link_to_a_file_that_a_higher_layer_replaced(self):
        base = tar(entry("x", data=b"old" * 2000, mode=0o600), entry("y", "hard", link="x"), entry("z", "hard", link="y"))
        seen, _, erofs = self.check([base, tar(entry("x", data=b"new"))])
        self.assertEqual(seen["y"][1], "0o600")
        self.assertEqual(seen["y"][-2], hashlib.sha256(b"old" * 2000).hexdigest())
        self.assertTrue(os.path.samefile(erofs + "/y", erofs + "/z"))
        seen, _, _ = self.check([base, tar(entry(".wh.x"), entry(".wh.y"))])
        self.assertEqual(list(seen), ["z"])

    def test_a_root_called_slash(self):
        """As umoci insert writes it; a longer absolute name stays refused."""
        seen, _, _ = self.check([tar(entry("/", "dir", mode=0o711), entry("bin", "dir"), entry("bin/x", data=b"x"))])
        self.assertIn("bin/x", seen)

    def test_compressions(self):
        data = tar(entry("x", data=os.urandom(1_000_000)), entry("y", data=bytes(3_000_000)))
        for media_type in (GZIP, ZSTD, PLAIN):
            with self.subTest(media_type):
                self.check([data], media_type)
                self.doCleanups()
                self.setUp()

    def test_sparse_files(self):
        folder = os.path.join(self.dir, "sparse")
        os.mkdir(folder)
        with open(folder + "/hole", "wb") as out:
            out.truncate(300 << 20)
            out.seek(100 << 20)
            out.write(b"middle")
        for form in ("gnu", "posix"):
            with self.subTest(form):
                path = os.path.join(self.dir, form + ".tar")
                subprocess.run(["tar", "-C", folder, "--sparse", "--format=" + form, "-cf", path, "hole"], check=True)
                with open(path, "rb") as file:
                    reference = self.pull(ImageFixture([file.read()]), form)
                lower = self.probe("lower", reference)[0] + "/hole"
                disk = self.probe("disk", reference)[0]
                self.assertEqual(os.stat(lower).st_size, 300 << 20)
                self.assertLess(os.stat(lower).st_blocks, 1000)
                self.assertLess(os.stat(disk).st_blocks, 1000)
                with open(lower, "rb") as file:
                    file.seek(100 << 20)
                    self.assertEqual(file.read(7), b"middle\0")

    def test_many_entries_in_one_directory(self):
        entries = [entry(f"dir/file-{i:05d}-{'x' * (i % 40)}", data=b"%d" % i) for i in range(5000)]
        seen, _, _ = self.check([tar(entry("dir", "dir"), *entries)])
        self.assertEqual(len(seen), 5001)

    def test_disk_bytes_depend_only_on_content(self):
        layers = [tar(entry("a", data=b"1" * 9000), entry("b", "dir")), tar(entry("b/c", data=b"2"))]
        digests = set()
        for number, media_type in enumerate((GZIP, ZSTD, PLAIN)):
            store = os.path.join(self.dir, f"store{number}")
            reference = self.registry.add(f"repro{number}", ImageFixture(layers, media_type))
            self.probe("pull", reference, store=store)
            old = os.umask(0o022 if number else 0o077)
            disk = self.probe("disk", reference, store=store, env={"LC_ALL": "C" if number else "C.UTF-8"})[0]
            os.umask(old)
            with open(disk, "rb") as file:
                digests.add(hashlib.sha256(file.read()).hexdigest())
        self.assertEqual(len(digests), 1)

    def test_layers_are_shared(self):
        base = tar(entry("base", data=b"1"))
        one = self.pull(ImageFixture([base, tar(entry("one"))]), "one")
        two = self.pull(ImageFixture([base, tar(entry("two"))]), "two")
        lower_one, lower_two = self.probe("lower", one), self.probe("lower", two)
        self.assertEqual(lower_one[0], lower_two[0])
        inode = os.stat(lower_one[0]).st_ino
        self.probe("rm", one)
        self.assertFalse(os.path.exists(lower_one[1]))
        self.assertEqual(os.stat(lower_two[0]).st_ino, inode)


class Builds(StoreCase):
    """`skerry images build`: every file system shows the same tree, and the same input gives the same bytes."""

    AGENT_SOURCE = 'int main(int n, char** v) { return n > 1 ? __builtin_puts("skerry-agent 9.9") < 0 : 0; }'

    def setUp(self):
        super().setUp()
        self.init = os.path.join(os.path.dirname(PROBE), "skerry-init")
        self.agent = os.path.join(self.dir, "agent")
        subprocess.run(["cc", "-x", "c", "-static", "-o", self.agent, "-"], input=self.AGENT_SOURCE.encode(), check=True)
        self.sources = os.path.join(self.dir, "sources")
        os.makedirs(self.sources + "/site/cgi/bin")
        for path, text, mode in (("site/index.html", "<p>", 0o600), ("site/cgi/bin/tool", "x", 0o600),
                                 ("site/start.sh", "x", 0o600), ("run", "x", 0o600)):
            with open(os.path.join(self.sources, path), "w") as out:
                out.write(text)
            os.chmod(os.path.join(self.sources, path), mode)
        os.symlink("index.html", self.sources + "/site/link")

    def image(self):
        status = b"Package: hello\nStatus: install ok installed\nVersion: 2.10-3\nArchitecture: amd64\n\n" \
                 b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: amd64\n\n"
        base = tar(entry("usr", "dir"), entry("usr/sbin", "dir"), entry("sbin", "sym", link="usr/sbin"),
                   entry("etc", "dir", mode=0o750, uid=5, gid=6), entry("etc/hard", data=b"h" * 70_000, mode=0o640),
                   entry("etc/hard2", "hard", link="etc/hard"), entry("dev", "dir"), entry("dev/null", "chr", dev=(1, 3), mode=0o666),
                   entry("fifo", "fifo"), entry("long", "sym", link="y" * 200), entry("gone", data=b"1"),
                   entry("var", "dir"), entry("var/lib", "dir"), entry("var/lib/dpkg", "dir"),
                   entry("var/lib/dpkg/status", data=status), entry("suid", data=b"s", mode=0o4755, uid=70000, gid=80000),
                   *[entry(f"many/f{i:04d}", data=b"%d" % i, mtime=5_000_000_000) for i in range(800)])
        top = tar(entry(".wh.gone"), entry("many", "dir", mode=0o1777))
        return self.pull(ImageFixture([base, top], config={"Entrypoint": ["/bin/app"], "Cmd": ["-x"], "Env": ["A=b"],
                                                           "WorkingDir": "/w", "User": "1"}), "build")

    def build(self, text, output="out", env=None, key=(), umask=0o022, varies=""):
        path = os.path.join(self.sources, "skerry.toml")
        with open(path, "w") as out:
            out.write('version = "1"\n' + text)
        old = os.umask(umask)
        try:
            artifact, digest, _, why = self.probe("build", path, os.path.join(self.dir, output), self.agent, self.init, *key, env=env,
                                                    timeout=900)
        finally:
            os.umask(old)
        with open(artifact, "rb") as file:
            self.assertEqual(sha256(file.read()), digest)
        self.assertTrue(why.startswith(varies) if varies else not why, why)
        return artifact, digest

    def rootfs(self, reference, filesystem, more=""):
        return f"""
strategy = "oci_rootfs"
[source]
image = "{reference}"
[filesystem]
type = "{filesystem}"
{more}
[mappings]
"site" = "/srv/site"
"run" = "/sbin/run"
[manifest]
name = "web"
version = "1.2"
[manifest.workload]
base_url = "http://127.0.0.1:80"
"""

    def mounted(self, artifact, filesystem):
        point = os.path.join(self.dir, "mount-" + filesystem)
        os.mkdir(point)
        options = "loop,ro,norecovery" if filesystem == "xfs" else "loop,ro"
        done = subprocess.run(["mount", "-t", filesystem, "-o", options, artifact, point], stderr=subprocess.PIPE, text=True)
        if "unknown filesystem type" in done.stderr:
            print(f"SKIP: this kernel cannot mount {filesystem}")
            return None
        self.assertEqual(done.returncode, 0, done.stderr)
        self.addCleanup(subprocess.run, ["umount", point], check=True)
        return point

    def test_every_file_system_shows_the_same(self):
        reference = self.image()
        expected = None
        for filesystem in ("erofs", "ext4", "squashfs", "btrfs", "xfs"):
            with self.subTest(filesystem):
                artifact, _ = self.build(self.rootfs(reference, filesystem), "out-" + filesystem,
                                         varies={"btrfs": "mkfs.btrfs", "xfs": "mkfs.xfs"}.get(filesystem, ""))
                if filesystem == "ext4":
                    subprocess.run(["e2fsck", "-fn", artifact], check=True, stdout=subprocess.DEVNULL)
                point = self.mounted(artifact, filesystem)
                if point is None:
                    continue
                seen = Layers.describe(point)
                seen.pop("lost+found", None)
                if filesystem == "btrfs":
                    seen["dev/null"][-1] = (1, 3)  # mkfs.btrfs loses the number; the guest mounts its own /dev
                for fact in seen.values():
                    if filesystem == "squashfs":
                        self.assertLess(fact[4], 2**31 * 10**9)
                    if filesystem in ("squashfs", "xfs"):
                        fact[4] = 0  # 32-bit times; mkfs.xfs gives all files the time of the build
                if expected is None:
                    expected = seen
                    self.assertNotIn("gone", seen)
                    self.assertEqual(seen["usr/sbin/run"][1], "0o755")
                    self.assertEqual(seen["usr/bin/skerry-agent"][:4], ["file", "0o755", 0, 0])
                    self.assertEqual(seen["srv/site/index.html"][1], "0o644")
                    self.assertEqual(seen["srv/site/cgi/bin/tool"][1], "0o755")
                    self.assertEqual(seen["srv/site/start.sh"][1], "0o755")
                    self.assertEqual(seen["srv/site/link"][-1], "index.html")
                    self.assertEqual(seen["suid"][:4], ["file", "0o4755", 70000, 80000])
                    continue
                comparable = {path: list(fact) for path, fact in expected.items()}
                if filesystem in ("squashfs", "xfs"):
                    for fact in comparable.values():
                        fact[4] = 0
                self.assertEqual(seen, comparable)
                if filesystem != "xfs":
                    self.assertTrue(os.path.samefile(point + "/etc/hard", point + "/etc/hard2"))

    def test_same_input_same_bytes(self):
        reference = self.image()
        initramfs = 'strategy = "initramfs"\n[mappings]\n"site" = "/srv/site"\n[manifest]\nname = "web"\n'
        cases = {name: self.rootfs(reference, name) for name in ("erofs", "ext4", "squashfs")}
        cases["initramfs"] = initramfs
        for name, text in cases.items():
            with self.subTest(name):
                _, first = self.build(text, f"one-{name}", {"LC_ALL": "C", "TZ": "UTC"}, umask=0o022)
                for path in (self.sources + "/run", self.sources + "/site/index.html"):
                    os.utime(path, (1, 1))
                _, second = self.build(text, f"other/two-{name}", {"LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"}, umask=0o077)
                self.assertEqual(first, second)

    def test_an_ordinary_user_builds_the_same(self):
        reference = self.image()
        initramfs = 'strategy = "initramfs"\n[mappings]\n"site" = "/srv/site"\n[manifest]\nname = "web"\n'
        cases = {name: self.rootfs(reference, name) for name in ("erofs", "ext4", "squashfs")} | {"initramfs": initramfs}
        expected = {name: self.build(text, f"root-{name}")[1] for name, text in cases.items()}
        # The programs too: the build directory may be out of the user's reach.
        probe = shutil.copy(PROBE, self.dir)
        init = shutil.copy(self.init, self.dir)
        subprocess.run(["chown", "-R", "65534:65534", self.dir], check=True)
        for name, text in cases.items():
            with self.subTest(name):
                with open(self.sources + "/skerry.toml", "w") as out:
                    out.write('version = "1"\n' + text)
                user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
                done = subprocess.run([*user, probe, self.store, "build", self.sources + "/skerry.toml",
                                       f"{self.dir}/user-{name}", self.agent, init], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stdout.splitlines()[1], expected[name])
                self.assertIn("sbom.spdx.json", os.listdir(f"{self.dir}/user-{name}"))
                self.assertIn("manifest.json", os.listdir(f"{self.dir}/user-{name}"))

    def test_packages(self):
        """Twice from a mirror of Debian: minutes. SKERRY_TEST_PACKAGES=1, or the URL of the mirror."""
        mirror = os.environ.get("SKERRY_TEST_PACKAGES", "")
        if not mirror:
            self.skipTest("SKIP: needs a mirror of Debian (SKERRY_TEST_PACKAGES=URL, or 1)")
        where = f'mirror = "{mirror}"\n' if "://" in mirror else ""
        text = f'strategy = "packages"\n[source]\npackages = ["busybox"]\n{where}[mappings]\n"site" = "/srv/site"\n' \
               '[manifest]\nname = "web"\n'
        artifact, first = self.build(text, "one", {"LC_ALL": "C", "TZ": "UTC"}, varies="the archive")
        _, second = self.build(text, "other/two", {"LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"}, umask=0o077, varies="the archive")
        self.assertEqual(first, second)
        with open(os.path.dirname(artifact) + "/sbom.spdx.json") as file:
            self.assertIn("busybox", [package["name"] for package in json.load(file)["packages"]])

    def test_manifest_sbom_and_signature(self):
        reference = self.image()
        keys = [os.path.join(self.dir, name) for name in ("key.pub", "key.sec")]
        subprocess.run(["minisign", "-G", "-W", "-p", keys[0], "-s", keys[1]], check=True, stdout=subprocess.DEVNULL)
        artifact, digest = self.build(self.rootfs(reference, "erofs"), key=[keys[1]])
        out = os.path.dirname(artifact)
        self.assertEqual(sorted(os.listdir(out)), ["manifest.json", "manifest.json.minisig", "rootfs.erofs",
                                                   "rootfs.erofs.minisig", "sbom.spdx.json", "sbom.spdx.json.minisig"])
        for name in ("manifest.json", "rootfs.erofs", "sbom.spdx.json"):
            subprocess.run(["minisign", "-V", "-p", keys[0], "-m", os.path.join(out, name)], check=True,
                           stdout=subprocess.DEVNULL)
        with open(out + "/manifest.json") as file:
            manifest = json.load(file)
        signature = manifest.pop("signature")
        with open(self.dir + "/signature", "w") as file:
            file.write(signature)
        with open(self.dir + "/text", "w") as file:
            json.dump(manifest, file, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        subprocess.run(["minisign", "-V", "-p", keys[0], "-m", self.dir + "/text", "-x", self.dir + "/signature"],
                       check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(manifest["rootfs"], {"url": "file://" + artifact, "checksum": digest, "format": "erofs"})
        self.assertEqual(manifest["workload"], {"entrypoint": ["/bin/app", "-x"], "env": {"A": "b"}, "workdir": "/w",
                                                "user": "1", "base_url": "http://127.0.0.1:80"})
        with open(out + "/sbom.spdx.json") as file:
            sbom = json.load(file)
        self.assertEqual([package["name"] for package in sbom["packages"]][1:], ["hello"])
        self.assertEqual(sbom["packages"][1]["externalRefs"][0]["referenceLocator"],
                         "pkg:deb/debian/hello@2.10-3?arch=amd64")

    def test_initramfs(self):
        artifact, _ = self.build('strategy = "initramfs"\n[agent]\nversion = "9.9"\n[mappings]\n"run" = "/opt/bin/run"\n'
                                 '[manifest]\nname = "web"\n')
        listing = subprocess.run(f"zcat {artifact} | cpio -tv --quiet", shell=True, check=True, text=True,
                                 stdout=subprocess.PIPE).stdout
        for text in ("init -> /sbin/init", "bin/busybox", "bin/sh -> /bin/busybox", "usr/bin/skerry-agent",
                     "dev/console", "opt/bin/run", "etc/passwd"):
            self.assertIn(text, listing)
        self.assertRegex(listing, r"-rwxr-xr-x\s.* opt/bin/run")
        self.assertRegex(listing, r"drwxrwxrwt\s.* tmp")

    def test_dockerfile(self):
        with open(self.sources + "/Dockerfile", "w") as out:
            out.write("FROM scratch AS base\nARG WHAT\nCOPY run /run-${WHAT}\nFROM base AS last\nCOPY site /site\nCMD [\"/x\"]\n")
        text = '''strategy = "oci_rootfs"
[source]
dockerfile = "Dockerfile"
target = "base"
build_args = {WHAT = "this"}
[manifest]
name = "web"
'''
        artifact, first = self.build(text, varies="the commands")
        point = self.mounted(artifact, "erofs")
        self.assertEqual(sorted(os.listdir(point)), ["run-this", "usr"])
        _, second = self.build(text, "again", varies="the commands")
        self.assertEqual(first, second)

    def test_commands_of_a_dockerfile_see_nothing_of_the_host(self):
        shutil.copy("/bin/busybox", self.sources + "/busybox")
        with open(self.sources + "/Dockerfile", "w") as out:
            out.write('FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\n'
                      'RUN for n in pid net ipc mnt uts; do busybox readlink /proc/self/ns/$n; done > /seen\n'
                      'RUN busybox ls -d /proc/[0-9]* | busybox wc -l >> /seen\n')
        artifact, _ = self.build('strategy = "oci_rootfs"\n[source]\ndockerfile = "Dockerfile"\n[manifest]\nname = "web"\n',
                                 varies="the commands")
        with open(self.mounted(artifact, "erofs") + "/seen") as file:
            *namespaces, processes = file.read().split()
        self.assertEqual(len(namespaces), 5)
        for name in namespaces:
            self.assertNotEqual(os.readlink("/proc/self/ns/" + name.split(":")[0]), name)
        self.assertLess(int(processes), 10)

    def test_an_agent_is_never_run_to_ask_for_its_version(self):
        with open(self.sources + "/tool", "w") as out:
            out.write(f"#!/bin/sh\ntouch {self.dir}/was-run\necho skerry-agent 1.0\n")
        os.chmod(self.sources + "/tool", 0o755)
        with self.assertRaises(Failed):
            self.build('strategy = "initramfs"\n[agent]\npath = "tool"\nversion = "1.0"\n[manifest]\nname = "web"\n')
        self.assertFalse(os.path.exists(self.dir + "/was-run"))

    def test_a_busybox_of_the_build_file_is_never_run(self):
        build = 'strategy = "initramfs"\n[source]\nbusybox = "%s"\n[manifest]\nname = "web"\n'
        # Run, it would be echo, and list its argument.
        shutil.copy("/bin/busybox", self.sources + "/echo")
        artifact, _ = self.build(build % "echo")
        listing = subprocess.run(f"zcat {artifact} | cpio -tv --quiet", shell=True, check=True, text=True,
                                 stdout=subprocess.PIPE).stdout
        self.assertNotIn("--list-full", listing)
        for text in ("bin/busybox", "bin/sh -> /bin/busybox", "bin/echo -> /bin/busybox"):
            self.assertIn(text, listing)
        # A static program of another kind.
        shutil.copy(self.agent, self.sources + "/echo")
        with self.assertRaises(Failed) as caught:
            self.build(build % "echo")
        self.assertEqual(caught.exception.code, "invalid_argument")
        self.assertIn("no busybox", str(caught.exception))

    def test_bad_input(self):
        reference = self.image()
        good = self.rootfs(reference, "erofs")

        def refused(text, code, *holding):
            with self.assertRaises(Failed) as caught:
                self.build(text)
            self.assertEqual(caught.exception.code, code, str(caught.exception))
            for part in holding:
                self.assertIn(part, str(caught.exception))
            out = os.path.join(self.dir, "out")
            self.assertEqual(os.listdir(out) if os.path.isdir(out) else [], [])
        refused(good.replace('"run" =', '"missing" ='), "invalid_argument", "missing")
        refused(good.replace('"/sbin/run"', '"/etc/../x"'), "invalid_argument", "mappings.run", "..")
        refused(good.replace('"/sbin/run"', '"/fifo/x"'), "invalid_argument", "/fifo")
        refused(good.replace('"/sbin/run"', '"/etc"'), "invalid_argument", "/etc")
        refused(good.replace("name =", "nome ="), "invalid_argument")
        refused(good + "[manifest.unknown]\nx = 1\n", "invalid_argument", "unknown")
        refused(good.replace('"erofs"', '"ntfs"'), "invalid_argument", "filesystem.type", "ext4")
        refused("strategy = 1\n", "invalid_argument", "strategy")
        refused("[[[", "invalid_argument", "line")
        refused(good.replace(reference, f"127.0.0.1:{self.registry.port}/none:1"), "not_found", "none:1")
        refused('strategy = "initramfs"\n[agent]\nversion = "1.1"\n[manifest]\nname = "web"\n', "invalid_argument", "1.1")
        refused('strategy = "initramfs"\n[source]\nbusybox = "/bin/ls"\n[manifest]\nname = "web"\n', "invalid_argument",
                "/bin/ls")


class HostileLayers(StoreCase):
    """Each is refused with the entry's name, by both ways of using a layer, and nothing of it stays."""

    def refused(self, layer, holding, code="corrupt", env=None, below=()):
        image = ImageFixture([*below, layer])
        reference = self.pull(image)
        for verb in ("lower", "disk"):
            with self.subTest(verb):
                self.fails(code, verb, reference, env=env, holding=[image.layers[-1], *holding])
        layers = os.listdir(os.path.join(self.store, "layers"))
        self.assertEqual(len(layers), len(below))
        self.assertEqual(os.listdir(os.path.join(self.store, "disks")), [])
        self.probe("rm", reference)

    def test_paths(self):
        self.refused(tar(entry("/etc/passwd", data=b"x")), ["/etc/passwd", "absolute"])
        self.refused(tar(entry("a/../../x", data=b"x")), ["a/../../x", ".."])
        self.refused(tar(entry("..", "dir")), [".."])
        self.refused(tar(entry("x" * 256, data=b"x")), ["255"])
        self.refused(tar(entry("/".join(["d" * 200] * 25), data=b"x")), ["4095"])
        self.refused(tar(entry(".wh...")), ["whiteout"])
        self.refused(tar(entry("a/.wh..")), ["whiteout"])
        self.refused(tar(entry(".wh.")), ["whiteout"])

    def test_symlink_tricks(self):
        outside = os.path.join(self.dir, "outside")
        os.mkdir(outside)
        self.refused(tar(entry("link", "sym", link=outside), entry("link/x", data=b"x")), ["link/x", "not a directory"])
        self.refused(tar(entry("a", "dir"), entry("a/l", "sym", link="/"), entry("a/l/etc/x", data=b"x")), ["a/l/etc/x"])
        self.refused(tar(entry("l", "sym", link=outside), entry("l", "dir"), entry("l/x", data=b"x")), ["\"l\"", "twice"])
        self.refused(tar(entry("l", "sym", link=outside + "/x"), entry("l", data=b"x")), ["twice"])
        self.refused(tar(entry("l", "sym", link=outside), entry("l/.wh..wh..opq")), ["\"l"])
        self.refused(tar(entry("d/x", data=b"1"), entry("d", "sym", link=outside)), ["twice"])
        self.assertEqual(os.listdir(outside), [])

    def test_symlink_of_a_lower_layer_is_not_followed(self):
        outside = os.path.join(self.dir, "outside")
        os.mkdir(outside)
        image = ImageFixture([tar(entry("l", "sym", link=outside)), tar(entry("l/x", data=b"1"))])
        reference = self.pull(image)
        lower = self.probe("lower", reference)
        self.assertTrue(os.path.isfile(lower[1] + "/l/x"))
        self.assertEqual(os.listdir(outside), [])

    def test_hard_links(self):
        self.refused(tar(entry("h", "hard", link="/etc/passwd")), ["\"h\"", "out of the archive"])
        self.refused(tar(entry("h", "hard", link="../../etc/passwd")), ["\"h\"", "out of the archive"])
        self.refused(tar(entry("h", "hard", link="missing")), ["\"h\"", "missing"])
        self.refused(tar(entry("h", "hard", link="h")), ["\"h\""])
        self.refused(tar(entry("d", "dir"), entry("h", "hard", link="d")), ["\"h\""])
        self.refused(tar(entry("l", "sym", link="/etc"), entry("h", "hard", link="l/passwd")), ["\"h\""])
        self.refused(tar(entry(".wh.w"), entry("h", "hard", link="w")), ["\"h\""])
        self.refused(tar(entry("h", "hard", link="below")), ["below"], below=[tar(entry("below", data=b"1"))])

    def test_doubles_and_nodes(self):
        self.refused(tar(entry("x", data=b"1"), entry("x", data=b"2")), ["\"x\"", "twice"])
        self.refused(tar(entry("x", data=b"1"), entry("./x", data=b"2")), ["\"x\"", "twice"])
        self.refused(tar(entry("x", data=b"1"), entry("x/y", data=b"2")), ["x/y"])
        self.refused(tar(entry("x", "chr", dev=(0, 0))), ["whiteout"])
        self.refused(tar(entry("x", data=b"1", pax={"SCHILY.xattr.trusted.overlay.redirect": "/etc"})), ["overlay"])
        self.refused(tar(entry("x", data=b"1", uid=2**32 - 1)), ["owner"])

    def test_limits(self):
        many = tar(*[entry(f"f{i}") for i in range(300)])
        self.refused(many, ["more than 200 entries"], "resource_exhausted", {"PROBE_MAX_ENTRIES": "200"})
        bomb = tar(entry("zeros", data=bytes(50 << 20)))
        self.refused(bomb, ["more than"], "resource_exhausted", {"PROBE_MAX_BYTES": str(10 << 20)})
        folder = os.path.join(self.dir, "sparse")
        os.mkdir(folder)
        with open(folder + "/hole", "wb") as out:
            out.truncate(1 << 40)
        path = os.path.join(self.dir, "sparse.tar")
        subprocess.run(["tar", "-C", folder, "--sparse", "-cf", path, "hole"], check=True)
        with open(path, "rb") as file:
            self.refused(file.read(), ["hole", "more than"], "resource_exhausted")

    def test_a_million_entries(self):
        block = bytearray(tar(entry("f0000000"))[:512])
        out = bytearray()
        for number in range(1_000_001):
            block[1:8] = b"%07d" % number
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
            out += block
        out += bytes(1024)
        self.refused(bytes(out), ["more than 1000000 entries"], "resource_exhausted")

    def test_lying_sizes_and_damage(self):
        good = bytearray(tar(entry("x", data=b"1" * 100)))

        def with_size(text):
            block = bytearray(good)
            block[124:136] = text
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block[:512])
            return bytes(block)
        self.refused(with_size(b"%011o\0" % (1 << 30)), [])
        self.refused(with_size(b"\xff" * 12), [])
        self.refused(with_size(b"77777777777\0"), [])
        self.refused(bytes(good[:700]), ["x"])
        self.refused(b"not a tar at all" * 1000, [])
        damaged = bytearray(good)
        damaged[0] ^= 1
        self.refused(bytes(damaged), [])

    def test_damaged_compression(self):
        whole = ImageFixture([tar(entry("x", data=os.urandom(200_000)))])
        blob = whole.blobs[whole.layers[0]]
        for name, data in (("cut", blob[:-1000]), ("flipped", blob[:5000] + bytes(100) + blob[5100:]),
                           ("trailing", blob + b"garbage")):
            with self.subTest(name):
                image = ImageFixture([], diff_ids=[])
                document = json.loads(whole.manifest)
                document["layers"][0].update(digest=sha256(data), size=len(data))
                image.manifest = json.dumps(document).encode()
                image.digest = sha256(image.manifest)
                image.blobs = {**whole.blobs, sha256(data): data}
                reference = self.pull(image, name)
                for verb in ("lower", "disk"):
                    self.fails("corrupt", verb, reference, holding=sha256(data))


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root (owners, devices, mounts)")
        sys.exit(77)
    PROBE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
