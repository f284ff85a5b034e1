#include "wire/agent_protocol.h"

#include <array>

#include "wire/json_fields.h"
#include "wire/manifest_codec.h"

namespace skerry::wire {
namespace {

const std::vector<std::string_view> kOps{"ping",     "hello", "exec",   "shutdown", "start", "stats",
                                         "identity", "dial",  "signal", "sync",     "boot"};
const std::vector<std::string_view> kRootModes{"initramfs", "disk", "share"};
const std::vector<std::string_view> kRestartModes{"no", "on-failure", "always"};
const std::vector<std::string_view> kEventTypes{"workload_started", "workload_exited", "healthy", "unhealthy",
                                                "warning"};
const std::vector<std::string_view> kWorkloadStates{"running", "waiting", "none", "ended", "failed", "parked"};
constexpr int kMaxSignal = 64;

template <typename Enum>
void read_word(ObjectReader& fields, const char* name, Enum& into, const std::vector<std::string_view>& words) {
  auto index = static_cast<std::size_t>(into);
  fields.word(name, index, words);
  into = static_cast<Enum>(index);
}

template <typename Enum>
std::string_view word_of(Enum value, const std::vector<std::string_view>& words) {
  return words.at(static_cast<std::size_t>(value));
}

void read_bytes(ObjectReader& fields, const char* name, std::string& into) {
  std::string text;
  fields.text(name, text, kMaxAgentJson);
  auto bytes = base64url_decode(text);
  if (!bytes) return fields.error(name, "must be base64url without padding");
  if (!text.empty()) into = std::move(*bytes);
}

// --- values both directions share -----------------------------------------------------------------------------------

Json process_json(const GuestProcess& process) {
  Json json{{"argv", process.argv},   {"env", process.env},      {"cwd", process.cwd},         {"user", process.user},
            {"umask", process.umask}, {"tty", process.terminal}, {"stdin", process.stdin_open}};
  if (process.terminal) json["size"] = {{"columns", process.size.columns}, {"rows", process.size.rows}};
  if (process.no_new_privileges) json["no_new_privileges"] = true;
  if (!process.drop_capabilities.empty()) json["drop_capabilities"] = process.drop_capabilities;
  if (!process.keep_capabilities.empty()) json["keep_capabilities"] = process.keep_capabilities;
  if (!process.additional_gids.empty()) {
    Json& gids = json["additional_gids"] = Json::array();
    for (const auto gid : process.additional_gids) gids.push_back(cat(gid));
  }
  for (const auto& limit : process.limits) {
    json["limits"].push_back({{"resource", limit.resource}, {"soft", limit.soft}, {"hard", limit.hard}});
  }
  return json;
}

void read_process(ObjectReader& fields, GuestProcess& process) {
  fields.texts("argv", process.argv);
  fields.texts("env", process.env);
  fields.text("cwd", process.cwd, 4096);
  fields.text("user", process.user, 256);
  fields.number("umask", process.umask, 0U, 0777U);
  fields.flag("tty", process.terminal);
  fields.flag("stdin", process.stdin_open);
  fields.object("size", [&](ObjectReader& size) {
    size.number("columns", process.size.columns);
    size.number("rows", process.size.rows);
    size.finish(Unknown::kRefuse);
  });
  fields.flag("no_new_privileges", process.no_new_privileges);
  fields.texts("drop_capabilities", process.drop_capabilities, 64);
  fields.texts("keep_capabilities", process.keep_capabilities, 64);
  std::vector<std::string> gids;
  fields.texts("additional_gids", gids, 65536);
  for (const auto& text : gids) {
    const auto gid = parse_int<std::uint32_t>(text, "gid");
    if (!gid) return fields.error("additional_gids", "must be numbers");
    process.additional_gids.push_back(*gid);
  }
  fields.objects("limits", [&](ObjectReader& limit) {
    auto& made = process.limits.emplace_back();
    limit.number("resource", made.resource, 0, 63);
    limit.number("soft", made.soft);
    limit.number("hard", made.hard);
    limit.finish(Unknown::kRefuse);
  });
  if (!process.cwd.empty() && !process.cwd.starts_with('/')) fields.error("cwd", "must be an absolute path");
}

Json network_json(const GuestNetwork& network) {
  return {{"mac", network.mac},         {"address", network.address}, {"prefix", network.prefix},
          {"gateway", network.gateway}, {"dns", network.dns},         {"search", network.search}};
}

GuestNetwork read_network(ObjectReader& fields) {
  GuestNetwork network;
  fields.text("mac", network.mac, 17);
  fields.text("address", network.address, 15);
  fields.number("prefix", network.prefix, std::uint8_t{0}, std::uint8_t{32});
  fields.text("gateway", network.gateway, 15);
  fields.texts("dns", network.dns, 8);
  fields.text("search", network.search, 255);
  fields.finish(Unknown::kRefuse);
  return network;
}

Json error_json(const Error& error) {
  return {
      {"code", error_code_name(error.code)}, {"errno", error.sys_errno}, {"step", error.step}, {"hint", error.hint}};
}

void read_error(ObjectReader& fields, Error& error) {
  std::vector<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    names.push_back(error_code_name(static_cast<ErrorCode>(code)));
  }
  read_word(fields, "code", error.code, names);
  fields.number("errno", error.sys_errno, 0, 4095);
  fields.text("step", error.step);
  fields.text("hint", error.hint);
}

// --- parts of the boot document -------------------------------------------------------------------------------------

void read_root(ObjectReader& fields, GuestRoot& root) {
  read_word(fields, "mode", root.mode, kRootModes);
  fields.flag("overlay", root.overlay);
  fields.flag("read_only", root.read_only);
  fields.finish(Unknown::kRefuse);
}

void read_restart(ObjectReader& fields, GuestRestartPolicy& restart) {
  read_word(fields, "policy", restart.mode, kRestartModes);
  fields.number("max", restart.max);
  fields.number("backoff_ms", restart.backoff_ms);
  fields.finish(Unknown::kRefuse);
}

GuestHealthCheck read_health(ObjectReader& fields) {
  GuestHealthCheck check;
  fields.required("endpoint");
  fields.text("endpoint", check.endpoint, 2048);
  fields.number("interval_ms", check.interval_ms, 10U, 86'400'000U);
  fields.number("timeout_ms", check.timeout_ms, 1U, 86'400'000U);
  fields.number("retries", check.retries, 1U, 1000U);
  fields.finish(Unknown::kRefuse);
  return check;
}

GuestMount read_mount(ObjectReader& fields) {
  GuestMount mount;
  fields.required("type");
  fields.required("target");
  fields.text("type", mount.type, 32);
  fields.text("source", mount.source, 64);
  fields.text("target", mount.target, 4096);
  fields.flag("read_only", mount.read_only);
  fields.number("size_mib", mount.size_mib, 1U, 1U << 20U);
  if (!mount.target.starts_with('/')) fields.error("target", "must be an absolute path");
  fields.finish(Unknown::kRefuse);
  return mount;
}

void read_boot_document(ObjectReader& fields, BootDocument& document) {
  fields.text("hostname", document.hostname, 64);
  fields.object("root", [&](ObjectReader& root) { read_root(root, document.root); });
  fields.object("network", [&](ObjectReader& network) { document.network = read_network(network); });
  fields.object("workload", [&](ObjectReader& workload) {
    read_process(workload, document.workload);
    workload.finish(Unknown::kRefuse);
  });
  fields.number("stop_signal", document.stop_signal, 1, kMaxSignal);
  fields.number("stop_grace_ms", document.stop_grace_ms, 0U, 86'400'000U);
  fields.text("base_url", document.base_url, 2048);
  fields.object("restart", [&](ObjectReader& restart) { read_restart(restart, document.restart); });
  fields.object("health_check", [&](ObjectReader& check) { document.health_check = read_health(check); });
  fields.objects("mounts", [&](ObjectReader& mount) { document.mounts.push_back(read_mount(mount)); });
  fields.number("pids_max", document.pids_max);
  fields.flag("wait_for_start", document.wait_for_start);
  fields.flag("park", document.park);
  fields.flag("keep_etc", document.keep_etc);
  std::vector<std::string> settings;
  fields.texts("sysctl", settings);
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) return fields.error("sysctl", "must be NAME=value");
    document.sysctl[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  fields.finish(Unknown::kRefuse);
}

// Parses, reads with `read`, and gives the value or the first error.
template <typename Value, typename Read>
Result<Value> decode(std::string_view text, std::string_view what, Read read) {
  const Json json = TRY(parse_json(text, what, kMaxAgentJson));
  FieldErrors errors;
  Value value;
  ObjectReader fields(json, {}, errors);
  read(fields, value);
  TRY_IN(what, errors.status());
  return value;
}

}  // namespace

