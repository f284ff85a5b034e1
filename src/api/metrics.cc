// GET /metrics, in the Prometheus text exposition format 0.0.4.
#include <array>
#include <charconv>

#include "api/handlers.h"
#include "base/text.h"
#include "core/state_machine.h"

namespace skerry::api {
namespace {

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += cat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
}

// Values of labels escape \, " and newline; ours come from strict names and words.
void environment_counts(std::string& out, const EnvironmentViews& environments) {
  std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> counts;
  for (const auto& each : environments) ++counts[{to_text(each->spec.isolation), to_text(each->status.state)}];
  head(out, "skerry_environments", "gauge", "Environments by isolation and state.");
  for (const auto& [key, count] : counts) {
    out += cat("skerry_environments{isolation=\"", key.first, "\",state=\"", key.second, "\"} ", count, "\n");
  }
}

// What a sample says of one environment; nullopt: this host cannot tell.
struct Column {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  std::optional<std::uint64_t> UsageSample::* value;
};
constexpr Column kColumns[] = {
    {"skerry_environment_memory_bytes", "gauge", "Memory in use.", &UsageSample::memory_bytes},
    {"skerry_environment_processes", "gauge", "Processes and threads.", &UsageSample::pids},
    {"skerry_environment_io_read_bytes_total", "counter", "Bytes read from disks.", &UsageSample::io_read_bytes},
    {"skerry_environment_io_written_bytes_total", "counter", "Bytes written to disks.", &UsageSample::io_write_bytes},
    {"skerry_environment_network_received_bytes_total", "counter", "Bytes received.", &UsageSample::net_rx_bytes},
    {"skerry_environment_network_sent_bytes_total", "counter", "Bytes sent.", &UsageSample::net_tx_bytes},
};

// Seconds, exactly: a counter of nanoseconds is longer than what a double's text shows of it.
std::string seconds_of(std::uint64_t nanoseconds) {
  constexpr std::uint64_t kPerSecond = 1'000'000'000;
  std::string fraction = cat(nanoseconds % kPerSecond);
  fraction.insert(0, 9 - fraction.size(), '0');
  return cat(nanoseconds / kPerSecond, ".", fraction);
}

// The shortest text that reads back as the same number.
std::string number(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

using Samples = std::vector<std::pair<std::string_view, UsageSample>>;

void cpu_seconds(std::string& out, const Samples& samples) {
  head(out, "skerry_environment_cpu_seconds_total", "counter", "Processor time since the start.");
  for (const auto& [name, usage] : samples) {
    if (!usage.cpu_ns) continue;
    out += cat("skerry_environment_cpu_seconds_total{name=\"", name, "\"} ", seconds_of(*usage.cpu_ns), "\n");
  }
}

void environment_usage(std::string& out, Controller& controller, const EnvironmentViews& environments) {
  Samples samples;
  for (const auto& each : environments) {
    if (!is_alive(each->status.state)) continue;
    if (auto usage = controller.stats(each->spec.name); usage) samples.emplace_back(each->spec.name, *usage);
  }
  cpu_seconds(out, samples);
  for (const auto& column : kColumns) {
    head(out, column.name, column.type, column.help);
    for (const auto& [name, usage] : samples) {
      if (const auto& value = usage.*column.value; value) {
        out += cat(column.name, "{name=\"", name, "\"} ", *value, "\n");
      }
    }
  }
}

void environment_starts(std::string& out, const EnvironmentViews& environments) {
  head(out, "skerry_environment_starts_total", "counter", "Starts since it was created, automatic ones too.");
  for (const auto& each : environments) {
    out += cat("skerry_environment_starts_total{name=\"", each->spec.name, "\"} ", each->status.incarnation, "\n");
  }
  head(out, "skerry_environment_restarts", "gauge", "Automatic restarts in a row.");
  for (const auto& each : environments) {
    out += cat("skerry_environment_restarts{name=\"", each->spec.name, "\"} ", each->status.restarts, "\n");
  }
}

void start_times(std::string& out, Controller& controller) {
  constexpr std::string_view kName = "skerry_start_duration_seconds";
  head(out, kName, "histogram", "From the beginning of a start until the workload runs.");
  for (const auto& [isolation, sample] : controller.start_times()) {
    const std::string label = cat("isolation=\"", to_text(isolation), "\"");
    for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
      out +=
          cat(kName, "_bucket{", label, ",le=\"", number(Histogram::kBounds.at(i)), "\"} ", sample.at_most.at(i), "\n");
    }
    out += cat(kName, "_bucket{", label, ",le=\"+Inf\"} ", sample.count, "\n");
    out += cat(kName, "_sum{", label, "} ", number(sample.sum_seconds), "\n");
    out += cat(kName, "_count{", label, "} ", sample.count, "\n");
  }
}

void warm_pools(std::string& out, Controller& controller) {
  const auto pools = controller.warm_pools();
  const auto rows = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    head(out, name, type, help);
    for (const auto& each : pools) out += cat(name, "{plugin=\"", each.plugin, "\"} ", value(each), "\n");
  };
  rows("skerry_warm_pool_wanted", "gauge",
       "MicroVMs to be kept ready, as the plugin wishes; plugin empty: of what was started again and again lately.",
       [](const auto& each) { return each.wish.size; });
  rows("skerry_warm_pool_ready", "gauge", "Those that are.", [](const auto& each) { return each.ready; });
  rows("skerry_warm_pool_memory_bytes", "gauge", "Memory they take.",
       [](const auto& each) { return each.memory_bytes; });
  rows("skerry_warm_pool_taken_total", "counter", "Those that became environments.",
       [](const auto& each) { return each.taken; });
}

