#include "drivers/qemu/boot_files.h"

#include <fcntl.h>
#include <unistd.h>

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

constexpr Duration kFormatTimeout = std::chrono::seconds(60);
constexpr std::uint64_t kMib = 1U << 20U;

InitramfsSpec initramfs_spec(const BootFilesSpec& spec) {
  InitramfsSpec initramfs{spec.agent, {}, {}};
  const std::string modules = cat("/lib/modules/", spec.kernel.release);
  // A kernel without a module directory has its drivers built in.
  const bool modular = spec.kernel.origin != GuestKernel::Origin::kBuilt && !spec.kernel.release.empty();
  if (modular && sys::exists(modules)) {
    initramfs.modules_dir = modules;
    if (spec.machine == BootFilesSpec::Machine::kMmio) {
      initramfs.modules = {"virtio_mmio", "virtio_console"};
    } else {
      initramfs.modules = {"virtio_pci", "vmw_vsock_virtio_transport"};
    }
    for (const auto* name : {"virtio_blk", "virtio_net"}) initramfs.modules.emplace_back(name);
    initramfs.modules.push_back(spec.root_filesystem);
    initramfs.modules.emplace_back("overlay");
    if (spec.shares) initramfs.modules.emplace_back("virtiofs");
    if (spec.seed) initramfs.modules.emplace_back("isofs");
  }
  return initramfs;
}

// The ELF kernel inside the bzImage of the distribution.
Result<std::string> unpack_kernel(const GuestKernel& kernel, BootCache& cache) {
  const std::string& packed = kernel.bzimage->path;
  const auto info = TRY_IN("kernel", sys::stat(packed));
  bool boots_as_it_is = false;
  auto unpacked = cache.file(cat("vmlinux-", kernel.release, "-", info.st_size, "-", info.st_mtim.tv_sec),
                             [&](const std::string& temporary) -> Status {
                               const std::string bytes = TRY_IN("kernel", read_file(packed, kMaxKernelBytes));
                               boots_as_it_is = is_vmlinux(bytes);
                               if (boots_as_it_is) return fail(ErrorCode::kUnsupported, "it is not packed");
                               if (!is_bzimage(bytes)) {
                                 return fail(ErrorCode::kCorrupt, cat(packed, " is not a Linux kernel for x86"));
                               }
                               const auto vmlinux = extract_vmlinux(bytes);
                               // Packed in another way: it boots all the same, only slower.
                               boots_as_it_is = !vmlinux && vmlinux.error().code == ErrorCode::kUnsupported;
                               if (!vmlinux) return fail(Error(vmlinux.error()).in(packed));
                               return write_file_atomic(temporary, *vmlinux, 0644);
                             });
  if (!unpacked && boots_as_it_is) return packed;
  return unpacked;
}

Result<std::string> plain_kernel(const BootFilesSpec& spec) {
  if (spec.kernel.vmlinux) return spec.kernel.vmlinux->path;
  // Of ours: nothing could be unpacked from it, or it would be here.
  if (spec.kernel.origin != GuestKernel::Origin::kHost) return spec.kernel.bzimage->path;
  return unpack_kernel(spec.kernel, *spec.cache);
}

// What tells this kernel from any other: its path says so for the distribution's, its checksum for ours.
std::string kernel_key(const GuestKernel& kernel, const std::string& path) {
  const auto& file = kernel.vmlinux ? kernel.vmlinux : kernel.bzimage;
  return file->digest.empty() ? path.substr(path.rfind('/') + 1) : file->digest.short_text();
}

Status format(const std::string& path, std::uint64_t size_mib) {
  {
    const Fd file = TRY(sys::open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
    TRY(sys::ftruncate(file.get(), size_mib * kMib));
  }
  SpawnSpec mkfs;
  // Tables are written when they are needed, no space is kept for root: the disk is one guest's own. Nobody resizes it:
  // room for that would be 4 MiB of zeros, copied for every guest.
  mkfs.argv = {"/usr/sbin/mke2fs",
               "-q",
               "-F",
               "-t",
               "ext4",
               "-m",
               "0",
               "-O",
               "^resize_inode",
               "-J",
               "size=16",
               "-E",
               "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0",
               path};
  const auto output = TRY_IN("format the overlay", run_command(mkfs, kFormatTimeout));
  if (output.status.success()) return {};
  return fail(ErrorCode::kIo, cat("mke2fs: ", output.status.describe(), ": ", trim(output.err)));
}

}  // namespace

Result<BootFiles> prepare_boot_files(const BootFilesSpec& spec) {
  const auto initramfs = initramfs_spec(spec);
  const Digest digest = TRY_IN("initramfs", spec.cache->keys().of(initramfs));
  if (spec.kernel.bzimage && spec.kernel.boot_initramfs == digest.text()) {
    return BootFiles{spec.kernel.bzimage->path, {}, spec.kernel.bzimage->digest.short_text()};
  }
  BootFiles files;
  files.kernel = TRY(plain_kernel(spec));
  files.initramfs = TRY_IN("initramfs", spec.cache->file(cat("initramfs-", digest.short_text(), ".cpio"),
                                                         [&](const std::string& temporary) -> Status {
                                                           const std::string bytes = TRY(build_initramfs(initramfs));
                                                           return write_file_atomic(temporary, bytes, 0644);
                                                         }));
  files.key = cat(kernel_key(spec.kernel, files.kernel), " ", digest.short_text());
  return files;
}

Result<BootFiles> prepare_boot_files(const BootFilesSpec& spec, const std::string& theirs, const std::string& path) {
  BootFiles files;
  files.kernel = TRY(plain_kernel(spec));
  auto modules = initramfs_spec(spec);
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
  files.key = cat(kernel_key(spec.kernel, files.kernel), " ", theirs.substr(theirs.rfind('/') + 1));
  return files;
}

Status make_overlay_disk(const std::string& path, std::uint64_t size_mib, BootCache& cache) {
  if (sys::exists(path)) return {};
  const std::string empty = TRY(cache.file(cat("layer-", size_mib, "m.ext4"),
                                           [&](const std::string& temporary) { return format(temporary, size_mib); }));
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
