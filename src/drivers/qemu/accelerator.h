// Which accelerator runs microVMs on this host, decided by booting one: /dev/kvm existing proves nothing.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "drivers/qemu/machine.h"

namespace skerry::qemu {

struct AcceleratorVerdict {
  Accelerator accelerator = Accelerator::kTcg;
  std::string reason;  // for `skerry doctor`
  // False: the guest was not up in time, which a busy host can be the cause of, or could not be tried at all. Not
  // cached.
  bool settled = true;
};

// Of a verdict against KVM: why, without what is used instead.
std::string obstacle_of(const AcceleratorVerdict& verdict);

// One line each way, for the cache: "kvm|tcg KEY\nREASON\n".
std::string encode_verdict(const AcceleratorVerdict& verdict, std::string_view key);
// kNotFound when the text is of another key (another boot of the host, another QEMU) or not a verdict at all.
Result<AcceleratorVerdict> decode_verdict(std::string_view text, std::string_view key);

// Why hardware virtualisation cannot even be tried here; empty when it can.
std::string kvm_obstacle();

// The verdict from the cache file, or by `boot` (a tiny guest under KVM, which reports in time; kUnavailable: it ended,
// or will not speak; any other error is not its own), then cached when it is settled. One process probes at a time
// (flock on CACHE_FILE.lock). `key` names host boot and QEMU version.
Result<AcceleratorVerdict> probe_accelerator(const std::string& cache_file, std::string_view key,
                                             const std::function<Status()>& boot_under_kvm);

// The key: the host kernel's boot id and the emulator's version line.
Result<std::string> accelerator_key(const std::string& qemu);

}  // namespace skerry::qemu
