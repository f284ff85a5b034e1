// GET /environments/{name}/stats: use since the start; null where the host cannot tell.
#include "api/find.h"
#include "api/handlers.h"
#include "wire/json_writer.h"

namespace skerry::api {

Result<Response> environment_stats(Context& context, const Request& request) {
  const auto environment = TRY(find_environment(context, request));
  const auto usage = TRY(context.ports.controller.stats(environment.spec.name));
  wire::JsonWriter json;
  json.begin_object()
      .field("name", environment.spec.name)
      .field("time", to_rfc3339(context.ports.clock.now()))
      .field("cpu_ns", usage.cpu_ns)
      .field("memory_bytes", usage.memory_bytes)
      .field("memory_peak_bytes", usage.memory_peak_bytes)
      .field("memory_limit_bytes", std::uint64_t{environment.spec.resources.memory_mib} << 20U)
      .field("pids", usage.pids)
      .field("io_read_bytes", usage.io_read_bytes)
      .field("io_write_bytes", usage.io_write_bytes)
      .field("net_rx_bytes", usage.net_rx_bytes)
      .field("net_tx_bytes", usage.net_tx_bytes)
      .end_object();
  return json_response(std::move(json).text());
}

}  // namespace skerry::api
