// Links: core
// Rules, whatever the files hold: what was understood is the same when it is written and read again, no answer allows
// anything while something is malformed, and every answer ends. The text is cut into files at form feeds.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "core/policy.h"

namespace {

using namespace skerry;

PolicyParty party(std::string_view name, std::string_view zone) {
  PolicyParty out;
  out.name = name;
  out.zone = zone;
  out.labels = {{"t", "v"}};
  return out;
}

void check_rules(const Policy& policy) {
  for (const auto& rule : policy.rules()) {
    const auto again = Policy::parse({{rule.file, to_text(rule), {}}});
    if (!again.problems().empty() || again.rules().size() != 1) std::abort();
    PolicyRule expected = rule;
    expected.line = 1;
    if (again.rules()[0] != expected) std::abort();
  }
}

void check_answers(const Policy& policy) {
  const auto lookup = [](const std::string& name) { return std::optional(party(name, "z")); };
  const PolicyParty sides[] = {party("a", "work"), party("b", "web"), PolicyParty::host(),
                               PolicyParty::new_disposable(), PolicyParty::outside()};
  for (const auto* service : {"net.connect", "net.egress", "clipboard.copy", "rpc"}) {
    for (const auto& argument : {std::optional<std::string>("tcp:80"), std::optional<std::string>()}) {
      for (const auto& source : sides) {
        for (const auto& target : sides) {
          const auto said = policy.decide({service, argument, source, target}, lookup);
          if (!policy.problems().empty() && said.answer != PolicyAnswer::kDeny) std::abort();
          if (said.answer != PolicyAnswer::kDeny && !said.rule) std::abort();
          if (said.rule && *said.rule >= policy.rules().size()) std::abort();
        }
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<PolicyFile> files;
  for (const auto each : split(text, '\f')) files.push_back({cat("f", files.size()), std::string(each), {}});
  const auto policy = Policy::parse(files);
  for (const auto& problem : policy.problems()) {
    if (problem.what.empty() || problem.file.empty()) std::abort();
  }
  if (policy.rules().size() > 64) return 0;  // long lists only cost time
  check_rules(policy);
  check_answers(policy);
  return 0;
}
