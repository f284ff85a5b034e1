// MadeFiles: files that Skerry made from verified ones and keeps, the disks of images above all. What they were when
// they were made stands beside them, so that they are not used after anybody changed them.
//
//   NAME           the file
//   NAME.sha256    its checksum, written before the file has its name
//
// Hashed once by each process, and again after a change (image/verified_files.h): else a check costs one stat(2).
// Thread-safe, but one file is made by one thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "image/verified_files.h"

namespace skerry {

class MadeFiles {
 public:
  explicit MadeFiles(FileHash hash = &sha256_of_content) : hash_(hash), verified_(hash) {}

  // Gives the whole file `temporary` its name. What had the name before goes.
  Status keep(const std::string& temporary, const std::string& path);

  // Whether it is there as it was made. One that was changed, or of which nobody knows what it was, is removed: whoever
  // has it open keeps what it had.
  Result<bool> intact(const std::string& path);

  // Removes it, and what is known of it; what is not there is fine.
  Status remove(const std::string& path);

  // The name of a checksum's file begins with that of its file.
  static constexpr std::string_view kSuffix = ".sha256";

 private:
  FileHash hash_;
  VerifiedFiles verified_;
};

}  // namespace skerry
