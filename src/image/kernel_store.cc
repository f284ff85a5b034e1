#include "image/kernel_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "image/kernel_image.h"
#include "image/kernel_steps.h"
#include "image/sha256.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"

namespace skerry {
namespace {

constexpr std::string_view kChosen = "chosen";
constexpr std::string_view kDocument = "kernel.json";
constexpr std::string_view kHostPrefix = "vmlinuz-";
constexpr std::string_view kCloudSuffix = "-cloud-amd64";
constexpr std::size_t kMaxDocument = 1U << 16U;

void write_file_field(wire::JsonWriter& json, std::string_view name, const std::optional<GuestKernel::File>& file) {
  if (!file) return;
  json.key(name).begin_object().field("digest", file->digest.text()).field("size", file->size).end_object();
}

std::string document_of(const GuestKernel& kernel) {
  wire::JsonWriter json;
  json.begin_object()
      .field("name", kernel.name)
      .field("release", kernel.release)
      .field("origin", to_text(kernel.origin))
      .field("created", to_rfc3339(kernel.created))
      .field("boot_initramfs", kernel.boot_initramfs);
  write_file_field(json, "vmlinux", kernel.vmlinux);
  write_file_field(json, "bzImage", kernel.bzimage);
  json.end_object();
  return std::move(json).text();
}

Result<std::optional<GuestKernel::File>> read_file_field(const wire::JsonNode& node, const std::string& path) {
  if (!node.is_object()) return std::nullopt;
  GuestKernel::File file{path, TRY(Digest::parse(node.text("digest"))), 0};
  file.size = static_cast<std::uint64_t>(node.integer("size"));
  return file;
}

Result<GuestKernel> read_document(const std::string& folder, const std::string& name) {
  const std::string path = cat(folder, "/", kDocument);
  const auto json =
      TRY_IN(path, wire::JsonNode::parse(TRY(read_file(path, kMaxDocument)), "kernel.json", kMaxDocument));
  GuestKernel kernel;
  kernel.name = name;
  kernel.release = json.text("release");
  kernel.origin = json.text("origin") == to_text(GuestKernel::Origin::kBuilt) ? GuestKernel::Origin::kBuilt
                                                                              : GuestKernel::Origin::kAdded;
  kernel.created = TRY_IN(path, parse_rfc3339(json.text("created")));
  kernel.boot_initramfs = json.text("boot_initramfs");
  kernel.vmlinux = TRY_IN(path, read_file_field(json.at("vmlinux"), cat(folder, "/vmlinux")));
  kernel.bzimage = TRY_IN(path, read_file_field(json.at("bzImage"), cat(folder, "/bzImage")));
  if (!kernel.vmlinux && !kernel.bzimage) return fail(ErrorCode::kCorrupt, cat(path, " names no kernel"));
  return kernel;
}

// Cloud kernels are smaller and start faster: they go first; the newest of them is what microVMs boot by default.
bool comes_before(const std::string& left, const std::string& right) {
  const bool left_cloud = left.ends_with(kCloudSuffix);
  if (left_cloud != right.ends_with(kCloudSuffix)) return left_cloud;
  return ::strverscmp(left.c_str(), right.c_str()) > 0;
}

Result<std::vector<GuestKernel>> kernels_of_host(const std::string& boot_dir) {
  std::vector<GuestKernel> out;
  if (!sys::exists(boot_dir)) return out;
  for (const auto& name : TRY(sys::list_directory(boot_dir))) {
    if (!name.starts_with(kHostPrefix)) continue;
    const std::string path = cat(boot_dir, "/", name);
    const auto info = TRY(sys::stat(path));
    GuestKernel kernel;
    kernel.name = kernel.release = name.substr(kHostPrefix.size());
    kernel.bzimage = GuestKernel::File{path, {}, static_cast<std::uint64_t>(info.st_size)};
    constexpr std::int64_t kNsPerSecond = 1'000'000'000;
    kernel.created = WallTime{info.st_mtim.tv_sec * kNsPerSecond};
    out.push_back(std::move(kernel));
  }
  std::ranges::sort(out, [](const auto& a, const auto& b) { return comes_before(a.name, b.name); });
  return out;
}

bool is_kernel_name(std::string_view name) {
  constexpr std::size_t kMaxName = 64;
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
  return !name.empty() && name.size() <= kMaxName && name.find_first_not_of(kLetters) == std::string_view::npos &&
         name.front() != '.' && name.front() != '-' && !name.starts_with(kKernelTemporaryPrefix) && name != kChosen;
}

}  // namespace

GuestKernel kernel_of_file(const std::string& path) {
  GuestKernel kernel;
  kernel.name = path.substr(path.rfind('/') + 1);
  kernel.bzimage = GuestKernel::File{path, {}, 0};
  for (const std::string_view prefix : {kHostPrefix, std::string_view("vmlinux-"), std::string_view("bzImage-")}) {
    if (kernel.name.starts_with(prefix)) kernel.release = kernel.name.substr(prefix.size());
  }
  return kernel;
}

Result<GuestKernel> host_kernel(const std::string& boot_dir) {
  const auto all = TRY(kernels_of_host(boot_dir));
  if (!all.empty()) return all.front();
  return fail(ErrorCode::kNotFound, cat("a guest kernel in ", boot_dir),
              "install linux-image-cloud-amd64, or: skerry kernels build, or give --kernel");
}

Result<GuestKernel::File> write_kernel_file(const std::string& path, std::string_view bytes) {
  TRY(write_file_atomic(path, bytes, 0444));
  return GuestKernel::File{path, sha256_of(bytes), bytes.size()};
}

Result<std::unique_ptr<KernelStore>> KernelStore::open(Places places, const Clock& clock) {
  TRY(sys::mkdir_all(places.dir, 0755));
  for (const auto& name : TRY(sys::list_directory(places.dir))) {
    if (name.starts_with(kKernelTemporaryPrefix)) TRY(sys::remove_tree(cat(places.dir, "/", name)));
  }
  return std::unique_ptr<KernelStore>(new KernelStore(std::move(places), clock));
}

std::string KernelStore::chosen_name() const {
  return std::string(trim(read_file(cat(places_.dir, "/", kChosen), kMaxDocument).value_or("")));
}

Result<std::vector<GuestKernel>> KernelStore::ours() const {
  std::vector<GuestKernel> out;
  for (const auto& name : TRY(sys::list_directory(places_.dir))) {
    if (is_kernel_name(name)) out.push_back(TRY(read_document(folder(name), name)));
  }
  std::ranges::sort(out, {}, &GuestKernel::name);
  return out;
}

Result<std::vector<GuestKernel>> KernelStore::list() {
  const std::lock_guard lock(mutex_);
  auto out = TRY(ours());
  const auto hosts = TRY(kernels_of_host(places_.boot_dir));
  const std::string chosen = chosen_name();
  const std::string effective = chosen.empty() && !hosts.empty() ? hosts.front().name : chosen;
  out.insert(out.end(), hosts.begin(), hosts.end());
  for (auto& kernel : out) kernel.chosen = kernel.name == effective;
  return out;
}

Result<GuestKernel> KernelStore::find(const std::string& name) {
  const auto all = TRY(list());
  if (const auto found = std::ranges::find(all, name, &GuestKernel::name); found != all.end()) return *found;
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const auto& kernel : all) names.push_back(kernel.name);
  return fail(ErrorCode::kNotFound, cat("kernel \"", name, "\" is not here"),
              names.empty() ? "install linux-image-cloud-amd64, or: skerry kernels build"
                            : cat("there are: ", join(names, ", ")));
}

