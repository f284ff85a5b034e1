// The build file (skerry.toml): what `skerry images build` makes. Strict: unknown keys, wrong types and unusable paths
// are errors (kInvalidArgument) that name the key and the line.
//
//   version = "1"
//   strategy = "oci_rootfs" | "initramfs" | "packages"
//   [source]      image = "debian:12"                                      oci_rootfs, from the store or its registry
//                 dockerfile = "Dockerfile", context = ".", target, build_args   oci_rootfs, by buildah
//                 packages = ["nginx-light"], suite = "bookworm", mirror   packages, by mmdebstrap
//                 busybox = "/bin/busybox"                                 initramfs
//   [agent]       path = "skerry-agent", version = "0.1.0"                 default: the agent of this installation
//   [init]        path = "shim" | none = true                              initramfs; default: our C shim
//   [filesystem]  type = "erofs" | "ext4" | "xfs" | "btrfs" | "squashfs", size_buffer_mb = 0
//   [mappings]    "local/file" = "/path/in/the/image"                      directories are copied whole
//   [manifest]    the plugin manifest, but for the artifact and its checksum
//
// Relative paths are relative to the directory of the build file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/image.h"

namespace skerry::wire {

inline constexpr std::size_t kMaxBuildFileBytes = 1U << 20U;

enum class BuildStrategy : std::uint8_t { kOciRootfs, kInitramfs, kPackages };
enum class FilesystemType : std::uint8_t { kErofs, kExt4, kXfs, kBtrfs, kSquashfs };
std::string_view to_text(BuildStrategy strategy);
std::string_view to_text(FilesystemType type);

struct BuildFile {
  BuildStrategy strategy = BuildStrategy::kOciRootfs;

  // oci_rootfs: exactly one of the two.
  std::string image;
  std::string dockerfile;
  std::string context;  // default: the build file's directory
  std::string target;
  std::map<std::string, std::string> build_args;
  // packages
  std::vector<std::string> packages;
  std::string suite = "bookworm";
  std::string mirror;  // empty: what the host's apt uses
  // initramfs
  std::string busybox;

  std::string agent_path;     // empty: the installation's
  std::string agent_version;  // empty: any; else the agent at agent_path must say it is this one
  enum class Init : std::uint8_t { kShim, kFile, kNone };
  Init init = Init::kShim;
  std::string init_path;

  FilesystemType filesystem = FilesystemType::kErofs;
  std::uint32_t size_buffer_mib = 0;  // free space beyond what the content needs; not for read-only file systems

  struct Mapping {
    std::string source;
    std::string target;  // absolute, normal
    bool operator==(const Mapping&) const = default;
  };
  std::vector<Mapping> mappings;  // sorted by target

  std::string manifest_json;  // the [manifest] table as a JSON object
};

Result<BuildFile> parse_build_file(std::string_view text);

// What became of the build, for the manifest.
struct BuiltArtifact {
  enum class Kind : std::uint8_t { kRootfs, kInitramfs };
  Kind kind = Kind::kRootfs;
  std::string url;       // "file:///…"
  std::string checksum;  // "sha256:…"
  std::string format;    // "erofs", "ext4", …; "cpio.gz"
};

// The plugin manifest, ready to be installed: the build file's own, the artifact, and what the image says where the
// build file says nothing (entrypoint, environment, working directory, user). Indented, keys sorted. kInvalidArgument
// when the result is no valid plugin manifest.
Result<std::string> complete_manifest(const BuildFile& file, const BuiltArtifact& artifact, const ImageConfig& config);

}  // namespace skerry::wire
