#include "archive/entry_path.h"

#include <algorithm>

#include "base/text.h"

namespace skerry {

Result<std::string> normalise_entry_path(std::string_view raw) {
  if (raw.empty()) return fail(ErrorCode::kCorrupt, "the path is empty");
  if (raw.size() > kMaxEntryPath) return fail(ErrorCode::kCorrupt, "the path is longer than 4095 bytes");
  if (raw == "/") return std::string();  // umoci names the root so
  if (raw.front() == '/') return fail(ErrorCode::kCorrupt, "the path is absolute");
  if (raw.find('\0') != std::string_view::npos) return fail(ErrorCode::kCorrupt, "the path holds a zero byte");
  std::string out;
  out.reserve(raw.size());
  for (std::size_t from = 0; from <= raw.size();) {
    const auto slash = std::min(raw.find('/', from), raw.size());
    const auto part = raw.substr(from, slash - from);
    from = slash + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(ErrorCode::kCorrupt, "the path leaves the archive with \"..\"");
    if (part.size() > kMaxEntryName) return fail(ErrorCode::kCorrupt, "a name is longer than 255 bytes");
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string printable(std::string_view path) {
  constexpr std::size_t kShown = 200;
  std::string out(path.substr(0, kShown));
  for (char& byte : out) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f) byte = '?';
  }
  if (path.size() > kShown) out += "…";
  return out;
}

}  // namespace skerry
