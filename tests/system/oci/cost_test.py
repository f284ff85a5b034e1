"""What a container costs, beside crun on the same bundle: the rows of bench/oci_bench.py that other load on the machine
hardly changes. The times themselves are `make bench`'s."""

import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../bench"))
os.environ.setdefault("SKERRY_BIN_DIR", os.path.dirname(os.environ.get("SKERRY_OCI", "build/bin/skerry-oci")))
import oci_bench  # noqa: E402


@unittest.skipUnless(shutil.which("crun") and shutil.which("gcc"), "crun or gcc is not installed")
class Cost(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="skerry-oci-cost-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.bench = oci_bench.Bench(self.place)
        self.bench.runtimes.pop("runc", None)
        self.bench.bwrap = None

    def ratio(self, rows, name):
        return next(row["ratio"] for row in rows if row["id"] == name)

    def test_a_start_takes_less_of_the_machine(self):
        # About 0.5 without a filter.
        self.assertLess(self.ratio(oci_bench.cpu_rows(self.bench, rounds=15), "oci.processor-time.crun"), 0.8)

    def test_it_takes_less_memory(self):
        rows = oci_bench.memory_rows(self.bench)
        self.assertLessEqual(self.ratio(rows, "oci.memory.limit"), 1.0)
        self.assertLessEqual(self.ratio(rows, "oci.memory.crun"), 0.6)

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_it_makes_fewer_system_calls(self):
        self.assertLess(self.ratio(oci_bench.syscall_rows(self.bench), "oci.system-calls.crun"), 0.7)


if __name__ == "__main__":
    oci_bench.enter_unified()
    unittest.main(verbosity=2)
