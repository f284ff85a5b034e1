// Builds bootable artifacts from a build file (wire/build_file.h): `skerry images build`.
//
// The same input gives the same bytes of the artifact, whatever the directory, time, umask or locale, for the
// strategies initramfs and oci_rootfs with erofs, ext4 and squashfs, and for packages as far as the archive serves the
// same packages. Not for xfs and btrfs: mkfs.xfs 6.1 and mkfs.btrfs 6.2 stamp the current time and random ids into
// inodes and trees, and have no option against it. Not for a Dockerfile whose commands are not reproducible themselves.
//
// No loop device and no mount is used. Root is needed only where a tool of the host asks for it: xfs and btrfs (their
// mkfs copy owners from a directory), Dockerfiles and packages. An ordinary user's disks are the same bytes as root's;
// of squashfs only where he may make a user namespace.
#pragma once

#include <string>

#include "base/result.h"
#include "core/digest.h"
#include "image/registry.h"
#include "image/store.h"
#include "image/work.h"
#include "wire/build_file.h"

namespace skerry {

struct BuildRequest {
  wire::BuildFile file;
  std::string directory;      // relative paths of the build file start here
  std::string output_dir;     // made when missing
  std::string default_agent;  // path of this installation's skerry-agent
  std::string default_init;   // and of skerry-init, the C shim
  std::string runtime;        // and of skerry-oci, in which the commands of a Dockerfile run
  std::string signing_key;    // minisign secret key without a password; empty: nothing is signed
  RegistryOptions registry;
};

struct BuildResult {
  std::string artifact_path;  // <output_dir>/rootfs.<type> or initramfs.cpio.gz
  Digest digest;
  std::uint64_t size = 0;
  std::string manifest_path;  // <output_dir>/manifest.json, ready for `skerry plugins install --manifest`
  std::string sbom_path;      // <output_dir>/sbom.spdx.json
  std::string varies;         // why the same build file may give other bytes the next time; empty: it does not
  // With a signing key the manifest carries its `signature`, and each of the three has a <file>.minisig beside it.
};

// BuildResult::varies of what this build file asks for. Pure.
std::string why_bytes_vary(const wire::BuildFile& file);

// Blocking. Files appear whole or not at all; an error leaves none of a failed build.
Result<BuildResult> build_image(ImageStore& store, const BuildRequest& given, const Work& work);

}  // namespace skerry
