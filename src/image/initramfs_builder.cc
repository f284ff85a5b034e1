#include "image/initramfs_builder.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>

#include <algorithm>
#include <map>
#include <memory>
#include <ranges>
#include <set>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/cpio_writer.h"
#include "image/sha256.h"

namespace skerry {
namespace {

// Raised when the same input would give other bytes than before.
constexpr std::string_view kFormat = "initramfs 1\n";
constexpr std::size_t kMaxModuleBytes = 64U << 20U;
constexpr std::string_view kModules = "lib/skerry/modules/";

// "kernel/drivers/block/virtio-blk.ko.xz" → "virtio_blk". The kernel takes '-' and '_' for the same.
std::string module_name(std::string_view path) {
  std::string name(path.substr(path.rfind('/') + 1));
  name.resize(std::min(name.size(), name.find(".ko")));
  std::ranges::replace(name, '-', '_');
  return name;
}

struct ModuleIndex {
  struct Entry {
    std::string path;
    std::vector<std::string> needs;  // paths; the one needed first stands last
  };
  std::map<std::string, Entry> by_name;
  std::set<std::string> builtin;
};

ModuleIndex index_modules(std::string_view modules_dep, std::string_view modules_builtin) {
  ModuleIndex index;
  for (const auto line : split(modules_dep, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto path = line.substr(0, colon);
    ModuleIndex::Entry entry{std::string(path), {}};
    for (const auto need : split(line.substr(colon + 1), ' ')) {
      if (!need.empty()) entry.needs.emplace_back(need);
    }
    index.by_name[module_name(path)] = std::move(entry);
  }
  for (const auto line : split(modules_builtin, '\n')) {
    if (!line.empty()) index.builtin.insert(module_name(line));
  }
  return index;
}

// The text of a module as CONFIG_MODULE_COMPRESS_* packs it, by libarchive's "raw" format: one entry with the unpacked
// bytes.
Result<std::string> decompress(const std::string& path, std::string_view packed) {
  const std::unique_ptr<archive, int (*)(archive*)> reader(::archive_read_new(), ::archive_read_free);
  ::archive_read_support_filter_gzip(reader.get());
  ::archive_read_support_filter_xz(reader.get());
  ::archive_read_support_filter_zstd(reader.get());
  ::archive_read_support_format_raw(reader.get());
  archive_entry* entry = nullptr;
  if (::archive_read_open_memory(reader.get(), packed.data(), packed.size()) != ARCHIVE_OK ||
      ::archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK) {
    return fail(ErrorCode::kCorrupt, cat("decompress ", path));
  }
  std::string out;
  std::string chunk(65536, '\0');
  while (true) {
    const auto got = ::archive_read_data(reader.get(), chunk.data(), chunk.size());
    if (got == 0) return out;
    if (got < 0) return fail(ErrorCode::kCorrupt, cat("decompress ", path));
    out.append(chunk, 0, static_cast<std::size_t>(got));
    if (out.size() > kMaxModuleBytes) return fail(ErrorCode::kResourceExhausted, cat(path, " is too large"));
  }
}

Result<std::vector<std::string>> load_order(const InitramfsSpec& spec) {
  if (spec.modules.empty()) return std::vector<std::string>{};
  const std::string dep = TRY_IN("kernel modules", read_file(spec.modules_dir + "/modules.dep"));
  const std::string builtin = TRY_IN("kernel modules", read_file(spec.modules_dir + "/modules.builtin"));
  return module_load_order(dep, builtin, spec.modules);
}

}  // namespace

Result<std::vector<std::string>> module_load_order(std::string_view modules_dep, std::string_view modules_builtin,
                                                   const std::vector<std::string>& names) {
  const auto index = index_modules(modules_dep, modules_builtin);
  std::vector<std::string> order;
  const auto add = [&](const std::string& path) {
    if (std::ranges::find(order, path) == order.end()) order.push_back(path);
  };
  for (const auto& asked : names) {
    const std::string name = module_name(asked);
    const auto found = index.by_name.find(name);
    if (found == index.by_name.end()) {
      if (index.builtin.contains(name)) continue;
      return fail(ErrorCode::kNotFound, cat("kernel module ", asked), "is the kernel's package whole?");
    }
    for (const auto& need : std::ranges::reverse_view(found->second.needs)) add(need);
    add(found->second.path);
  }
  return order;
}

Result<Digest> initramfs_key(const InitramfsSpec& spec) {
  Sha256 hash;
  hash.update(kFormat);
  const Fd agent = TRY(sys::open(spec.agent, O_RDONLY));
  const auto digest = TRY(sha256_of_file(agent.get()));
  hash.update(digest.digest.text());
  hash.update(spec.modules_dir);
  const auto order = TRY(load_order(spec));
  for (const auto& path : order) {
    const auto info = TRY(sys::stat(cat(spec.modules_dir, "/", path)));
    hash.update(cat("\n", path, " ", info.st_size, " ", info.st_mtim.tv_sec));
  }
  return hash.finish();
}

namespace {

Status add_agent(CpioWriter& writer, const std::string& path) {
  const Fd agent = TRY(sys::open(path, O_RDONLY));
  TRY(writer.add_file("init", 0755, agent.get()));
  TRY(writer.add_device("dev/console", S_IFCHR | 0600, 5, 1));
  for (const std::string_view directory : {"proc", "sys", "run", "tmp"}) TRY(writer.add_directory(directory, 0755));
  return {};
}

}  // namespace

Result<std::string> build_initramfs(const InitramfsSpec& spec) {
  CpioWriter writer;
  if (!spec.agent.empty()) TRY(add_agent(writer, spec.agent));
  std::string order;
  const auto paths = TRY(load_order(spec));
  for (const auto& path : paths) {
    const std::string file = cat(spec.modules_dir, "/", path);
    std::string content = TRY(read_file(file, kMaxModuleBytes));
    if (!path.ends_with(".ko")) content = TRY(decompress(file, content));
    const std::string name = module_name(path) + ".ko";
    TRY(writer.add_file(cat(kModules, name), 0644, std::move(content)));
    order += name + "\n";
  }
  TRY(writer.add_file(cat(kModules, "order"), 0644, order));
  return writer.to_string();
}

}  // namespace skerry
