// PciTree: what sysfs says of the host's PCI devices (Documentation/ABI/testing/sysfs-bus-pci,
// sysfs-kernel-iommu_groups), read once into plain values. The root of sysfs is a parameter, so that a tree in a
// directory serves as well.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry::pci {

// "0000:01:00.0": domain, bus, device, function.
struct PciAddress {
  std::uint16_t domain = 0;
  std::uint8_t bus = 0;
  std::uint8_t device = 0;    // below 32
  std::uint8_t function = 0;  // below 8

  // With or without the domain. kInvalidArgument for anything else: the text becomes part of paths.
  static Result<PciAddress> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  auto operator<=>(const PciAddress&) const = default;
};

// Who made it and what it is, as an allow-list names it: "8086:10fb".
struct PciKind {
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;

  static Result<PciKind> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  auto operator<=>(const PciKind&) const = default;
};

struct PciDevice {
  PciAddress address;
  PciKind kind;
  std::uint32_t device_class = 0;      // 0x060400: a bridge between buses
  std::optional<std::uint32_t> group;  // IOMMU group; unset: no IOMMU
  std::string driver;                  // empty: none
  [[nodiscard]] bool is_bridge() const { return device_class >> 16U == 0x06; }
};

struct PciTree {
  std::map<PciAddress, PciDevice> devices;
  [[nodiscard]] std::vector<PciDevice> group(std::uint32_t number) const;
  [[nodiscard]] bool has_iommu() const;
};

inline constexpr const char* kSysfs = "/sys";

// No PCI bus at all is an empty tree. kCorrupt names the file that is not what the kernel writes.
Result<PciTree> read_pci_tree(const std::string& sysfs = kSysfs);

}  // namespace skerry::pci
