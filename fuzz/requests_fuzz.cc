// The small request bodies, events and problem documents.
// Links: wire core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/event_json.h"
#include "wire/json_node.h"
#include "wire/problem.h"
#include "wire/requests.h"
#include "wire/spec_texts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry::wire;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = parse_exec_request(text); request) {
    if (parse_exec_request(exec_request_json(*request)) != *request) std::abort();
  }
  if (const auto request = parse_copy_request(text); request) {
    if (parse_copy_request(copy_request_json(*request)) != *request) std::abort();
    if (parse_copier_arguments(copier_arguments(*request)) != *request) std::abort();
  }
  if (const auto event = parse_event(text); event) {
    if (parse_event(event_json(*event)) != *event) std::abort();
  }
  static_cast<void>(parse_grace(text));
  static_cast<void>(parse_kill_request(text));
  static_cast<void>(parse_pull_request(text));
  static_cast<void>(parse_push_request(text));
  static_cast<void>(parse_archive_request(text));
  static_cast<void>(parse_tag_request(text));
  static_cast<void>(parse_add_kernel_request(text));
  static_cast<void>(parse_build_kernel_request(text));
  static_cast<void>(parse_choose_kernel_request(text));
  static_cast<void>(parse_token_request(text));
  static_cast<void>(parse_zone_request(text));
  static_cast<void>(parse_snapshot_request(text));
  static_cast<void>(parse_fork_request(text));
  static_cast<void>(parse_deployment_request(text));
  static_cast<void>(parse_deployment_change(text));
  static_cast<void>(parse_event_data(text));
  static_cast<void>(parse_problem(500, text));
  static_cast<void>(parse_restart_policy(text));
  static_cast<void>(parse_bind_mount(text));
  static_cast<void>(parse_cores(text));
  if (const auto node = JsonNode::parse(text); node) static_cast<void>(node->at("a.b").text());
  return 0;
}
