#include "drivers/pci/binding.h"

#include <fcntl.h>

#include <algorithm>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::pci {
namespace {

constexpr std::string_view kNoDriver = "-";
constexpr std::size_t kMostRecord = 65536;

bool is_driver_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != '.' && std::ranges::all_of(text, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           letter == '-' || letter == '_' || letter == '.';
  });
}

Result<Binding> decode_line(std::string_view line) {
  const auto words = split(line, ' ');
  const auto broken = [&] { return fail(ErrorCode::kCorrupt, cat("record of PCI devices: \"", line, "\"")); };
  if (words.size() != 3) return broken();
  const auto address = PciAddress::parse(words[0]);
  const auto group = parse_int<std::uint32_t>(words[1], "group");
  if (!address || !group) return broken();
  if (words[2] == kNoDriver) return Binding{*address, *group, {}};
  if (!is_driver_name(words[2])) return broken();
  return Binding{*address, *group, std::string(words[2])};
}

}  // namespace

std::string encode_record(const std::vector<Binding>& bindings) {
  std::string out;
  for (const auto& each : bindings) {
    out += cat(each.address.text(), " ", each.group, " ", each.driver.empty() ? kNoDriver : each.driver, "\n");
  }
  return out;
}

Result<std::vector<Binding>> decode_record(std::string_view text) {
  std::vector<Binding> out;
  for (const auto line : split(text, '\n')) {
    if (!line.empty()) out.push_back(TRY(decode_line(line)));
  }
  return out;
}

DeviceBinder::DeviceBinder() : DeviceBinder(kSysfs, kLockPath, write_existing) {}

Result<Fd> DeviceBinder::lock() const {
  Fd file = TRY(sys::open(lock_, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  TRY_IN(lock_, sys::flock(file.get(), sys::LockMode::kExclusive, sys::LockWait::kWait));
  return file;
}

std::string DeviceBinder::device(const Binding& binding) const {
  return cat(sysfs_, "/bus/pci/devices/", binding.address.text());
}

std::string DeviceBinder::driver_of(const Binding& binding) const {
  const auto link = sys::readlink(device(binding) + "/driver");
  return link ? link->substr(link->rfind('/') + 1) : "";
}

Status DeviceBinder::unbind(const Binding& binding) const {
  const std::string driver = driver_of(binding);
  if (driver.empty()) return {};
  return write_(cat(sysfs_, "/bus/pci/drivers/", driver, "/unbind"), binding.address.text());
}

Status DeviceBinder::take_one(const Binding& binding) const {
  // First: from the unbind on any driver could take it.
  TRY(write_(device(binding) + "/driver_override", kVfioDriver));
  TRY(unbind(binding));
  TRY(write_(sysfs_ + "/bus/pci/drivers_probe", binding.address.text()));
  if (driver_of(binding) == kVfioDriver) return {};
  return fail(ErrorCode::kUnavailable, cat(kVfioDriver, " did not take it"));
}

Result<std::vector<Binding>> DeviceBinder::take(const PassthroughRequest& wanted, const std::string& record) const {
  const Fd held = TRY(lock());
  auto bindings = TRY(plan_passthrough(TRY(read_pci_tree(sysfs_)), wanted));
  TRY(take_planned(bindings, record));
  return bindings;
}

Status DeviceBinder::take_planned(const std::vector<Binding>& bindings, const std::string& record) const {
  if (sys::exists(record)) return fail(ErrorCode::kAlreadyExists, cat(record, ": devices were not given back yet"));
  if (!sys::exists(cat(sysfs_, "/bus/pci/drivers/", kVfioDriver))) {
    return fail(ErrorCode::kUnsupported, cat("the kernel has no ", kVfioDriver), cat("modprobe ", kVfioDriver));
  }
  TRY(write_file_atomic(record, encode_record(bindings), 0600));
  for (const auto& each : bindings) {
    auto taken = take_one(each);
    if (taken) continue;
    static_cast<void>(undo(record));
    return fail(std::move(taken).error().in(cat("take PCI device ", each.address.text())));
  }
  return {};
}

Status DeviceBinder::give_back_one(const Binding& binding) const {
  // Gone from the machine: there is nothing to give back.
  if (!sys::exists(device(binding))) return {};
  // An end of line clears it.
  TRY(write_(device(binding) + "/driver_override", "\n"));
  const std::string now = driver_of(binding);
  if (now == binding.driver) return {};
  if (!now.empty()) TRY(unbind(binding));
  if (binding.driver.empty()) return {};
  return write_(cat(sysfs_, "/bus/pci/drivers/", binding.driver, "/bind"), binding.address.text());
}

Status DeviceBinder::give_back(const std::string& record) const {
  if (sys::is_missing(record)) return {};
  // Half given back it has no driver: whoever plans to take it then would leave it without.
  const Fd held = TRY(lock());
  return undo(record);
}

Status DeviceBinder::undo(const std::string& record) const {
  const auto text = read_file(record, kMostRecord);
  if (!text && text.error().code == ErrorCode::kNotFound) return {};
  if (!text) return fail(Error(text.error()));
  const auto bindings = TRY(decode_record(*text));
  Status first;
  for (const auto& each : bindings) {
    auto given = give_back_one(each);
    if (!given && first) first = fail(std::move(given).error().in(cat("give back PCI device ", each.address.text())));
  }
  TRY(std::move(first));
  return sys::unlink(record);
}

}  // namespace skerry::pci
