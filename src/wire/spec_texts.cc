#include "wire/spec_texts.h"

#include "base/text.h"

namespace skerry::wire {

Result<RestartPolicy> parse_restart_policy(std::string_view text) {
  RestartPolicy policy;
  const auto colon = text.find(':');
  policy.mode = TRY(parse_restart_mode(text.substr(0, colon)));
  if (colon == std::string_view::npos) return policy;
  if (policy.mode != RestartMode::kOnFailure) {
    return fail(ErrorCode::kInvalidArgument, cat("restart policy: \"", text.substr(0, 64), "\""),
                "only on-failure takes a number: on-failure:3");
  }
  policy.max = TRY(parse_int<std::uint32_t>(text.substr(colon + 1), "restart policy"));
  return policy;
}

Result<BindMount> parse_bind_mount(std::string_view text) {
  const auto parts = split(text, ':');
  const bool has_mode = parts.size() == 3;
  if ((parts.size() != 2 && !has_mode) || (has_mode && parts[2] != "ro" && parts[2] != "rw")) {
    return fail(ErrorCode::kInvalidArgument, cat("mount \"", text.substr(0, 256), "\""),
                "write it as SOURCE:TARGET or SOURCE:TARGET:ro");
  }
  BindMount mount{std::string(parts[0]), std::string(parts[1]), has_mode && parts[2] == "ro"};
  for (const auto& path : {mount.source, mount.target}) {
    if (!path.starts_with('/')) {
      return fail(ErrorCode::kInvalidArgument, cat("mount \"", text.substr(0, 256), "\""), "both paths are absolute");
    }
  }
  return mount;
}

Result<std::pair<std::string, std::string>> parse_variable(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(ErrorCode::kInvalidArgument, cat("variable \"", text.substr(0, 64), "\""), "write it as NAME=value");
  }
  return std::pair{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

Result<std::uint32_t> parse_cores(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorCode::kInvalidArgument, cat("\"", text.substr(0, 32), "\" is not a number of cores"),
                "for example 2, 0.5 or 1.25");
  };
  const auto dot = text.find('.');
  const auto whole = parse_int<std::uint32_t>(text.substr(0, dot), "cores");
  if (!whole || *whole > 100'000) return wrong();
  std::uint32_t milli = *whole * kMilliPerCore;
  if (dot == std::string_view::npos) return milli;
  const auto decimals = text.substr(dot + 1);
  if (decimals.empty() || decimals.size() > 3) return wrong();
  std::uint32_t weight = kMilliPerCore / 10;
  for (const char digit : decimals) {
    if (digit < '0' || digit > '9') return wrong();
    milli += weight * static_cast<std::uint32_t>(digit - '0');
    weight /= 10;
  }
  return milli;
}

}  // namespace skerry::wire