Result<GuestKernel> KernelStore::chosen() {
  const auto all = TRY(list());
  const auto found = std::ranges::find(all, true, &GuestKernel::chosen);
  if (found == all.end()) {
    const std::string name = chosen_name();
    return name.empty() ? host_kernel(places_.boot_dir) : find(name);
  }
  for (const auto* file : {&found->vmlinux, &found->bzimage}) {
    if (*file && !(*file)->digest.empty()) TRY(verified_.check((*file)->path, (*file)->digest, (*file)->path));
  }
  return *found;
}

Status KernelStore::check_new_name(const std::string& name) const {
  if (!is_kernel_name(name)) {
    return fail(ErrorCode::kInvalidArgument, cat("\"", name, "\" cannot name a kernel"),
                "1 to 64 letters, digits, dots, dashes, plus signs and underscores");
  }
  const bool hosts = sys::exists(cat(places_.boot_dir, "/", kHostPrefix, name));
  if (!hosts && !sys::exists(folder(name))) return {};
  return fail(ErrorCode::kAlreadyExists, cat("kernel \"", name, "\" exists"),
              hosts ? "it is the distribution's: choose another name" : cat("skerry kernels rm ", name));
}

Result<GuestKernel> KernelStore::install(GuestKernel kernel, const std::string& folder) {
  kernel.created = clock_.now();
  TRY(write_file_atomic(cat(folder, "/", kDocument), document_of(kernel), 0444));
  TRY(sys::chmod(folder, 0755));
  const std::lock_guard lock(mutex_);
  TRY(check_new_name(kernel.name));
  crash_point("a kernel is there under another name");
  TRY(sys::rename(folder, this->folder(kernel.name)));
  crash_point("a kernel is there");
  return read_document(this->folder(kernel.name), kernel.name);
}

