// Takes devices from their drivers for a guest, and gives them back (Documentation/ABI/testing/sysfs-bus-pci,
// driver_override, unbind, drivers_probe).
//
//   record ──▶ driver_override = vfio-pci ──▶ unbind ──▶ drivers_probe        take()
//              driver_override = (none)   ◀── unbind ◀── bind to the old one   give_back() ──▶ record removed
//
// The record is written before anything is changed: whoever finds one gives back what it names, from any half state, as
// often as needed. A device that had no driver has none again.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "drivers/pci/passthrough.h"

namespace skerry::pci {

// Where a run keeps its record: in its run directory. Whoever removes one gives back first what it names.
inline constexpr const char* kRecordName = "/host-devices";
// One process of the host at a time plans and changes: else two could plan to take the same device from its driver.
inline constexpr const char* kLockPath = "/run/skerry-pci.lock";

// One line each: "ADDRESS GROUP DRIVER", "-" for no driver.
std::string encode_record(const std::vector<Binding>& bindings);
// kCorrupt for anything that encode_record() does not write: the words become paths.
Result<std::vector<Binding>> decode_record(std::string_view text);

class DeviceBinder {
 public:
  // Writes to a file of sysfs, and the kernel acts. A tree without a kernel behind it brings its own.
  using Write = std::function<Status(const std::string& path, std::string_view content)>;
  DeviceBinder();
  DeviceBinder(std::string sysfs, std::string lock, Write write)
      : sysfs_(std::move(sysfs)), lock_(std::move(lock)), write_(std::move(write)) {}

  // What is wanted, from the drivers that have it now. All or none: a failure has given
  // back what was taken. Errors of plan_passthrough(). kAlreadyExists: there is a record. kUnsupported: the kernel has
  // no vfio-pci.
  Result<std::vector<Binding>> take(const PassthroughRequest& wanted, const std::string& record) const;
  // What the record names; no record is success. All are tried; the first error is told, and the record kept.
  Status give_back(const std::string& record) const;

 private:
  [[nodiscard]] Result<Fd> lock() const;
  Status take_planned(const std::vector<Binding>& bindings, const std::string& record) const;
  Status undo(const std::string& record) const;
  [[nodiscard]] std::string device(const Binding& binding) const;
  [[nodiscard]] std::string driver_of(const Binding& binding) const;
  Status take_one(const Binding& binding) const;
  Status give_back_one(const Binding& binding) const;
  Status unbind(const Binding& binding) const;

  std::string sysfs_;
  std::string lock_;
  Write write_;
};

}  // namespace skerry::pci
