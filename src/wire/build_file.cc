#include "wire/build_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace {
// toml++ 3.3 asserts on some malformed texts ("[[["): a text from outside must not end the process.
struct TomlAssertionFailed {};
[[noreturn]] void toml_assertion_failed() { throw TomlAssertionFailed{}; }
}  // namespace
// NOLINTBEGIN(bugprone-macro-parentheses): an expression of the library's
#define TOML_ASSERT(expression)                 \
  do {                                          \
    if (!(expression)) toml_assertion_failed(); \
  } while (false)
#undef NDEBUG  // else the library takes its assertions for granted
// NOLINTEND(bugprone-macro-parentheses)
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "base/text.h"
#include "wire/plugin_manifest.h"

namespace skerry::wire {
namespace {

constexpr std::size_t kMaxListEntries = 10'000;
constexpr std::size_t kMaxText = 65'536;
constexpr int kMaxDepth = 32;

constexpr std::pair<std::string_view, BuildStrategy> kStrategies[] = {{"oci_rootfs", BuildStrategy::kOciRootfs},
                                                                      {"initramfs", BuildStrategy::kInitramfs},
                                                                      {"packages", BuildStrategy::kPackages}};
constexpr std::pair<std::string_view, FilesystemType> kFilesystems[] = {{"erofs", FilesystemType::kErofs},
                                                                        {"ext4", FilesystemType::kExt4},
                                                                        {"xfs", FilesystemType::kXfs},
                                                                        {"btrfs", FilesystemType::kBtrfs},
                                                                        {"squashfs", FilesystemType::kSquashfs}};

std::unexpected<Error> wrong(const toml::node& node, std::string_view key, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, cat("build file, line ", node.source().begin.line, ": ", key, ": ", why));
}

// A table, taken apart key by key; finish() refuses what was not asked for.
class Table {
 public:
  Table(const toml::table& table, std::string path) : table_(&table), path_(std::move(path)) {}

  // The table below `key`; an empty one when it is missing.
  Result<Table> table(std::string_view key) {
    static const toml::table kEmpty;
    const toml::node* node = take(key);
    if (node == nullptr) return Table(kEmpty, at(key));
    if (!node->is_table()) return wrong(*node, at(key), "must be a table");
    return Table(*node->as_table(), at(key));
  }

  Result<std::string> text(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return std::string();
    return text_of(*node, at(key));
  }

  Result<std::vector<std::string>> texts(std::string_view key) {
    std::vector<std::string> out;
    const toml::node* node = take(key);
    if (node == nullptr) return out;
    const auto* list = node->as_array();
    if (list == nullptr || list->size() > kMaxListEntries) return wrong(*node, at(key), "must be a list of texts");
    for (const auto& item : *list) out.push_back(TRY(text_of(item, at(key))));
    return out;
  }

  Result<std::uint32_t> number(std::string_view key, std::uint32_t highest) {
    const toml::node* node = take(key);
    if (node == nullptr) return 0U;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < 0 || *value > highest) return wrong(*node, at(key), cat("must be 0 to ", highest));
    return static_cast<std::uint32_t>(*value);
  }

  Result<bool> flag(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return false;
    const auto value = node->value_exact<bool>();
    if (!value) return wrong(*node, at(key), "must be true or false");
    return *value;
  }

  // Every key with its text.
  Result<std::map<std::string, std::string>> pairs() {
    std::map<std::string, std::string> out;
    if (table_->size() > kMaxListEntries) return wrong(*table_, path_, "has too many entries");
    for (const auto& [key, node] : *table_) {
      taken_.insert(std::string(key.str()));
      out[std::string(key.str())] = TRY(text_of(node, at(key.str())));
    }
    return out;
  }

  [[nodiscard]] bool has(std::string_view key) const { return table_->contains(key); }
  [[nodiscard]] const toml::table& raw() const { return *table_; }
  std::unexpected<Error> error(std::string_view key, std::string_view why) const {
    const toml::node* node = table_->get(key);
    return wrong(node == nullptr ? *table_ : *node, at(key), why);
  }

  [[nodiscard]] Status finish() const {
    for (const auto& [key, node] : *table_) {
      if (!taken_.contains(std::string(key.str()))) return wrong(node, at(key.str()), "unknown key");
    }
    return {};
  }

 private:
  const toml::node* take(std::string_view key) {
    taken_.insert(std::string(key));
    return table_->get(key);
  }
  [[nodiscard]] std::string at(std::string_view key) const {
    return path_.empty() ? std::string(key) : cat(path_, ".", key);
  }
  static Result<std::string> text_of(const toml::node& node, std::string_view key) {
    const auto value = node.value_exact<std::string>();
    if (!value) return wrong(node, key, "must be a text");
    if (value->size() > kMaxText || value->find('\0') != std::string::npos) return wrong(node, key, "is not usable");
    return *value;
  }

  const toml::table* table_;
  std::string path_;
  std::set<std::string> taken_;
};

