// Warm pool: machines of a plugin's microVMs that are made before anybody asks for them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/environment.h"

namespace skerry {

enum class WarmMode : std::uint8_t {
  kOff,
  kParked,  // the machine waits in its jail, with its disk and network card, for its memory
  kWarmed,  // and its guest has gone through the motions of a boot and stands still
};
std::string_view to_text(WarmMode value);
// kInvalidArgument names the word and the ones that exist.
Result<WarmMode> parse_warm_mode(std::string_view text);

// What a plugin's manifest asks for.
struct WarmPoolWish {
  WarmMode mode = WarmMode::kOff;
  std::uint32_t size = 1;  // how many are kept ready, 1 to kMostWarm
  bool operator==(const WarmPoolWish&) const = default;
};
inline constexpr std::uint32_t kMostWarm = 64;

// How far it is with a plugin.
struct WarmPoolStatus {
  std::string plugin;
  WarmPoolWish wish;
  std::uint32_t ready = 0;
  std::uint64_t memory_bytes = 0;  // of those that are ready
  std::uint64_t taken = 0;         // since this daemon lives
  std::string problem;             // why there are fewer than wished; empty: they come, or are all there
};

// Whether what was prepared for the one can become the other, as far as specifications tell: the machine, the disk and
// the zone are the same. Who it is, what it runs and with which limits inside is told to the guest when it starts.
bool same_shape(const EnvironmentSpec& a, const EnvironmentSpec& b);

}  // namespace skerry
