// The steps of image/kernel_store.cc, each by itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/kernel_store.h"

namespace skerry {

inline constexpr std::string_view kKernelTemporaryPrefix = "tmp-";

// Mode 0444.
Result<GuestKernel::File> write_kernel_file(const std::string& path, std::string_view bytes);

// Compiles in `scratch` (about 2 GB while it lasts) and puts vmlinux and bzImage into `ready`.
Result<GuestKernel> build_kernel(const KernelBuild& request, const std::string& source_dir, const std::string& scratch,
                                 const std::string& ready, const Work& work);

// Settings of the fragment ("CONFIG_X=y", "# CONFIG_X is not set") that the finished configuration does not hold. Pure.
std::vector<std::string> settings_not_taken(std::string_view fragment, std::string_view config);

}  // namespace skerry
