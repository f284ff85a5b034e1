// SessionTable: which client's session is which session of the guest. Pure bookkeeping, bounded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/result.h"

namespace skerry::keeper {

struct Session {
  std::uint64_t client = 0;
  std::uint32_t local = 0;        // the client's number
  bool paused_by_client = false;  // the client asked the guest to wait
  bool paused_by_keeper = false;  // the client's queue is long
};

class SessionTable {
 public:
  static constexpr std::size_t kMaxPerClient = 256;

  // A new session, by its number at the guest (never 0, not in use). kAlreadyExists when the client uses the number,
  // kResourceExhausted at kMaxPerClient.
  Result<std::uint32_t> open(std::uint64_t client, std::uint32_t local);
  // nullptr when there is none (any more).
  [[nodiscard]] Session* find(std::uint32_t guest_session);
  [[nodiscard]] std::optional<std::uint32_t> guest_session(std::uint64_t client, std::uint32_t local) const;
  void close(std::uint32_t guest_session);
  // Guest sessions of one client.
  [[nodiscard]] std::vector<std::uint32_t> of_client(std::uint64_t client) const;

 private:
  std::map<std::uint32_t, Session> by_guest_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint32_t> by_client_;
  std::uint32_t next_ = 1;
};

}  // namespace skerry::keeper
