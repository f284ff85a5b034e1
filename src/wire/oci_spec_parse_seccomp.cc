#include <array>

#include "wire/oci_spec_read.h"

namespace skerry::oci {
namespace {

constexpr std::array<std::string_view, 9> kActions = {"SCMP_ACT_KILL",  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                                                      "SCMP_ACT_TRAP",  "SCMP_ACT_ERRNO",        "SCMP_ACT_TRACE",
                                                      "SCMP_ACT_ALLOW", "SCMP_ACT_LOG",          "SCMP_ACT_NOTIFY"};

}  // namespace

void read_value(const reader::JsonReader& json, SeccompArg& out) {
  json.get("index", out.index);
  if (out.index > 5) json.complain_at("index", "must be 0 to 5");
  json.get("value", out.value);
  json.get("valueTwo", out.value_two);
  json.require("op", out.op);
  if (json.failed()) return;
  json.expect_one_of(
      "op", out.op,
      {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"});
}

void read_value(const reader::JsonReader& json, SeccompRule& out) {
  json.get("names", out.names);
  if (!json.failed() && out.names.empty()) json.complain_at("names", "is required and must not be empty");
  json.require("action", out.action);
  if (!json.failed()) json.expect_one_of("action", out.action, kActions);
  json.get("errnoRet", out.errno_ret);
  json.get("args", out.args);
}

void read_value(const reader::JsonReader& json, Seccomp& out) {
  json.require("defaultAction", out.default_action);
  if (!json.failed()) json.expect_one_of("defaultAction", out.default_action, kActions);
  json.get("defaultErrnoRet", out.default_errno_ret);
  json.get("architectures", out.architectures);
  json.get("flags", out.flags);
  json.get("listenerPath", out.listener_path);
  json.get("listenerMetadata", out.listener_metadata);
  json.get("syscalls", out.syscalls);
}

}  // namespace skerry::oci
