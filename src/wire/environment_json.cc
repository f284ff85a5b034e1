#include "wire/environment_json.h"

#include <sys/random.h>

#include <array>

#include "core/plan.h"
#include "wire/spec_fields.h"

namespace skerry::wire {
namespace {

constexpr std::size_t kMaxBody = 4U << 20U;
// 2^32 names for each stem: 1000 environments of one image collide once in 10^4 tries of all 1000.
constexpr std::size_t kRandomLetters = 6;
constexpr std::size_t kMaxStem = 40;

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

template <typename T, typename Read>
Result<T> parse_object(std::string_view text, std::string_view what, T value, Read read) {
  const Json json = TRY(parse_json(text, what, kMaxBody));
  if (!json.is_object()) return fail(ErrorCode::kInvalidArgument, cat(what, ": must be a JSON object"));
  FieldErrors errors;
  ObjectReader fields(json, {}, errors);
  read(fields, value);
  fields.finish(Unknown::kRefuse);
  TRY(errors.status());
  return value;
}

// "registry:5000/a/My_App:1@sha256:…" → "my-app"
std::string stem_of(std::string_view source) {
  source = source.substr(0, source.find('@'));
  if (const auto slash = source.rfind('/'); slash != std::string_view::npos) source.remove_prefix(slash + 1);
  source = source.substr(0, source.find(':'));
  std::string stem;
  for (const char letter : source.substr(0, kMaxStem)) {
    const char lower = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (plain) {
      stem += lower;
    } else if (!stem.empty() && stem.back() != '-') {
      stem += '-';
    }
  }
  while (stem.ends_with('-')) stem.pop_back();
  return stem.empty() ? "env" : stem;
}

OrderedJson environment_value(const Environment& environment) {
  const auto& spec = environment.spec;
  const auto& status = environment.status;
  OrderedJson out;
  out["name"] = spec.name;
  out["plugin"] = spec.plugin;
  out["ip"] = environment.ip;
  out["state"] = to_text(status.state);
  out["resources"] = {{"cpu_cores", cores_value(spec.resources.cpu_milli)},
                      {"memory_mb", spec.resources.memory_mib},
                      {"pids", spec.resources.pids}};
  out["id"] = environment.id;
  out["isolation"] = to_text(spec.isolation);
  out["kind"] = to_text(spec.kind);
  out["zone"] = spec.zone;
  out["image"] = spec.image;
  out["image_digest"] = environment.image_digest;
  out["goal"] = to_text(status.goal);
  out["health"] = to_text(status.health);
  out["pid"] = status.pid;
  out["exit_code"] = status.exit_code ? OrderedJson(*status.exit_code) : OrderedJson(nullptr);
  out["reason"] = status.reason;
  out["restarts"] = status.restarts;
  out["restarting"] = restart_due(environment);
  out["crash_looping"] = is_crash_looping(environment);
  out["created_at"] = to_rfc3339(status.created_at);
  out["started_at"] = status.started_at.ns == 0 ? OrderedJson(nullptr) : OrderedJson(to_rfc3339(status.started_at));
  out["finished_at"] = status.finished_at.ns == 0 ? OrderedJson(nullptr) : OrderedJson(to_rfc3339(status.finished_at));
  // What was asked for and stands nowhere above.
  const OrderedJson asked = spec_value(spec);
  for (const auto& [name, value] : asked.items()) {
    if (!out.contains(name)) out[name] = value;
  }
  return out;
}

}  // namespace

std::string environment_spec_json(const EnvironmentSpec& spec) { return dump(spec_value(spec)); }

Result<EnvironmentSpec> parse_environment_spec(std::string_view json) {
  return parse_object(json, "environment specification", EnvironmentSpec{}, read_spec);
}

namespace {

// Beside the fields of the document, or in its "resources".
ResourceWishes said_resources(ObjectReader& fields) {
  ResourceWishes said{fields.has("cpu_cores"), fields.has("memory_mb")};
  fields.object("resources", [&](const ObjectReader& inner) {
    said.cpu = said.cpu || inner.has("cpu_cores");
    said.memory = said.memory || inner.has("memory_mb");
  });
  return said;
}

// What nobody asked for is the plugin's to say.
void leave_open(OrderedJson& resources, const Resources& asked, ResourceWishes said) {
  const Resources defaults;
  if (!said.cpu && asked.cpu_milli == defaults.cpu_milli) resources.erase("cpu_cores");
  if (!said.memory && asked.memory_mib == defaults.memory_mib) resources.erase("memory_mb");
}

}  // namespace

Result<CreateRequest> parse_create_request(std::string_view body, Isolation default_isolation) {
  CreateRequest defaults;
  defaults.command.spec.isolation = default_isolation;
  auto request =
      TRY(parse_object(body, "request body", std::move(defaults), [](ObjectReader& fields, CreateRequest& into) {
        auto& spec = into.command.spec;
        read_spec(fields, spec);
        if (fields.has("isolation")) into.command.isolation_wish = IsolationWish::kAsked;
        into.command.resource_wishes = said_resources(fields);
        if (fields.has("restart")) into.command.restart_wish = RestartWish::kAsked;
        read_cores(fields, "cpu_cores", spec.resources.cpu_milli);
        fields.number("memory_mb", spec.resources.memory_mib);
        fields.flag("start", into.command.start);
        fields.flag("wait", into.wait);
      }));
  auto& spec = request.command.spec;
  if (spec.name.empty()) spec.name = generated_name(spec);
  return request;
}

std::string create_request_json(const CreateRequest& request) {
  OrderedJson out = spec_value(request.command.spec);
  if (request.command.spec.name.empty()) out.erase("name");
  const bool open = request.command.isolation_wish == IsolationWish::kOpen;
  if (open && request.command.spec.isolation == Isolation::kContainer) out.erase("isolation");
  if (request.command.restart_wish == RestartWish::kAsked && !out.contains("restart")) out["restart"] = "no";
  leave_open(out["resources"], request.command.spec.resources, request.command.resource_wishes);
  if (!request.command.start) out["start"] = false;
  if (!request.wait) out["wait"] = false;
  return dump(out);
}

Result<Resources> parse_update_request(std::string_view body, const Resources& current) {
  return parse_object(body, "request body", current, [](ObjectReader& fields, Resources& into) {
    read_resources(fields, into);
    fields.object("resources", [&](ObjectReader& inner) {
      read_resources(inner, into);
      inner.finish(Unknown::kRefuse);
    });
  });
}

std::string environment_json(const Environment& environment) { return dump(environment_value(environment)); }

std::string environments_json(const std::vector<Environment>& environments) {
  OrderedJson list = OrderedJson::array();
  for (const auto& environment : environments) list.push_back(environment_value(environment));
  return dump(list);
}

std::string generated_name(const EnvironmentSpec& spec) {
  std::string name = stem_of(!spec.image.empty() ? spec.image : !spec.plugin.empty() ? spec.plugin : spec.rootfs_path);
  name += '-';
  // No vowels, no look-alikes: 32 letters that spell nothing.
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz23456789bcdf";
  std::array<unsigned char, kRandomLetters> random{};
  // Up to 256 bytes are never cut short (getrandom(2)).
  if (::getrandom(random.data(), random.size(), 0) < 0) random.fill(0);
  for (const auto byte : random) name += kLetters[byte % kLetters.size()];
  return name;
}

}  // namespace skerry::wire