template <typename T, std::size_t N>
Result<T> word(Table& table, std::string_view key, const std::pair<std::string_view, T> (&words)[N], T otherwise) {
  const auto text = TRY(table.text(key));
  if (text.empty() && !table.has(key)) return otherwise;
  for (const auto& [name, value] : words) {
    if (name == text) return value;
  }
  std::string known;
  for (const auto& [name, value] : words) known += cat(known.empty() ? "" : ", ", name);
  return table.error(key, cat("must be one of ", known));
}

bool is_package_name(std::string_view text) {
  // Debian policy 5.6.1, and an "=version" or "/suite" behind it as apt-get(8) takes it.
  return !text.empty() && text.front() != '-' && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("+-._:=/~").find(c) != std::string_view::npos;
  });
}

Status read_source(Table& root, BuildFile& out) {
  Table source = TRY(root.table("source"));
  switch (out.strategy) {
    case BuildStrategy::kOciRootfs: {
      out.image = TRY(source.text("image"));
      out.dockerfile = TRY(source.text("dockerfile"));
      if (out.image.empty() == out.dockerfile.empty()) {
        return source.error("image", "name an image or a dockerfile, one of them");
      }
      if (!out.image.empty()) {
        TRY_IN("build file: source.image", ImageReference::parse(out.image));
        break;
      }
      out.context = TRY(source.text("context"));
      out.target = TRY(source.text("target"));
      Table arguments = TRY(source.table("build_args"));
      out.build_args = TRY(arguments.pairs());
      break;
    }
    case BuildStrategy::kPackages:
      out.packages = TRY(source.texts("packages"));
      for (const auto& name : out.packages) {
        if (!is_package_name(name)) return source.error("packages", cat("\"", name, "\" is not a package name"));
      }
      if (const auto suite = TRY(source.text("suite")); !suite.empty()) out.suite = suite;
      if (!is_package_name(out.suite)) return source.error("suite", "is not the name of a suite");
      out.mirror = TRY(source.text("mirror"));
      if (!out.mirror.empty() && !out.mirror.starts_with("http://") && !out.mirror.starts_with("https://")) {
        return source.error("mirror", "must be an http:// or https:// address");
      }
      break;
    case BuildStrategy::kInitramfs: out.busybox = TRY(source.text("busybox")); break;
  }
  return source.finish();
}

Status read_agent_and_init(Table& root, BuildFile& out) {
  Table agent = TRY(root.table("agent"));
  out.agent_path = TRY(agent.text("path"));
  out.agent_version = TRY(agent.text("version"));
  TRY(agent.finish());
  Table init = TRY(root.table("init"));
  out.init_path = TRY(init.text("path"));
  const bool none = TRY(init.flag("none"));
  if (none && !out.init_path.empty()) return init.error("none", "and a path exclude each other");
  if (out.strategy != BuildStrategy::kInitramfs && root.has("init")) {
    return root.error("init", "is for the strategy initramfs: other images are booted by Skerry's own");
  }
  out.init = none ? BuildFile::Init::kNone : out.init_path.empty() ? BuildFile::Init::kShim : BuildFile::Init::kFile;
  return init.finish();
}

Status read_filesystem(Table& root, BuildFile& out) {
  Table filesystem = TRY(root.table("filesystem"));
  if (out.strategy == BuildStrategy::kInitramfs && root.has("filesystem")) {
    return root.error("filesystem", "an initramfs is a cpio archive: it has none");
  }
  out.filesystem = TRY(word(filesystem, "type", kFilesystems, FilesystemType::kErofs));
  constexpr std::uint32_t kMaxBuffer = 1U << 20U;  // 1 TiB
  out.size_buffer_mib = TRY(filesystem.number("size_buffer_mb", kMaxBuffer));
  const bool read_only = out.filesystem == FilesystemType::kErofs || out.filesystem == FilesystemType::kSquashfs;
  if (read_only && out.size_buffer_mib != 0) {
    return filesystem.error("size_buffer_mb", cat(to_text(out.filesystem), " is read-only: it has no free space"));
  }
  return filesystem.finish();
}

Result<std::string> mapping_target(const Table& table, const std::string& source, std::string_view target) {
  if (!target.starts_with('/')) return table.error(source, "the target must be an absolute path");
  std::string out;
  for (const auto part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return table.error(source, "the target must not contain \"..\"");
    out += cat("/", part);
  }
  if (out.empty()) return std::string("/");
  return out;
}

Status read_mappings(Table& root, BuildFile& out) {
  Table mappings = TRY(root.table("mappings"));
  for (const auto& [source, target] : TRY(mappings.pairs())) {
    if (source.empty()) return mappings.error(source, "the source is empty");
    out.mappings.push_back({source, TRY(mapping_target(mappings, source, target))});
  }
  std::ranges::sort(out.mappings, {}, [](const auto& mapping) { return std::tie(mapping.target, mapping.source); });
  return mappings.finish();
}

