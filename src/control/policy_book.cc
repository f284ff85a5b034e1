#include "control/policy_book.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "store/store.h"

namespace skerry {
namespace {

constexpr std::string_view kSuffix = ".policy";

// Whoever may change it may allow himself anything.
Status check_owner(const struct stat& info) {
  const bool ours = info.st_uid == 0 || info.st_uid == ::geteuid();
  if (ours && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return fail(ErrorCode::kPermissionDenied, "may be changed by others than root");
}

// Not blocking: what looks like a file may be a pipe.
Result<std::string> read_rules(const std::string& path) {
  const Fd file = TRY(sys::open(path, O_RDONLY | O_NONBLOCK));
  const auto info = TRY(sys::fstat(file.get()));
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kInvalidArgument, "is no regular file");
  TRY(check_owner(info));
  return sys::read_to_end(file.get(), kMaxPolicyFileBytes);
}

Result<std::vector<std::string>> list_rules(const std::string& directory) {
  TRY(check_owner(TRY(sys::stat(directory))));
  return sys::list_directory(directory);
}

Event reloaded(const PolicyEdition& edition) {
  Event event;
  event.type = "policy.reloaded";
  event.resource = "policy";
  event.time = edition.read_at;
  event.data = {{"rules", cat(edition.policy->rules().size())}, {"files", cat(edition.policy->files().size())}};
  const auto& problems = edition.policy->problems();
  if (!problems.empty()) event.data["problem"] = to_text(problems.front());
  return event;
}

void tell_problems(const Policy& policy) {
  for (const auto& each : policy.problems()) {
    log::error("the policy is malformed: nothing is allowed until it is not", {{"where", to_text(each)}});
  }
}

}  // namespace

Policy read_policy(const std::string& directory, NoDirectory meaning) {
  std::vector<PolicyFile> files;
  if (sys::is_missing(directory) && meaning == NoDirectory::kNoRules) return {};
  const auto names = list_rules(directory);
  if (!names) return Policy::parse({{directory, {}, names.error().message()}});
  for (const auto& name : *names) {
    if (!name.ends_with(kSuffix) || name.starts_with('.') || files.size() > kMaxPolicyFiles) continue;
    auto text = read_rules(cat(directory, "/", name));
    if (text) {
      files.push_back({name, std::move(*text), {}});
    } else {
      files.push_back({name, {}, text.error().message()});
    }
  }
  return Policy::parse(std::move(files));
}

PolicyBook::PolicyBook(std::string directory, Store& store, Clock& clock, NoDirectory missing)
    : directory_(std::move(directory)), missing_(missing), store_(store), clock_(clock) {
  edition_ = {std::make_shared<const Policy>(read_policy(directory_, missing_)), clock_.now()};
  tell_problems(*edition_.policy);
}

Policy PolicyBook::look() const {
  const auto before = edition().policy;
  const bool had_any = !before->rules().empty() || !before->problems().empty();
  return read_policy(directory_, had_any ? NoDirectory::kMalformed : missing_);
}

PolicyEdition PolicyBook::edition() const {
  const std::lock_guard lock(mutex_);
  return edition_;
}

Status PolicyBook::reload() {
  const std::lock_guard reloading(reload_mutex_);
  PolicyEdition edition{std::make_shared<const Policy>(look()), clock_.now()};
  TRY_IN("reload the policy", store_.append_events({reloaded(edition)}));
  tell_problems(*edition.policy);
  log::info("the policy was read", {{"rules", cat(edition.policy->rules().size())}, {"directory", directory_}});
  {
    const std::lock_guard lock(mutex_);
    edition_ = std::move(edition);
  }
  if (enforce_) TRY_IN("enforce the policy", enforce_());
  crash_point("the policy is enforced");
  return {};
}

}  // namespace skerry
