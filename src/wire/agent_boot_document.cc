// The boot document of wire/agent_protocol.h, and the parts of it that requests have too.
#include "wire/agent_fields.h"

namespace skerry::wire {
namespace {

const std::vector<std::string_view> kRootModes{"initramfs", "disk", "share"};
const std::vector<std::string_view> kRestartModes{"no", "on-failure", "always"};

}  // namespace

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

namespace {

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
  fields.flag("cloud_init", document.cloud_init);
  std::vector<std::string> settings;
  fields.texts("sysctl", settings);
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) return fields.error("sysctl", "must be NAME=value");
    document.sysctl[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  fields.finish(Unknown::kRefuse);
}

}  // namespace

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
  if (document.cloud_init) json["cloud_init"] = true;
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

}  // namespace skerry::wire
