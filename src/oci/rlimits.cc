#include "oci/rlimits.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace skerry::oci {
namespace {

struct Name {
  std::string_view name;
  int number;
};
constexpr std::array kNames = {
    Name{"RLIMIT_AS", RLIMIT_AS},
    Name{"RLIMIT_CORE", RLIMIT_CORE},
    Name{"RLIMIT_CPU", RLIMIT_CPU},
    Name{"RLIMIT_DATA", RLIMIT_DATA},
    Name{"RLIMIT_FSIZE", RLIMIT_FSIZE},
    Name{"RLIMIT_LOCKS", RLIMIT_LOCKS},
    Name{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    Name{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    Name{"RLIMIT_NICE", RLIMIT_NICE},
    Name{"RLIMIT_NOFILE", RLIMIT_NOFILE},
    Name{"RLIMIT_NPROC", RLIMIT_NPROC},
    Name{"RLIMIT_RSS", RLIMIT_RSS},
    Name{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    Name{"RLIMIT_RTTIME", RLIMIT_RTTIME},
    Name{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    Name{"RLIMIT_STACK", RLIMIT_STACK},
};

}  // namespace

int rlimit_number(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name, &Name::name);
  return found == kNames.end() ? -1 : found->number;
}

Status check_rlimits(const std::vector<Rlimit>& limits) {
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const std::string place = cat("/process/rlimits/", i, "/type: \"", limits[i].type.substr(0, 64), "\"");
    if (rlimit_number(limits[i].type) < 0) return fail(ErrorCode::kInvalidArgument, place + " is not a resource limit");
    for (std::size_t j = 0; j < i; ++j) {
      if (limits[i].type == limits[j].type) return fail(ErrorCode::kInvalidArgument, place + " appears twice");
    }
  }
  return {};
}

Status set_rlimits(const std::vector<Rlimit>& limits) {
  for (const auto& limit : limits) {
    const rlimit value{limit.soft, limit.hard};
    if (::setrlimit(static_cast<__rlimit_resource>(rlimit_number(limit.type)), &value) < 0) {
      auto error = Error::last(cat("set ", limit.type, " to ", limit.soft, "/", limit.hard));
      if (error.sys_errno == EPERM) error.hint = "raising a hard limit needs CAP_SYS_RESOURCE";
      return fail(std::move(error));
    }
  }
  return {};
}

}  // namespace skerry::oci