Result<GuestKernel> KernelStore::add(const std::string& name, const std::string& path, const Work& work) {
  TRY(check_new_name(name));
  work.report("reading");
  {
    const Fd file = TRY(sys::open(path, O_RDONLY | O_NONBLOCK));
    if (!S_ISREG(TRY(sys::fstat(file.get())).st_mode)) {
      return fail(ErrorCode::kInvalidArgument, cat(path, " is not a file"));
    }
  }
  const std::string bytes = TRY(read_file(path, kMaxKernelBytes));
  if (!is_vmlinux(bytes) && !is_bzimage(bytes)) {
    return fail(ErrorCode::kCorrupt, cat(path, " is not a Linux kernel for x86-64"), "a bzImage or a vmlinux");
  }
  GuestKernel kernel;
  kernel.name = name;
  kernel.origin = GuestKernel::Origin::kAdded;
  kernel.release = kernel_release_of(bytes);
  const TempDir making = TRY(TempDir::create(std::string(kKernelTemporaryPrefix), places_.dir));
  if (is_vmlinux(bytes)) {
    kernel.vmlinux = TRY(write_kernel_file(making / "vmlinux", bytes));
    return install(std::move(kernel), making.path());
  }
  kernel.bzimage = TRY(write_kernel_file(making / "bzImage", bytes));
  const auto inside = extract_vmlinux(bytes);
  if (inside) kernel.vmlinux = TRY(write_kernel_file(making / "vmlinux", *inside));
  // Packed in another way than LZ4: it boots all the same, only slower.
  if (!inside && inside.error().code != ErrorCode::kUnsupported) return fail(Error(inside.error()).in(path));
  return install(std::move(kernel), making.path());
}

Result<GuestKernel> KernelStore::build(const KernelBuild& request, const Work& work) {
  if (!request.name.empty()) TRY(check_new_name(request.name));
  const TempDir scratch = TRY(TempDir::create(std::string(kKernelTemporaryPrefix), places_.dir));
  const std::string ready = scratch / "ready";
  TRY(sys::mkdir(ready, 0755));
  auto kernel = TRY(build_kernel(request, places_.source_dir, scratch.path(), ready, work));
  TRY(check_new_name(kernel.name));
  return install(std::move(kernel), ready);
}

Status KernelStore::choose(const std::string& name) {
  if (!name.empty()) TRY(find(name));
  const std::lock_guard lock(mutex_);
  const std::string path = cat(places_.dir, "/", kChosen);
  if (!name.empty()) {
    TRY(write_file_atomic(path, name + "\n", 0644));
  } else if (sys::exists(path)) {
    TRY(sys::unlink(path));
  }
  crash_point("a kernel is chosen");
  return {};
}

Status KernelStore::remove(const std::string& name) {
  const auto kernel = TRY(find(name));
  if (kernel.origin == GuestKernel::Origin::kHost) {
    return fail(ErrorCode::kInvalidArgument, cat("kernel \"", name, "\" belongs to the distribution"),
                "apt removes it with its package");
  }
  const std::lock_guard lock(mutex_);
  if (chosen_name() == name) {
    return fail(ErrorCode::kConflict, cat("kernel \"", name, "\" is what microVMs boot"),
                "choose another first: skerry kernels use NAME, or: skerry kernels use --default");
  }
  // Out of sight in one step; what a crash leaves of it goes at the next open.
  const std::string going = cat(places_.dir, "/", kKernelTemporaryPrefix, "gone-", name);
  TRY(sys::rename(folder(name), going));
  crash_point("a kernel is out of sight");
  return sys::remove_tree(going);
}

}  // namespace skerry
