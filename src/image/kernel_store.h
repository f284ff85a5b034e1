// KernelStore: the kernels that microVMs of this host can boot, and which of them they do.
//
//   kernels/NAME/kernel.json   what is known of it, with the SHA256 of each file
//   kernels/NAME/vmlinux       uncompressed, mode 0444
//   kernels/NAME/bzImage       likewise
//   kernels/chosen             a name; without it microVMs boot the distribution's newest kernel
//   kernels/tmp-…              being made; removed at open
//
// A kernel appears by rename, whole. The distribution's kernels (/boot/vmlinuz-RELEASE) are listed beside ours, named
// by their release, and are only read. A file of ours is verified before it is handed out: once by each process, and
// again after any change. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/kernel.h"
#include "image/verified_files.h"
#include "image/work.h"

namespace skerry {

// What `build` makes a kernel from.
struct KernelBuild {
  std::string name;    // empty: "skerry-<version>"
  std::string source;  // linux-source-*.tar.xz; empty: the newest of /usr/src (Debian's package linux-source)
  std::string config;  // path of a configuration fragment; empty: kernel_config(), Skerry's own
  std::string agent;   // path of skerry-agent, for the boot initramfs
};

class KernelStore {
 public:
  struct Places {
    std::string dir;
    std::string boot_dir = "/boot";
    std::string source_dir = "/usr/src";
  };
  static Result<std::unique_ptr<KernelStore>> open(Places places, const Clock& clock);

  // By name, ours first.
  Result<std::vector<GuestKernel>> list();
  // kNotFound names the ones there are.
  Result<GuestKernel> find(const std::string& name);
  // What microVMs boot, verified. kNotFound: this host has none; kCorrupt: a file is not what it was.
  Result<GuestKernel> chosen();

  // Takes a copy of a bzImage or vmlinux; a bzImage's vmlinux is unpacked where its compression is known. kCorrupt: not
  // a kernel for x86-64. kAlreadyExists, kInvalidArgument: the name.
  Result<GuestKernel> add(const std::string& name, const std::string& path, const Work& work);
  // Minutes. The same source, configuration and agent give the same bytes. kUnsupported names a missing tool or
  // package; kInvalidArgument a setting of the configuration that the kernel did not take.
  Result<GuestKernel> build(const KernelBuild& request, const Work& work);
  // From the next start of a microVM on. An empty name: the distribution's newest.
  Status choose(const std::string& name);
  // kConflict: it is the chosen one. kInvalidArgument: it is the distribution's.
  Status remove(const std::string& name);

 private:
  KernelStore(Places places, const Clock& clock) : places_(std::move(places)), clock_(clock) {}
  [[nodiscard]] std::string folder(const std::string& name) const { return places_.dir + "/" + name; }
  [[nodiscard]] std::string chosen_name() const;
  Status check_new_name(const std::string& name) const;
  Result<std::vector<GuestKernel>> ours() const;
  // The kernel in `folder`, complete but for its kernel.json, becomes kernels/NAME.
  Result<GuestKernel> install(GuestKernel kernel, const std::string& folder);

  Places places_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  VerifiedFiles verified_;
};

// The configuration of Skerry's own kernel: src/image/kernels/microvm.config, a fragment over allnoconfig.
std::string_view kernel_config();

// A kernel somewhere on this host, by path. Its modules are looked for by the release in its name
// ("/boot/vmlinuz-6.1.0-9- cloud-amd64" → "6.1.0-9-cloud-amd64").
GuestKernel kernel_of_file(const std::string& path);
// The newest kernel of the distribution: a cloud kernel if there is one. kNotFound says which package brings one.
Result<GuestKernel> host_kernel(const std::string& boot_dir = "/boot");

}  // namespace skerry
