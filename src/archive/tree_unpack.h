// A tar into a directory of this machine, whoever wrote it: a guest on its way out, a user on his way in.
//
// Nothing leaves the directory: every parent is opened below it without following a symbolic link (openat2(2),
// RESOLVE_BENEATH), whatever stands there already and whatever the archive made before. A file appears under its name
// when it is whole (written beside it, then renamed), so that nothing is written through what was there: not through a
// link, not into a file with other names. Directories are merged; a directory never takes the place of something else,
// nor something else that of a directory. Holes stay holes; extended attributes are set as far as the reader keeps them
// and the file system takes them (else a note, once). Devices and pipes are left out, each with a note. A hard link
// must lead to a file that this same archive brought.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "archive/tar_reader.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry {

// Where a copy goes, decided by what is there (as cp(1) does): into an existing directory, or under a new name.
struct CopyTarget {
  Fd directory;
  std::string as;                  // what the top of the archive is called in it; empty: as in the archive
  bool must_be_directory = false;  // the path ended in a slash, and is not there
};
// What a symbolic link at the very end of the path stands for. One in the middle is followed, as is one with a slash
// behind it: whoever writes that means where it leads.
enum class EndLink : std::uint8_t {
  kFollow,  // for what it leads to, as for cp(1)
  // Nothing: a file takes its place. For whoever copies out of an environment, which may have made that very link when
  // it was copied from before. kConflict when it leads to a directory, where the file would have gone *into*.
  kReplace,
};
// `top`: name_of_top() of the source. With "." a missing directory is made. kNotFound: nor is its parent.
Result<CopyTarget> open_copy_target(const std::string& path, const std::string& top, EndLink link);

struct UnpackOptions {
  std::string top = {};  // each entry is this or below it; empty: any, and the directory's own entry changes nothing
  std::string as = {};   // what the top is called instead; empty: as it is
  bool top_must_be_directory = false;
  bool keep_owners = true;   // else everything belongs to who unpacks. Where the kernel refuses owners: a note, once
  bool keep_set_ids = true;  // set-user-ID, set-group-ID bits
  // Of names that have to be remembered until the end, so that a stranger's archive does not fill our memory.
  // kResourceExhausted beyond it.
  std::uint64_t max_names_bytes = std::numeric_limits<std::uint64_t>::max();
  std::function<void(const std::string& text)> note = {};
};

struct Unpacked {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
};
// To the end of the archive. What it has made when it fails stays.
Result<Unpacked> unpack_tree(TarReader& reader, int directory, const UnpackOptions& options);

}  // namespace skerry
