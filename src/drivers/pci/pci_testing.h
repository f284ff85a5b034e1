// For tests: a sysfs in a temporary directory, with what the kernel does when somebody writes to it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "drivers/pci/binding.h"

namespace skerry::pci {

class FakeSysfs {
 public:
  FakeSysfs() {
    for (const char* name : {"/bus/pci/devices", "/bus/pci/drivers", "/kernel/iommu_groups"}) make(name);
    write("/bus/pci/drivers_probe", "");
  }

  void driver(const std::string& name) {
    make(cat("/bus/pci/drivers/", name));
    write(cat("/bus/pci/drivers/", name, "/bind"), "");
    write(cat("/bus/pci/drivers/", name, "/unbind"), "");
  }
  // `group` below zero: no IOMMU.
  void device(const std::string& address, const std::string& vendor, const std::string& kind, int group,
              const std::string& driver_name, const std::string& device_class = "0x020000") {
    const auto directory = cat("/bus/pci/devices/", address);
    make(directory);
    write(directory + "/vendor", vendor + "\n");
    write(directory + "/device", kind + "\n");
    write(directory + "/class", device_class + "\n");
    write(directory + "/driver_override", "(null)\n");
    if (group >= 0) link(cat("../../../kernel/iommu_groups/", group), directory + "/iommu_group");
    if (!driver_name.empty()) bind(address, driver_name);
  }

  [[nodiscard]] std::string root() const { return root_.path(); }
  [[nodiscard]] std::string lock() const { return root() + "/lock"; }
  [[nodiscard]] std::string driver_of(const std::string& address) const {
    const auto found = sys::readlink(cat(root(), "/bus/pci/devices/", address, "/driver"));
    return found ? found->substr(found->rfind('/') + 1) : "";
  }
  [[nodiscard]] std::string override_of(const std::string& address) const {
    return read_file(cat(root(), "/bus/pci/devices/", address, "/driver_override")).value();
  }
  // What the kernel refuses, by the end of the path written to.
  std::string refuses;
  std::vector<std::string> written;

  DeviceBinder binder() {
    return {root(), lock(),
            [this](const std::string& path, std::string_view content) { return write_as_kernel(path, content); }};
  }

  // What a write does.
  Status write_as_kernel(const std::string& path, std::string_view content) {
    const std::string below = path.substr(root().size());
    written.push_back(cat(below, " ", trim(content)));
    if (!refuses.empty() && written.back().ends_with(refuses)) return fail(ErrorCode::kIo, cat("write ", path));
    TRY(write_existing(path, content));
    if (below.ends_with("/driver_override")) {
      return write_file_atomic(path, content == "\n" ? "(null)\n" : cat(content, "\n"), 0644);
    }
    const std::string address(content);
    if (below.ends_with("/unbind")) return sys::unlink(cat(root(), "/bus/pci/devices/", address, "/driver"));
    if (below.ends_with("/bind")) bind(address, std::string(split(below, '/')[4]));
    if (below.ends_with("/drivers_probe")) bind(address, std::string(trim(override_of(address))));
    return {};
  }

 private:
  void bind(const std::string& address, const std::string& name) {
    link(cat("../../drivers/", name), cat("/bus/pci/devices/", address, "/driver"));
  }
  void make(const std::string& path) { EXPECT_TRUE(sys::mkdir_all(root() + path, 0755)); }
  void write(const std::string& path, std::string_view text) {
    EXPECT_TRUE(write_file_atomic(root() + path, text, 0644));
  }
  void link(const std::string& target, const std::string& path) { EXPECT_TRUE(sys::symlink(target, root() + path)); }

  TempDir root_ = TempDir::create("sysfs").value();
};

}  // namespace skerry::pci
