// A tar that an environment sends to `skerry cp`, unpacked into a directory. Nothing beside that may change.
// Links: archive
#include <fcntl.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "archive/copied_xattrs.h"
#include "archive/tree_unpack.h"
#include "base/file_io.h"
#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"

namespace skerry {
namespace {

constexpr std::string_view kMark = "untouched";

Status unpack(std::string_view bytes, int directory, const UnpackOptions& options) {
  TarRules rules;
  rules.max_entries = 64;
  rules.max_content_bytes = 1U << 20U;
  rules.max_header_bytes = 64U << 10U;
  rules.keep_xattr = [](std::string_view name) { return is_copied(CopiedXattrs::kUser, name); };
  bool given = false;
  auto reader = TRY(TarReader::open(
      [&]() -> Result<std::string_view> { return std::exchange(given, true) ? std::string_view() : bytes; },
      std::move(rules)));
  TRY(unpack_tree(reader, directory, options));
  return {};
}

// Whether a kernel would do something for an attribute of that file.
bool obeys(const std::string& path) {
  const auto file = sys::open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return false;
  const auto names = sys::flistxattr(file->get());
  return names && std::ranges::any_of(*names, [](const std::string& name) {
           return name == "security.capability" || name.starts_with("trusted.") || name.starts_with("user.overlay.");
         });
}

}  // namespace
}  // namespace skerry

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  auto place = TempDir::create("fuzz-tree");
  if (!place) std::abort();
  const std::string inner = *place / "to";
  if (!sys::mkdir(inner, 0700) || !write_file_atomic(*place / "secret", kMark, 0600)) std::abort();
  if (!sys::symlink("../secret", inner + "/link") || !sys::link(*place / "secret", inner + "/name")) std::abort();
  UnpackOptions options;
  options.keep_set_ids = false;
  if (size > 0 && (data[0] & 1U) != 0) options.top = "top";
  if (size > 0 && (data[0] & 2U) != 0) options.as = "new";
  {
    const auto directory = sys::open(inner, O_PATH | O_DIRECTORY);
    if (!directory) std::abort();
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    static_cast<void>(unpack(size > 0 ? bytes.substr(1) : bytes, directory->get(), options));
  }
  if (read_file(*place / "secret").value_or("") != kMark) std::abort();
  if (sys::list_directory(place->path()).value().size() != 2) std::abort();
  const auto left = sys::list_directory(inner);
  if (!left) std::abort();
  for (const auto& name : *left) {
    if (name.starts_with(".skerry-copy.")) std::abort();
    if (obeys(inner + "/" + name)) std::abort();
  }
  return 0;
}
