// Links: qemu_driver
//
// Starts of microVMs through the whole driver (jail, keeper, disks) against QEMU alone with Debian's kernel as
// packaged, and forks against cold starts. Usage: microvm_bench RESULT.json, with SKERRY_BIN_DIR.
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "bench_row.h"
#include "drivers/qemu/boot_files.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/qemu_driver.h"
#include "drivers/qemu/tsc.h"
#include "image/kernel_store.h"

namespace skerry {
namespace {

constexpr int kRuns = 5;
constexpr int kExecs = 100;
constexpr int kPlainBootMs = 15'000;

struct Bench {
  TempDir temp;
  std::string bin;
  std::unique_ptr<ImageStore> images;
  Image image;
  int next = 0;
};

double ms_since(MonoTime begin) { return static_cast<double>((SystemClock().monotonic() - begin).count()) / 1e6; }

Status run(std::vector<std::string> argv) {
  SpawnSpec spec;
  spec.argv = std::move(argv);
  const auto output = TRY(run_command(spec, std::chrono::seconds(60)));
  if (output.status.success()) return {};
  return fail(ErrorCode::kInternal, cat(spec.argv.at(0), ": ", output.err));
}

Result<Bench> prepare() {
  const char* bin = std::getenv("SKERRY_BIN_DIR");
  if (bin == nullptr) return fail(ErrorCode::kInvalidArgument, "SKERRY_BIN_DIR is not set");
  TRY(sys::unshare(CLONE_NEWNS | CLONE_NEWNET));
  TRY(sys::mount({}, "/", {}, MS_REC | MS_PRIVATE));
  Bench bench{TRY(TempDir::create("skerry-bench-")), bin, nullptr, {}, 0};
  const std::string root = bench.temp / "rootfs";
  TRY(sys::mkdir_all(root + "/bin", 0755));
  TRY(run({"cp", "/bin/busybox", root + "/bin/busybox"}));
  for (const char* name : {"sleep", "true"}) TRY(sys::symlink("busybox", cat(root, "/bin/", name)));
  TRY(run({"tar", "-C", root, "-cf", bench.temp / "rootfs.tar", "."}));
  bench.images = TRY(ImageStore::open({bench.temp / "images", {}}));
  ImageConfig config;
  config.cmd = {"sleep", "1000"};
  config.architecture = "amd64";
  config.os = "linux";
  const auto name = TRY(ImageReference::parse("localhost/bench:1"));
  bench.image = TRY(bench.images->import_rootfs(bench.temp / "rootfs.tar", name, config, {}));
  return bench;
}

std::unique_ptr<Driver> make_driver(const Bench& bench, std::size_t most_templates) {
  JailConfig jail;
  jail.runtime = bench.bin + "/skerry-oci";
  jail.keeper = bench.bin + "/skerry-keeper";
  jail.runtime_root = bench.temp / "oci";
  jail.cgroup_parent = cat("/skerry-bench-", ::getpid());
  QemuConfig config;
  config.agent = bench.bin + "/skerry-agent";
  config.cache_dir = bench.temp / "boot";
  config.accel = AccelChoice::kTcg;
  config.most_templates = most_templates;
  return make_qemu_driver(jail, *bench.images, config);
}

Launch next_launch(Bench& bench) {
  Launch launch;
  const std::string name = cat("bench-", bench.next++);
  launch.place = {cat(name, "-", ::getpid()), name, bench.temp / ("state-" + name), bench.temp / ("run-" + name)};
  launch.spec.name = name;
  launch.spec.isolation = Isolation::kMicrovm;
  launch.spec.resources.memory_mib = 128;
  launch.image = bench.image;
  return launch;
}

// start() of one environment.
Result<double> time_start(Bench& bench, Driver& driver) {
  const Launch launch = next_launch(bench);
  const MonoTime begin = SystemClock().monotonic();
  TRY(driver.start(launch));
  const double took = ms_since(begin);
  TRY(driver.destroy(launch.place));
  return took;
}

Result<double> time_exec(Bench& bench, Driver& driver) {
  const Launch launch = next_launch(bench);
  TRY(driver.start(launch));
  ExecSpec spec;
  spec.argv = {"true"};
  std::vector<double> times;
  for (int i = 0; i < kExecs; ++i) {
    const MonoTime begin = SystemClock().monotonic();
    const auto conversation = TRY(driver.exec(launch.place, spec));
    FrameParser parser;
    while (const auto frame = TRY(read_frame(conversation.socket.get(), parser))) {
      if (frame->session == conversation.session && frame->kind == FrameKind::kExit) break;
    }
    times.push_back(ms_since(begin));
  }
  TRY(driver.destroy(launch.place));
  return bench::median(std::move(times));
}

// QEMU with its own defaults, Debian's bzImage and the same initramfs, until the agent reports. The frequency of the
// clock is given: without it the kernel hangs in calibration on some hosts. Nothing: it did not come up.
Result<std::optional<double>> time_plain_qemu(const std::string& initramfs) {
  const std::string kernel = TRY(host_kernel()).bzimage->path;
  auto pair = TRY(unix_pair());
  const MonoTime begin = SystemClock().monotonic();
  SpawnSpec spec;
  spec.argv = {"qemu-system-x86_64",
               "-M",
               "microvm",
               "-accel",
               "tcg",
               "-m",
               "128",
               "-nodefaults",
               "-display",
               "none",
               "-no-reboot",
               "-kernel",
               kernel,
               "-initrd",
               initramfs,
               "-append",

               cat("console=ttyS0 panic=-1 quiet tsc=reliable tsc_early_khz=", qemu::host_tsc_khz()),
               "-serial",
               "null",
               "-device",
               "virtio-serial-device",
               "-chardev",
               "socket,id=agent,fd=3",
               "-device",
               "virtserialport,chardev=agent,name=skerry.agent"};
  spec.fds = {{pair.second.get(), 3}};
  auto child = TRY(Child::spawn(spec));
  pair.second.reset();
  pollfd ready{pair.first.get(), POLLIN, 0};
  const bool booted = ::poll(&ready, 1, kPlainBootMs) > 0;
  const double took = ms_since(begin);
  TRY(child.signal(SIGKILL));
  TRY(child.wait());
  return booted ? std::optional(took) : std::nullopt;
}

Status measure(const std::string& result) {
  Bench bench = TRY(prepare());
  const auto cold = make_driver(bench, 0);
  const auto forking = make_driver(bench, 1);
  const auto files =
      TRY(qemu::prepare_boot_files({TRY(host_kernel()), bench.bin + "/skerry-agent", bench.temp / "boot"}));
  TRY(time_start(bench, *forking));  // makes the template
  std::vector<double> plain_times;
  std::vector<double> cold_times;
  std::vector<double> fork_times;
  for (int i = 0; i < kRuns; ++i) {
    // Even with the clock given plain QEMU may not come up on a busy host: that is not counted.
    if (const auto booted = TRY(time_plain_qemu(files.initramfs))) plain_times.push_back(*booted);
    cold_times.push_back(TRY(time_start(bench, *cold)));
    for (int k = 0; k < 2; ++k) fork_times.push_back(TRY(time_start(bench, *forking)));
  }
  if (plain_times.empty()) return fail(ErrorCode::kUnavailable, "plain QEMU never booted");
  const double plain_ms = bench::median(plain_times);
  const double cold_ms = bench::median(cold_times);
  const double fork_ms = bench::median(fork_times);
  const double exec_ms = TRY(time_exec(bench, *forking));
  return bench::write_rows(
      result,
      {{"microvm.cold.plain-qemu", cold_ms, plain_ms, 0.6, "to the running workload, jailed; QEMU: to the agent"},
       {"microvm.fork.cold", fork_ms, cold_ms, 0.04, "start from a template against a cold start"},
       {"microvm.exec.fork", exec_ms, fork_ms, 0, "connect, run true, exit code"}});
}

}  // namespace
}  // namespace skerry

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: microvm_bench RESULT.json\n", stderr);
    return 2;
  }
  const auto measured = skerry::measure(argv[1]);
  if (measured) return 0;
  std::fprintf(stderr, "microvm_bench: %s\n", measured.error().message().c_str());
  return 1;
}
