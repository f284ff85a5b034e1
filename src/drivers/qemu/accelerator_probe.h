// Tiny guests under KVM, to see whether hardware virtualisation works here (accelerator.h).
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "drivers/jail.h"
#include "drivers/qemu/boot_files.h"

namespace skerry::qemu {

// Gives `boot` a place for a guest in `directory`, for the time being: whatever a killed daemon left of an earlier one
// is gone before, and nothing is left afterwards.
Status in_probe_place(Jail& jail, const std::string& id, const std::string& directory,
                      const std::function<Status(const EnvironmentPlace&)>& boot);

// Success when its agent reported in time.
Status boot_under_kvm(Jail& jail, const std::string& program, const BootFiles& boot, const std::string& directory);

}  // namespace skerry::qemu
