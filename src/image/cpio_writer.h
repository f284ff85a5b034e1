// CpioWriter: an initramfs archive whose bytes depend only on what was added.
//
// Writes the "newc" format (cpio(5); Linux Documentation/driver-api/early-userspace/buffer-format.rst). Entries are
// sorted so that a directory comes before its content, all belong to root, time is 0, inode numbers count from 1.
// Missing parent directories are added by themselves with mode 0755. Paths are relative to the root of the archive; a
// leading
// '/' is dropped; empty components, "." and ".." are refused.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace skerry {

class CpioWriter {
 public:
  // `mode` holds permission bits only (0–07777). kInvalidArgument on a bad path, kAlreadyExists on a second entry of
  // the same path (a directory may be named again: the last mode counts).
  Status add_directory(std::string_view path, mode_t mode);
  Status add_file(std::string_view path, mode_t mode, std::string content);
  // The content is read when the archive is written, from offset 0 to the size the file has now. `fd` is borrowed for
  // the call: the writer keeps its own copy of the descriptor.
  Status add_file(std::string_view path, mode_t mode, int fd);
  Status add_symlink(std::string_view path, std::string_view target);
  // `mode` is permission bits plus S_IFCHR or S_IFBLK.
  Status add_device(std::string_view path, mode_t mode, std::uint32_t major, std::uint32_t minor);

  // The whole archive in memory.
  [[nodiscard]] Result<std::string> to_string() const;
  // Writes the archive at the current offset of `fd`. kCorrupt when a file added by descriptor has become shorter.
  [[nodiscard]] Status write_to(int fd) const;

 private:
  struct Entry {
    mode_t mode = 0;  // with the file type
    std::string content;
    Fd file;  // valid: the content is there
    std::uint64_t size = 0;
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
  };
  // Orders by components, so that "a" < "a/b" < "a-b".
  struct ByComponents {
    bool operator()(const std::string& left, const std::string& right) const;
  };

  Status add(std::string_view path, Entry entry);
  template <typename Sink>
  Status write(Sink&& sink) const;

  std::map<std::string, Entry, ByComponents> entries_;
};

}  // namespace skerry
