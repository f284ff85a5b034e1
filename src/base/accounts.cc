#include "base/accounts.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace skerry {
namespace {

constexpr std::size_t kPasswdFields = 7;
constexpr std::size_t kGroupFields = 4;
// Ids of 2^32-1 mean "unchanged" to the kernel (setuid(2), chown(2)).
constexpr std::uint32_t kNoId = ~0U;

struct PasswdLine {
  std::string_view name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string_view home;
};
struct GroupLine {
  std::string_view name;
  gid_t gid = 0;
  std::vector<std::string_view> members;
};

std::optional<std::uint32_t> number_of(std::string_view text) {
  const auto value = parse_int<std::uint32_t>(text, "id");
  if (!value || *value == kNoId) return std::nullopt;
  return *value;
}

std::vector<PasswdLine> parse_passwd(std::string_view text) {
  std::vector<PasswdLine> lines;
  for (const auto line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < kPasswdFields) continue;
    const auto uid = number_of(fields[2]);
    const auto gid = number_of(fields[3]);
    if (uid && gid) lines.push_back({fields[0], *uid, *gid, fields[5]});
  }
  return lines;
}

std::vector<GroupLine> parse_group(std::string_view text) {
  std::vector<GroupLine> lines;
  for (const auto line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < kGroupFields) continue;
    if (const auto gid = number_of(fields[2])) lines.push_back({fields[0], *gid, split(fields[3], ',')});
  }
  return lines;
}

Result<gid_t> find_group(std::string_view wanted, const std::vector<GroupLine>& groups) {
  const auto found = std::ranges::find(groups, wanted, &GroupLine::name);
  if (found != groups.end()) return found->gid;
  if (const auto number = number_of(wanted)) return *number;
  return fail(ErrorCode::kNotFound, cat("group \"", wanted, "\""), "no such group in the image's /etc/group");
}

// The entry by name, or by number when the text is one.
std::optional<PasswdLine> find_user(std::string_view wanted, const std::vector<PasswdLine>& users) {
  auto found = std::ranges::find(users, wanted, &PasswdLine::name);
  if (found != users.end()) return *found;
  const auto number = number_of(wanted);
  if (!number) return std::nullopt;
  found = std::ranges::find(users, *number, &PasswdLine::uid);
  if (found != users.end()) return *found;
  return std::nullopt;
}

std::vector<gid_t> groups_of(std::string_view name, gid_t primary, const std::vector<GroupLine>& groups) {
  std::vector<gid_t> out;
  for (const auto& group : groups) {
    if (group.gid != primary && std::ranges::find(group.members, name) != group.members.end()) out.push_back(group.gid);
  }
  std::ranges::sort(out);
  const auto repeated = std::ranges::unique(out);
  out.erase(repeated.begin(), repeated.end());
  return out;
}

}  // namespace

Result<Account> resolve_account(std::string_view user, std::string_view passwd, std::string_view group) {
  const auto colon = user.find(':');
  const std::string_view wanted_user = colon == 0 || user.empty() ? "0" : user.substr(0, colon);
  const std::string_view wanted_group = colon == std::string_view::npos ? "" : user.substr(colon + 1);
  const auto groups = parse_group(group);
  const auto entry = find_user(wanted_user, parse_passwd(passwd));
  Account account;
  if (entry) {
    account.uid = entry->uid;
    account.gid = entry->gid;
    if (entry->home.starts_with('/')) account.home = entry->home;
    if (wanted_group.empty()) account.groups = groups_of(entry->name, entry->gid, groups);
  } else if (const auto number = number_of(wanted_user)) {
    account.uid = *number;
  } else {
    return fail(ErrorCode::kNotFound, cat("user \"", wanted_user, "\""), "no such user in the image's /etc/passwd");
  }
  if (!wanted_group.empty()) account.gid = TRY(find_group(wanted_group, groups));
  return account;
}

}  // namespace skerry
