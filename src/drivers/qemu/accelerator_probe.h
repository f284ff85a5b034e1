// A tiny guest under KVM, to see whether hardware virtualisation works here (accelerator.h).
#pragma once

#include <string>

#include "base/result.h"
#include "drivers/jail.h"
#include "drivers/qemu/boot_files.h"

namespace skerry::qemu {

// Success when its agent reported in time. `directory` is the guest's for the time being; nothing is left of it.
Status boot_under_kvm(Jail& jail, const std::string& program, const BootFiles& boot, const std::string& directory);

}  // namespace skerry::qemu
