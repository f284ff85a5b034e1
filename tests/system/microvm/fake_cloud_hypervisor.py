#!/usr/bin/python3
"""Stands in for Cloud Hypervisor where there is no KVM: speaks its documented REST API on the socket it inherits and
plays the guest's agent over the vsock's socket. It has no guest. What it is told it prints, a line of JSON each; its
plugin (skerry.plugin= on the kernel command line) says how it shall behave."""

import json
import os
import re
import signal
import socket
import struct
import sys
import threading

REQUEST, RESPONSE, STDOUT, EXIT, READY = 1, 2, 5, 9, 12


def say(**what):
    print(json.dumps(what), flush=True)


def frame(kind, session, payload):
    return struct.pack("<IB3xI", len(payload), kind, session) + payload


class Agent(threading.Thread):
    """The guest's agent, as far as its host can tell."""

    def __init__(self, vsock, behaviour):
        super().__init__(daemon=True)
        self.behaviour = behaviour
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(vsock + "_1024")

    def receive(self, size):
        data = self.socket.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            os._exit(3)
        return data

    def run(self):
        if self.behaviour == "panics":
            return self.socket.close()
        self.socket.sendall(frame(READY, 0, b'{"workload": "running"}') + frame(STDOUT, 0, b"the workload speaks\n"))
        while True:
            length, kind, session = struct.unpack("<IB3xI", self.receive(12))
            payload = self.receive(length)
            if kind != REQUEST:
                continue
            self.socket.sendall(frame(RESPONSE, session, b"{}"))
            if json.loads(payload)["op"] == "shutdown":
                self.socket.sendall(frame(EXIT, 0, struct.pack("<I", 0)))
                os._exit(0)  # the guest powers off, and with it the VMM


class Vmm:
    def __init__(self):
        self.config = None
        self.state = None
        self.taps = 0

    def behaviour(self):
        found = re.search(r"skerry\.plugin=(\S+)", self.config["payload"]["cmdline"])
        return found.group(1) if found else ""

    def answer(self, method, endpoint, body, descriptors):
        """Status and body."""
        say(call=endpoint, body=body, descriptors=len(descriptors))
        if (method, endpoint) == ("GET", "vmm.ping"):
            return 200, {"build_version": "v43.0", "version": "v43.0", "pid": os.getpid(), "features": ["kvm"]}
        if endpoint == "vm.create":
            self.config = body
            if self.behaviour() == "refuses":
                return 500, ["Error from API", "The VM could not be created", "Cannot open disk path"]
            self.state = "Created"
            return 204, None
        if self.config is None:
            return 404, None
        if (method, endpoint) == ("GET", "vm.info"):
            if self.behaviour() == "talks-nonsense":
                return 200, {"state": "Dancing"}
            return 200, {"config": self.config, "state": self.state}
        if endpoint == "vm.add-net":
            self.taps += len(descriptors)
            return 204, None
        return self.steer(endpoint)

    def steer(self, endpoint):
        steps = {"vm.boot": ("Created", "Running"), "vm.pause": ("Running", "Paused"),
                 "vm.resume": ("Paused", "Running"), "vm.shutdown": ("Running", "Shutdown")}
        before, after = steps[endpoint]
        if self.state != before:
            return 405, None
        if endpoint == "vm.boot":
            self.boot()
        self.state = after
        return 204, None

    def boot(self):
        if self.behaviour() == "dies":
            print("VMM thread exited with error: cannot map memory", file=sys.stderr, flush=True)
            os._exit(1)
        for path in (self.config["payload"]["kernel"], self.config["payload"]["initramfs"]):
            os.close(os.open(path, os.O_RDONLY))
        opened = {}
        for disk in self.config.get("disks", []):
            os.close(os.open(disk["path"], os.O_RDONLY if disk["readonly"] else os.O_RDWR))
            opened[disk["serial"]] = "ro" if disk["readonly"] else "rw"
        say(disks=opened, uid=os.getuid(), kvm=os.path.exists("/dev/kvm"), taps=self.taps, etc=os.path.exists("/etc"))
        Agent(self.config["vsock"]["socket"], self.behaviour()).start()


def serve(vmm, client):
    """One connection, kept open from request to request."""
    buffer, descriptors = b"", []
    while True:
        head, found, rest = buffer.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head) if found else None
        size = int(length.group(1)) if length else 0
        if not found or len(rest) < size:
            data, came, _, _ = socket.recv_fds(client, 65536, 4)
            if not data:
                return
            buffer += data
            descriptors += came
            continue
        body, buffer = rest[:size], rest[size:]
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        status, answer = vmm.answer(method, target.removeprefix("/api/v1/"), json.loads(body) if body else None,
                                    descriptors)
        descriptors = []
        text = json.dumps(answer).encode() if answer is not None else b""
        reply = f"HTTP/1.1 {status} \r\nServer: Cloud Hypervisor API\r\nConnection: keep-alive\r\n"
        if text:
            reply += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        client.sendall(reply.encode() + b"\r\n" + text)


def main():
    if sys.argv[1:] == ["--version"]:
        return print("cloud-hypervisor v43.0")
    if sys.argv[1:] != ["--api-socket", "fd=4", "--seccomp", "true"]:
        sys.exit(f"unknown arguments {sys.argv[1:]}")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    listener = socket.socket(fileno=4)
    vmm = Vmm()
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(vmm, client), daemon=True).start()


main()
