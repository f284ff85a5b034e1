#include "drivers/cloud_hypervisor/api.h"

#include <algorithm>

#include "base/text.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"

namespace skerry::cloud_hypervisor {
namespace {

constexpr std::size_t kMostWords = 400;
constexpr std::size_t kMostVersion = 64;

std::string one_member(std::string_view name, const std::string& value) {
  wire::JsonWriter json;
  json.begin_object().field(name, value).end_object();
  return std::move(json).text();
}

bool is_visible(char letter) { return letter >= ' ' && letter < 0x7F; }

// What the VMM says, without what could steer a terminal or end a line.
std::string words(std::string_view body) {
  std::string out(trim(body.substr(0, kMostWords)));
  std::ranges::replace_if(out, [](char letter) { return !is_visible(letter); }, ' ');
  return out;
}

ErrorCode code_of(int status) {
  switch (status) {
    case 400: return ErrorCode::kInvalidArgument;
    case 404:
    case 405: return ErrorCode::kConflict;
    default: return ErrorCode::kInternal;
  }
}

}  // namespace

ApiRequest ping() { return {"GET", "vmm.ping", {}}; }
ApiRequest info() { return {"GET", "vm.info", {}}; }
ApiRequest create(const Machine& machine) { return {"PUT", "vm.create", vm_config(machine)}; }
ApiRequest add_net(const NetworkCard& card) { return {"PUT", "vm.add-net", net_config(card)}; }
ApiRequest boot() { return {"PUT", "vm.boot", {}}; }
ApiRequest pause() { return {"PUT", "vm.pause", {}}; }
ApiRequest resume() { return {"PUT", "vm.resume", {}}; }
ApiRequest shut_down() { return {"PUT", "vm.shutdown", {}}; }
ApiRequest shut_down_vmm() { return {"PUT", "vmm.shutdown", {}}; }
ApiRequest snapshot(std::string_view directory) {
  return {"PUT", "vm.snapshot", one_member("destination_url", cat("file://", directory))};
}
ApiRequest restore(std::string_view directory) {
  return {"PUT", "vm.restore", one_member("source_url", cat("file://", directory))};
}

std::string http_text(const ApiRequest& request) {
  std::string text = cat(request.method, " /api/v1/", request.endpoint,
                         " HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n");
  if (!request.body.empty()) {
    text += cat("Content-Type: application/json\r\nContent-Length: ", request.body.size(), "\r\n");
  }
  return cat(text, "\r\n", request.body);
}

Result<std::string> check_answer(const ApiRequest& request, const HttpAnswer& answer) {
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  std::string why = cat("Cloud Hypervisor refuses ", request.endpoint, " (", answer.status, ")");
  if (const auto said = words(answer.body); !said.empty()) why += cat(": ", said);
  return fail(code_of(answer.status), std::move(why));
}

Result<MachineState> machine_state(std::string_view body) {
  const auto json = wire::JsonNode::parse(body, "vm.info", kMostAnswerBytes);
  if (!json) return fail(ErrorCode::kCorrupt, json.error().message());
  const std::string state = json->text("state");
  if (state == "Created") return MachineState::kCreated;
  if (state == "Running") return MachineState::kRunning;
  if (state == "Paused") return MachineState::kPaused;
  if (state == "Shutdown") return MachineState::kShutdown;
  return fail(ErrorCode::kCorrupt, cat("vm.info: state \"", words(state), "\" is none we know"));
}

Result<std::string> version(std::string_view body) {
  const auto json = wire::JsonNode::parse(body, "vmm.ping", kMostAnswerBytes);
  if (!json) return fail(ErrorCode::kCorrupt, json.error().message());
  std::string text = json->text("version");
  if (text.empty() || text.size() > kMostVersion || !std::ranges::all_of(text, is_visible)) {
    return fail(ErrorCode::kCorrupt, "vmm.ping: no version in the answer");
  }
  return text;
}

}  // namespace skerry::cloud_hypervisor
