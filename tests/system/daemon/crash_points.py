"""skerryd's crash points (src/base/crash_point.h): it counts them, and ends itself at the one SKERRY_CRASH_AT names."""

import os
import re

import skerry_host

# With this set every step is tried; else a sample of those of one test, so that all suites fit into CI's time.
EVERY_STEP = "SKERRY_TEST_EVERY_STEP"


def start(host, crash_at=None):
    host.environment.pop("SKERRY_CRASH_AT", None)
    if crash_at is not None:
        host.environment["SKERRY_CRASH_AT"] = str(crash_at)
    host.start()


def log_size(host):
    path = f"{host.place}/skerryd.log"
    return os.path.getsize(path) if os.path.exists(path) else 0


def passed(host, since):
    """The steps that the log tells of from there on, in order."""
    with open(f"{host.place}/skerryd.log", errors="replace") as log:
        log.seek(since)
        return re.findall(r'crash point.*?step="?([^"\n]*)"?', log.read())


def chosen(points, most, but=0):
    """(number, step) of at most that many to try, but not the first ones: evenly spread over the first of each kind, and
    over the others where there is room."""
    numbered = list(enumerate(points, 1))[but:]
    if os.environ.get(EVERY_STEP) or len(numbered) <= most:
        return numbered
    kinds = {re.sub(r"[0-9a-f]{16}", "ID", step): (number, step) for number, step in reversed(numbered)}
    first = sorted(kinds.values())
    if len(first) >= most:
        return [first[index * len(first) // most] for index in range(most)]
    rest = [each for each in numbered if each not in first]
    more = most - len(first)
    return sorted(first + [rest[index * len(rest) // more] for index in range(more)])


def start_up_to(host, number):
    """False: it has passed that point, and died of it, before it served."""
    try:
        start(host, number)
    except AssertionError:
        if host.daemon.poll() is None:
            raise
        return False
    return True


def die(host):
    """Waits for the end that it is to come to by itself."""
    assert host.daemon.wait(skerry_host.DEADLINE) == -skerry_host.signal.SIGKILL
