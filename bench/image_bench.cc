// Making a bootable disk of an image, beside the usual way: umoci unpack, then mke2fs -d.
//
// image_bench OUT.json. Needs root (umoci and mke2fs do), umoci, skopeo, tar. The image is one gzip layer of files of
// this host. Each is run kRounds times, taking turns; a row shows the medians.
// Links: image wire
#include <algorithm>
#include <chrono>
#include <iostream>
#include <vector>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "bench_row.h"
#include "image/image_builder.h"
#include "image/store.h"

namespace skerry {
namespace {

constexpr int kRounds = 3;
constexpr const char* kName = "bench/image:1";

Status run(const std::vector<std::string>& argv) {
  SpawnSpec spec;
  spec.argv = argv;
  const auto output = TRY(run_command(spec, std::chrono::minutes(10)));
  if (!output.status.success()) return fail(ErrorCode::kIo, cat(argv[0], ": ", output.err));
  return {};
}

// Milliseconds that `work` took.
template <typename F>
Result<double> timed(F&& work) {
  const SystemClock clock;
  const MonoTime start = clock.monotonic();
  TRY(work());
  return static_cast<double>((clock.monotonic() - start).count()) / 1e6;
}

struct Times {
  double erofs = std::numeric_limits<double>::max();
  double ext4 = std::numeric_limits<double>::max();
  double umoci = std::numeric_limits<double>::max();
};

Status usual_way(const TempDir& dir) {
  TRY(sys::remove_tree(dir / "bundle"));
  TRY(run({"umoci", "unpack", "--image", dir / "layout:t", dir / "bundle"}));
  return run({"mke2fs", "-q", "-F", "-t", "ext4", "-d", dir / "bundle/rootfs", dir / "usual.ext4", "2G"});
}

Status our_disk(ImageStore& store, const Image& image) {
  const std::string path = TRY(store.base_disk(image, {}));
  return sys::unlink(path);
}

Status our_ext4(ImageStore& store, const TempDir& dir) {
  BuildRequest request;
  request.file =
      TRY(wire::parse_build_file(cat("version = \"1\"\nstrategy = \"oci_rootfs\"\n[source]\nimage = \"", kName,
                                     "\"\n[filesystem]\ntype = \"ext4\"\n[manifest]\nname = \"bench\"\n")));
  request.directory = dir.path();
  request.output_dir = dir / "out";
  request.default_agent = "/bin/true";
  TRY(build_image(store, request, {}));
  return {};
}

Result<Times> measure() {
  const TempDir dir = TRY(TempDir::create("skerry-image-bench"));
  TRY(run({"tar", "-C", "/", "-czf", dir / "rootfs.tar.gz", "usr/sbin", "usr/share/zoneinfo", "usr/share/perl",
           "usr/share/doc"}));
  const auto store = TRY(ImageStore::open({dir / "images", {}}));
  const auto name = TRY(ImageReference::parse(kName));
  const Image image = TRY(store->import_rootfs(dir / "rootfs.tar.gz", name, {}, {}));
  TRY(run({"skopeo", "copy", "-q", cat("oci:", dir / "images", ":", name.text()), cat("oci:", dir / "layout:t")}));
  std::vector<double> erofs;
  std::vector<double> ext4;
  std::vector<double> umoci;
  for (int round = 0; round < kRounds; ++round) {
    erofs.push_back(TRY(timed([&] { return our_disk(*store, image); })));
    ext4.push_back(TRY(timed([&] { return our_ext4(*store, dir); })));
    umoci.push_back(TRY(timed([&] { return usual_way(dir); })));
  }
  return Times{bench::median(erofs), bench::median(ext4), bench::median(umoci)};
}

Status compare(const std::string& out) {
  const Times times = TRY(measure());
  return bench::write_rows(out,
                           {{"image.disk.erofs", times.erofs, times.umoci, 0.5, "against umoci unpack + mke2fs -d"},
                            {"image.build.ext4", times.ext4, times.umoci, 0.5,
                             "against umoci unpack + mke2fs -d; with SBOM, manifest and checksum"}});
}

}  // namespace
}  // namespace skerry

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: image_bench OUT.json\n";
    return 2;
  }
  if (const auto done = skerry::compare(argv[1]); !done) {
    std::cerr << done.error().message() << "\n";
    return 1;
  }
  return 0;
}