std::string_view to_text(AgentOp op) { return word_of(op, kOps); }

std::string encode_boot_document(const BootDocument& document) {
  Json json{{"hostname", document.hostname},
            {"root",
             {{"mode", word_of(document.root.mode, kRootModes)},
              {"overlay", document.root.overlay},
              {"read_only", document.root.read_only}}},
            {"workload", process_json(document.workload)},
            {"stop_signal", document.stop_signal},
            {"stop_grace_ms", document.stop_grace_ms},
            {"restart",
             {{"policy", word_of(document.restart.mode, kRestartModes)},
              {"max", document.restart.max},
              {"backoff_ms", document.restart.backoff_ms}}},
            {"wait_for_start", document.wait_for_start}};
  if (document.park) json["park"] = true;
  if (document.keep_etc) json["keep_etc"] = true;
  for (const auto& [name, value] : document.sysctl) json["sysctl"].push_back(cat(name, "=", value));
  if (document.pids_max != 0) json["pids_max"] = document.pids_max;
  if (document.network) json["network"] = network_json(*document.network);
  if (!document.base_url.empty()) json["base_url"] = document.base_url;
  if (const auto& check = document.health_check) {
    json["health_check"] = {{"endpoint", check->endpoint},
                            {"interval_ms", check->interval_ms},
                            {"timeout_ms", check->timeout_ms},
                            {"retries", check->retries}};
  }
  for (const auto& mount : document.mounts) {
    json["mounts"].push_back({{"type", mount.type},
                              {"source", mount.source},
                              {"target", mount.target},
                              {"read_only", mount.read_only},
                              {"size_mib", mount.size_mib}});
  }
  return dump_json(json);
}

