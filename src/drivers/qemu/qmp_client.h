// QmpClient: QEMU's control protocol (qemu-qmp-ref(7)), blocking, one command at a time. Every answer is found by the
// id of its command, so that a greeting or events in between, or the lack of a greeting, do not matter: the keeper's
// socket shows the greeting only to the first client.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "wire/json_node.h"

namespace skerry::qemu {

class QmpClient {
 public:
  // Negotiates capabilities; that this was done before is fine.
  static Result<QmpClient> over(Fd socket);
  // By the keeper's socket of the channel "qmp".
  static Result<QmpClient> connect(const std::string& run_dir);

  // `arguments` is a JSON object. `fds` go along (SCM_RIGHTS; only on a socket of our own, not through a keeper).
  // kInternal with QEMU's own words when it refuses.
  Result<wire::JsonNode> execute(std::string_view command, std::string_view arguments = "{}",
                                 const std::vector<int>& fds = {});
  // Polls until the migration (either way) is over. kIo with QEMU's words when it failed.
  Status await_migration(Duration timeout);
  // What a snapshot needs that leaves the memory where it is, or the opposite.
  enum class SharedMemory : bool { kIncluded, kIgnored };
  Status set_shared_memory(SharedMemory handling);

 private:
  explicit QmpClient(Fd socket) : socket_(std::move(socket)) {}
  Result<std::string> read_line(MonoTime deadline);

  Fd socket_;
  std::string buffer_;
  std::uint64_t next_id_ = 1;
};

}  // namespace skerry::qemu
