#include "drivers/qemu/host_devices.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <set>

#include "base/sys_file.h"
#include "base/text.h"
#include "drivers/pci/binding.h"

namespace skerry::qemu {
namespace {

std::string record_of(const EnvironmentPlace& place) { return place.run_dir + pci::kRecordName; }

}  // namespace

Result<std::vector<pci::Binding>> take_host_devices(const EnvironmentPlace& place, const DevicePassthrough& wanted,
                                                    Accelerator accelerator) {
  if (wanted.addresses.empty()) return std::vector<pci::Binding>{};
  const pci::PassthroughRequest request{wanted.addresses, wanted.allowed};
  if (accelerator != Accelerator::kKvm) {
    // What is wrong with the wish comes first.
    TRY_IN("devices.pci_passthrough", pci::plan_passthrough(TRY(pci::read_pci_tree()), request));
    return fail(ErrorCode::kUnsupported, "devices.pci_passthrough: only with hardware virtualisation (KVM)",
                "see: skerry doctor");
  }
  return annotate(pci::DeviceBinder().take(request, record_of(place)), "devices.pci_passthrough");
}

Status give_back_host_devices(const EnvironmentPlace& place) { return pci::DeviceBinder().give_back(record_of(place)); }

bool has_host_devices(const EnvironmentPlace& place) { return sys::exists(record_of(place)); }

Result<std::vector<VmmJailInputs::Node>> vfio_nodes(const std::vector<pci::Binding>& devices) {
  std::vector<VmmJailInputs::Node> out;
  if (devices.empty()) return out;
  std::set<std::string> names{"vfio"};
  for (const auto& each : devices) names.insert(cat(each.group));
  for (const auto& name : names) {
    const std::string path = cat("/dev/vfio/", name);
    const auto info = TRY(sys::stat(path));
    if (!S_ISCHR(info.st_mode)) return fail(ErrorCode::kCorrupt, cat(path, " is no device"));
    out.push_back({path, ::gnu_dev_major(info.st_rdev), ::gnu_dev_minor(info.st_rdev)});
  }
  return out;
}

}  // namespace skerry::qemu
