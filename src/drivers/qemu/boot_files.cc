#include "drivers/qemu/boot_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/file_io.h"
#include "base/process.h"
#include "base/rollback.h"
#include "base/sparse_copy.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/initramfs_builder.h"
#include "image/kernel_image.h"

namespace skerry::qemu {
namespace {

constexpr std::string_view kKernelPrefix = "vmlinuz-";
constexpr std::string_view kCloudSuffix = "-cloud-amd64";
constexpr Duration kFormatTimeout = std::chrono::seconds(60);
constexpr std::uint64_t kMib = 1U << 20U;

InitramfsSpec initramfs_spec(const BootFilesSpec& spec, const std::string& release) {
  InitramfsSpec initramfs{spec.agent, cat("/lib/modules/", release), {}};
  // A kernel without a module directory has its drivers built in.
  if (!release.empty() && sys::exists(initramfs.modules_dir)) {
    initramfs.modules = {"virtio_mmio", "virtio_console", "virtio_blk", "virtio_net", spec.root_filesystem, "overlay"};
    if (spec.shares) initramfs.modules.emplace_back("virtiofs");
  }
  return initramfs;
}

Result<std::string> unpack_kernel(const std::string& kernel, const std::string& release, const std::string& cache_dir) {
  const auto info = TRY_IN("kernel", sys::stat(kernel));
  std::string path = cat(cache_dir, "/vmlinux-", release, "-", info.st_size, "-", info.st_mtim.tv_sec);
  if (sys::exists(path)) return path;
  const std::string bytes = TRY_IN("kernel", read_file(kernel, kMaxKernelBytes));
  if (is_vmlinux(bytes)) return kernel;
  if (!is_bzimage(bytes)) return fail(ErrorCode::kCorrupt, cat(kernel, " is not a Linux kernel for x86"));
  const auto vmlinux = extract_vmlinux(bytes);
  // Packed in another way: it boots all the same, only slower.
  if (!vmlinux && vmlinux.error().code == ErrorCode::kUnsupported) return kernel;
  if (!vmlinux) return fail(Error(vmlinux.error()).in(kernel));
  TRY(write_file_atomic(path, *vmlinux, 0644));
  return path;
}

Status format(const std::string& path, std::uint64_t size_mib) {
  {
    const Fd file = TRY(sys::open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
    TRY(sys::ftruncate(file.get(), size_mib * kMib));
  }
  SpawnSpec mkfs;
  // Tables are written when they are needed, no space is kept for root: the disk is one guest's own.
  mkfs.argv = {"/usr/sbin/mke2fs",
               "-q",
               "-F",
               "-t",
               "ext4",
               "-m",
               "0",
               "-J",
               "size=16",
               "-E",
               "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0",
               path};
  const auto output = TRY_IN("format the overlay", run_command(mkfs, kFormatTimeout));
  if (output.status.success()) return {};
  return fail(ErrorCode::kIo, cat("mke2fs: ", output.status.describe(), ": ", trim(output.err)));
}

Result<std::string> empty_overlay(std::uint64_t size_mib, const std::string& cache_dir) {
  std::string path = cat(cache_dir, "/overlay-", size_mib, "m.ext4");
  if (sys::exists(path)) return path;
  const std::string temporary = cat(path, ".", ::getpid(), ".tmp");
  Rollback undo;
  undo.add([&] { std::ignore = sys::unlink(temporary); });
  TRY(format(temporary, size_mib));
  TRY(sys::rename(temporary, path));
  undo.commit();
  return path;
}

}  // namespace

std::string kernel_release(const std::string& path) {
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  for (const std::string_view prefix : {kKernelPrefix, std::string_view("vmlinux-"), std::string_view("bzImage-")}) {
    if (name.starts_with(prefix)) return std::string(name.substr(prefix.size()));
  }
  return {};
}

Result<std::string> newest_kernel(const std::string& boot_dir) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(boot_dir.c_str()), ::closedir);
  std::string best;
  const auto better = [](const std::string& left, const std::string& right) {
    const bool left_cloud = left.ends_with(kCloudSuffix);
    if (left_cloud != right.ends_with(kCloudSuffix)) return left_cloud;
    return ::strverscmp(left.c_str(), right.c_str()) > 0;
  };
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    const std::string name = entry->d_name;
    if (name.starts_with(kKernelPrefix) && (best.empty() || better(name, best))) best = name;
  }
  if (best.empty()) {
    return fail(ErrorCode::kNotFound, cat("a guest kernel in ", boot_dir),
                "install linux-image-cloud-amd64, or give --kernel");
  }
  return cat(boot_dir, "/", best);
}

Result<BootFiles> prepare_boot_files(const BootFilesSpec& spec) {
  TRY(sys::mkdir_all(spec.cache_dir, 0755));
  const std::string packed = spec.kernel.empty() ? TRY(newest_kernel("/boot")) : spec.kernel;
  const std::string release = kernel_release(packed);
  BootFiles files;
  files.kernel = TRY(unpack_kernel(packed, release, spec.cache_dir));
  const auto initramfs = initramfs_spec(spec, release);
  const std::string key = TRY_IN("initramfs", initramfs_key(initramfs)).short_text();
  files.initramfs = cat(spec.cache_dir, "/initramfs-", key, ".cpio");
  files.key = cat(files.kernel.substr(files.kernel.rfind('/') + 1), " ", key);
  if (!sys::exists(files.initramfs)) {
    const std::string bytes = TRY_IN("initramfs", build_initramfs(initramfs));
    TRY(write_file_atomic(files.initramfs, bytes, 0644));
  }
  return files;
}

Status use_initramfs(BootFiles& files, const BootFilesSpec& spec, const std::string& theirs, const std::string& path) {
  const std::string packed = spec.kernel.empty() ? TRY(newest_kernel("/boot")) : spec.kernel;
  auto modules = initramfs_spec(spec, kernel_release(packed));
  modules.agent.clear();
  const std::string ours = TRY_IN("initramfs", build_initramfs(modules));
  const Fd from = TRY(sys::open(theirs, O_RDONLY));
  const Fd to = TRY(sys::open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
  TRY(sys::write_all(to.get(), ours));
  std::string chunk(1U << 20U, '\0');
  while (const auto got = TRY(sys::read(from.get(), chunk.data(), chunk.size()))) {
    TRY(sys::write_all(to.get(), std::string_view(chunk).substr(0, got)));
  }
  files.initramfs = path;
  files.key += cat(" ", theirs.substr(theirs.rfind('/') + 1));
  return {};
}

Status make_overlay_disk(const std::string& path, std::uint64_t size_mib, const std::string& cache_dir) {
  if (sys::exists(path)) return {};
  TRY(sys::mkdir_all(cache_dir, 0755));
  const std::string empty = TRY(empty_overlay(size_mib, cache_dir));
  const std::string temporary = cat(path, ".tmp");
  Rollback undo;
  undo.add([&] { std::ignore = sys::unlink(temporary); });
  {
    const Fd from = TRY(sys::open(empty, O_RDONLY));
    const Fd to = TRY(sys::open(temporary, O_RDWR | O_CREAT | O_TRUNC, 0600));
    TRY(copy_sparse(from.get(), to.get()));
  }
  TRY(sys::rename(temporary, path));
  undo.commit();
  return {};
}

}  // namespace skerry::qemu
