#include "control/device_records.h"

#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "drivers/pci/binding.h"

namespace skerry {
namespace {

std::string kept_records(const std::string& all_runs) { return all_runs + pci::kRecordName; }

}  // namespace

Status keep_device_record(const std::string& run_dir, const std::string& all_runs, const std::string& id) {
  const std::string record = run_dir + pci::kRecordName;
  if (sys::is_missing(record)) return {};
  TRY(sys::mkdir_all(kept_records(all_runs), 0700));
  return sys::rename(record, cat(kept_records(all_runs), "/", id));
}

void give_back_devices(const std::string& all_runs) {
  const auto names = sys::list_directory(kept_records(all_runs));
  if (!names) return;
  for (const auto& id : *names) {
    if (auto given = pci::DeviceBinder().give_back(cat(kept_records(all_runs), "/", id)); !given) {
      log::error("devices are still taken from the host", {{"id", id}, {"error", given.error().message()}});
    }
  }
}

}  // namespace skerry
