#include "wire/agent_protocol.h"

#include <array>

#include "wire/agent_fields.h"
#include "wire/manifest_codec.h"

namespace skerry::wire {
namespace {

const std::vector<std::string_view> kOps{"ping", "hello",  "exec", "shutdown", "start", "stats",   "identity",
                                         "dial", "signal", "sync", "copy",     "boot",  "rehearse"};
const std::vector<std::string_view> kEventTypes{"workload_started", "workload_exited", "healthy", "unhealthy",
                                                "warning"};
const std::vector<std::string_view> kWorkloadStates{"running", "waiting", "none", "ended", "failed", "parked"};

void read_bytes(ObjectReader& fields, const char* name, std::string& into) {
  std::string text;
  fields.text(name, text, kMaxAgentJson);
  auto bytes = base64url_decode(text);
  if (!bytes) return fields.error(name, "must be base64url without padding");
  if (!text.empty()) into = std::move(*bytes);
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

}  // namespace

std::string_view to_text(AgentOp op) { return word_of(op, kOps); }

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
    case AgentOp::kExec:
    case AgentOp::kCopy: read_process(fields, request.process); break;
    case AgentOp::kShutdown: fields.number("grace_ms", request.grace_ms, 0U, 86'400'000U); break;
    case AgentOp::kStart:
      fields.texts("env", request.env);
      fields.objects("files", [&](ObjectReader& file) { request.files.push_back(read_guest_file(file)); });
      break;
    case AgentOp::kIdentity:
      fields.object("identity", [&](ObjectReader& identity) { read_identity(identity, request.identity); });
      break;
    case AgentOp::kBoot:
    case AgentOp::kRehearse:
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
    case AgentOp::kExec:
    case AgentOp::kCopy: json = process_json(request.process); break;
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
    case AgentOp::kRehearse:
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
