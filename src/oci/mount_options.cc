#include "oci/mount_options.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace skerry::oci {
namespace {

struct Attribute {
  std::string_view word;
  std::uint64_t set;
  std::uint64_t clear;
};
// The atime words are values of one field (MOUNT_ATTR__ATIME): setting one clears the field first.
constexpr std::array kAttributes = {
    Attribute{"ro", MOUNT_ATTR_RDONLY, 0},
    Attribute{"rw", 0, MOUNT_ATTR_RDONLY},
    Attribute{"nosuid", MOUNT_ATTR_NOSUID, 0},
    Attribute{"suid", 0, MOUNT_ATTR_NOSUID},
    Attribute{"nodev", MOUNT_ATTR_NODEV, 0},
    Attribute{"dev", 0, MOUNT_ATTR_NODEV},
    Attribute{"noexec", MOUNT_ATTR_NOEXEC, 0},
    Attribute{"exec", 0, MOUNT_ATTR_NOEXEC},
    Attribute{"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    Attribute{"diratime", 0, MOUNT_ATTR_NODIRATIME},
    Attribute{"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    Attribute{"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    Attribute{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    Attribute{"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    Attribute{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    Attribute{"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    Attribute{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    Attribute{"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
};

struct Propagation {
  std::string_view word;
  std::uint64_t type;
};
constexpr std::array kPropagations = {
    Propagation{"shared", MS_SHARED},
    Propagation{"slave", MS_SLAVE},
    Propagation{"private", MS_PRIVATE},
    Propagation{"unbindable", MS_UNBINDABLE},
};

// Words without any effect of their own: of mount(8), or what the kernel does anyway.
constexpr std::array<std::string_view, 4> kIgnored = {"defaults", "loud", "nofail", "bind-nonrecursive"};
constexpr std::array<std::string_view, 4> kSuperblockFlags = {"sync", "dirsync", "lazytime", "silent"};

template <typename Table>
auto find_word(const Table& table, std::string_view word) {
  return std::ranges::find_if(table, [&](const auto& entry) { return entry.word == word; });
}

void merge(std::uint64_t& set, std::uint64_t& clear, const Attribute& attribute) {
  const std::uint64_t touched = attribute.set | attribute.clear;
  set = (set & ~touched) | attribute.set;
  // The later word of a pair wins.
  clear = (clear & ~attribute.set) | attribute.clear;
}

bool read_attribute(MountOptions& out, std::string_view word) {
  if (const auto* found = find_word(kAttributes, word); found != kAttributes.end()) {
    merge(out.set, out.clear, *found);
    return true;
  }
  if (!word.starts_with('r')) return false;
  const auto* recursive = find_word(kAttributes, word.substr(1));
  if (recursive == kAttributes.end()) return false;
  merge(out.recursive_set, out.recursive_clear, *recursive);
  return true;
}

bool read_propagation(MountOptions& out, std::string_view word) {
  const bool recursive = word.starts_with('r') && find_word(kPropagations, word.substr(1)) != kPropagations.end();
  const auto* found = find_word(kPropagations, recursive ? word.substr(1) : word);
  if (found == kPropagations.end()) return false;
  out.propagation = found->type;
  out.recursive_propagation = recursive;
  return true;
}

bool read_kind(MountOptions& out, std::string_view word) {
  if (word == "bind")
    out.bind = true;
  else if (word == "rbind")
    out.bind = out.recursive_bind = true;
  else if (word == "tmpcopyup")
    out.copy_up = true;
  else if (word == "idmap")
    out.idmap = true;
  else if (word == "ridmap")
    out.idmap = out.recursive_idmap = true;
  else
    return false;
  return true;
}

}  // namespace

MountOptions parse_mount_options(const std::vector<std::string>& options) {
  MountOptions out;
  for (const auto& word : options) {
    if (word.empty() || std::ranges::find(kIgnored, word) != kIgnored.end()) continue;
    if (read_kind(out, word) || read_attribute(out, word) || read_propagation(out, word)) continue;
    const auto equals = word.find('=');
    if (equals == std::string::npos) {
      out.fs_options.push_back({word, std::nullopt});
    } else {
      out.fs_options.push_back({word.substr(0, equals), word.substr(equals + 1)});
    }
  }
  return out;
}

std::vector<std::string> known_mount_options() {
  std::vector<std::string> out = {"bind", "rbind", "tmpcopyup", "idmap", "ridmap"};
  for (const auto& entry : kAttributes) {
    out.emplace_back(entry.word);
    out.push_back(cat("r", entry.word));
  }
  for (const auto& entry : kPropagations) {
    out.emplace_back(entry.word);
    out.push_back(cat("r", entry.word));
  }
  for (const auto word : kIgnored) out.emplace_back(word);
  for (const auto word : kSuperblockFlags) out.emplace_back(word);
  std::ranges::sort(out);
  return out;
}

}  // namespace skerry::oci
