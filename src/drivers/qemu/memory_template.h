// MemoryTemplate: a guest frozen while it was parked (wire/agent_protocol.h), from which any environment of the same
// image, shape and zone starts in tens of milliseconds.
//
//   make    boot parked ─▶ device state to a file, which stops it ─▶ quit ─▶ seal the memory
//   fork    the same machine, memory copy-on-write, -incoming ─▶ load the state, which lets it run ─▶ "boot" with its
//   own
//           document
//
// The memory is a sealed memfd: no fork, however compromised, can change it. It lives as long as somebody holds it;
// after a restart of the daemon the next start makes a new one. It holds nothing of any environment: no address, no
// random number that a fork would keep (the pool is reseeded before the fork does anything). Two forms: one has mounted
// an empty writable layer, of which each fork, a new environment, gets a copy of its own; the other none, for an
// environment that has its layer from an earlier run.
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
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/vmm.h"

namespace skerry::qemu {

struct MemoryTemplate {
  std::string key;
  Fd memory;  // sealed memfd of memory_mib
  Fd state;   // device state
  Fd layer;   // the writable layer it has mounted, as it was then; invalid: none
  std::uint32_t memory_mib = 0;
};

// A memfd for a guest's memory.
Result<Fd> memory_file(std::uint32_t memory_mib);

// What must be equal for a fork to work: a mismatch means another template, or a cold boot, never an error. Which of
// the two forms, and whose zone, is not in it.
Result<std::string> template_key(const VmmSpec& spec, const std::string& base_disk, const std::string& host_key);

// Where and how a template is made.
struct TemplateInputs {
  EnvironmentPlace place;  // its own, for the time being
  std::string base_disk;
  BootCache* cache;  // outlives the call
  std::string key;
  Duration boot_timeout;
  GuestKeys keys;  // what its kernel is told, and so that of each fork
};
// Boots, parks and saves. `spec` is the machine of the environment that wants it: its disks and tap are only used for
// their kind, never touched. With VmmSpec::blank_layer the template has one too.
Result<MemoryTemplate> make_template(Jail& jail, const VmmSpec& spec, TemplateInputs inputs);

// What is left of one whose maker was killed: its guest, its directories. Nothing there is fine.
Status clear_template(const Jail& jail, const EnvironmentPlace& place);

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
