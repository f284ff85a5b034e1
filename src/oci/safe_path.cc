#include "oci/safe_path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <vector>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr int kMaxDanglingLinks = 16;

std::uint64_t resolve_flags(Symlinks symlinks) {
  return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (symlinks == Symlinks::kRefuse ? RESOLVE_NO_SYMLINKS : 0ULL);
}

// Makes `name` below `parent_fd`; false when there is something already, were it a link to nothing.
Result<bool> make_one(int parent_fd, const std::string& name, MissingTarget kind) {
  if (kind == MissingTarget::kDirectory) {
    if (::mkdirat(parent_fd, name.c_str(), 0755) == 0) return true;
    if (errno == EEXIST) return false;
    return fail_errno(cat("mkdir ", name));
  }
  const auto made = sys::openat(parent_fd, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDONLY, 0644);
  if (!made && made.error().sys_errno != EEXIST) return fail(made.error());
  return made.has_value();
}

struct Split {
  std::string parent;
  std::string name;
};
Split split_last(const std::string& clean) {
  const auto slash = clean.rfind('/');
  return {slash == 0 ? "/" : clean.substr(0, slash), clean.substr(slash + 1)};
}

// Where a dangling link at parent/name points, as a path of the root; empty when there is no link.
Result<std::string> dangling_target(int parent_fd, const Split& place) {
  char target[PATH_MAX];
  const auto length = ::readlinkat(parent_fd, place.name.c_str(), target, sizeof target - 1);
  if (length < 0) return std::string();
  const std::string text(target, static_cast<std::size_t>(length));
  return clean_absolute(text.starts_with('/') ? text : cat(place.parent, "/", text));
}

Result<Fd> make_path(int root_fd, const std::string& clean, MissingTarget kind, Symlinks symlinks, int links_left) {
  auto opened = open_in_root(root_fd, clean, symlinks);
  if (opened || opened.error().sys_errno != ENOENT) return opened;
  if (links_left == 0) return fail(Error::from_errno(ELOOP, cat("make ", clean)));
  const Split place = split_last(clean);
  const Fd parent = TRY(make_path(root_fd, place.parent, MissingTarget::kDirectory, symlinks, links_left - 1));
  const bool made = TRY(make_one(parent.get(), place.name, kind));
  if (!made && symlinks == Symlinks::kInsideRoot) {
    const std::string target = TRY(dangling_target(parent.get(), place));
    if (!target.empty()) return make_path(root_fd, target, kind, symlinks, links_left - 1);
  }
  // Without following anything: a link may have come meanwhile.
  const int directory = kind == MissingTarget::kDirectory ? O_DIRECTORY : 0;
  return sys::openat(parent.get(), place.name, O_PATH | O_NOFOLLOW | directory);
}

}  // namespace

std::string clean_absolute(const std::string& path) {
  std::vector<std::string_view> parts;
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
      continue;
    }
    parts.push_back(part);
  }
  std::string out;
  for (const auto part : parts) out += cat("/", part);
  return out.empty() ? "/" : out;
}

Result<Fd> open_in_root(int root_fd, const std::string& path, Symlinks symlinks) {
  return sys::openat2(root_fd, path, O_PATH, resolve_flags(symlinks));
}

Result<Fd> make_in_root(int root_fd, const std::string& path, MissingTarget kind, Symlinks symlinks) {
  // The depth of the path bounds the recursion as well.
  const std::string clean = clean_absolute(path);
  const auto depth = static_cast<int>(split(clean, '/').size());
  return make_path(root_fd, clean, kind, symlinks, depth + kMaxDanglingLinks);
}

}  // namespace skerry::oci
