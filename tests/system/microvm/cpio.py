"""An archive for the kernel's early user space, made by hand (Documentation/driver-api/early-userspace/buffer-format.rst)."""

import gzip


def cpio(files):
    """Gzipped; `files`: path → bytes of an executable file, or None for a directory."""
    out = b""
    for number, (path, content) in enumerate([*files.items(), ("TRAILER!!!", b"")], 1):
        mode = 0o040755 if content is None else 0o100755
        data = content or b""
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + name
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return gzip.compress(out)
