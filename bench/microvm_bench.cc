// Links: qemu_driver
// Sources: plain_restore.cc
//
// Starts of microVMs through the whole driver (jail, keeper, disks) against QEMU alone with Debian's kernel as
// packaged, and forks against cold starts and against QEMU alone that restores. Usage: microvm_bench RESULT.json, with
// SKERRY_BIN_DIR; SKERRY_BENCH_KERNEL names an own kernel (skerry kernels build) to be measured as well.
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "base/unix_socket.h"
#include "bench_row.h"
#include "drivers/qemu/agent_client.h"
#include "drivers/qemu/boot_files.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/tsc.h"
#include "image/kernel_store.h"
#include "microvm_place.h"
#include "plain_restore.h"

namespace skerry {
namespace {

using bench::ms_since;
using bench::Place;

constexpr int kRuns = 5;
constexpr int kForksARun = 3;
constexpr int kExecs = 200;
constexpr Duration kPlainBootTimeout = std::chrono::seconds(15);
constexpr std::uint64_t kPlainLayerMib = 8192;  // as QemuConfig's own
constexpr int kQuietMs = 100;
constexpr double kTakeGoalMs = 5;  // over what the guest itself takes to answer

struct StartTimes {
  std::vector<double> answer;    // of a fork: to the first answer of its guest
  std::vector<double> workload;  // to the running workload: all of start()
};

// start() of one environment.
Status time_start(Place& place, Driver& driver, StartTimes& times) {
  const Launch launch = bench::next_launch(place);
  const MonoTime begin = SystemClock().monotonic();
  const auto started = TRY(driver.start(launch));
  times.workload.push_back(ms_since(begin));
  times.answer.push_back(static_cast<double>((started.answered_at - begin).count()) / 1e6);
  return driver.destroy(launch.place);
}

// The same of one that was prepared, when all is quiet.
Status time_take(Place& place, Driver& driver, WarmMode mode, StartTimes& times) {
  const Launch launch = bench::next_launch(place);
  TRY(driver.prepare(launch, mode));
  ::poll(nullptr, 0, kQuietMs);
  const MonoTime begin = SystemClock().monotonic();
  const auto started = TRY(driver.start(launch));
  times.workload.push_back(ms_since(begin));
  times.answer.push_back(static_cast<double>((started.answered_at - begin).count()) / 1e6);
  return driver.destroy(launch.place);
}

// Of kExecs commands, in order of time.
Result<std::vector<double>> time_exec(Place& place, Driver& driver) {
  const Launch launch = bench::next_launch(place);
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
  std::ranges::sort(times);
  return times;
}

// One disk of the machine that time_plain_qemu() makes.
void add_plain_disk(std::vector<std::string>& argv, const std::string& name, const std::string& file, bool read_only) {
  argv.insert(argv.end(),
              {"-drive", cat("id=", name, ",file=", file, ",format=raw,if=none,readonly=", read_only ? "on" : "off"),
               "-device", cat("virtio-blk-device,drive=", name, ",serial=", name)});
}

// QEMU with its own defaults and Debian's bzImage; the same initramfs, disks and document as a cold start of ours,
// until the workload runs. The frequency of the clock is given: without it the kernel hangs in calibration on some
// hosts. Nothing: it did not come up.
Result<std::optional<double>> time_plain_qemu(Place& place, const std::string& initramfs) {
  const Launch launch = bench::next_launch(place);
  const auto document = TRY(qemu::boot_document(launch));
  const auto boot = TRY(qemu::command_line(document, {}, qemu::host_tsc_khz()));
  const std::string kernel = TRY(host_kernel()).bzimage->path;
  const std::string base = TRY(place.images->base_disk(place.image, {}));
  const std::string layer = place.temp / "plain-layer";
  const std::string manifest = place.temp / "plain-manifest";
  auto pair = TRY(unix_pair());
  const MonoTime begin = SystemClock().monotonic();
  qemu::BootCache cache(place.temp / "boot");
  TRY(qemu::make_overlay_disk(layer, kPlainLayerMib, cache));
  TRY(write_file_atomic(manifest, boot.manifest_disk, 0600));
  SpawnSpec spec;
  spec.argv = {"qemu-system-x86_64",
               "-M",
               "microvm",
               "-accel",
               "tcg",
               "-m",
               cat(bench::kMemoryMib),
               "-nodefaults",
               "-display",
               "none",
               "-no-reboot",
               "-kernel",
               kernel,
               "-initrd",
               initramfs,
               "-append",
               cat("console=ttyS0 panic=-1 quiet tsc=reliable tsc_early_khz=", qemu::host_tsc_khz(),
                   " skerry.manifest_disk=manifest"),
               "-serial",
               "null",
               "-device",
               "virtio-serial-device",
               "-chardev",
               "socket,id=agent,fd=3",
               "-device",
               "virtserialport,chardev=agent,name=skerry.agent"};
  add_plain_disk(spec.argv, "root", base, true);
  add_plain_disk(spec.argv, "overlay", layer, false);
  add_plain_disk(spec.argv, "manifest", manifest, true);
  spec.fds = {{pair.second.get(), 3}};
  auto child = TRY(Child::spawn(spec));
  pair.second.reset();
  auto agent = qemu::AgentClient::over(std::move(pair.first));
  const auto hello = agent.await_ready(kPlainBootTimeout);
  const double took = ms_since(begin);
  TRY(child.signal(SIGKILL));
  TRY(child.wait());
  TRY(sys::unlink(layer));
  if (!hello && hello.error().code == ErrorCode::kDeadlineExceeded) return std::nullopt;
  if (!hello) return fail(Error(hello.error()).in("plain QEMU"));
  if (hello->error) return fail(Error(*hello->error).in("plain QEMU"));
  return took;
}

struct Measured {
  std::vector<double> plain_boot;
  StartTimes cold;
  StartTimes own_kernel;  // cold too; empty: there is none
  StartTimes fork;
  StartTimes parked;
  StartTimes warmed;
  std::vector<double> plain_restore;
  std::vector<double> plain_cont;
};

// Taking turns.
Result<Measured> take_turns(Place& place, Driver& cold, Driver& forking, Driver* own_kernel) {
  qemu::BootCache cache(place.temp / "boot");
  const auto files = TRY(qemu::prepare_boot_files({TRY(host_kernel()), place.bin + "/skerry-agent", &cache}));
  auto restore = TRY(bench::PlainRestore::make(files, TRY(place.images->base_disk(place.image, {})),
                                               place.temp / "plain", bench::kMemoryMib));
  StartTimes unused;
  TRY(time_start(place, forking, unused));  // makes the template
  Measured out;
  for (int i = 0; i < kRuns; ++i) {
    // Even with the clock given plain QEMU may not come up on a busy host: that is not counted.
    if (const auto booted = TRY(time_plain_qemu(place, files.initramfs))) out.plain_boot.push_back(*booted);
    TRY(time_start(place, cold, out.cold));
    if (own_kernel != nullptr) TRY(time_start(place, *own_kernel, out.own_kernel));
    for (int k = 0; k < kForksARun; ++k) {
      TRY(time_start(place, forking, out.fork));
      const auto restored = TRY(restore.restore());
      out.plain_restore.push_back(restored.answer_ms);
      out.plain_cont.push_back(restored.cont_ms);
      TRY(time_take(place, forking, WarmMode::kParked, out.parked));
      TRY(time_take(place, forking, WarmMode::kWarmed, out.warmed));
    }
  }
  if (out.plain_boot.empty()) return fail(ErrorCode::kUnavailable, "plain QEMU never booted");
  return out;
}

std::vector<bench::Row> take_rows(const Measured& times) {
  const double restore_ms = bench::median(times.plain_restore);
  const double cont_ms = bench::median(times.plain_cont);
  const double fork_ms = bench::median(times.fork.workload);
  return {
      {"microvm.spare-answer.plain-restore", bench::median(times.warmed.answer), restore_ms, 1.15,
       "what was started twice lately, of which skerryd keeps one ready (--spares), against QEMU alone that restores"},
      {"microvm.take-warmed-answer.cont", bench::median(times.warmed.answer), cont_ms + kTakeGoalMs, 1,
       "from the warm pool to the guest's answer, against 5 ms over that of a guest that was only stopped"},
      {"microvm.take-warmed.fork", bench::median(times.warmed.workload), fork_ms, 0,
       "from the warm pool to the running workload, against a fork"},
      {"microvm.take-parked.fork", bench::median(times.parked.workload), fork_ms, 0, "the same, parked"}};
}

Status measure(const std::string& result) {
  Place place = TRY(bench::prepare_place({"sleep", "1000"}));
  const auto cold = bench::make_driver(place, 0);
  const auto forking = bench::make_driver(place, 1);
  const char* kernel = std::getenv("SKERRY_BENCH_KERNEL");
  if (kernel == nullptr)
    std::fputs("microvm_bench: no own kernel (SKERRY_BENCH_KERNEL), its row is left out\n", stderr);
  const auto own_kernel = kernel != nullptr ? bench::make_driver(place, 0, kernel) : nullptr;
  const auto times = TRY(take_turns(place, *cold, *forking, own_kernel.get()));
  const auto exec = TRY(time_exec(place, *forking));
  const double plain_ms = bench::median(times.plain_boot);
  const double cold_ms = bench::median(times.cold.workload);
  const double fork_ms = bench::median(times.fork.workload);
  const double answer_ms = bench::median(times.fork.answer);
  const double restore_ms = bench::median(times.plain_restore);
  const double exec_ms = exec[exec.size() / 2];
  std::vector<bench::Row> rows{
      {"microvm.cold.plain-qemu", cold_ms, plain_ms, 0.6,
       "both to the running workload, with the same initramfs and disks; ours jailed"},
      {"microvm.fork-answer.cold", answer_ms, cold_ms, 0.04,
       "start from a template to the first answer of its guest, against a cold start to the running workload"},
      {"microvm.fork.cold", fork_ms, cold_ms, 0, "the same, to the running workload"},
      {"microvm.fork-answer.plain-restore", answer_ms, restore_ms, 1.15,
       "jailed, nothing ready (of a burst, or the first two), against QEMU alone that restores the same guest"},
      {"microvm.cont.plain-restore", bench::median(times.plain_cont), restore_ms, 0,
       "of QEMU alone: a guest that was stopped, from cont to its answer"},
      {"microvm.exec.fork", exec_ms, fork_ms, 0, "p50: connect, run true, exit code"},
      {"microvm.exec.p99", exec[exec.size() * 99 / 100], exec_ms, 0, "p99 against p50"}};
  for (auto& row : take_rows(times)) rows.push_back(std::move(row));
  if (own_kernel) {
    rows.push_back({"microvm.cold-own-kernel.plain-qemu", bench::median(times.own_kernel.workload), plain_ms, 0.4,
                    "own kernel, jailed; QEMU: Debian's bzImage; both to the running workload"});
  }
  return bench::write_rows(result, rows);
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
