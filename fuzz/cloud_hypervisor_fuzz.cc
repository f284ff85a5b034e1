// What a Cloud Hypervisor that its guest has taken over answers: a state or a version that we know, or an error whose
// words stay on their line.
// Links: cloud_hypervisor_driver
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "drivers/cloud_hypervisor/api.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(cloud_hypervisor::machine_state(text));
  static_cast<void>(cloud_hypervisor::version(text));
  const auto answer = parse_http_answer(text);
  if (!answer) return 0;
  const auto body = cloud_hypervisor::check_answer(cloud_hypervisor::info(), *answer);
  if (body) {
    static_cast<void>(cloud_hypervisor::machine_state(*body));
    static_cast<void>(cloud_hypervisor::version(*body));
  } else if (std::ranges::any_of(body.error().step, [](char letter) { return letter < ' ' || letter == 0x7F; })) {
    std::abort();
  }
  return 0;
}
