#!/usr/bin/env python3
"""Build files become plugins, plugins become microVMs. Usage: plugin_test.py BIN_DIR [unittest arguments]. Needs root."""

import hashlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "daemon"))
import skerry_host  # noqa: E402
from skerry_host import eventually  # noqa: E402


ROOTFS = """
version = "1"
strategy = "oci_rootfs"
[source]
image = "{image}"
[filesystem]
type = "{filesystem}"
[mappings]
"site" = "/srv/site"
[manifest]
name = "{name}"
version = "1.0"
[manifest.resources]
memory_mb = 192
[manifest.workload]
entrypoint = ["httpd", "-f", "-p", "9000", "-h", "/srv/site"]
base_url = "http://127.0.0.1:9000"
[manifest.health_check]
endpoint = "/index.html"
interval_ms = 200
[manifest.actions.page]
method = "GET"
path = "/index.html"
description = "the page"
"""

with open(os.path.join(os.path.dirname(__file__), "../../../examples/plugin/skerry.toml"), encoding="utf-8") as example:
    INITRAMFS = example.read()


class PluginCase(skerry_host.HostCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="skerry-plugin.")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def sources(self, name, text):
        place = os.path.join(self.dir, name)
        os.makedirs(f"{place}/site")
        for path, content in (("site/index.html", "from the plugin\n"), ("skerry.toml", text)):
            with open(f"{place}/{path}", "w") as file:
                file.write(content)
        return place

    def build(self, name, text, output="dist", umask=0o022, **options):
        place = self.sources(name, text)
        old = os.umask(umask)
        try:
            self.host.skerry("images", "build", "-f", "skerry.toml", "--output-dir", output, cwd=place, **options)
        finally:
            os.umask(old)
        return os.path.join(place, output)

    def install(self, folder):
        self.host.skerry("plugins", "install", "--manifest", f"{folder}/manifest.json")
        with open(f"{folder}/manifest.json") as file:
            name = json.load(file)["name"]
        self.addCleanup(self.host.skerry, "plugins", "remove", "--force", name)
        return name

    def run_plugin(self, plugin, *more):
        name = f"run-{plugin}"
        self.host.skerry("run", "-d", "--name", name, "--plugin", plugin, *more)
        self.addCleanup(self.host.skerry, "rm", "--force", name, check=False)
        return self.host.show(name)


def fetch(ip, port, path="/index.html"):
    connection = http.client.HTTPConnection(ip, port, timeout=20)
    connection.request("GET", path)
    return connection.getresponse().read().decode()


