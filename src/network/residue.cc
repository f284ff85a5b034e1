#include "network/residue.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "network/link.h"
#include "network/netns.h"
#include "network/port.h"

namespace skerry::network {
namespace {

Result<std::vector<std::string>> ours(Netlink& netlink, const std::string& bridge) {
  const std::string prefix = port_prefix(bridge);
  std::vector<std::string> names;
  for (const auto& link : TRY(list_links(netlink))) {
    if (link.name.starts_with(prefix)) names.push_back(link.name);
  }
  std::ranges::sort(names);
  return names;
}

void keep_first(Status& result, Status next) {
  if (result && !next) result = std::move(next);
}

}  // namespace

Result<std::vector<std::string>> list_ours(const std::string& bridge) {
  Netlink netlink = TRY(Netlink::open());
  return ours(netlink, bridge);
}

Status remove_stale(const std::string& bridge, const std::set<std::string>& live) {
  std::set<std::string> keep;
  for (const auto& id : live) keep.insert(port_name(bridge, id));
  Netlink netlink = TRY(Netlink::open());
  Status result;
  for (const auto& name : TRY(ours(netlink, bridge))) {
    if (!keep.contains(name)) keep_first(result, delete_link(netlink, name));
  }
  return result;
}

Status remove_stale_netns(const std::string& directory, const std::set<std::string>& live) {
  std::error_code error;
  std::vector<std::string> stale;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!live.contains(name)) stale.push_back(entry->path().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail(Error::from_errno(error.value(), cat("read ", directory)));
  }
  Status result;
  for (const auto& path : stale) keep_first(result, remove_netns(path));
  return result;
}

}  // namespace skerry::network
