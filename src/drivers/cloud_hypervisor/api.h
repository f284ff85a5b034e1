// Cloud Hypervisor's REST API (docs/api.md, OpenAPI document) as pure values: what is sent for each call, and what of
// an answer counts. Who answers is a VMM that its guest may have taken over: every answer is checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "drivers/cloud_hypervisor/machine.h"
#include "wire/http_answer.h"

namespace skerry::cloud_hypervisor {

struct ApiRequest {
  std::string_view method;
  std::string_view endpoint;  // below /api/v1/
  std::string body;           // JSON; empty: none
};

ApiRequest ping();  // vmm.ping
ApiRequest info();  // vm.info
ApiRequest create(const Machine& machine);
ApiRequest add_net(const NetworkCard& card);
ApiRequest boot();
ApiRequest pause();
ApiRequest resume();
ApiRequest shut_down();      // the machine; the process stays
ApiRequest shut_down_vmm();  // the process too
// Memory and devices of a paused machine into an empty directory, and a machine from that. It stays paused.
ApiRequest snapshot(std::string_view directory);
ApiRequest restore(std::string_view directory);

// The bytes of it, HTTP/1.1.
std::string http_text(const ApiRequest& request);

// An answer longer than this is none of this API: that of vm.info, the longest, has some ten thousand.
inline constexpr std::size_t kMostAnswerBytes = 1U << 20U;

// The body of a success. Else its error: kConflict for 404 and 405 (the machine is not in the state for it),
// kInvalidArgument for 400, kInternal for the rest; with the VMM's own words, made fit for one line.
Result<std::string> check_answer(const ApiRequest& request, const HttpAnswer& answer);

enum class MachineState : std::uint8_t { kCreated, kRunning, kPaused, kShutdown };
// Of the body of vm.info. kCorrupt when it says none of these.
Result<MachineState> machine_state(std::string_view body);
// The version, of the body of vmm.ping: "v43.0". kCorrupt when there is none.
Result<std::string> version(std::string_view body);

}  // namespace skerry::cloud_hypervisor
