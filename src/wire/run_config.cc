#include "wire/run_config.h"

#include <algorithm>
#include <array>

#include "core/net.h"
#include "wire/environment_json.h"
#include "wire/json_node.h"
#include "wire/spec_fields.h"

namespace skerry::wire {
namespace {

void read_command(ObjectReader& fields, EnvironmentSpec& spec) {
  fields.value("command", [&](const Json& value, const std::string& path) {
    if (value.is_string()) {
      spec.command = {value.get<std::string>()};
      return;
    }
    if (!value.is_array()) return fields.errors().add(path, "must be a string or an array of strings");
    for (const auto& word : value) {
      if (!word.is_string()) return fields.errors().add(cat(path, "[", spec.command.size(), "]"), "must be a string");
      spec.command.push_back(word.get<std::string>());
    }
  });
  std::vector<std::string> arguments;
  fields.texts("args", arguments);
  if (!arguments.empty() && spec.command.empty()) fields.error("args", "without a command");
  spec.command.insert(spec.command.end(), arguments.begin(), arguments.end());
}

void read_limits(ObjectReader& fields, Resources& resources) {
  fields.object("resources", [&](ObjectReader& inner) {
    read_cores(inner, "cpu_limit", resources.cpu_milli);
    inner.number("memory_limit_mb", resources.memory_mib, 1U);
    inner.number("process_limit", resources.pids, 1U);
    inner.finish(Unknown::kRefuse);
  });
}

void read_security(ObjectReader& fields, EnvironmentSpec& spec) {
  fields.object("security", [&](ObjectReader& inner) {
    inner.flag("readonly_rootfs", spec.security.read_only_root);
    inner.flag("user_namespace", spec.security.user_namespace);
    inner.flag("allow_new_privileges", spec.security.allow_new_privileges);
    inner.text("user", spec.user, 256);
    inner.texts("drop_capabilities", spec.security.cap_drop, 128);
    inner.texts("add_capabilities", spec.security.cap_add, 128);
    inner.text("seccomp_profile", spec.security.seccomp_profile, 4095);
    read_mounts(inner, "bind_mounts", spec.mounts);
    read_tmpfs(inner, spec.tmpfs);
    inner.finish(Unknown::kRefuse);
  });
}

void read_network(ObjectReader& fields, EnvironmentSpec& spec) {
  fields.object("network", [&](ObjectReader& inner) {
    inner.text("zone", spec.zone, 256);
    read_ports(inner, spec.ports);
    inner.texts("dns", spec.dns, 16);
    inner.finish(Unknown::kRefuse);
  });
}

template <typename T>
void read_choice(ObjectReader& fields, const char* name, T& into, Result<T> (*parse)(std::string_view)) {
  std::string text;
  fields.text(name, text, 64);
  if (text.empty()) return;
  const auto parsed = parse(text);
  if (!parsed) return fields.error(name, parsed.error().message());
  into = *parsed;
}

// Paths of fields that only the run configuration has, and of those that only the creation request has.
constexpr std::array<std::string_view, 11> kOfRunConfig{
    "args",
    "network",
    "resources.memory_limit_mb",
    "resources.cpu_limit",
    "resources.process_limit",
    "security.readonly_rootfs",
    "security.user",
    "security.drop_capabilities",
    "security.add_capabilities",
    "security.bind_mounts",
    "security.tmpfs",
};
constexpr std::array<std::string_view, 20> kOfRequest{
    "entrypoint",
    "mounts",
    "tmpfs",
    "ports",
    "dns",
    "user",
    "zone",
    "terminal",
    "stdin_open",
    "auto_remove",
    "cpu_cores",
    "memory_mb",
    "base_url",
    "actions",
    "rootfs",
    "initramfs",
    "resources.cpu_cores",
    "resources.memory_mb",
    "resources.pids",
    "security.cap_drop",
};

template <std::size_t N>
bool has_any(const JsonNode& document, const std::array<std::string_view, N>& paths) {
  return std::ranges::any_of(paths, [&](std::string_view path) { return !document.at(path).is_null(); });
}

bool is_run_config(const JsonNode& document) {
  return document.member("command").is_string() || has_any(document, kOfRunConfig);
}

bool is_request(const JsonNode& document) {
  return has_any(document, kOfRequest) || !document.at("security.cap_add").is_null() ||
         !document.at("security.read_only_root").is_null();
}

}  // namespace

Result<EnvironmentSpec> parse_run_config(std::string_view json, Isolation default_isolation) {
  const Json document = TRY(parse_json(json, "run configuration", kMaxRunConfig));
  FieldErrors errors;
  ObjectReader fields(document, {}, errors);
  EnvironmentSpec spec;
  spec.isolation = default_isolation;
  fields.text("name", spec.name, 256);
  fields.text("hostname", spec.hostname, 256);
  fields.text("image", spec.image, 1024);
  fields.text("rootfs_path", spec.rootfs_path, 4095);
  read_plugin(fields, spec.plugin, spec.plugin_version);
  read_command(fields, spec);
  fields.pairs("env", spec.env);
  fields.text("workdir", spec.workdir, 4095);
  read_limits(fields, spec.resources);
  read_security(fields, spec);
  read_network(fields, spec);
  read_choice<Isolation>(fields, "isolation", spec.isolation, parse_isolation);
  read_choice<Kind>(fields, "kind", spec.kind, parse_kind);
  read_restart(fields, spec.restart);
  read_health_check(fields, spec.health_check);
  read_cloud_init(fields, spec.cloud_init);
  fields.pairs("labels", spec.labels);
  fields.finish(Unknown::kRefuse);
  TRY(errors.status());
  return spec;
}

Result<CreateCommand> parse_any_config(std::string_view json, Isolation default_isolation) {
  const auto document = TRY(JsonNode::parse(json, "configuration", kMaxRunConfig));
  if (!is_run_config(document) && is_request(document)) {
    auto command = TRY(parse_create_request(json, default_isolation)).command;
    // A request without a name gets one made up; ours is for the caller to choose.
    if (document.text("name").empty()) command.spec.name.clear();
    if (!command.start)
      return fail(ErrorCode::kInvalidArgument, "start: is not for a file to say", "use skerry create");
    return command;
  }
  CreateCommand command{TRY(parse_run_config(json, default_isolation))};
  command.isolation_wish = IsolationWish::kAsked;  // it always says: it has a default
  if (!document.member("restart").is_null()) command.restart_wish = RestartWish::kAsked;
  command.resource_wishes = {!document.at("resources.cpu_limit").is_null(),
                             !document.at("resources.memory_limit_mb").is_null()};
  return command;
}

Result<std::string> deployment_config(std::string_view json) {
  const auto document = TRY(JsonNode::parse(json, "configuration", kMaxRunConfig));
  if (!is_run_config(document)) return document.dump();
  CreateRequest request;
  request.command = TRY(parse_any_config(json));
  request.command.spec.name.clear();
  return create_request_json(request);
}

}  // namespace skerry::wire
