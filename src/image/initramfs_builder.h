// The boot initramfs of microVMs: the agent as /init and the kernel modules it loads, one uncompressed cpio (the kernel
// unpacks it without a decompressor). Same agent, same modules: same bytes.
//
//   /init                          skerry-agent
//   /dev/console                   so that PID 1 has a stdio
//   /lib/skerry/modules/order      file names, in the order to load them
//   /lib/skerry/modules/NAME.ko
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/digest.h"

namespace skerry {

struct InitramfsSpec {
  std::string agent;                 // path of the static binary; empty: only the modules, for another's initramfs
  std::string modules_dir;           // "/lib/modules/RELEASE"; not read without modules
  std::vector<std::string> modules;  // names ("virtio_blk"); their dependencies are added
};

// Every module in the order to load it, dependencies first, as paths below modules_dir. `modules_dep` and
// `modules_builtin` are the texts of depmod(8)'s files. A built-in one needs nothing; kNotFound names a module that is
// in neither. Pure.
Result<std::vector<std::string>> module_load_order(std::string_view modules_dep, std::string_view modules_builtin,
                                                   const std::vector<std::string>& names);

// What identifies the bytes to come: a digest over the agent, the modules' names and sizes and the directory.
Result<Digest> initramfs_key(const InitramfsSpec& spec);

// Modules compressed by xz, gzip or zstd are unpacked.
Result<std::string> build_initramfs(const InitramfsSpec& spec);

}  // namespace skerry