void api_counters(std::string& out, Context& context) {
  head(out, "skerry_api_requests_total", "counter", "Requests read.");
  out += cat("skerry_api_requests_total ", context.metrics.requests.load(), "\n");
  head(out, "skerry_api_responses_total", "counter", "Answers by class of status.");
  for (std::size_t i = 1; i < context.metrics.by_class.size(); ++i) {
    out += cat("skerry_api_responses_total{class=\"", i, "xx\"} ", context.metrics.by_class.at(i).load(), "\n");
  }
  head(out, "skerry_api_refused_connections_total", "counter", "Connections above the limit.");
  out += cat("skerry_api_refused_connections_total ", context.metrics.refused_connections.load(), "\n");
  head(out, "skerry_api_failed_tls_handshakes_total", "counter", "Clients that TLS did not let in.");
  out += cat("skerry_api_failed_tls_handshakes_total ", context.metrics.failed_handshakes.load(), "\n");
  head(out, "skerry_api_timeouts_total", "counter", "Clients too slow with a request.");
  out += cat("skerry_api_timeouts_total ", context.metrics.timeouts.load(), "\n");
  head(out, "skerry_event_readers", "gauge", "Open event streams.");
  out += cat("skerry_event_readers ", context.events.readers(), "\n");
  head(out, "skerry_last_event_id", "gauge", "Newest event of the log; it only grows.");
  out += cat("skerry_last_event_id ", context.events.last_id(), "\n");
}

}  // namespace

Result<Response> show_metrics(Context& context, const Request& request) {
  EnvironmentViews environments = context.ports.controller.views();
  std::erase_if(environments, [&](const auto& each) { return !request.caller.may_touch_zone(each->spec.zone); });
  std::string out;
  head(out, "skerry_info", "gauge", "The daemon's version.");
  out += cat("skerry_info{version=\"", SKERRY_VERSION, "\"} 1\n");
  environment_counts(out, environments);
  environment_usage(out, context.ports.controller, environments);
  environment_starts(out, environments);
  start_times(out, context.ports.controller);
  warm_pools(out, context.ports.controller);
  api_counters(out, context);
  return text_response(std::move(out), "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace skerry::api
