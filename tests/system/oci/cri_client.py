"""A client of the Kubernetes container runtime interface, as small as a test needs: cri_client.py SOCKET HANDLER IMAGE.

Runs a pod sandbox and a container in it by the named runtime handler, executes a command in it, and removes both; prints
what it saw as JSON. There is no crictl in Debian 12, and no generated code for the protocol, so messages are encoded here
by their field numbers (cri-api, runtime/v1/api.proto).
"""

import json
import sys

import grpc


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def encode(fields):
    """{number: value}: int, str, bytes (an encoded message), dict (a message), list (repeated)."""
    out = b""
    for number, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int):
                out += varint(number << 3) + varint(item)
                continue
            data = encode(item) if isinstance(item, dict) else item.encode() if isinstance(item, str) else item
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def decode(data):
    """The fields of a message: {number: [values]}, messages and texts as bytes."""
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = number()
        value = number()
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        fields.setdefault(key >> 3, []).append(value)
    return fields


def main(socket, handler, image):
    channel = grpc.insecure_channel(f"unix:{socket}")

    def call(service, method, fields):
        answer = channel.unary_unary(f"/runtime.v1.{service}/{method}")(encode(fields), timeout=30, wait_for_ready=True)
        return decode(answer)

    def runtime(method, fields):
        return call("RuntimeService", method, fields)
    node = 2  # NamespaceMode.NODE: no network plugin is needed
    sandbox_config = {1: {1: "pod", 2: "uid-1", 3: "default"}, 8: {2: {1: {1: node}}}}
    container_config = {1: {1: "main"}, 2: {1: image}, 3: ["sleep", "1000"], 6: [{1: "X", 2: "one"}],
                        15: {1: {3: 512, 4: 64 << 20}, 2: {3: {1: node}}}}
    seen = {}
    seen["version"] = runtime("Version", {})[2][0].decode()
    sandbox = runtime("RunPodSandbox", {1: sandbox_config, 2: handler})[1][0].decode()
    try:
        container = runtime("CreateContainer", {1: sandbox, 2: container_config, 3: sandbox_config})[1][0].decode()
        runtime("StartContainer", {1: container})
        out = runtime("ExecSync", {1: container, 2: ["sh", "-c", "echo $X; cat /sys/fs/cgroup/memory/memory.limit_in_bytes "
                                                     "/sys/fs/cgroup/memory.max 2>/dev/null; exit 5"], 3: 10})
        seen["output"] = out[1][0].decode().split()
        seen["code"] = out[3][0]
        seen["state"] = decode(runtime("ContainerStatus", {1: container})[1][0])[3][0]  # 1: CONTAINER_RUNNING
        seen["sandbox"], seen["container"] = sandbox, container
        print(json.dumps(seen), flush=True)
        sys.stdin.readline()  # somebody may look at it meanwhile
        runtime("StopContainer", {1: container, 2: 0})
        runtime("RemoveContainer", {1: container})
    finally:
        runtime("StopPodSandbox", {1: sandbox})
        runtime("RemovePodSandbox", {1: sandbox})


if __name__ == "__main__":
    main(*sys.argv[1:])
