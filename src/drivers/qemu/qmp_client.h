// QmpClient: QEMU's control protocol (qemu-qmp-ref(7)), blocking, one command at a time. Every answer is found by the
// id of its command, so that a greeting or events in between, or the lack of a greeting, do not matter: the keeper's
// socket shows the greeting only to the first client.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
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
  // What a machine that waits for its memory (-incoming defer) is told, without a pause between: to load its devices
  // from the descriptor and leave the memory as it is. It may not even have begun to listen yet. What goes wrong when
  // it loads ends the machine. Does not wait for answers: obeyed() does.
  static Result<QmpClient> load_devices(const std::string& run_dir, int incoming_fd);
  // A machine that was stopped goes on ("cont"). Does not wait for answers: obeyed() does.
  static Result<QmpClient> go_on(const std::string& run_dir);
  // All that was told has been answered. kInternal with QEMU's own words when it refused any of it.
  Status obeyed();

  // `arguments` is a JSON object. `fds` go along (SCM_RIGHTS; only on a socket of our own, not through a keeper).
  // kInternal with QEMU's own words when it refuses.
  Result<wire::JsonNode> execute(std::string_view command, std::string_view arguments = "{}",
                                 const std::vector<int>& fds = {});
  // The two halves of it, to send several before the answer to the first has come. The answers in the order of posts.
  Result<std::int64_t> post(std::string_view command, std::string_view arguments = "{}",
                            const std::vector<int>& fds = {});
  Result<wire::JsonNode> answer(std::int64_t id, std::string_view command);
  // Polls until the migration (either way) is over. kIo with QEMU's words when it failed.
  Status await_migration(Duration timeout);
  // What a snapshot needs that leaves the memory where it is, or the opposite.
  enum class SharedMemory : bool { kIncluded, kIgnored };
  Status set_shared_memory(SharedMemory handling);

 private:
  explicit QmpClient(Fd socket) : socket_(std::move(socket)) {}
  using Commands = std::vector<std::pair<std::string_view, std::string>>;
  // All at once, without a pause between.
  static Result<QmpClient> tell(const std::string& run_dir, const Commands& commands);
  Status negotiated(std::int64_t id);
  Result<std::string> read_line(MonoTime deadline);

  Fd socket_;
  std::string buffer_;
  std::int64_t next_id_ = 1;
  std::vector<std::pair<std::int64_t, std::string_view>> told_;  // id and command, the negotiation first
};

}  // namespace skerry::qemu
