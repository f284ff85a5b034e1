// What the microVM benchmarks stand on: namespaces of their own, a temporary directory, an image of busybox, drivers
// over the real programs (SKERRY_BIN_DIR). Under TCG, as any host can.
#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "drivers/qemu/qemu_driver.h"
#include "image/store.h"

namespace skerry::bench {

inline constexpr std::uint32_t kMemoryMib = 128;

struct Place {
  TempDir temp;
  std::string bin;
  std::unique_ptr<ImageStore> images;
  Image image;
  int next = 0;
};

inline double ms_since(MonoTime begin) {
  return static_cast<double>((SystemClock().monotonic() - begin).count()) / 1e6;
}

inline Status run(std::vector<std::string> argv) {
  SpawnSpec spec;
  spec.argv = std::move(argv);
  const auto output = TRY(run_command(spec, std::chrono::seconds(60)));
  if (output.status.success()) return {};
  return fail(ErrorCode::kInternal, cat(spec.argv.at(0), ": ", output.err));
}

inline Result<Place> prepare_place(std::vector<std::string> command) {
  const char* bin = std::getenv("SKERRY_BIN_DIR");
  if (bin == nullptr) return fail(ErrorCode::kInvalidArgument, "SKERRY_BIN_DIR is not set");
  TRY(sys::unshare(CLONE_NEWNS | CLONE_NEWNET));
  TRY(sys::mount({}, "/", {}, MS_REC | MS_PRIVATE));
  Place place{TRY(TempDir::create("skerry-bench-")), bin, nullptr, {}, 0};
  const std::string root = place.temp / "rootfs";
  for (const char* directory : {"/bin", "/srv"}) TRY(sys::mkdir_all(root + directory, 0755));
  TRY(run({"cp", "/bin/busybox", root + "/bin/busybox"}));
  for (const char* name : {"sleep", "true", "httpd"}) TRY(sys::symlink("busybox", cat(root, "/bin/", name)));
  TRY(write_file_atomic(root + "/srv/index.html", "a page\n", 0644));
  TRY(run({"tar", "-C", root, "-cf", place.temp / "rootfs.tar", "."}));
  place.images = TRY(ImageStore::open({place.temp / "images", {}}));
  ImageConfig config;
  config.cmd = std::move(command);
  config.architecture = "amd64";
  config.os = "linux";
  const auto name = TRY(ImageReference::parse("localhost/bench:1"));
  place.image = TRY(place.images->import_rootfs(place.temp / "rootfs.tar", name, config, {}));
  return place;
}

inline JailConfig jail_of(const Place& place) {
  JailConfig jail;
  jail.runtime = place.bin + "/skerry-oci";
  jail.keeper = place.bin + "/skerry-keeper";
  jail.runtime_root = place.temp / "oci";
  jail.cgroup_parent = cat("/skerry-bench-", ::getpid());
  return jail;
}

// `kernel`: a file; empty: the distribution's.
inline std::unique_ptr<Driver> make_driver(const Place& place, std::size_t most_templates, std::string kernel = {}) {
  QemuConfig config;
  config.agent = place.bin + "/skerry-agent";
  config.cache_dir = place.temp / "boot";
  config.kernel = std::move(kernel);
  config.accel = AccelChoice::kTcg;
  config.most_templates = most_templates;
  return make_qemu_driver(jail_of(place), *place.images, config);
}

inline Launch next_launch(Place& place) {
  Launch launch;
  const std::string name = cat("bench-", place.next++);
  launch.place = {cat(name, "-", ::getpid()), name, place.temp / ("state-" + name), place.temp / ("run-" + name)};
  launch.spec.name = name;
  launch.spec.isolation = Isolation::kMicrovm;
  launch.spec.resources.memory_mib = kMemoryMib;
  launch.image = place.image;
  return launch;
}

}  // namespace skerry::bench
