// Tars for tests, made in memory by libarchive.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace skerry {

struct TestEntry {
  std::string path;
  unsigned type = AE_IFREG;
  std::string content{};  // of a file; the target of a symlink or (with `hard_link`) of a hard link
  bool hard_link = false;
  unsigned mode = 0644;
};

inline std::string test_tar(const std::vector<TestEntry>& entries) {
  std::vector<char> out(1U << 20U);
  std::size_t used = 0;
  archive* tar = ::archive_write_new();
  ::archive_write_set_format_pax_restricted(tar);
  ::archive_write_open_memory(tar, out.data(), out.size(), &used);
  for (const auto& from : entries) {
    archive_entry* entry = ::archive_entry_new();
    ::archive_entry_set_pathname(entry, from.path.c_str());
    ::archive_entry_set_filetype(entry, from.type);
    ::archive_entry_set_perm(entry, static_cast<mode_t>(from.mode));
    if (from.type == AE_IFLNK) ::archive_entry_set_symlink(entry, from.content.c_str());
    if (from.hard_link) ::archive_entry_set_hardlink(entry, from.content.c_str());
    const bool has_content = from.type == AE_IFREG && !from.hard_link;
    ::archive_entry_set_size(entry, has_content ? static_cast<la_int64_t>(from.content.size()) : 0);
    ::archive_write_header(tar, entry);
    if (has_content) ::archive_write_data(tar, from.content.data(), from.content.size());
    ::archive_entry_free(entry);
  }
  ::archive_write_free(tar);
  return {out.data(), used};
}

inline Fd memory_file(std::string_view bytes) {
  Fd fd(::memfd_create("test", MFD_CLOEXEC));
  if (::pwrite(fd.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  return fd;
}

}  // namespace skerry
