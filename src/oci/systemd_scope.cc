#include "oci/systemd_scope.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/process.h"
#include "base/sys_process.h"
#include "base/text.h"
#include "oci/cgroup.h"
#include "oci/dbus_connection.h"
#include "oci/outer_user.h"
#include "oci/process_attributes.h"

namespace skerry::oci {
namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kObject = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr std::uint64_t kInfinity = ~0ULL;
constexpr std::uint64_t kUsPerSecond = 1000000;
constexpr unsigned kMaxCpus = 8192;

bool is_unit_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(":-_.\\@").find(c) != std::string_view::npos;
}

Status check_unit(const std::string& unit) {
  constexpr std::size_t kLongestUnit = 255;
  if (unit.size() > kLongestUnit || !std::ranges::all_of(unit, is_unit_character)) {
    return fail(ErrorCode::kInvalidArgument, cat("/linux/cgroupsPath: not a unit name: ", unit.substr(0, 64)));
  }
  return {};
}

std::uint64_t bytes_or_infinity(std::int64_t value) {
  return value < 0 ? kInfinity : static_cast<std::uint64_t>(value);
}

void add_memory(const MemoryLimits& limits, std::vector<DbusProperty>& out) {
  if (limits.limit) out.push_back({"MemoryMax", bytes_or_infinity(*limits.limit)});
  if (limits.reservation) out.push_back({"MemoryLow", bytes_or_infinity(*limits.reservation)});
  if (!limits.swap) return;
  // memory + swap in config.json, swap alone in systemd.
  const bool bounded = *limits.swap >= 0 && limits.limit.value_or(-1) >= 0 && *limits.swap >= *limits.limit;
  out.push_back({"MemorySwapMax", bounded ? static_cast<std::uint64_t>(*limits.swap - *limits.limit) : kInfinity});
}

// "0-2,9" as a bit string.
Result<DbusBytes> bits_of(const std::string& list, std::string_view place) {
  DbusBytes out;
  for (const unsigned number : TRY_IN(place, parse_number_list(list, kMaxCpus))) {
    if (out.size() <= number / 8) out.resize(number / 8 + 1);
    out[number / 8] = static_cast<std::uint8_t>(out[number / 8] | (1U << (number % 8)));
  }
  return out;
}

Status add_cpu(const CpuLimits& limits, std::vector<DbusProperty>& out) {
  if (limits.shares.value_or(0) != 0) out.push_back({"CPUWeight", weight_from_shares(*limits.shares)});
  if (limits.quota_us) {
    const std::uint64_t period = limits.period_us.value_or(0) == 0 ? kDefaultCpuPeriodUs : *limits.period_us;
    const bool bounded = *limits.quota_us > 0;
    out.push_back({"CPUQuotaPerSecUSec",
                   bounded ? static_cast<std::uint64_t>(*limits.quota_us) * kUsPerSecond / period : kInfinity});
  }
  if (limits.period_us.value_or(0) != 0) out.push_back({"CPUQuotaPeriodUSec", *limits.period_us});
  if (!limits.cpus.empty()) {
    out.push_back({"AllowedCPUs", TRY(bits_of(limits.cpus, "/linux/resources/cpu/cpus"))});
  }
  if (!limits.mems.empty()) {
    out.push_back({"AllowedMemoryNodes", TRY(bits_of(limits.mems, "/linux/resources/cpu/mems"))});
  }
  return {};
}

Result<DbusConnection> connect() {
  auto connection = DbusConnection::open();
  if (connection) return connection;
  return fail(std::move(std::move(connection).error())
                  .in("--systemd-cgroup")
                  .with_hint("where systemd does not run: --cgroup-manager cgroupfs"));
}

// The signal that tells of the end of a job goes to everybody who asked for it.
Status watch_jobs(DbusConnection& bus) {
  DbusWriter body;
  body.put_string(cat("type='signal',sender='", kService, "',interface='", kManager, "',member='JobRemoved'"));
  TRY(bus.call(
      {"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", body.text()}));
  return {};
}

// JobRemoved(u id, o job, s unit, s result)
Status wait_for_job(DbusConnection& bus, const std::string& job) {
  for (;;) {
    const auto message = TRY(bus.wait_for_signal("JobRemoved"));
    DbusReader reader(message.body);
    TRY(reader.u32());
    if (TRY(reader.string()) != job) continue;
    const std::string unit = TRY(reader.string());
    const std::string result = TRY(reader.string());
    if (result == "done") return {};
    return fail(ErrorCode::kRefused, cat("systemd's job for ", unit, " ended as \"", result, "\""));
  }
}

Status start_unit(DbusConnection& bus, const std::string& unit, const std::vector<DbusProperty>& properties) {
  DbusWriter body;
  body.put_string(unit);
  body.put_string("replace");
  put_properties(body, properties);
  body.put_array(8, [] {});  // no units beside it
  const auto answer =
      TRY(bus.call({kService, kObject, kManager, "StartTransientUnit", "ssa(sv)a(sa(sv))", body.text()}));
  return wait_for_job(bus, TRY(DbusReader(answer.body).string()));
}

// A scope of that name that failed earlier is still known and stands in the way.
Status reset_failed(DbusConnection& bus, const std::string& unit) {
  DbusWriter body;
  body.put_string(unit);
  TRY(bus.call({kService, kObject, kManager, "ResetFailedUnit", "s", body.text()}));
  return {};
}

}  // namespace

