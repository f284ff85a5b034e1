#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/build_steps.h"
#include "image/ext4_writer.h"
#include "image/layer_unpack.h"
#include "image/tree_tar.h"
#include "image/watched_run.h"

namespace skerry {
namespace {

constexpr std::size_t kLastWords = 2000;

// The tools' own environment: nothing of the caller's that could change what they write.
std::vector<std::string> tool_environment(const std::vector<std::string>& more) {
  std::vector<std::string> out{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                               "TZ=UTC", "SOURCE_DATE_EPOCH=1"};
  for (const char* name : {"HOME", "http_proxy", "https_proxy", "no_proxy", "TMPDIR"}) {
    if (const char* value = std::getenv(name)) out.push_back(cat(name, "=", value));
  }
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::string uuid_text(const std::array<std::uint8_t, 16>& uuid) {
  const std::string hex = to_hex({reinterpret_cast<const char*>(uuid.data()), uuid.size()});
  return cat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-", hex.substr(16, 4), "-",
             hex.substr(20));
}

struct MergedTar {
  std::string path;
  std::uint64_t size = 0;
};

Result<MergedTar> merged_tar(const MergedTree& tree, int content_fd, TarTimes times, const std::string& scratch,
                             const Work& work) {
  MergedTar out{cat(scratch, "/merged.tar")};
  const Fd file = TRY(sys::open(out.path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  TRY(write_tree_tar(tree, content_fd, file.get(), times, work));
  out.size = static_cast<std::uint64_t>(TRY(sys::fstat(file.get())).st_size);
  return out;
}

// The whole tree as a directory: our own tar, unpacked like a layer.
Result<std::string> merged_directory(const MergedTar& tar, const std::string& scratch, const Work& work) {
  std::string path = cat(scratch, "/merged");
  TRY(sys::mkdir(path, 0755));
  const Fd root = TRY(sys::open(path, O_RDONLY | O_DIRECTORY));
  Fd file = TRY(sys::open(tar.path, O_RDONLY));
  LayerLimits limits;
  limits.max_entries = 10 * limits.max_entries;
  TRY(unpack_layer(std::move(file), root.get(), limits, work.cancelled));
  return path;
}

// sqfstar notes the user who runs it among the owners, whether or not anything belongs to him: an ordinary user is root
// to it. Where he may not make a user namespace, the disk is a good one, but other bytes than root's.
std::vector<std::string> as_root_to_itself(const Work& work) {
  std::vector<std::string> prefix = {"unshare", "--user", "--map-root-user", "--"};
  if (::geteuid() == 0) return {};
  auto tried = prefix;
  tried.emplace_back("true");
  return run_tool(tried, "util-linux", work) ? prefix : std::vector<std::string>();
}

Status write_squashfs(const MergedTree& tree, const MergedTar& tar, const std::string& path, const Work& work) {
  const Fd file = TRY(sys::open(tar.path, O_RDONLY));
  // sqfstar leaves the root's own entry out of a tar. The time of the file system comes from SOURCE_DATE_EPOCH, which
  // excludes an option for it.
  const Inode& root = *tree.root().inode;
  std::array<char, 8> mode{};
  std::snprintf(mode.data(), mode.size(), "%o", static_cast<unsigned>(root.mode));
  auto argv = as_root_to_itself(work);
  argv.insert(argv.end(), {"sqfstar", "-quiet", "-no-progress", "-comp", "zstd", "-root-mode", mode.data(), "-root-uid",
                           cat(root.uid), "-root-gid", cat(root.gid), path});
  return run_tool(argv, "squashfs-tools", work, {}, file.get());
}

// mkfs.btrfs 6.2 makes device nodes without their numbers. Below /dev that does no harm: the guest mounts its own
// there.
Status check_no_devices(const MergedTree::Node& node, const std::string& path) {
  const auto kind = node.inode->kind;
  if (kind == LayerEntry::Kind::kCharDevice || kind == LayerEntry::Kind::kBlockDevice) {
    return fail(ErrorCode::kUnsupported, cat("btrfs: mkfs.btrfs cannot make the device ", path), "use erofs or ext4");
  }
  for (const auto& [name, child] : node.children) {
    if (path.empty() && name == "dev") continue;
    TRY(check_no_devices(*child, cat(path, "/", name)));
  }
  return {};
}

Status write_btrfs(const MergedTar& tar, const std::string& path, std::uint32_t free_mib, const std::string& scratch,
                   const Work& work) {
  const std::string directory = TRY(merged_directory(tar, scratch, work));
  constexpr std::uint64_t kSmallest = 256U << 20U;
  {
    const Fd file = TRY(sys::open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
    TRY(sys::ftruncate(file.get(), kSmallest + 2 * tar.size));
  }
  TRY(run_tool({"mkfs.btrfs", "-q", "--rootdir", directory, "--shrink", path}, "btrfs-progs", work));
  const Fd file = TRY(sys::open(path, O_RDWR));
  const auto size = static_cast<std::uint64_t>(TRY(sys::fstat(file.get())).st_size);
  return sys::ftruncate(file.get(), size + (std::uint64_t{free_mib} << 20U));
}

// mkfs.xfs(8), "prototype file": names cannot hold white space, a word that begins with ':' is a comment, "$" ends a
// directory, and there are no attributes: all refused. It knows no hard links either: they become copies.
Status append_prototype(const MergedTree::Node& node, const std::string& name, const std::string& host_path, int depth,
                        std::string& out) {
  const Inode& inode = *node.inode;
  if (name.find_first_of(" \t\n") != std::string::npos || name.starts_with(':') || name == "$") {
    return fail(ErrorCode::kUnsupported, cat("xfs: mkfs.xfs cannot take the file name \"", name, "\""),
                "use erofs or ext4");
  }
  if (!inode.xattrs.empty()) {
    return fail(ErrorCode::kUnsupported, cat("xfs: mkfs.xfs cannot keep the attributes of ", host_path),
                "use erofs or ext4");
  }
  const auto letter = [&]() -> char {
    switch (inode.kind) {
      case LayerEntry::Kind::kDirectory: return 'd';
      case LayerEntry::Kind::kSymlink: return 'l';
      case LayerEntry::Kind::kCharDevice: return 'c';
      case LayerEntry::Kind::kBlockDevice: return 'b';
      case LayerEntry::Kind::kFifo: return 'p';
      default: return '-';
    }
  }();
  std::array<char, 8> mode{};
  std::snprintf(mode.data(), mode.size(), "%03o", static_cast<unsigned>(inode.mode & 0777U));
  out += std::string(static_cast<std::size_t>(depth), ' ');
  if (depth > 0) out += cat(name, " ");
  out += cat(letter, (inode.mode & 04000U) != 0 ? 'u' : '-', (inode.mode & 02000U) != 0 ? 'g' : '-', mode.data(), " ",
             inode.uid, " ", inode.gid);
  if (inode.kind == LayerEntry::Kind::kFile) out += cat(" ", host_path);
  if (inode.kind == LayerEntry::Kind::kSymlink) {
    if (inode.link_target.find_first_of(" \t\n") != std::string::npos) {
      return fail(ErrorCode::kUnsupported, cat("xfs: mkfs.xfs cannot take the link ", host_path), "use erofs or ext4");
    }
    out += cat(" ", inode.link_target);
  }
  if (letter == 'c' || letter == 'b') out += cat(" ", inode.device_major, " ", inode.device_minor);
  out += '\n';
  if (inode.kind != LayerEntry::Kind::kDirectory) return {};
  for (const auto& [child_name, child] : node.children) {
    TRY(append_prototype(*child, child_name, cat(host_path, "/", child_name), depth + 1, out));
  }
  out += cat(std::string(static_cast<std::size_t>(depth), ' '), "$\n");
  return {};
}

// A prototype has no place for the sticky bit: it is set afterwards, by name.
void collect_sticky(const MergedTree::Node& node, const std::string& path, std::vector<std::string>& commands) {
  if ((node.inode->mode & S_ISVTX) != 0 && node.inode->kind == LayerEntry::Kind::kDirectory) {
    commands.push_back(cat("path ", path.empty() ? "/" : path));
    commands.push_back(cat("write core.mode ", S_IFDIR | node.inode->mode));
  }
  for (const auto& [name, child] : node.children) collect_sticky(*child, cat(path, "/", name), commands);
}

Status set_sticky_bits(const MergedTree& tree, const std::string& path, const Work& work) {
  std::vector<std::string> commands;
  collect_sticky(tree.root(), "", commands);
  // Some hundred commands a run keep the command line short.
  constexpr std::size_t kBatch = 200;
  for (std::size_t from = 0; from < commands.size(); from += kBatch) {
    std::vector<std::string> argv{"xfs_db", "-x"};
    for (std::size_t i = from; i < std::min(commands.size(), from + kBatch); ++i) {
      argv.emplace_back("-c");
      argv.push_back(commands[i]);
    }
    argv.push_back(path);
    TRY(run_tool(argv, "xfsprogs", work));
  }
  return {};
}

Status write_xfs(const MergedTree& tree, const MergedTar& tar, const std::string& path, std::uint32_t free_mib,
                 const std::array<std::uint8_t, 16>& uuid, const std::string& scratch, const Work& work) {
  const std::string directory = TRY(merged_directory(tar, scratch, work));
  std::string prototype = "/dev/null\n0 0\n";
  TRY(append_prototype(tree.root(), "", directory, 0, prototype));
  const std::string prototype_path = cat(scratch, "/prototype");
  TRY(write_file_atomic(prototype_path, prototype, 0600));
  constexpr std::uint64_t kSmallest = 300ULL << 20U;  // what mkfs.xfs 6.1 accepts
  const Fd file = TRY(sys::open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  // Hard links become copies, small files take a block each: a quarter more, and the log.
  TRY(sys::ftruncate(file.get(), std::max<std::uint64_t>(kSmallest, tar.size + tar.size / 4 + (96ULL << 20U)) +
                                     (std::uint64_t{free_mib} << 20U)));
  TRY(run_tool({"mkfs.xfs", "-q", "-f", "-m", cat("uuid=", uuid_text(uuid)), "-p", prototype_path, path}, "xfsprogs",
               work));
  return set_sticky_bits(tree, path, work);
}

}  // namespace

Status run_tool(const std::vector<std::string>& argv, std::string_view package, const Work& work,
                const std::vector<std::string>& more_env, int stdin_fd) {
  TRY(work.check());
  SpawnSpec spec;
  spec.argv = argv;
  spec.env = tool_environment(more_env);
  if (stdin_fd >= 0) spec.fds.push_back({stdin_fd, 0});
  constexpr std::size_t kMaxOutput = 1U << 20U;
  auto ran = run_watched(spec, [&] { return work.check(); }, kMaxOutput);
  if (!ran && ran.error().code == ErrorCode::kCommandNotFound) {
    return fail(ErrorCode::kUnsupported, cat(argv[0], " is not installed"), cat("apt install ", package));
  }
  const auto output = TRY(std::move(ran));
  if (output.status.success()) return {};
  const std::string said = cat(output.err, output.out);
  const bool full = said.find("No space left") != std::string::npos;
  const auto words = trim(std::string_view(said).substr(said.size() - std::min(said.size(), kLastWords)));
  return fail(full ? ErrorCode::kResourceExhausted : ErrorCode::kIo,
              cat(argv[0], ": ", output.status.describe(), ": ", words));
}

Status write_filesystem(wire::FilesystemType type, const MergedTree& tree, int content_fd, const std::string& path,
                        std::uint32_t free_mib, const std::array<std::uint8_t, 16>& uuid, const std::string& scratch,
                        const Work& work) {
  work.report(cat("writing ", wire::to_text(type)));
  if (type == wire::FilesystemType::kExt4) return write_ext4(tree, content_fd, path, free_mib, uuid, work);
  const auto times = type == wire::FilesystemType::kSquashfs ? TarTimes::kWholeSeconds31 : TarTimes::kExact;
  const auto tar = TRY(merged_tar(tree, content_fd, times, scratch, work));
  switch (type) {
    case wire::FilesystemType::kSquashfs: return write_squashfs(tree, tar, path, work);
    case wire::FilesystemType::kBtrfs:
      TRY(check_no_devices(tree.root(), ""));
      return write_btrfs(tar, path, free_mib, scratch, work);
    case wire::FilesystemType::kXfs: return write_xfs(tree, tar, path, free_mib, uuid, scratch, work);
    default: return fail(ErrorCode::kInternal, "this file system has its own writer");
  }
}

Status sign_file(const std::string& path, const std::string& key, const Work& work) {
  // The default trusted comment holds the time: a fixed one keeps the signature the same each time.
  const std::string name = std::filesystem::path(path).filename().string();
  return run_tool({"minisign", "-S", "-s", key, "-m", path, "-x", cat(path, ".minisig"), "-c", "skerry images build",
                   "-t", cat("file:", name)},
                  "minisign", work);
}

}  // namespace skerry