Result<nlohmann::json> to_json(const toml::node& node, const std::string& path, int depth) {
  if (depth > kMaxDepth) return wrong(node, path, "is nested too deep");
  if (const auto* table = node.as_table()) {
    auto out = nlohmann::json::object();
    for (const auto& [key, value] : *table) {
      const std::string name(key.str());
      out[name] = TRY(to_json(value, cat(path, ".", name), depth + 1));
    }
    return out;
  }
  if (const auto* list = node.as_array()) {
    auto out = nlohmann::json::array();
    for (const auto& value : *list) out.push_back(TRY(to_json(value, path, depth + 1)));
    return out;
  }
  if (const auto text = node.value_exact<std::string>()) return nlohmann::json(*text);
  if (const auto number = node.value_exact<std::int64_t>()) return nlohmann::json(*number);
  if (const auto number = node.value_exact<double>()) return nlohmann::json(*number);
  if (const auto flag = node.value_exact<bool>()) return nlohmann::json(*flag);
  return wrong(node, path, "dates have no place in a manifest");
}

Status read_manifest(Table& root, BuildFile& out) {
  const Table manifest = TRY(root.table("manifest"));
  for (const char* key : {"rootfs", "initramfs", "signature"}) {
    if (manifest.has(key)) return manifest.error(key, "is what the build fills in");
  }
  const auto json = TRY(to_json(manifest.raw(), "manifest", 0));
  out.manifest_json = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return {};
}

}  // namespace

std::string_view to_text(BuildStrategy strategy) {
  return std::ranges::find(kStrategies, strategy, [](const auto& pair) { return pair.second; })->first;
}
std::string_view to_text(FilesystemType type) {
  return std::ranges::find(kFilesystems, type, [](const auto& pair) { return pair.second; })->first;
}

namespace {

Result<toml::table> parse_toml(std::string_view text) {
  if (text.size() > kMaxBuildFileBytes) return fail(ErrorCode::kInvalidArgument, "build file: larger than 1 MiB");
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalidArgument,
                cat("build file, line ", error.source().begin.line, ": ", error.description()));
  } catch (const TomlAssertionFailed&) {
    return fail(ErrorCode::kInvalidArgument, "build file: not valid TOML, an error at some line");
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument, cat("build file: ", error.what()));
  }
}

}  // namespace

Result<BuildFile> parse_build_file(std::string_view text) {
  const toml::table parsed = TRY(parse_toml(text));
  Table root(parsed, "");
  BuildFile out;
  const auto version = TRY(root.text("version"));
  if (version != "1") return root.error("version", "must be \"1\"");
  if (!root.has("strategy")) return root.error("strategy", "is missing");
  out.strategy = TRY(word(root, "strategy", kStrategies, BuildStrategy::kOciRootfs));
  TRY(read_source(root, out));
  TRY(read_agent_and_init(root, out));
  TRY(read_filesystem(root, out));
  TRY(read_mappings(root, out));
  TRY(read_manifest(root, out));
  TRY(root.finish());
  return out;
}

Result<std::string> complete_manifest(const BuildFile& file, const BuiltArtifact& artifact, const ImageConfig& config) {
  using nlohmann::json;
  json manifest = json::parse(file.manifest_json, nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object()) return fail(ErrorCode::kInternal, "the build file's manifest is no object");
  if (!manifest.contains("schema_version")) manifest["schema_version"] = "1";
  if (!manifest.contains("version")) manifest["version"] = "0";
  const char* const key = artifact.kind == BuiltArtifact::Kind::kRootfs ? "rootfs" : "initramfs";
  manifest[key] = {{"url", artifact.url}, {"checksum", artifact.checksum}};
  if (artifact.kind == BuiltArtifact::Kind::kRootfs) manifest[key]["format"] = artifact.format;
  json workload = manifest.contains("workload") ? manifest["workload"] : json::object();
  if (workload.is_object()) {
    std::vector<std::string> command = config.entrypoint;
    command.insert(command.end(), config.cmd.begin(), config.cmd.end());
    if (!workload.contains("entrypoint") && !command.empty()) workload["entrypoint"] = command;
    if (!workload.contains("workdir") && !config.workdir.empty()) workload["workdir"] = config.workdir;
    if (!workload.contains("user") && !config.user.empty()) workload["user"] = config.user;
    json env = workload.contains("env") ? workload["env"] : json::object();
    for (const auto& pair : config.env) {
      const auto equals = pair.find('=');
      if (!env.is_object() || equals == std::string::npos || equals == 0) continue;
      if (!env.contains(pair.substr(0, equals))) env[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    if (!env.empty()) workload["env"] = env;
    if (!workload.empty()) manifest["workload"] = workload;
  }
  std::string text = manifest.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  TRY_IN("build file, manifest", parse_plugin_manifest(text));
  return text;
}

}  // namespace skerry::wire
