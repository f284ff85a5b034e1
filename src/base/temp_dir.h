// A directory that is removed with everything in it when its owner goes. For tests and for work that must leave
// nothing.
#pragma once

#include <string>

#include "base/result.h"

namespace skerry {

class TempDir {
 public:
  // mkdtemp(3) below `parent` (default: $TMPDIR or /tmp), mode 0700.
  static Result<TempDir> create(const std::string& prefix, const std::string& parent = {});
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&&) = delete;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace skerry
