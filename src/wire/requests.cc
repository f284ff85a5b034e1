#include "wire/requests.h"

#include <csignal>

#include "base/signal_name.h"
#include "wire/json_fields.h"
#include "wire/json_writer.h"
#include "wire/spec_fields.h"

namespace skerry::wire {
namespace {

constexpr std::size_t kMaxBody = 4U << 20U;
constexpr std::uint32_t kMaxGraceMs = 3'600'000;
const std::vector<std::string_view> kCopyDirections{"in", "out"};  // by CopyDirection
constexpr std::size_t kMaxCopyPath = 4095;
constexpr std::size_t kMaxCopyName = 255;
constexpr std::uint32_t kMaxExecMs = 3'600'000;

template <typename T, typename Read>
Result<T> parse_body(std::string_view body, T value, Read read) {
  const Json json = trim(body).empty() ? Json::object() : TRY(parse_json(body, "request body", kMaxBody));
  FieldErrors errors;
  ObjectReader fields(json, {}, errors);
  read(fields, value);
  fields.finish(Unknown::kRefuse);
  TRY(errors.status());
  return value;
}

}  // namespace

Result<ExecRequest> parse_exec_request(std::string_view body) {
  return parse_body(body, ExecRequest{}, [](ObjectReader& fields, ExecRequest& into) {
    fields.texts("command", into.command);
    fields.pairs("env", into.env);
    fields.text("workdir", into.workdir, 4095);
    fields.text("user", into.user, 256);
    fields.flag("terminal", into.terminal);
    fields.number<std::uint16_t>("columns", into.size.columns, 1);
    fields.number<std::uint16_t>("rows", into.size.rows, 1);
    fields.text("stdin", into.stdin_text, kMaxBody);
    fields.number("timeout_ms", into.timeout_ms, 1U, kMaxExecMs);
    if (into.command.empty()) fields.error("command", "is missing: an array with the program and its arguments");
  });
}

std::string exec_request_json(const ExecRequest& request) {
  JsonWriter json;
  json.begin_object().field("command", request.command).field("env", request.env);
  if (!request.workdir.empty()) json.field("workdir", request.workdir);
  if (!request.user.empty()) json.field("user", request.user);
  json.field("terminal", request.terminal).field("columns", request.size.columns).field("rows", request.size.rows);
  if (!request.stdin_text.empty()) json.field("stdin", request.stdin_text);
  json.field("timeout_ms", request.timeout_ms).end_object();
  return std::move(json).text();
}

Result<CopyRequest> parse_copy_request(std::string_view body) {
  return parse_body(body, CopyRequest{}, [](ObjectReader& fields, CopyRequest& into) {
    std::size_t direction = kCopyDirections.size();
    fields.word("direction", direction, kCopyDirections);
    if (direction == kCopyDirections.size()) {
      fields.error("direction", "is missing: in or out");
    } else {
      into.direction = static_cast<CopyDirection>(direction);
    }
    fields.text("path", into.path, kMaxCopyPath);
    fields.text("top", into.top, kMaxCopyName);
    fields.flag("follow", into.follow);
    fields.flag("owners", into.keep_owners);
    fields.flag("xattrs", into.xattrs);
    fields.flag("sparse", into.sparse);
    const auto has_zero = [](std::string_view text) { return text.find('\0') != std::string_view::npos; };
    if (!into.path.starts_with('/') || has_zero(into.path)) fields.error("path", "must be absolute");
    const bool is_name = into.top.find('/') == std::string::npos && into.top != ".." && !has_zero(into.top);
    if (!is_name) fields.error("top", "must be the name of a file, or \".\"");
    const bool in = into.direction == CopyDirection::kIn;
    if (in && into.follow) fields.error("follow", "is for copies out of the environment");
    if (in && into.xattrs) fields.error("xattrs", "is for copies out of the environment");
    if (in && into.sparse) fields.error("sparse", "is for copies out of the environment");
    if (!in && !into.top.empty()) fields.error("top", "is for copies into the environment");
    if (!in && !into.keep_owners) fields.error("owners", "is for copies into the environment");
  });
}

std::string copy_request_json(const CopyRequest& request) {
  JsonWriter json;
  json.begin_object()
      .field("direction", kCopyDirections.at(static_cast<std::size_t>(request.direction)))
      .field("path", request.path);
  if (!request.top.empty()) json.field("top", request.top);
  if (request.follow) json.field("follow", true);
  if (!request.keep_owners) json.field("owners", false);
  if (request.xattrs) json.field("xattrs", true);
  if (request.sparse) json.field("sparse", true);
  json.end_object();
  return std::move(json).text();
}

Result<std::uint32_t> parse_grace(std::string_view body) {
  return parse_body(body, std::uint32_t{10'000}, [](ObjectReader& fields, std::uint32_t& into) {
    fields.number("grace_ms", into, 0U, kMaxGraceMs);
  });
}

Result<bool> parse_start_request(std::string_view body) {
  return parse_body(body, false, [](ObjectReader& fields, bool& wait) { fields.flag("wait", wait); });
}

Result<int> parse_kill_request(std::string_view body) {
  return parse_body(body, int{SIGKILL}, [](ObjectReader& fields, int& into) {
    fields.value("signal", [&](const Json& value, const std::string& path) {
      const auto text = value.is_string() ? value.get<std::string>() : dump_json(value);
      const auto parsed = parse_signal(text);
      if (!parsed) return fields.errors().add(path, parsed.error().message());
      into = *parsed;
    });
  });
}

Result<PullRequest> parse_pull_request(std::string_view body) {
  return parse_body(body, PullRequest{}, [](ObjectReader& fields, PullRequest& into) {
    fields.text("reference", into.reference, 1024);
    fields.flag("insecure", into.insecure);
    fields.required("reference");
  });
}

Result<PushRequest> parse_push_request(std::string_view body) {
  return parse_body(body, PushRequest{}, [](ObjectReader& fields, PushRequest& into) {
    fields.text("image", into.image, 1024);
    fields.text("target", into.target, 1024);
    fields.flag("insecure", into.insecure);
    fields.required("image");
  });
}

Result<ArchiveRequest> parse_archive_request(std::string_view body) {
  return parse_body(body, ArchiveRequest{}, [](ObjectReader& fields, ArchiveRequest& into) {
    fields.text("path", into.path, 4095);
    fields.text("name", into.name, 1024);
    fields.required("path");
    if (!into.path.empty() && into.path.front() != '/') fields.error("path", "must be absolute");
  });
}

Result<ImportRequest> parse_import_request(std::string_view body) {
  return parse_body(body, ImportRequest{}, [](ObjectReader& fields, ImportRequest& into) {
    fields.text("path", into.path, 4095);
    fields.text("name", into.name, 1024);
    fields.texts("command", into.command);
    fields.required("path");
    fields.required("name");
    if (!into.path.empty() && into.path.front() != '/') fields.error("path", "must be absolute");
  });
}

Result<TagRequest> parse_tag_request(std::string_view body) {
  return parse_body(body, TagRequest{}, [](ObjectReader& fields, TagRequest& into) {
    fields.text("source", into.source, 1024);
    fields.text("name", into.name, 1024);
    fields.required("source");
    fields.required("name");
  });
}

namespace {

void absolute_path_field(ObjectReader& fields, const char* name, std::string& into) {
  fields.text(name, into, 4095);
  if (!into.empty() && into.front() != '/') fields.error(name, "must be absolute");
}

}  // namespace

Result<AddKernelRequest> parse_add_kernel_request(std::string_view body) {
  return parse_body(body, AddKernelRequest{}, [](ObjectReader& fields, AddKernelRequest& into) {
    fields.text("name", into.name, 64);
    absolute_path_field(fields, "path", into.path);
    fields.required("name");
    fields.required("path");
  });
}

Result<BuildKernelRequest> parse_build_kernel_request(std::string_view body) {
  return parse_body(body, BuildKernelRequest{}, [](ObjectReader& fields, BuildKernelRequest& into) {
    fields.text("name", into.name, 64);
    absolute_path_field(fields, "source", into.source);
    absolute_path_field(fields, "config", into.config);
  });
}

Result<std::string> parse_choose_kernel_request(std::string_view body) {
  return parse_body(body, std::string{},
                    [](ObjectReader& fields, std::string& into) { fields.text("name", into, 64); });
}

Result<BuildImageRequest> parse_build_image_request(std::string_view body) {
  return parse_body(body, BuildImageRequest{}, [](ObjectReader& fields, BuildImageRequest& into) {
    absolute_path_field(fields, "path", into.path);
    absolute_path_field(fields, "output", into.output);
    absolute_path_field(fields, "signing_key", into.signing_key);
    fields.flag("insecure", into.insecure);
    fields.required("path");
    fields.required("output");
  });
}

namespace {
void read_service(ObjectReader& fields, DeploymentRequest& into) {
  // A null reads as missing; here it says something.
  if (fields.mentions("service")) into.service.emplace(std::nullopt);
  fields.value("service", [&](const Json& value, const std::string& path) {
    ServiceSpec service;
    ObjectReader inside(value, path, fields.errors());
    inside.text("address", service.address, 64);
    inside.items(
        "ports",
        [&](const Json& item, const std::string& place) {
          if (!item.is_string()) return fields.errors().add(place, "must be a text like \"80:8080\"");
          auto port = parse_service_port(item.get<std::string>());
          if (!port) return fields.errors().add(place, port.error().message());
          service.ports.push_back(std::move(*port));
        },
        kMaxServicePorts);
    inside.required("ports");
    inside.finish(Unknown::kRefuse);
    into.service.emplace(std::move(service));
  });
}

void read_deployment(ObjectReader& fields, DeploymentRequest& into) {
  std::uint32_t replicas = 0;
  fields.number("replicas", replicas);
  if (fields.has("replicas")) into.replicas = replicas;
  std::uint32_t max_unavailable = 0;
  fields.number("max_unavailable", max_unavailable);
  if (fields.has("max_unavailable")) into.max_unavailable = max_unavailable;
  read_plugin(fields, into.plugin, into.plugin_version);
  into.has_plugin = fields.has("plugin");
  read_service(fields, into);
  fields.value("config", [&](const Json& value, const std::string& path) {
    if (!value.is_object()) return fields.errors().add(path, "must be an object: a creation request without a name");
    into.config_json = dump_json(value);
  });
}
}  // namespace

Result<DeploymentRequest> parse_deployment_request(std::string_view body) {
  return parse_body(body, DeploymentRequest{}, [](ObjectReader& fields, DeploymentRequest& into) {
    fields.text("name", into.name, 64);
    read_deployment(fields, into);
    fields.required("name");
  });
}

Result<DeploymentRequest> parse_deployment_change(std::string_view body) {
  return parse_body(body, DeploymentRequest{}, [](ObjectReader& fields, DeploymentRequest& into) {
    read_deployment(fields, into);
    if (!into.replicas && !into.config_json && !into.has_plugin && !into.max_unavailable && !into.service) {
      fields.error("replicas", "is missing: give replicas, config, plugin, max_unavailable or service");
    }
  });
}

Result<std::string> parse_snapshot_request(std::string_view body) {
  return parse_body(body, std::string(), [](ObjectReader& fields, std::string& name) {
    fields.text("name", name, 64);
    fields.required("name");
  });
}

Result<ForkRequest> parse_fork_request(std::string_view body) {
  return parse_body(body, ForkRequest{}, [](ObjectReader& fields, ForkRequest& into) {
    fields.text("name", into.name, 64);
    read_ports(fields, into.ports);
    fields.required("name");
  });
}

Result<ZoneWish> parse_zone_request(std::string_view body) {
  return parse_body(body, ZoneWish{}, [](ObjectReader& fields, ZoneWish& into) {
    fields.text("name", into.name, 64);
    fields.text("colour", into.colour, 16);
    fields.text("bridge", into.bridge, 64);
    fields.text("subnet", into.subnet, 64);
    fields.text("pool_first", into.pool_first, 64);
    fields.text("pool_last", into.pool_last, 64);
    fields.texts("dns", into.dns, 16);
    fields.text("egress", into.egress, 64);
    fields.flag("isolated", into.isolated);
    std::string policy = "deny";
    fields.text("default_policy", policy, 16);
    if (policy != "deny")
      fields.error("default_policy", "can only be \"deny\": what may cross zones is for rules to say");
    fields.required("name");
  });
}

Result<TokenRequest> parse_token_request(std::string_view body) {
  return parse_body(body, TokenRequest{}, [](ObjectReader& fields, TokenRequest& into) {
    fields.text("name", into.name, 64);
    fields.text("role", into.role, 16);
    fields.texts("zones", into.zones, 256);
    fields.required("name");
  });
}

}  // namespace skerry::wire
