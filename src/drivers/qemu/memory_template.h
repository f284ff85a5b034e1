// MemoryTemplate: a guest frozen while it was parked (wire/agent_protocol.h), from which any environment of the same
// image and shape starts in tens of milliseconds.
//
//   make    boot parked ─▶ stop ─▶ device state to a file ─▶ quit ─▶ seal the memory
//   fork    the same machine, memory copy-on-write, -incoming ─▶ load the state ─▶ cont ─▶ "boot" with its own document
//
// The memory is a sealed memfd: no fork, however compromised, can change it. It lives as long as somebody holds it;
// after a restart of the daemon the next start makes a new one. It holds nothing of any environment: no writable layer,
// no address, no random number that a fork would keep (the pool is reseeded before the fork does anything).
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "drivers/jail.h"
#include "drivers/qemu/vmm.h"

namespace skerry::qemu {

struct MemoryTemplate {
  std::string key;
  Fd memory;  // sealed memfd of memory_mib
  Fd state;   // device state
  std::uint32_t memory_mib = 0;
};

// A memfd for a guest's memory.
Result<Fd> memory_file(std::uint32_t memory_mib);

// What must be equal for a fork to work: a mismatch means another template, or a cold boot, never an error. `shape`
// names the base disk; the rest follows from the spec.
Result<std::string> template_key(const VmmSpec& spec, const std::string& base_disk, const std::string& host_key);

// Boots, parks and saves. `spec` is the machine of the environment that wants it: its disks and tap are only used for
// their kind, never touched. `place` is the template's own, for the time being.
Result<MemoryTemplate> make_template(Jail& jail, const EnvironmentPlace& place, const VmmSpec& spec,
                                     const std::string& base_disk, std::string key, Duration boot_timeout);

// The templates of this daemon: made when first asked for, the least recently used one dropped above the limit.
// Thread-safe; one is made at a time.
class TemplatePool {
 public:
  explicit TemplatePool(std::size_t most) : most_(most) {}
  using Make = std::function<Result<MemoryTemplate>()>;
  Result<std::shared_ptr<const MemoryTemplate>> get(const std::string& key, const Make& make);
  // After a fork of it failed: the next start makes a new one.
  void drop(const std::string& key);

 private:
  std::mutex mutex_;
  std::size_t most_;
  std::list<std::shared_ptr<const MemoryTemplate>> recent_first_;
};

}  // namespace skerry::qemu