Result<BootDocument> decode_boot_document(std::string_view json) {
  return decode<BootDocument>(json, "boot document", read_boot_document);
}

std::string encode_hello(const AgentHello& hello) {
  Json json{{"agent_version", hello.agent_version},
            {"kernel_release", hello.kernel_release},
            {"boot_id", hello.boot_id},
            {"uptime_ms", hello.uptime_ms},
            {"workload", hello.workload},
            {"workload_pid", hello.workload_pid}};
  if (hello.error) json["error"] = error_json(*hello.error);
  return dump_json(json);
}

Result<AgentHello> decode_hello(std::string_view json) {
  return decode<AgentHello>(json, "hello", [](ObjectReader& fields, AgentHello& hello) {
    fields.text("agent_version", hello.agent_version, 64);
    fields.text("kernel_release", hello.kernel_release, 256);
    fields.text("boot_id", hello.boot_id, 64);
    fields.number("uptime_ms", hello.uptime_ms, std::int64_t{0}, INT64_MAX);
    std::size_t state = 0;
    fields.required("workload");
    fields.word("workload", state, kWorkloadStates);
    hello.workload = kWorkloadStates.at(state);
    fields.number("workload_pid", hello.workload_pid, std::int64_t{0}, std::int64_t{1} << 22U);
    fields.object("error", [&](ObjectReader& inner) { read_error(inner, hello.error.emplace()); });
  });
}

namespace {

Json identity_json(const GuestIdentity& identity) {
  Json json{{"hostname", identity.hostname},
            {"machine_id", identity.machine_id},
            {"new_mac", identity.new_mac},
            {"random_seed", base64url_encode(identity.random_seed)},
            {"wall_clock_ns", identity.wall_clock_ns},
            {"renew_ssh_host_keys", identity.renew_ssh_host_keys}};
  if (identity.network) json["network"] = network_json(*identity.network);
  return json;
}

void read_identity(ObjectReader& fields, GuestIdentity& identity) {
  fields.text("hostname", identity.hostname, 64);
  fields.text("machine_id", identity.machine_id, 32);
  fields.text("new_mac", identity.new_mac, 17);
  read_bytes(fields, "random_seed", identity.random_seed);
  fields.number("wall_clock_ns", identity.wall_clock_ns, std::int64_t{0}, INT64_MAX);
  fields.flag("renew_ssh_host_keys", identity.renew_ssh_host_keys);
  fields.object("network", [&](ObjectReader& network) { identity.network = read_network(network); });
  fields.finish(Unknown::kRefuse);
}

GuestFile read_guest_file(ObjectReader& fields) {
  GuestFile file;
  fields.required("path");
  fields.text("path", file.path, 4096);
  read_bytes(fields, "content", file.content);
  fields.number("mode", file.mode, 0U, 07777U);
  fields.text("owner", file.owner, 256);
  if (!file.path.starts_with('/')) fields.error("path", "must be an absolute path");
  fields.finish(Unknown::kRefuse);
  return file;
}

void read_request(ObjectReader& fields, AgentRequest& request) {
  fields.required("op");
  read_word(fields, "op", request.op, kOps);
  switch (request.op) {
    case AgentOp::kExec: read_process(fields, request.process); break;
    case AgentOp::kShutdown: fields.number("grace_ms", request.grace_ms, 0U, 86'400'000U); break;
    case AgentOp::kStart:
      fields.texts("env", request.env);
      fields.objects("files", [&](ObjectReader& file) { request.files.push_back(read_guest_file(file)); });
      break;
    case AgentOp::kIdentity:
      fields.object("identity", [&](ObjectReader& identity) { read_identity(identity, request.identity); });
      break;
    case AgentOp::kBoot:
      fields.required("document");
      fields.raw("document", request.document);
      fields.object("identity", [&](ObjectReader& identity) { read_identity(identity, request.identity); });
      break;
    case AgentOp::kDial:
      fields.required("address");
      fields.text("address", request.dial, 512);
      break;
    case AgentOp::kSignal: fields.number("signal", request.signal, 1, kMaxSignal); break;
    case AgentOp::kPing:
    case AgentOp::kHello:
    case AgentOp::kStats:
    case AgentOp::kSync: break;
  }
  fields.finish(Unknown::kRefuse);
}

}  // namespace

