// BootCache: the directory of what all microVMs boot with (drivers/qemu/boot_files.h). Its files are made when they are
// missing, checked before each use, and made again when they are not what they were made as: torn by a power cut, or
// changed by anybody (image/made_files.h says at what cost).
//
// Thread-safe, and for several processes at once: who makes a file, or looks at one, holds the directory's lock, a file
// that nobody but its owner can open.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "base/result.h"
#include "core/digest.h"
#include "image/initramfs_builder.h"
#include "image/made_files.h"

namespace skerry::qemu {

// The keys of initramfs images that were looked at, for as long as neither agent nor modules change: to know one, all
// of the agent has to be read. Thread-safe.
class InitramfsKeys {
 public:
  Result<Digest> of(const InitramfsSpec& spec);

 private:
  std::mutex mutex_;
  std::map<std::string, Digest> keys_;
};

class BootCache {
 public:
  explicit BootCache(std::string directory) : directory_(std::move(directory)) {}

  // Writes the file to that path; nobody else sees it yet.
  using Make = std::function<Status(const std::string& temporary)>;
  // The path of the file of that name. Whoever opens it later finds it, but for one that somebody else changes then.
  Result<std::string> file(const std::string& name, const Make& make);

  InitramfsKeys& keys() { return keys_; }

 private:
  std::string directory_;
  std::mutex mutex_;
  MadeFiles files_{&sha256_of_sparse_file};
  InitramfsKeys keys_;
};

}  // namespace skerry::qemu
