#!/usr/bin/env python3
"""What an administrator has skerryd trust, end to end: TLS with certificates of clients, and the keys of plugins.
Usage: trust_test.py PROGRAM_DIR [unittest arguments]. Needs root, openssl, curl, jq and minisign."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import skerry_host  # noqa: E402
from skerry_host import PROGRAMS, Host, busybox_image  # noqa: E402

PORT = 18443


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options).stdout


class Trust(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="skerry-trust.")
        self.addCleanup(directory.cleanup)
        self.dir = directory.name

    def host(self, **settings):
        host = Host(**settings)
        self.addCleanup(host.close)
        host.start()
        return host

    def certificate(self, name, issuer=None):
        key, request, out = (f"{self.dir}/{name}.{ending}" for ending in ("key", "csr", "pem"))
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", f"/CN={name}")
        if issuer is None:
            run("openssl", "req", "-x509", "-days", "1", *new, "-out", out)
            return
        run("openssl", "req", *new, "-out", request)
        pathlib.Path(f"{self.dir}/ext").write_text(f"subjectAltName=DNS:{name},IP:127.0.0.1\n")
        run("openssl", "x509", "-req", "-days", "1", "-in", request, "-CA", f"{self.dir}/{issuer}.pem", "-CAkey",
            f"{self.dir}/{issuer}.key", "-CAcreateserial", "-extfile", f"{self.dir}/ext", "-out", out)

    def test_tls_with_certificates_of_clients(self):
        for name, issuer in (("ca", None), ("server", "ca"), ("alice", "ca")):
            self.certificate(name, issuer)
        host = self.host(SKERRY_LISTEN=f"0.0.0.0:{PORT}", SKERRY_TLS_CERT=f"{self.dir}/server.pem",
                         SKERRY_TLS_KEY=f"{self.dir}/server.key", SKERRY_TLS_CLIENT_CA=f"{self.dir}/ca.pem")
        token = host.skerry("token", "create", "ci", "--role", "viewer", "--output", "json").stdout
        token = json.loads(token)["token"]

        def ask(*options):
            done = subprocess.run(["curl", "--silent", "--noproxy", "*", "--cacert", f"{self.dir}/ca.pem", "--write-out",
                                   "\n%{http_code}", "-H", f"Authorization: Bearer {token}", *options,
                                   f"https://127.0.0.1:{PORT}/api/v1/system"], stdout=subprocess.PIPE, text=True)
            return done.stdout.rsplit("\n", 1)[1]

        alice = ("--cert", f"{self.dir}/alice.pem", "--key", f"{self.dir}/alice.key")
        self.assertEqual(ask(*alice), "200")
        self.assertEqual(ask(), "000")

    def test_tls_settings_that_do_not_go_together_are_refused(self):
        for settings in (["--tls-cert", "/x"], ["--tls-key", "/x"], ["--tls-client-ca", "/x"]):
            done = subprocess.run([f"{PROGRAMS}/skerryd", *settings], stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--tls-", done.stderr)

    def test_only_plugins_that_a_trusted_key_signed(self):
        for name in ("ours", "theirs"):
            run("minisign", "-G", "-W", "-p", f"{self.dir}/{name}.pub", "-s", f"{self.dir}/{name}.sec")
        host = self.host(SKERRY_PLUGIN_KEYS=f"{self.dir}/ours.pub")
        image = host.registry.add("trust/busybox", busybox_image())
        host.skerry("images", "pull", image)
        path = f"{self.dir}/manifest.json"

        def install(manifest):
            pathlib.Path(path).write_text(json.dumps(manifest))
            return host.skerry("plugins", "install", "--manifest", path, check=False)

        def signed(manifest, key):
            text = run("jq", "-cjS", "del(.signature)", input=json.dumps(manifest).encode())
            pathlib.Path(f"{self.dir}/text").write_bytes(text)
            run("minisign", "-S", "-s", f"{self.dir}/{key}.sec", "-m", f"{self.dir}/text", "-x", f"{self.dir}/sig")
            return manifest | {"signature": pathlib.Path(f"{self.dir}/sig").read_text()}

        plain = {"version": "1", "name": "tiny", "image": image, "workload": {"env": {"WHO": "ä"}}}
        self.assertIn("not signed", install(plain).stderr)
        self.assertIn("trusted key", install(signed(plain, "theirs")).stderr)
        self.assertIn("trusted key", install(signed(plain, "ours") | {"version": "2"}).stderr)
        self.assertEqual(host.document("plugins", "list"), [])
        self.assertEqual(install(signed(plain, "ours")).returncode, 0)
        done = host.skerry("run", "--rm", "--plugin", "tiny", "--", "true", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

        # What we build and sign ourselves is taken as it stands; one letter more and it is not.
        pathlib.Path(f"{self.dir}/skerry.toml").write_text(
            'version = "1"\nstrategy = "initramfs"\n[manifest]\nname = "built"\nversion = "1.5"\n')
        host.skerry("images", "build", "-f", f"{self.dir}/skerry.toml", "--output-dir", f"{self.dir}/dist", "--sign",
                    f"{self.dir}/ours.sec")
        built = json.loads(pathlib.Path(f"{self.dir}/dist/manifest.json").read_text())
        self.assertIn("trusted key", install(built | {"version": "2"}).stderr)
        done = host.skerry("plugins", "install", "--manifest", f"{self.dir}/dist/manifest.json", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

        # Other keys from now on: what is installed may not start any more, and nothing is left of the attempt.
        host.kill(skerry_host.signal.SIGTERM)
        host.environment["SKERRY_PLUGIN_KEYS"] = f"{self.dir}/theirs.pub"
        host.start()
        done = host.skerry("run", "--rm", "--plugin", "tiny", "--", "true", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("trusted key", done.stderr)
        self.assertEqual(host.document("ls"), [])


if __name__ == "__main__":
    skerry_host.main()
