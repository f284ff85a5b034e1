// The steps of image/image_builder.cc, each by itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/image.h"
#include "image/cpio_writer.h"
#include "image/erofs_writer.h"
#include "image/image_builder.h"
#include "image/merged_tree.h"
#include "image/sha256.h"
#include "image/work.h"

namespace skerry {

// Where the agent lies in every image we build.
inline constexpr std::string_view kAgentPath = "usr/bin/skerry-agent";

// One file, directory or symlink to be added to an image.
struct BuildInput {
  std::string source;  // on the host; empty for directories
  LayerEntry entry;    // path inside, mode, link target
};
// What the mappings say, directories walked, sorted. Modes by path: what lies in a bin or sbin directory, ends in .sh
// or is executable for its owner gets 0755, other files 0644, directories 0755. kInvalidArgument names a missing
// source.
Result<std::vector<BuildInput>> expand_mappings(const std::vector<wire::BuildFile::Mapping>& mappings,
                                                const std::string& directory);

// The agent to install: the build file's or the installation's. kInvalidArgument when it is not the version asked for.
Result<std::string> choose_agent(const BuildRequest& request);

// `path` if absolute, else below `directory`.
std::string resolve_path(const std::string& directory, const std::string& path);

// The source image of oci_rootfs and packages, in the store: found, pulled, built by buildah or made by mmdebstrap.
Result<Image> source_image(ImageStore& store, const BuildRequest& request, const std::string& scratch,
                           const Work& work);

// Adds the inputs to a finished tree, their content through `writer` and all of it to `identity`.
Status install_inputs(MergedTree& tree, ErofsWriter& writer, const std::vector<BuildInput>& inputs, Sha256& identity);

// The file system image at `path` from a tree whose content lies in `content_fd`. Not for EROFS, which is that file.
Status write_filesystem(wire::FilesystemType type, const MergedTree& tree, int content_fd, const std::string& path,
                        std::uint32_t free_mib, const std::array<std::uint8_t, 16>& uuid, const std::string& scratch,
                        const Work& work);

// The initramfs, gzipped.
Status write_initramfs(const BuildRequest& request, const std::vector<BuildInput>& inputs, const std::string& path);

// An SPDX 2.3 document of the packages that the tree's package databases list (dpkg, apk).
Result<std::string> make_sbom(const MergedTree& tree, int content_fd, std::string_view name, const Digest& artifact);
// The same for an initramfs: its own parts.
std::string make_initramfs_sbom(const std::vector<BuildInput>& inputs, std::string_view name, const Digest& artifact);

// Runs a tool of the host to its end. kUnsupported when it is missing, with what to install; on failure its last words.
Status run_tool(const std::vector<std::string>& argv, std::string_view package, const Work& work,
                const std::vector<std::string>& more_env = {}, int stdin_fd = -1);

// minisign(1) with a fixed comment: "<path>.minisig".
Status sign_file(const std::string& path, const std::string& key, const Work& work);

}  // namespace skerry
