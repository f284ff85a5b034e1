#include "drivers/pci/pci_tree.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::pci {
namespace {

// Exactly `digits` hexadecimal digits.
std::optional<std::uint32_t> hex(std::string_view text, std::size_t digits) {
  std::uint32_t value = 0;
  if (text.size() != digits) return std::nullopt;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [at, error] = std::from_chars(begin, end, value, 16);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

// A number as sysfs writes it: "0x8086\n".
Result<std::uint32_t> read_number(const std::string& path, std::size_t digits) {
  const std::string text = TRY(read_file(path, 64));
  auto number = trim(text);
  if (number.starts_with("0x")) number.remove_prefix(2);
  const auto value = hex(number, digits);
  if (!value) return fail(ErrorCode::kCorrupt, cat(path, ": not a number"));
  return *value;
}

// The last word of where a link leads; empty: there is none.
std::string link_name(const std::string& path) {
  const auto target = sys::readlink(path);
  return target ? target->substr(target->rfind('/') + 1) : "";
}

Result<PciDevice> read_device(const std::string& directory, PciAddress address) {
  PciDevice device;
  device.address = address;
  device.kind.vendor = static_cast<std::uint16_t>(TRY(read_number(directory + "/vendor", 4)));
  device.kind.device = static_cast<std::uint16_t>(TRY(read_number(directory + "/device", 4)));
  device.device_class = TRY(read_number(directory + "/class", 6));
  device.driver = link_name(directory + "/driver");
  if (const auto group = link_name(directory + "/iommu_group"); !group.empty()) {
    device.group = TRY(parse_int<std::uint32_t>(group, directory + "/iommu_group"));
  }
  return device;
}

}  // namespace

Result<PciAddress> PciAddress::parse(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorCode::kInvalidArgument, cat("\"", text, "\" is not a PCI address"),
                "as lspci -D shows it: 0000:01:00.0");
  };
  std::string whole(text);
  if (text.size() == 7) whole = cat("0000:", text);
  if (whole.size() != 12 || whole[4] != ':' || whole[7] != ':' || whole[10] != '.') return wrong();
  const std::string_view parts = whole;
  const auto domain = hex(parts.substr(0, 4), 4);
  const auto bus = hex(parts.substr(5, 2), 2);
  const auto device = hex(parts.substr(8, 2), 2);
  const auto function = hex(parts.substr(11, 1), 1);
  if (!domain || !bus || !device || !function || *device > 31 || *function > 7) return wrong();
  return PciAddress{static_cast<std::uint16_t>(*domain), static_cast<std::uint8_t>(*bus),
                    static_cast<std::uint8_t>(*device), static_cast<std::uint8_t>(*function)};
}

std::string PciAddress::text() const {
  std::array<char, 16> out{};
  std::snprintf(out.data(), out.size(), "%04x:%02x:%02x.%x", domain, bus, device, function);
  return out.data();
}

Result<PciKind> PciKind::parse(std::string_view text) {
  const auto vendor = hex(text.substr(0, 4), 4);
  const auto device = text.size() == 9 && text[4] == ':' ? hex(text.substr(5), 4) : std::nullopt;
  if (!vendor || !device) {
    return fail(ErrorCode::kInvalidArgument, cat("\"", text, "\" is not VENDOR:DEVICE"),
                "as lspci -n shows it: 8086:10fb");
  }
  return PciKind{static_cast<std::uint16_t>(*vendor), static_cast<std::uint16_t>(*device)};
}

std::string PciKind::text() const {
  std::array<char, 16> out{};
  std::snprintf(out.data(), out.size(), "%04x:%04x", vendor, device);
  return out.data();
}

std::vector<PciDevice> PciTree::group(std::uint32_t number) const {
  std::vector<PciDevice> out;
  for (const auto& [address, device] : devices) {
    if (device.group == number) out.push_back(device);
  }
  return out;
}

bool PciTree::has_iommu() const {
  return std::ranges::any_of(devices, [](const auto& entry) { return entry.second.group.has_value(); });
}

Result<PciTree> read_pci_tree(const std::string& sysfs) {
  PciTree tree;
  const std::string directory = sysfs + "/bus/pci/devices";
  if (!sys::exists(directory)) return tree;
  for (const auto& name : TRY(sys::list_directory(directory))) {
    const auto address = TRY_IN(directory, PciAddress::parse(name));
    tree.devices[address] = TRY(read_device(cat(directory, "/", name), address));
  }
  return tree;
}

}  // namespace skerry::pci