class Builds(PluginCase):
    def test_the_same_input_gives_the_same_bytes(self):
        """By the command line, in other directories, with another umask, locale and time zone."""
        cases = {name: ROOTFS.format(image=self.image, filesystem=name, name="same") for name in ("erofs", "ext4", "squashfs")}
        cases["initramfs"] = INITRAMFS
        for name, text in cases.items():
            with self.subTest(name):
                sums = []
                for number, umask, locale in ((1, 0o022, "C"), (2, 0o077, "C.UTF-8")):
                    folder = self.build(f"{name}-{number}/{'x' * number}", text, output="out" * number, umask=umask,
                                        env={**self.host.environment, "LC_ALL": locale, "TZ": f"UTC+{number}"})
                    artifact = next(file for file in os.listdir(folder) if file.startswith(("rootfs", "initramfs")))
                    with open(f"{folder}/{artifact}", "rb") as file:
                        sums.append(hashlib.sha256(file.read()).hexdigest())
                    with open(f"{folder}/manifest.json") as file:
                        manifest = json.load(file)
                    kind = "initramfs" if name == "initramfs" else "rootfs"
                    self.assertEqual(manifest[kind]["checksum"], f"sha256:{sums[-1]}")
                    self.assertIn("sbom.spdx.json", os.listdir(folder))
                self.assertEqual(sums[0], sums[1])

    def test_what_is_wrong_is_said(self):
        place = self.sources("wrong", 'version = "1"\nstrategy = "magic"\n')
        done = self.host.skerry("images", "build", "-f", f"{place}/skerry.toml", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("strategy", done.stderr)
        self.assertFalse(os.path.exists(f"{place}/dist"))


class Runs(PluginCase):
    def test_a_root_disk_of_each_file_system(self):
        for filesystem in ("erofs", "ext4", "squashfs"):
            with self.subTest(filesystem):
                name = f"site-{filesystem}"
                plugin = self.install(self.build(filesystem, ROOTFS.format(image=self.image, filesystem=filesystem, name=name)))
                shown = self.run_plugin(plugin)
                self.assertEqual((shown["isolation"], shown["plugin"], shown["state"]), ("microvm", name, "running"))
                self.assertEqual(fetch(shown["ip"], 9000), "from the plugin\n")
                self.assertEqual(self.host.skerry("action", shown["name"], "page").stdout, "from the plugin\n")
                action, = self.host.document("action", shown["name"])
                self.assertEqual((action["name"], action["method"], action["description"]), ("page", "GET", "the page"))
                answer = subprocess.run(
                    ["curl", "--silent", "--unix-socket", self.host.environment["SKERRY_SOCKET"], "--write-out",
                     "\n%{http_code}", f"http://skerry/api/v1/vms/{shown['name']}/agent/?x=1"],
                    stdout=subprocess.PIPE, text=True, check=True).stdout
                self.assertEqual(answer, "from the plugin\n\n200")
                missing = self.host.skerry("action", shown["name"], "pages", check=False)
                self.assertEqual(missing.returncode, 3)
                self.assertIn("there are: page", missing.stderr)
                self.host.skerry("rm", "--force", shown["name"])

    def test_an_initramfs(self):
        shown = self.run_plugin(self.install(self.build("tiny", INITRAMFS)))
        eventually(lambda: fetch(shown["ip"], 9000) == "from the plugin\n", "the page")

    def test_a_changed_artifact_is_refused_before_anything_starts(self):
        folder = self.build("changed", ROOTFS.format(image=self.image, filesystem="erofs", name="changed"))
        with open(f"{folder}/rootfs.erofs", "r+b") as file:
            file.seek(5000)
            file.write(b"tampered")
        done = self.host.skerry("plugins", "install", "--manifest", f"{folder}/manifest.json", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("checksum", done.stderr)
        self.assertNotIn("changed", [each["name"] for each in self.host.document("plugins", "list")])

    def events_of(self, name):
        lines = self.host.skerry("events", "--resource", name, "--output", "json").stdout.splitlines()
        return [json.loads(line)["type"] for line in lines]

    def test_the_documents_words_and_health(self):
        """The create exchange of the command line and of the API, and a workload that breaks."""
        plugin = self.install(self.build("words", ROOTFS.format(image=self.image, filesystem="erofs", name="words")))
        for name in ("words-cli", "words-api"):
            self.addCleanup(self.host.skerry, "rm", "--force", name, check=False)
        said = self.host.skerry("vms", "create", "words-cli", "--plugin", plugin).stdout
        self.assertEqual(said, f"VM words-cli created with IP {self.host.show('words-cli')['ip']}\n")
        status, body, _ = self.host.ask("POST", "/api/v1/vms",
                                        {"name": "words-api", "plugin": plugin, "cpu_cores": 1, "memory_mb": 512})
        self.assertEqual(status, 201, body)
        made = json.loads(body)
        self.assertEqual(list(made)[:5], ["name", "plugin", "ip", "state", "resources"])
        self.assertEqual((made["name"], made["plugin"], made["state"]), ("words-api", "words", "running"))
        self.assertEqual((made["resources"]["cpu_cores"], made["resources"]["memory_mb"]), (1, 512),
                         "asked for, though the plugin says 192")
        self.assertEqual(fetch(made["ip"], 9000), "from the plugin\n")
        self.host.skerry("rm", "--force", "words-api")

        eventually(lambda: self.host.show("words-cli")["health"] == "healthy", "it is healthy")
        self.host.skerry("exec", "words-cli", "--", "rm", "/srv/site/index.html")
        eventually(lambda: self.host.show("words-cli")["health"] == "unhealthy", "it is not")
        told = [each for each in self.events_of("words-cli") if each in ("vm.healthy", "vm.unhealthy")]
        self.assertEqual(told, ["vm.healthy", "vm.unhealthy"])

    def test_the_installed_copy_is_verified_again_before_launch(self):
        folder = self.build("twice", ROOTFS.format(image=self.image, filesystem="erofs", name="twice"))
        shown = self.run_plugin(self.install(folder))
        self.host.skerry("stop", shown["name"])
        with open(f"{folder}/manifest.json") as file:
            digest = json.load(file)["rootfs"]["checksum"].removeprefix("sha256:")
        copy, = pathlib.Path(self.host.environment["SKERRY_STATE_DIR"]).rglob(digest)
        # The source too: a damaged copy would be fetched again from there.
        for path in (copy, f"{folder}/rootfs.erofs"):
            with open(path, "r+b") as file:
                file.seek(5000)
                file.write(b"tampered")
        done = self.host.skerry("start", shown["name"], check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("checksum", done.stderr)
        self.assertNotEqual(self.host.show(shown["name"])["state"], "running")

    def test_a_plugin_of_disks_is_no_container(self):
        plugin = self.install(self.build("dial", ROOTFS.format(image=self.image, filesystem="erofs", name="dial")))
        done = self.host.skerry("run", "-d", "--plugin", plugin, "--isolation", "container", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--isolation microvm", done.stderr)


if __name__ == "__main__":
    skerry_host.main()
