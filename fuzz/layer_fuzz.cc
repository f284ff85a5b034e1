// A layer blob as a registry sends it (tar, gzip, zstd): one or two of them read, merged and written as a disk.
// Links: image wire core
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/fd.h"
#include "image/erofs_writer.h"
#include "image/layer_reader.h"
#include "image/merged_tree.h"

namespace skerry {
namespace {

constexpr LayerLimits kLimits{.max_entries = 200, .max_stream_bytes = 1U << 20U, .max_content_bytes = 1U << 20U};

Fd memory_file(const void* data, std::size_t size) {
  Fd fd(::memfd_create("layer", MFD_CLOEXEC));
  if (size != 0 && ::pwrite(fd.get(), data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  return fd;
}

void check(const LayerEntry& entry) {
  if (entry.path.starts_with('/') || entry.path.ends_with('/') || entry.path.size() > 4095) std::abort();
  const std::string padded = "/" + entry.path + "/";
  if (padded.find("/../") != std::string::npos || padded.find("/./") != std::string::npos) std::abort();
  if (!entry.path.empty() && padded.find("//") != std::string::npos) std::abort();
}

Status read_layer(Fd blob, MergedTree& tree, ErofsWriter& writer) {
  LayerReader reader = TRY(LayerReader::open(std::move(blob), kLimits));
  tree.begin_layer();
  while (const auto entry = TRY(reader.next())) {
    check(*entry);
    Inode* const inode = TRY(tree.add(*entry));
    if (inode == nullptr || inode->size == 0) continue;
    inode->content = TRY(writer.begin_file());
    const auto write = [&](std::uint64_t offset, std::string_view bytes) { return writer.write(offset, bytes); };
    TRY(reader.read_content(write));
    TRY(writer.end_file(inode->size));
  }
  tree.end_layer();
  TRY(reader.finish());
  return {};
}

}  // namespace
}  // namespace skerry

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const Fd disk = memory_file(nullptr, 0);
  MergedTree tree;
  ErofsWriter writer(disk.get());
  // The second half, if there is one behind a marker byte pair, is a lower layer.
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto cut = bytes.find("\xfe\xff\xfe\xff");
  const auto upper = bytes.substr(0, cut);
  if (!read_layer(memory_file(upper.data(), upper.size()), tree, writer)) return 0;
  if (cut != std::string_view::npos) {
    const auto lower = bytes.substr(cut + 4);
    if (!read_layer(memory_file(lower.data(), lower.size()), tree, writer)) return 0;
  }
  tree.finish();
  std::ignore = writer.finish(tree, {});
  return 0;
}
