#include <algorithm>

#include "base/text.h"
#include "image/build_steps.h"
#include "image/tree_tar.h"
#include "wire/spdx.h"

namespace skerry {
namespace {

constexpr std::size_t kMaxDatabase = 256U << 20U;

// The text of a file of the tree; empty when there is none.
Result<std::string> text_at(const MergedTree& tree, int content_fd, std::string_view path) {
  const auto* node = tree.find(path);
  if (node == nullptr || node->inode->kind != LayerEntry::Kind::kFile || node->inode->size > kMaxDatabase) {
    return std::string();
  }
  std::string out;
  const auto append = [&](std::string_view bytes) -> Status {
    out += bytes;
    return {};
  };
  TRY(read_tree_content(*node->inode, content_fd, append));
  return out;
}

std::string_view value_of(std::string_view line, std::string_view key) {
  return line.starts_with(key) ? trim(line.substr(key.size())) : std::string_view();
}

// dpkg's status file: paragraphs of "Key: value" (deb-control(5)).
void read_dpkg(std::string_view text, std::vector<wire::SpdxPackage>& out) {
  wire::SpdxPackage current;
  bool installed = false;
  const auto finish = [&] {
    if (installed && !current.name.empty()) {
      current.purl = cat("pkg:deb/debian/", current.name, "@", current.version, "?arch=", current.architecture);
      out.push_back(current);
    }
    current = {};
    installed = false;
  };
  for (const auto line : split(text, '\n')) {
    if (line.empty()) finish();
    if (const auto name = value_of(line, "Package:"); !name.empty()) current.name = name;
    if (const auto version = value_of(line, "Version:"); !version.empty()) current.version = version;
    if (const auto architecture = value_of(line, "Architecture:"); !architecture.empty()) {
      current.architecture = architecture;
    }
    if (const auto status = value_of(line, "Status:"); !status.empty()) installed = status.ends_with(" installed");
    // Images without dpkg itself (status.d) say nothing of the state: what is listed is there.
    if (line.starts_with("Package:") && text.find("\nStatus:") == std::string_view::npos) installed = true;
  }
  finish();
}

// apk's installed database: paragraphs of "K:value".
void read_apk(std::string_view text, std::vector<wire::SpdxPackage>& out) {
  wire::SpdxPackage current;
  for (const auto line : split(text, '\n')) {
    if (line.empty() && !current.name.empty()) {
      current.purl = cat("pkg:apk/alpine/", current.name, "@", current.version, "?arch=", current.architecture);
      out.push_back(std::exchange(current, {}));
    }
    if (const auto name = value_of(line, "P:"); !name.empty()) current.name = name;
    if (const auto version = value_of(line, "V:"); !version.empty()) current.version = version;
    if (const auto architecture = value_of(line, "A:"); !architecture.empty()) current.architecture = architecture;
  }
  if (!current.name.empty()) out.push_back(current);
}

}  // namespace

Result<std::string> make_sbom(const MergedTree& tree, int content_fd, std::string_view name, const Digest& artifact) {
  std::vector<wire::SpdxPackage> packages;
  read_dpkg(TRY(text_at(tree, content_fd, "var/lib/dpkg/status")), packages);
  if (const auto* folder = tree.find("var/lib/dpkg/status.d");
      folder != nullptr && folder->inode->kind == LayerEntry::Kind::kDirectory) {
    for (const auto& [file, node] : folder->children) {
      read_dpkg(TRY(text_at(tree, content_fd, cat("var/lib/dpkg/status.d/", file))), packages);
    }
  }
  read_apk(TRY(text_at(tree, content_fd, "lib/apk/db/installed")), packages);
  std::ranges::sort(packages, {}, [](const auto& package) { return std::tie(package.name, package.version); });
  return wire::format_spdx(name, artifact, packages);
}

std::string make_initramfs_sbom(const std::vector<BuildInput>& inputs, std::string_view name, const Digest& artifact) {
  std::vector<wire::SpdxPackage> packages = {{"busybox", "", "", ""}, {"skerry-agent", SKERRY_VERSION, "", ""}};
  for (const auto& input : inputs) {
    if (input.entry.kind == LayerEntry::Kind::kFile) packages.push_back({input.entry.path, "", "", ""});
  }
  return wire::format_spdx(name, artifact, packages);
}

}  // namespace skerry
