// Messages of the Model Context Protocol and the arguments of its tools that run something.
// Links: wire core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/base64.h"
#include "wire/environment_json.h"
#include "wire/json_rpc.h"
#include "wire/run_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry::wire;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto message = parse_rpc(text);
  // Every answer to it is a message itself, on one line.
  const std::string answer = message ? rpc_result(message->id.empty() ? "1" : message->id, message->params.dump())
                                     : rpc_fault(message.error());
  if (answer.find('\n') != std::string::npos) std::abort();
  if (const auto again = parse_rpc(answer); !again || again->kind != RpcMessage::Kind::kResponse) std::abort();
  if (const auto bytes = skerry::base64_decode(text); bytes && skerry::base64_encode(*bytes) != text) std::abort();
  for (const auto& run : {parse_run_code(text), parse_run_command(text)}) {
    if (run) static_cast<void>(parse_create_request(run_environment_json(*run, "run-1")));
  }
  return 0;
}
