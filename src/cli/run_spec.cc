#include "cli/run_spec.h"

#include <cstdlib>

#include "base/file_io.h"
#include "base/text.h"
#include "cli/quantities.h"
#include "core/net.h"
#include "core/plugin_version.h"
#include "wire/run_config.h"
#include "wire/spec_texts.h"

namespace skerry::cli {
namespace {

constexpr std::size_t kMaxEnvFile = 1U << 20U;

// The flag's value, else its variable's: SKERRY_ISOLATION for --isolation.
std::optional<std::string> chosen(const std::optional<std::string>& given, const char* variable) {
  if (given) return given;
  const char* value = std::getenv(variable);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

void set_text(std::string& into, const std::optional<std::string>& value) {
  if (value) into = *value;
}

template <typename T>
Status set_parsed(T& into, const std::optional<std::string>& value, std::string_view flag,
                  Result<T> (*parse)(std::string_view)) {
  if (value) into = TRY_IN(flag, parse(*value));
  return {};
}

Status set_number(std::uint32_t& into, const std::optional<std::uint32_t>& given, const char* variable) {
  const char* value = std::getenv(variable);
  if (given) {
    into = *given;
  } else if (value != nullptr) {
    into = TRY(parse_int<std::uint32_t>(value, variable));
  }
  return {};
}

// A list that was given replaces the file's.
template <typename T>
Status set_list(std::vector<T>& into, const std::vector<std::string>& given, std::string_view flag,
                Result<T> (*parse)(std::string_view)) {
  if (given.empty()) return {};
  into.clear();
  for (const auto& text : given) into.push_back(TRY_IN(flag, parse(text)));
  return {};
}

Result<TmpfsMount> parse_tmpfs(std::string_view text) {
  const auto colon = text.find(':');
  TmpfsMount mount;
  mount.target = text.substr(0, colon);
  if (colon != std::string_view::npos) mount.size_mib = TRY(parse_int<std::uint32_t>(text.substr(colon + 1), "size"));
  return mount;
}

// A source without a slash in front is below our own directory.
Result<BindMount> parse_volume(std::string_view text) {
  if (text.empty() || text.starts_with('/') || text.starts_with(':')) return wire::parse_bind_mount(text);
  const auto colon = std::min(text.find(':'), text.size());
  return wire::parse_bind_mount(cat(TRY(absolute_path(text.substr(0, colon))), text.substr(colon)));
}

// JSON holds only UTF-8: better no environment than one with other bytes than were given.
Status check_utf8(const std::string& text, std::string_view flag) {
  std::size_t left = 0;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    const bool continues = (byte & 0xC0U) == 0x80U;
    if (continues != (left > 0)) return fail(ErrorCode::kInvalidArgument, cat(flag, ": not UTF-8"));
    if (left > 0) {
      --left;
    } else if (byte >= 0x80) {
      left = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    }
  }
  if (left > 0) return fail(ErrorCode::kInvalidArgument, cat(flag, ": not UTF-8"));
  return {};
}

// "K=V" sets, "K" takes ours.
Status add_variable(EnvironmentSpec& spec, const std::string& text, std::string_view flag) {
  TRY(check_utf8(text, flag));
  if (text.find('=') == std::string::npos) {
    if (const char* ours = std::getenv(text.c_str()); ours != nullptr) spec.env[text] = ours;
    return {};
  }
  auto [name, value] = TRY_IN(flag, wire::parse_variable(text));
  spec.env[std::move(name)] = std::move(value);
  return {};
}

Status add_environment(EnvironmentSpec& spec, const RunOptions& options) {
  for (const auto& path : options.env_files) {
    const auto text = TRY_IN("--env-file", read_file(path, kMaxEnvFile));
    for (const auto line : split(text, '\n')) {
      const auto trimmed = trim(line);
      if (!trimmed.empty() && trimmed.front() != '#')
        TRY(add_variable(spec, std::string(trimmed), cat("--env-file ", path)));
    }
  }
  for (const auto& text : options.env) TRY(add_variable(spec, text, "-e"));
  for (const auto& text : options.labels) {
    auto [name, value] = TRY_IN("--label", wire::parse_variable(text));
    spec.labels[std::move(name)] = std::move(value);
  }
  return {};
}

std::string capability(std::string name) {
  for (char& letter : name) letter = static_cast<char>(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
  return name == "ALL" || name.starts_with("CAP_") ? name : "CAP_" + name;
}

void add_security(EnvironmentSpec& spec, const RunOptions& options) {
  if (options.read_only) spec.security.read_only_root = true;
  if (options.user_namespace) spec.security.user_namespace = true;
  if (options.new_privileges) spec.security.allow_new_privileges = true;
  for (const auto& name : options.cap_add) spec.security.cap_add.push_back(capability(name));
  for (const auto& name : options.cap_drop) spec.security.cap_drop.push_back(capability(name));
  set_text(spec.security.seccomp_profile, options.seccomp);
}

Status add_user_data(EnvironmentSpec& spec, const RunOptions& options) {
  if (!options.user_data) return {};
  if (!spec.cloud_init) spec.cloud_init.emplace();
  spec.cloud_init->user_data = TRY_IN("--user-data", read_file(*options.user_data, kMaxCloudInitText));
  return {};
}

Status add_words(EnvironmentSpec& spec, const RunOptions& options) {
  set_text(spec.name, chosen(options.name, "SKERRY_NAME"));
  set_text(spec.hostname, options.hostname);
  set_text(spec.zone, chosen(options.zone, "SKERRY_ZONE"));
  if (options.plugin) {
    auto plugin = parse_plugin_ref(*options.plugin);
    spec.plugin = std::move(plugin.name);
    spec.plugin_version = std::move(plugin.version);
  }
  set_text(spec.workdir, options.workdir);
  set_text(spec.user, chosen(options.user, "SKERRY_USER"));
  TRY(set_parsed<Isolation>(spec.isolation, chosen(options.isolation, "SKERRY_ISOLATION"), "--isolation",
                            parse_isolation));
  TRY(set_parsed<Kind>(spec.kind, chosen(options.kind, "SKERRY_KIND"), "--kind", parse_kind));
  TRY(set_parsed<RestartPolicy>(spec.restart, chosen(options.restart, "SKERRY_RESTART"), "--restart",
                                wire::parse_restart_policy));
  TRY(set_parsed<std::uint32_t>(spec.resources.cpu_milli, chosen(options.cpu, "SKERRY_CPU"), "--cpu",
                                wire::parse_cores));
  if (const char* memory = std::getenv("SKERRY_MEMORY"); !options.memory_mb && memory != nullptr) {
    spec.resources.memory_mib = TRY_IN("SKERRY_MEMORY", parse_memory_mib(memory));
  }
  if (options.memory_mb) spec.resources.memory_mib = *options.memory_mb;
  return set_number(spec.resources.pids, options.pids, "SKERRY_PIDS");
}

}  // namespace

Result<CreateCommand> resolve_command(const RunOptions& options) {
  CreateCommand command;
  EnvironmentSpec& spec = command.spec;
  const bool vms = options.scope == Scope::kVms;
  if (vms) spec.isolation = Isolation::kMicrovm;
  if (!options.config_path.empty()) {
    const auto text = TRY_IN("--config", read_file(options.config_path, wire::kMaxRunConfig));
    command = TRY_IN(options.config_path, wire::parse_any_config(text, spec.isolation));
  }
  if (vms || chosen(options.isolation, "SKERRY_ISOLATION")) command.isolation_wish = IsolationWish::kAsked;
  if (chosen(options.restart, "SKERRY_RESTART")) command.restart_wish = RestartWish::kAsked;
  if (chosen(options.cpu, "SKERRY_CPU")) command.resource_wishes.cpu = true;
  if (options.memory_mb || std::getenv("SKERRY_MEMORY") != nullptr) command.resource_wishes.memory = true;
  TRY(add_words(spec, options));
  if (!options.source.empty()) {
    spec.image = options.source;
    spec.rootfs_path.clear();
  }
  if (options.entrypoint) spec.entrypoint = {*options.entrypoint};
  if (!options.command.empty()) spec.command = options.command;
  TRY(add_environment(spec, options));
  TRY(set_list<BindMount>(spec.mounts, options.volumes, "-v", parse_volume));
  TRY(set_list<TmpfsMount>(spec.tmpfs, options.tmpfs, "--tmpfs", parse_tmpfs));
  TRY(set_list<PublishedPort>(spec.ports, options.ports, "-p", parse_published_port));
  if (!options.dns.empty()) spec.dns = options.dns;
  add_security(spec, options);
  TRY(add_user_data(spec, options));
  if (options.remove) spec.auto_remove = true;
  if (options.interactive) spec.stdin_open = true;
  if (options.terminal) spec.terminal = true;
  if (spec.image.empty() && spec.plugin.empty() && spec.rootfs_path.empty()) {
    return fail(ErrorCode::kInvalidArgument, "nothing to run", "name an image, --plugin or --config");
  }
  return command;
}

}  // namespace skerry::cli
