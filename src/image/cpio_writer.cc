#include "image/cpio_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr std::string_view kTrailer = "TRAILER!!!";
constexpr std::size_t kArchiveAlignment = 512;
constexpr std::size_t kMaxPath = 4095;

Result<std::string> normalise(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty() || path.size() > kMaxPath || path.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, cat("cpio entry \"", path.substr(0, 64), "\": not a usable path"));
  }
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return fail(ErrorCode::kInvalidArgument, cat("cpio entry \"", path, "\": empty, \".\" or \"..\" component"));
    }
  }
  return std::string(path);
}

void append_hex8(std::string& out, std::uint32_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 28; shift >= 0; shift -= 4) out += kDigits[(value >> static_cast<unsigned>(shift)) & 0xfU];
}

struct Header {
  std::uint32_t ino = 0;
  mode_t mode = 0;
  std::uint32_t links = 1;
  std::uint32_t size = 0;
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
};

// cpio(5), "New ASCII Format": magic and thirteen numbers of eight hexadecimal digits, then the name.
std::string encode_header(const Header& header, std::string_view name) {
  std::string out = "070701";
  const std::array<std::uint32_t, 13> fields{header.ino,
                                             header.mode,
                                             0,
                                             0,
                                             header.links,
                                             0,
                                             header.size,
                                             0,
                                             0,
                                             header.major,
                                             header.minor,
                                             static_cast<std::uint32_t>(name.size() + 1),
                                             0};
  for (const auto field : fields) append_hex8(out, field);
  out += name;
  out += '\0';
  out.append((4 - out.size() % 4) % 4, '\0');
  return out;
}

}  // namespace

bool CpioWriter::ByComponents::operator()(const std::string& left, const std::string& right) const {
  // '/' sorts below every other byte, so a directory's content follows it directly.
  const auto rank = [](char byte) { return byte == '/' ? 0 : static_cast<int>(static_cast<unsigned char>(byte)) + 1; };
  return std::ranges::lexicographical_compare(left, right, {}, rank, rank);
}

Status CpioWriter::add(std::string_view path, Entry entry) {
  const std::string name = TRY(normalise(path));
  if (entry.size > std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kInvalidArgument, cat("cpio entry ", name, ": larger than the format's 4 GiB"));
  }
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    const auto [parent, added] = entries_.try_emplace(name.substr(0, slash));
    if (added) {
      parent->second.mode = S_IFDIR | 0755;
    } else if (!S_ISDIR(parent->second.mode)) {
      return fail(ErrorCode::kInvalidArgument, cat("cpio entry ", name, ": ", parent->first, " is not a directory"));
    }
  }
  const auto found = entries_.find(name);
  if (found != entries_.end() && !(S_ISDIR(entry.mode) && S_ISDIR(found->second.mode))) {
    return fail(ErrorCode::kAlreadyExists, cat("cpio entry ", name, " was added before"));
  }
  entries_.insert_or_assign(name, std::move(entry));
  return {};
}

Status CpioWriter::add_directory(std::string_view path, mode_t mode) {
  Entry entry;
  entry.mode = S_IFDIR | (mode & 07777U);
  return add(path, std::move(entry));
}

Status CpioWriter::add_file(std::string_view path, mode_t mode, std::string content) {
  Entry entry;
  entry.mode = S_IFREG | (mode & 07777U);
  entry.size = content.size();
  entry.content = std::move(content);
  return add(path, std::move(entry));
}

Status CpioWriter::add_file(std::string_view path, mode_t mode, int fd) {
  const auto info = TRY_IN(cat("cpio entry ", path), sys::fstat(fd));
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, cat("cpio entry ", path, ": the source is not a regular file"));
  }
  Entry entry;
  entry.mode = S_IFREG | (mode & 07777U);
  entry.size = static_cast<std::uint64_t>(info.st_size);
  entry.file = TRY(sys::dup(fd));
  return add(path, std::move(entry));
}

Status CpioWriter::add_symlink(std::string_view path, std::string_view target) {
  if (target.empty() || target.size() > kMaxPath || target.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, cat("cpio entry ", path, ": unusable symlink target"));
  }
  Entry entry;
  entry.mode = S_IFLNK | 0777;
  entry.content = std::string(target);
  entry.size = target.size();
  return add(path, std::move(entry));
}

Status CpioWriter::add_device(std::string_view path, mode_t mode, std::uint32_t major, std::uint32_t minor) {
  if (!S_ISCHR(mode) && !S_ISBLK(mode)) {
    return fail(ErrorCode::kInvalidArgument, cat("cpio entry ", path, ": a device is S_IFCHR or S_IFBLK"));
  }
  Entry entry;
  entry.mode = mode;
  entry.major = major;
  entry.minor = minor;
  return add(path, std::move(entry));
}

namespace {

template <typename Sink>
Status copy_file(int fd, std::uint64_t size, const std::string& name, Sink&& sink) {
  std::vector<char> buffer(128U << 10U);
  for (std::uint64_t at = 0; at < size;) {
    const auto want = std::min<std::uint64_t>(buffer.size(), size - at);
    const auto got = ::pread(fd, buffer.data(), want, static_cast<off_t>(at));
    if (got < 0) return fail_errno(cat("read the content of ", name));
    if (got == 0) return fail(ErrorCode::kCorrupt, cat("the file for ", name, " became shorter"));
    TRY(sink(std::string_view(buffer.data(), static_cast<std::size_t>(got))));
    at += static_cast<std::uint64_t>(got);
  }
  return {};
}

}  // namespace

template <typename Sink>
Status CpioWriter::write(Sink&& sink) const {
  std::uint64_t written = 0;
  const auto put = [&](std::string_view bytes) -> Status {
    written += bytes.size();
    return sink(bytes);
  };
  constexpr std::string_view kZeros{"\0\0\0", 3};
  std::uint32_t ino = 0;
  for (const auto& [name, entry] : entries_) {
    const Header header{++ino,       entry.mode, S_ISDIR(entry.mode) ? 2U : 1U, static_cast<std::uint32_t>(entry.size),
                        entry.major, entry.minor};
    TRY(put(encode_header(header, name)));
    if (entry.file.valid()) {
      TRY(copy_file(entry.file.get(), entry.size, name, put));
    } else {
      TRY(put(entry.content));
    }
    TRY(put(kZeros.substr(0, (4 - entry.size % 4) % 4)));
  }
  TRY(put(encode_header({}, kTrailer)));
  TRY(put(std::string((kArchiveAlignment - written % kArchiveAlignment) % kArchiveAlignment, '\0')));
  return {};
}

Result<std::string> CpioWriter::to_string() const {
  std::string out;
  const auto append = [&](std::string_view bytes) -> Status {
    out += bytes;
    return {};
  };
  TRY(write(append));
  return out;
}

Status CpioWriter::write_to(int fd) const {
  std::string pending;
  constexpr std::size_t kFlushAt = 256U << 10U;
  const auto gather = [&](std::string_view bytes) -> Status {
    pending += bytes;
    if (pending.size() < kFlushAt) return {};
    TRY(sys::write_all(fd, pending));
    pending.clear();
    return {};
  };
  TRY(write(gather));
  return sys::write_all(fd, pending);
}

}  // namespace skerry
