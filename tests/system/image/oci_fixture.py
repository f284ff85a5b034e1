"""Images made byte by byte, and a registry that can lie: what the image tests feed the store with."""

import gzip
import hashlib
import http.server
import io
import json
import os
import socket
import subprocess
import tarfile
import threading
import time

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
PLAIN = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def entry(name, kind="file", data=b"", mode=None, uid=0, gid=0, mtime=1700000000, link="", dev=(0, 0), pax=None):
    """One tar entry; `kind` as in TYPES."""
    types = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "sym": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE,
             "chr": tarfile.CHRTYPE, "blk": tarfile.BLKTYPE, "fifo": tarfile.FIFOTYPE}
    info = tarfile.TarInfo(name)
    info.type = types[kind]
    info.mode = mode if mode is not None else (0o755 if kind == "dir" else 0o777 if kind == "sym" else 0o644)
    info.uid, info.gid, info.mtime, info.linkname = uid, gid, mtime, link
    info.devmajor, info.devminor = dev
    info.size = len(data)
    info.pax_headers = dict(pax or {})
    return info, data


def tar(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def compress(data, media_type):
    if media_type == GZIP:
        return gzip.compress(data, 1, mtime=0)
    if media_type == ZSTD:
        return subprocess.run(["zstd", "-1", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


class ImageFixture:
    """An image as blobs: {digest: bytes} and its manifest."""

    def __init__(self, layers, media_type=GZIP, config=None, diff_ids=None):
        self.blobs = {}
        descriptors = []
        for layer in layers:
            blob = compress(layer, media_type)
            descriptors.append(self.descriptor(blob, media_type))
        document = {"architecture": ARCH, "os": "linux", "config": config or {},
                    "rootfs": {"type": "layers", "diff_ids": diff_ids or [sha256(layer) for layer in layers]}}
        config_blob = json.dumps(document).encode()
        self.layers = [d["digest"] for d in descriptors]
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                                    "config": self.descriptor(config_blob, CONFIG), "layers": descriptors}).encode()
        self.digest = sha256(self.manifest)

    def descriptor(self, data, media_type):
        self.blobs[sha256(data)] = data
        return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class LyingRegistry:
    """A registry (OCI distribution specification, pulls only) whose answers a test can bend.

    `faults`: {digest: function(handler, bytes)} answers for a blob instead of the honest way.
    """

    def __init__(self):
        self.images = {}
        self.blobs = {}
        self.faults = {}
        self.requests = []
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body, media_type="application/json"):
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                if status == 200:
                    self.send_header("Docker-Content-Digest", sha256(body))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_GET(self):
                registry.requests.append(self.path)
                parts = self.path.split("/")
                if self.path in ("/v2/", "/v2"):
                    return self.answer(200, b"{}")
                if parts[-2] == "manifests":
                    found = registry.images.get(("/".join(parts[2:-2]), parts[-1]))
                    if found is None:
                        return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
                    media_type = json.loads(found).get("mediaType", MANIFEST)
                    return self.answer(200, found, media_type)
                digest = parts[-1]
                data = registry.blobs.get(digest)
                if data is None:
                    return self.answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}')
                if digest in registry.faults and self.command == "GET":
                    return registry.faults[digest](self, data)
                return self.answer(200, data, "application/octet-stream")

            do_HEAD = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, name, image, tag="1"):
        self.images[(name, tag)] = image.manifest
        self.images[(name, image.digest)] = image.manifest
        self.blobs.update(image.blobs)
        return f"127.0.0.1:{self.port}/{name}:{tag}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