Result<ScopeName> parse_scope_name(const std::string& cgroups_path, const std::string& id) {
  ScopeName out;
  out.slice = is_ordinary_user() ? "user.slice" : "system.slice";
  out.unit = cat("skerry-", id, ".scope");
  if (!cgroups_path.empty()) {
    const auto parts = split(cgroups_path, ':');
    if (parts.size() != 3 || parts[2].empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  cat("/linux/cgroupsPath: \"", cgroups_path.substr(0, 128), "\" is not slice:prefix:name"),
                  "that is its form with the systemd cgroup manager");
    }
    if (!parts[0].empty()) out.slice = parts[0];
    out.unit = cat(parts[1], parts[1].empty() ? "" : "-", parts[2], ".scope");
  }
  if (!out.slice.ends_with(".slice")) {
    return fail(ErrorCode::kInvalidArgument, cat("/linux/cgroupsPath: ", out.slice.substr(0, 64), " is not a slice"));
  }
  TRY(check_unit(out.slice));
  TRY(check_unit(out.unit));
  return out;
}

std::string slice_directory(const std::string& slice) {
  const std::string name = slice.substr(0, slice.size() - std::string_view(".slice").size());
  std::string out;
  if (name == "-") return out;
  for (std::size_t dash = name.find('-'); dash != std::string::npos; dash = name.find('-', dash + 1)) {
    out += cat("/", name.substr(0, dash), ".slice");
  }
  return cat(out, "/", slice);
}

Result<std::vector<DbusProperty>> limit_properties(const Resources& resources) {
  std::vector<DbusProperty> out;
  if (resources.memory) add_memory(*resources.memory, out);
  if (resources.cpu) TRY(add_cpu(*resources.cpu, out));
  if (resources.pids_limit) {
    const auto limit = *resources.pids_limit;
    out.push_back({"TasksMax", limit > 0 ? static_cast<std::uint64_t>(limit) : kInfinity});
  }
  if (resources.block_io && resources.block_io->weight) {
    out.push_back({"IOWeight", weight_from_block_io(*resources.block_io->weight)});
  }
  return out;
}

Result<std::string> scope_directory(const ScopeName& name) {
  std::string above;
  // Root's service manager stands at the top; a user's says where it stands.
  if (is_ordinary_user()) {
    auto bus = TRY(connect());
    DbusWriter body;
    body.put_string(kManager);
    body.put_string("ControlGroup");
    const auto answer = TRY(bus.call({kService, kObject, "org.freedesktop.DBus.Properties", "Get", "ss", body.text()}));
    DbusReader reader(answer.body);
    if (TRY(reader.signature()) != "s") return fail(ErrorCode::kCorrupt, "systemd's ControlGroup is no string");
    above = TRY(reader.string());
  }
  return cat(above == "/" ? "" : above, slice_directory(name.slice), "/", name.unit);
}

Status Placeholder::start() {
  auto made = TRY_IN("make a process for the scope", sys::clone({}));
  if (made.pid == 0) {
    // Dies with the runtime; otherwise it is told to.
    if (!sys::set_parent_death_signal(SIGKILL)) ::_exit(1);
    (void)sys::close_from(0, sys::CloseWhen::kNow);
    for (;;) ::pause();
  }
  pid_ = made.pid;
  pidfd_ = std::move(made.pidfd);
  return {};
}

void Placeholder::end() {
  if (pid_ < 0) return;
  (void)send_signal(pidfd_.get(), SIGKILL);
  (void)sys::wait_pid(pid_);
  pid_ = -1;
}

Status start_scope(const ScopeName& name, const std::string& description, const Resources& resources,
                   const Placeholder& placeholder) {
  auto bus = TRY(connect());
  TRY(watch_jobs(bus));
  auto properties = TRY(limit_properties(resources));
  properties.push_back({"Description", description});
  properties.push_back({"Slice", name.slice});
  properties.push_back({"PIDs", DbusPids{static_cast<std::uint32_t>(placeholder.pid())}});
  properties.push_back({"Delegate", true});
  // Not stopped before, or started after, units that know nothing of it.
  properties.push_back({"DefaultDependencies", false});
  for (const char* accounting : {"CPUAccounting", "MemoryAccounting", "TasksAccounting", "IOAccounting"}) {
    properties.push_back({accounting, true});
  }
  auto started = start_unit(bus, name.unit, properties);
  if (!started && started.error().code == ErrorCode::kAlreadyExists && reset_failed(bus, name.unit)) {
    started = start_unit(bus, name.unit, properties);
  }
  return annotate(std::move(started), cat("scope ", name.unit));
}

Status update_scope(const std::string& unit, const Resources& resources) {
  const auto properties = TRY(limit_properties(resources));
  if (properties.empty()) return {};
  auto bus = TRY(connect());
  DbusWriter body;
  body.put_string(unit);
  body.put_bool(true);  // until the next boot; the scope does not live longer either
  put_properties(body, properties);
  TRY_IN(cat("scope ", unit), bus.call({kService, kObject, kManager, "SetUnitProperties", "sba(sv)", body.text()}));
  return {};
}

Status stop_scope(const std::string& unit) {
  auto bus = TRY(connect());
  TRY(watch_jobs(bus));
  DbusWriter body;
  body.put_string(unit);
  body.put_string("replace");
  const auto answer = bus.call({kService, kObject, kManager, "StopUnit", "ss", body.text()});
  if (!answer && answer.error().code == ErrorCode::kNotFound) return {};
  if (!answer) return fail(answer.error());
  return wait_for_job(bus, TRY(DbusReader(answer->body).string()));
}

}  // namespace skerry::oci