std::string encode_request(const AgentRequest& request) {
  Json json = Json::object();
  switch (request.op) {
    case AgentOp::kExec: json = process_json(request.process); break;
    case AgentOp::kShutdown: json["grace_ms"] = request.grace_ms; break;
    case AgentOp::kStart:
      json["env"] = request.env;
      for (const auto& file : request.files) {
        json["files"].push_back({{"path", file.path},
                                 {"content", base64url_encode(file.content)},
                                 {"mode", file.mode},
                                 {"owner", file.owner}});
      }
      break;
    case AgentOp::kIdentity: json["identity"] = identity_json(request.identity); break;
    case AgentOp::kBoot:
      json["document"] = Json::parse(request.document, nullptr, false);
      json["identity"] = identity_json(request.identity);
      break;
    case AgentOp::kDial: json["address"] = request.dial; break;
    case AgentOp::kSignal: json["signal"] = request.signal; break;
    case AgentOp::kPing:
    case AgentOp::kHello:
    case AgentOp::kStats:
    case AgentOp::kSync: break;
  }
  json["op"] = to_text(request.op);
  return dump_json(json);
}

Result<AgentRequest> decode_request(std::string_view json) {
  return decode<AgentRequest>(json, "request", read_request);
}

std::string encode_response(const AgentResponse& response) {
  Json json{{"ok", !response.error}};
  if (response.error) json["error"] = error_json(*response.error);
  if (response.pid != 0) json["pid"] = response.pid;
  if (!response.body.empty()) json["body"] = Json::parse(response.body, nullptr, false);
  return dump_json(json);
}

Result<AgentResponse> decode_response(std::string_view json) {
  return decode<AgentResponse>(json, "response", [](ObjectReader& fields, AgentResponse& response) {
    bool ok = false;
    fields.required("ok");
    fields.flag("ok", ok);
    Error error;
    fields.object("error", [&](ObjectReader& inner) { read_error(inner, error); });
    if (!ok) response.error = std::move(error);
    fields.number("pid", response.pid, std::int64_t{0}, std::int64_t{1} << 22U);
    fields.raw("body", response.body);
  });
}

std::string encode_event(const AgentEvent& event) {
  return dump_json({{"event", word_of(event.type, kEventTypes)},
                    {"reason", event.reason},
                    {"pid", event.pid},
                    {"exit_code", event.exit_code},
                    {"restarts", event.restarts},
                    {"backoff_ms", event.backoff_ms}});
}

Result<AgentEvent> decode_event(std::string_view json) {
  return decode<AgentEvent>(json, "event", [](ObjectReader& fields, AgentEvent& event) {
    fields.required("event");
    read_word(fields, "event", event.type, kEventTypes);
    fields.text("reason", event.reason);
    fields.number("pid", event.pid, std::int64_t{0}, std::int64_t{1} << 22U);
    fields.number("exit_code", event.exit_code, 0, 255);
    fields.number("restarts", event.restarts);
    fields.number("backoff_ms", event.backoff_ms);
  });
}

namespace {

struct StatField {
  const char* name;
  std::uint64_t GuestStats::* member;
};
constexpr std::array<StatField, 10> kStatFields{{
    {"memory_total_bytes", &GuestStats::memory_total_bytes},
    {"memory_available_bytes", &GuestStats::memory_available_bytes},
    {"cpu_user_ms", &GuestStats::cpu_user_ms},
    {"cpu_system_ms", &GuestStats::cpu_system_ms},
    {"cpu_idle_ms", &GuestStats::cpu_idle_ms},
    {"network_received_bytes", &GuestStats::network_received_bytes},
    {"network_sent_bytes", &GuestStats::network_sent_bytes},
    {"root_total_bytes", &GuestStats::root_total_bytes},
    {"root_free_bytes", &GuestStats::root_free_bytes},
    {"agent_resident_bytes", &GuestStats::agent_resident_bytes},
}};

}  // namespace

std::string encode_stats(const GuestStats& stats) {
  Json json{{"processes", stats.processes}};
  for (const auto& field : kStatFields) json[field.name] = stats.*field.member;
  return dump_json(json);
}

Result<GuestStats> decode_stats(std::string_view json) {
  return decode<GuestStats>(json, "stats", [](ObjectReader& fields, GuestStats& stats) {
    fields.number("processes", stats.processes);
    for (const auto& field : kStatFields) fields.number(field.name, stats.*field.member);
  });
}

}  // namespace skerry::wire
