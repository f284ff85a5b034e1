#include "base/temp_dir.h"

#include <cstdlib>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {

Result<TempDir> TempDir::create(const std::string& prefix, const std::string& parent) {
  std::string base = parent;
  if (base.empty()) {
    const char* from_env = std::getenv("TMPDIR");
    base = from_env != nullptr ? from_env : "/tmp";
  }
  std::string path = cat(base, "/", prefix, ".XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) return fail_errno(cat("mkdtemp ", path));
  return TempDir(std::move(path));
}

TempDir::~TempDir() {
  if (!path_.empty()) static_cast<void>(sys::remove_tree(path_));
}

}  // namespace skerry
