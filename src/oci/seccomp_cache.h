// SeccompCache: one compiled filter on disk. See seccomp_filter.h for why it can be trusted.
//
//   file: u32 magic, u32 key bytes, u32 instructions, key, instructions (struct sock_filter)
#pragma once

#include <linux/filter.h>

#include <optional>
#include <string>
#include <vector>

#include "wire/oci_spec.h"

namespace skerry::oci {

class SeccompCache {
 public:
  // With an empty directory nothing is found and nothing kept.
  SeccompCache(const std::string& directory, const Seccomp& seccomp);

  [[nodiscard]] std::optional<std::vector<sock_filter>> load() const;
  // Best effort.
  void store(const std::vector<sock_filter>& program) const;

 private:
  std::string key_;   // everything the program depends on, as text
  std::string path_;  // empty: no cache
};

}  // namespace skerry::oci
