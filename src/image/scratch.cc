#include "image/scratch.h"

#include <string_view>

#include "base/file_io.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/store_state.h"

namespace skerry {
namespace {

constexpr std::string_view kNote = "/scratch-path";
constexpr std::string_view kPrefix = ".skerry-build-";
constexpr std::size_t kMaxPath = 4096;

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Result<std::unique_ptr<ImageStore::Scratch>> ImageStore::scratch_in(const std::string& parent) {
  TempDir note = TRY(state_->stage());
  std::string path = cat(parent, "/", kPrefix, last_part(note.path()));
  TRY(write_file_atomic(cat(note.path(), kNote), path, 0600));
  TRY(sys::mkdir(path, 0700));
  return std::make_unique<Scratch>(std::move(path), std::move(note));
}

ImageStore::Scratch::~Scratch() { static_cast<void>(sys::remove_tree(path_)); }

Status remove_noted_scratches(const std::string& staging_dir) {
  if (!sys::exists(staging_dir)) return {};
  for (const auto& name : TRY(sys::list_directory(staging_dir))) {
    const auto path = read_file(cat(staging_dir, "/", name, kNote), kMaxPath);
    // The note is ours; its name is looked at all the same before a whole tree goes.
    if (!path || !last_part(*path).starts_with(kPrefix) || !sys::exists(*path)) continue;
    log::info("removing what a killed build has left", {{"path", *path}});
    TRY(sys::remove_tree(*path));
  }
  return {};
}

}  // namespace skerry
