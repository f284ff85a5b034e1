// Skerry's own kernel: everything a microVM needs built in, nothing else, so that it boots without modules.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/build_steps.h"
#include "image/initramfs_builder.h"
#include "image/kernel_image.h"
#include "image/kernel_steps.h"
#include "image/watched_run.h"

namespace skerry {
namespace {

constexpr std::string_view kSourcePrefix = "linux-source-";
constexpr std::string_view kSourceSuffix = ".tar.xz";
constexpr std::size_t kMaxConfig = 1U << 20U;
constexpr std::size_t kLastWords = 2000;

struct Tool {
  const char* path;
  const char* package;
};
// What the kernel's own build calls (Documentation/process/changes.rst), and lz4 for the bzImage.
constexpr Tool kTools[] = {{"/usr/bin/make", "make"},   {"/usr/bin/gcc", "gcc"},
                           {"/usr/bin/flex", "flex"},   {"/usr/bin/bison", "bison"},
                           {"/usr/bin/bc", "bc"},       {"/usr/bin/lz4", "lz4"},
                           {"/usr/bin/xz", "xz-utils"}, {"/usr/include/libelf.h", "libelf-dev"}};

Status check_tools() {
  std::vector<std::string> missing;
  for (const auto& tool : kTools) {
    if (!sys::exists(tool.path)) missing.emplace_back(tool.package);
  }
  if (missing.empty()) return {};
  return fail(ErrorCode::kUnsupported, cat("building a kernel needs ", join(missing, ", ")),
              cat("apt install ", join(missing, " ")));
}

Result<std::string> newest_source(const std::string& dir) {
  std::string best;
  const auto names = sys::exists(dir) ? TRY(sys::list_directory(dir)) : std::vector<std::string>{};
  for (const auto& name : names) {
    if (!name.starts_with(kSourcePrefix) || !name.ends_with(kSourceSuffix)) continue;
    if (best.empty() || ::strverscmp(name.c_str(), best.c_str()) > 0) best = name;
  }
  if (best.empty()) {
    return fail(ErrorCode::kNotFound, cat("the kernel's source in ", dir),
                "apt install linux-source, or give --source");
  }
  return cat(dir, "/", best);
}

// Runs the kernel's make. Nothing of this host or moment gets into what it makes (Documentation/kbuild/
// reproducible-builds.rst).
class KernelTree {
 public:
  KernelTree(std::string source, std::string out, const Work& work)
      : source_(std::move(source)), out_(std::move(out)), work_(work) {}

  Status make(const std::string& stage, const std::vector<std::string>& targets,
              const std::vector<std::string>& more_env = {}) {
    SpawnSpec spec;
    spec.argv = {"make", "-C", source_, cat("O=", out_), "-s", cat("-j", ::sysconf(_SC_NPROCESSORS_ONLN))};
    spec.argv.insert(spec.argv.end(), targets.begin(), targets.end());
    spec.env = std::vector<std::string>{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                        "LC_ALL=C.UTF-8",
                                        "TZ=UTC",
                                        "SOURCE_DATE_EPOCH=1",
                                        "KCONFIG_NOTIMESTAMP=1",
                                        "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:01 UTC 1970",
                                        "KBUILD_BUILD_USER=skerry",
                                        "KBUILD_BUILD_HOST=skerry",
                                        "KBUILD_BUILD_VERSION=1"};
    spec.env->insert(spec.env->end(), more_env.begin(), more_env.end());
    const MonoTime begin = SystemClock().monotonic();
    const auto ran = TRY(run_watched(
        spec,
        [&] {
          const auto spent = std::chrono::duration_cast<std::chrono::seconds>(SystemClock().monotonic() - begin);
          work_.report(cat(stage, ", ", spent.count(), " s"));
          return work_.check();
        },
        kMaxConfig));
    if (ran.status.success()) return {};
    const std::string said = cat(ran.out, ran.err);
    const bool full = said.find("No space left") != std::string::npos;
    return fail(full ? ErrorCode::kResourceExhausted : ErrorCode::kIo,
                cat(stage, ": make ", ran.status.describe(), ": ",
                    trim(std::string_view(said).substr(said.size() - std::min(said.size(), kLastWords)))));
  }
  Status configure(const std::vector<std::string>& changes) {
    std::vector<std::string> argv{cat(source_, "/scripts/config"), "--file", config_path()};
    argv.insert(argv.end(), changes.begin(), changes.end());
    TRY(run_tool(argv, "linux-source", work_));
    return make("configuring", {"olddefconfig"});
  }
  [[nodiscard]] std::string config_path() const { return cat(out_, "/.config"); }
  [[nodiscard]] std::string file(std::string_view name) const { return cat(out_, "/", name); }

