#include "drivers/qemu/accelerator.h"

#include <fcntl.h>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::qemu {
namespace {

constexpr Duration kVersionTimeout = std::chrono::seconds(10);
constexpr std::string_view kInstead = ": TCG, slower; the jail is the security boundary";

Result<AcceleratorVerdict> cached_verdict(const std::string& cache_file, std::string_view key) {
  return decode_verdict(TRY(read_file(cache_file, 65536)), key);
}

}  // namespace

std::string encode_verdict(const AcceleratorVerdict& verdict, std::string_view key) {
  return cat(verdict.accelerator == Accelerator::kKvm ? "kvm " : "tcg ", key, "\n", verdict.reason, "\n");
}

Result<AcceleratorVerdict> decode_verdict(std::string_view text, std::string_view key) {
  const auto lines = split(text, '\n');
  const auto other = [] { return fail(ErrorCode::kNotFound, "no verdict for this boot"); };
  if (lines.size() != 3 || !lines[2].empty() || lines[0].size() < 4 || lines[0].substr(4) != key) return other();
  const auto word = lines[0].substr(0, 4);
  if (word != "kvm " && word != "tcg ") return other();
  return AcceleratorVerdict{word == "kvm " ? Accelerator::kKvm : Accelerator::kTcg, std::string(lines[1])};
}

std::string obstacle_of(const AcceleratorVerdict& verdict) {
  std::string_view reason = verdict.reason;
  if (reason.ends_with(kInstead)) reason.remove_suffix(kInstead.size());
  return std::string(reason);
}

std::string kvm_obstacle() {
  if (!sys::exists("/dev/kvm")) return "no /dev/kvm";
  const auto device = sys::open("/dev/kvm", O_RDWR);
  return device ? "" : device.error().message();
}

Result<AcceleratorVerdict> probe_accelerator(const std::string& cache_file, std::string_view key,
                                             const std::function<Status()>& boot_under_kvm) {
  if (auto verdict = cached_verdict(cache_file, key)) return verdict;
  // The guest of a probe has one place: two would remove each other's, and take that for the host's fault.
  const Fd lock = TRY(sys::open(cat(cache_file, ".lock"), O_RDWR | O_CREAT, 0600));
  TRY(sys::flock(lock.get(), sys::LockMode::kExclusive, sys::LockWait::kWait));
  if (auto verdict = cached_verdict(cache_file, key)) return verdict;
  AcceleratorVerdict verdict;
  if (auto obstacle = kvm_obstacle(); !obstacle.empty()) {
    verdict.reason = cat("no hardware virtualisation (", obstacle, ")", kInstead);
  } else if (const auto booted = boot_under_kvm(); booted) {
    verdict = {Accelerator::kKvm, "KVM works: a guest booted under it"};
  } else {
    verdict.settled = booted.error().code == ErrorCode::kUnavailable;
    verdict.reason = cat("/dev/kvm is there but no guest boots under it (", booted.error().message(), ")", kInstead);
  }
  if (verdict.settled) TRY(write_file_atomic(cache_file, encode_verdict(verdict, key), 0644));
  return verdict;
}

Result<std::string> accelerator_key(const std::string& qemu) {
  SpawnSpec spec;
  spec.argv = {qemu, "--version"};
  const auto output = TRY_IN("QEMU", run_command(spec, kVersionTimeout));
  if (!output.status.success()) return fail(ErrorCode::kUnsupported, cat(qemu, ": ", output.status.describe()));
  const std::string boot_id = TRY(read_file("/proc/sys/kernel/random/boot_id", 64));
  return cat(trim(boot_id), " ", trim(std::string_view(output.out).substr(0, output.out.find('\n'))));
}

}  // namespace skerry::qemu
