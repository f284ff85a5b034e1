#include "keeper/session_table.h"

#include "base/text.h"

namespace skerry::keeper {

Result<std::uint32_t> SessionTable::open(std::uint64_t client, std::uint32_t local) {
  if (local == 0 || by_client_.contains({client, local})) {
    return fail(ErrorCode::kAlreadyExists, cat("session ", local, " is in use"));
  }
  if (of_client(client).size() >= kMaxPerClient) {
    return fail(ErrorCode::kResourceExhausted, cat("more than ", kMaxPerClient, " sessions on one connection"));
  }
  while (next_ == 0 || by_guest_.contains(next_)) ++next_;
  const std::uint32_t guest = next_++;
  by_guest_[guest] = Session{client, local};
  by_client_[{client, local}] = guest;
  return guest;
}

Session* SessionTable::find(std::uint32_t guest_session) {
  const auto found = by_guest_.find(guest_session);
  return found == by_guest_.end() ? nullptr : &found->second;
}

std::optional<std::uint32_t> SessionTable::guest_session(std::uint64_t client, std::uint32_t local) const {
  const auto found = by_client_.find({client, local});
  if (found == by_client_.end()) return std::nullopt;
  return found->second;
}

void SessionTable::close(std::uint32_t guest_session) {
  const auto found = by_guest_.find(guest_session);
  if (found == by_guest_.end()) return;
  by_client_.erase({found->second.client, found->second.local});
  by_guest_.erase(found);
}

std::vector<std::uint32_t> SessionTable::of_client(std::uint64_t client) const {
  std::vector<std::uint32_t> out;
  for (auto at = by_client_.lower_bound({client, 0}); at != by_client_.end() && at->first.first == client; ++at) {
    out.push_back(at->second);
  }
  return out;
}

}  // namespace skerry::keeper
