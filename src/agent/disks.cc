#include "agent/disks.h"

#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "agent/look_for.h"
#include "base/clock.h"
#include "base/file_io.h"
#include "base/filesystem_magic.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "wire/manifest_codec.h"

namespace skerry::agent {
namespace {

constexpr Duration kDiskTimeout = std::chrono::seconds(2);
constexpr std::string_view kManifestMark = "skerry-manifest 1\n";

std::string disk_with_serial(std::string_view serial) {
  const std::unique_ptr<DIR, int (*)(DIR*)> blocks(::opendir("/sys/block"), ::closedir);
  if (!blocks) return {};
  while (const dirent* entry = ::readdir(blocks.get())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with("vd")) continue;
    const auto found = read_file(cat("/sys/block/", name, "/serial"), 4096);
    if (found && trim(*found) == serial) return cat("/dev/", name);
  }
  return {};
}

Result<std::string> read_start(const std::string& device, std::size_t limit) {
  const Fd fd = TRY(sys::open(device, O_RDONLY));
  std::string bytes(limit, '\0');
  std::size_t size = 0;
  while (size < limit) {
    const auto got = TRY(sys::read(fd.get(), bytes.data() + size, limit - size));
    if (got == 0) break;
    size += got;
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

Result<std::string> find_disk(std::string_view serial) {
  return look_for(kDiskTimeout, [serial]() -> Result<std::string> {
    auto device = disk_with_serial(serial);
    if (device.empty()) return fail(ErrorCode::kNotFound, cat("disk \"", serial, "\""));
    return device;
  });
}

Result<std::string> detect_filesystem(const std::string& device) {
  const std::string bytes = TRY(read_start(device, kSuperblockBytes));
  const auto name = filesystem_of(bytes);
  if (name.empty()) return fail(ErrorCode::kCorrupt, cat(device, " holds no file system this guest knows"));
  return std::string(name);
}

Result<std::string> read_manifest_disk(const std::string& device) {
  // Compression never makes a text much larger; base64 makes it a third larger.
  const std::string bytes = TRY(read_start(device, 2 * wire::kMaxManifestText));
  if (!bytes.starts_with(kManifestMark)) return fail(ErrorCode::kCorrupt, cat(device, " is not a manifest disk"));
  const std::string_view rest = std::string_view(bytes).substr(kManifestMark.size());
  const auto end = rest.find('\n');
  if (end == std::string_view::npos) return fail(ErrorCode::kCorrupt, cat(device, ": the manifest has no end"));
  return std::string(rest.substr(0, end));
}

}  // namespace skerry::agent
