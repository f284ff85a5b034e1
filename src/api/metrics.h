// Metrics: counters of the API itself, for /metrics. Thread-safe, never blocks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace skerry::api {

struct Metrics {
  std::atomic<std::uint64_t> requests{0};
  std::array<std::atomic<std::uint64_t>, 6> by_class{};  // [2]: answers 200–299, …
  std::atomic<std::uint64_t> refused_connections{0};     // above the limit
  std::atomic<std::uint64_t> failed_handshakes{0};       // TLS: no certificate of ours, another protocol, too slow
  std::atomic<std::uint64_t> timeouts{0};                // too slow with header or body
};

}  // namespace skerry::api