 private:
  std::string source_;
  std::string out_;
  const Work& work_;
};

// The tarball's one directory.
Result<std::string> unpack_source(const std::string& tarball, const std::string& scratch, const Work& work) {
  work.report("unpacking the source");
  const std::string parent = cat(scratch, "/source");
  TRY(sys::mkdir(parent, 0755));
  TRY(run_tool({"tar", "--extract", "--no-same-owner", "--file", tarball, "--directory", parent}, "tar", work));
  const auto names = TRY(sys::list_directory(parent));
  if (names.size() != 1 || !sys::exists(cat(parent, "/", names[0], "/Kconfig"))) {
    return fail(ErrorCode::kInvalidArgument, cat(tarball, " is not the source of a Linux kernel"));
  }
  return cat(parent, "/", names[0]);
}

Status configure(KernelTree& tree, const KernelBuild& request, const std::string& scratch) {
  const std::string fragment =
      request.config.empty() ? std::string(kernel_config()) : TRY(read_file(request.config, kMaxConfig));
  const std::string path = cat(scratch, "/fragment");
  TRY(write_file_atomic(path, fragment, 0644));
  TRY(tree.make("configuring", {"allnoconfig"}, {cat("KCONFIG_ALLCONFIG=", path)}));
  const auto missing = settings_not_taken(fragment, TRY(read_file(tree.config_path(), kMaxConfig)));
  if (missing.empty()) return {};
  return fail(ErrorCode::kInvalidArgument,
              cat(request.config.empty() ? "the configuration" : request.config, ": this kernel does not take ",
                  join(missing, ", ")),
              "the setting has another name in this version, or needs another one");
}

Result<GuestKernel::File> take_vmlinux(const KernelTree& tree, const std::string& ready, const Work& work) {
  const std::string stripped = tree.file("vmlinux.stripped");
  TRY(run_tool({"objcopy", "--strip-all", tree.file("vmlinux"), stripped}, "binutils", work));
  return write_kernel_file(cat(ready, "/vmlinux"), TRY(read_file(stripped, kMaxKernelBytes)));
}

}  // namespace

std::vector<std::string> settings_not_taken(std::string_view fragment, std::string_view config) {
  constexpr std::string_view kNot = " is not set";
  const std::string lines = cat("\n", config, "\n");
  std::vector<std::string> out;
  for (const auto each : split(fragment, '\n')) {
    const auto line = trim(each);
    const bool off = line.starts_with("# CONFIG_") && line.ends_with(kNot);
    if (off) {
      // What a version does not know is off as well.
      const auto name = line.substr(2, line.size() - 2 - kNot.size());
      if (lines.find(cat("\n", name, "=")) != std::string::npos) out.emplace_back(name);
    } else if (line.starts_with("CONFIG_") && lines.find(cat("\n", line, "\n")) == std::string::npos) {
      out.emplace_back(line);
    }
  }
  return out;
}

Result<GuestKernel> build_kernel(const KernelBuild& request, const std::string& source_dir, const std::string& scratch,
                                 const std::string& ready, const Work& work) {
  TRY(check_tools());
  const std::string tarball = request.source.empty() ? TRY(newest_source(source_dir)) : request.source;
  TRY(sys::stat(tarball));
  if (!request.config.empty()) TRY(sys::stat(request.config));
  KernelTree tree(TRY(unpack_source(tarball, scratch, work)), cat(scratch, "/out"), work);
  TRY(sys::mkdir(cat(scratch, "/out"), 0755));
  TRY(configure(tree, request, scratch));

  GuestKernel kernel;
  kernel.origin = GuestKernel::Origin::kBuilt;
  TRY(tree.make("compiling", {"vmlinux"}));
  kernel.release = std::string(trim(TRY(read_file(tree.file("include/config/kernel.release"), kMaxConfig))));
  kernel.name = request.name.empty() ? kernel.release : request.name;
  kernel.vmlinux = TRY(take_vmlinux(tree, ready, work));

  // The same objects, linked once more around the boot initramfs.
  const InitramfsSpec boot{request.agent, {}, {}};
  kernel.boot_initramfs = TRY_IN("boot initramfs", initramfs_key(boot)).text();
  const std::string archive = cat(scratch, "/boot.cpio");
  TRY(write_file_atomic(archive, TRY_IN("boot initramfs", build_initramfs(boot)), 0644));
  TRY(tree.configure({"--set-str", "INITRAMFS_SOURCE", archive, "--enable", "INITRAMFS_COMPRESSION_NONE"}));
  TRY(tree.make("linking with the boot initramfs", {"bzImage"}));
  kernel.bzimage = TRY(
      write_kernel_file(cat(ready, "/bzImage"), TRY(read_file(tree.file("arch/x86/boot/bzImage"), kMaxKernelBytes))));
  return kernel;
}

}  // namespace skerry
