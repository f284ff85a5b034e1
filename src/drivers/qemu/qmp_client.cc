#include "drivers/qemu/qmp_client.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/keeper_protocol.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry::qemu {
namespace {

constexpr Duration kCommandTimeout = std::chrono::seconds(10);
constexpr std::size_t kMaxLine = 1U << 20U;
constexpr int kPollMs = 1;

std::string ignore_shared(QmpClient::SharedMemory handling) {
  return cat(R"({"capabilities":[{"capability":"x-ignore-shared","state":)",
             handling == QmpClient::SharedMemory::kIgnored, "}]}");
}

}  // namespace

Result<QmpClient> QmpClient::over(Fd socket) {
  QmpClient client(std::move(socket));
  TRY(client.negotiated(TRY(client.post("qmp_capabilities"))));
  return client;
}

// "CommandNotFound" is QEMU's way to say that it is in command mode already.
Status QmpClient::negotiated(std::int64_t id) {
  auto answered = answer(id, "qmp_capabilities");
  if (answered || answered.error().step.find("CommandNotFound") != std::string::npos) return {};
  return fail(std::move(answered).error());
}

Result<QmpClient> QmpClient::connect(const std::string& run_dir) {
  return over(TRY(unix_connect(KeeperPaths{run_dir}.channel_socket("qmp"))));
}

Result<std::string> QmpClient::read_line(MonoTime deadline) {
  std::array<char, 4096> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  while (true) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > kMaxLine) return fail(ErrorCode::kCorrupt, "QMP: a line too long");
    const auto left_ms = (deadline - SystemClock().monotonic()).count() / 1'000'000;
    pollfd ready{socket_.get(), POLLIN, 0};
    if (left_ms <= 0 || ::poll(&ready, 1, static_cast<int>(left_ms)) <= 0) {
      return fail(ErrorCode::kDeadlineExceeded, "QMP: no answer in time");
    }
    const auto got = TRY(sys::read(socket_.get(), chunk.data(), chunk.size()));
    if (got == 0) return fail(ErrorCode::kUnavailable, "QMP: the VMM is gone");
    buffer_.append(chunk.data(), got);
  }
}

Result<QmpClient> QmpClient::tell(const std::string& run_dir, const Commands& commands) {
  QmpClient client(TRY(unix_connect(KeeperPaths{run_dir}.channel_socket("qmp"))));
  client.told_.emplace_back(TRY(client.post("qmp_capabilities")), "qmp_capabilities");
  for (const auto& [command, arguments] : commands) {
    client.told_.emplace_back(TRY(client.post(command, arguments)), command);
  }
  return client;
}

Status QmpClient::obeyed() {
  for (const auto& [id, command] : std::exchange(told_, {})) {
    if (command == "qmp_capabilities") {
      TRY(negotiated(id));
    } else {
      TRY(answer(id, command));
    }
  }
  return {};
}

Result<QmpClient> QmpClient::load_devices(const std::string& run_dir, int incoming_fd) {
  return tell(run_dir, {{"migrate-set-capabilities", ignore_shared(SharedMemory::kIgnored)},
                        {"migrate-incoming", cat(R"({"uri":"fd:)", incoming_fd, R"("})")}});
}

Result<QmpClient> QmpClient::go_on(const std::string& run_dir) { return tell(run_dir, {{"cont", "{}"}}); }

Result<wire::JsonNode> QmpClient::execute(std::string_view command, std::string_view arguments,
                                          const std::vector<int>& fds) {
  return answer(TRY(post(command, arguments, fds)), command);
}

Result<std::int64_t> QmpClient::post(std::string_view command, std::string_view arguments,
                                     const std::vector<int>& fds) {
  const std::int64_t id = next_id_++;
  const std::string line = cat(R"({"execute":")", command, R"(","arguments":)", arguments, R"(,"id":)", id, "}\n");
  if (fds.empty()) {
    TRY(sys::write_all(socket_.get(), line));
  } else {
    TRY(send_with_fds(socket_.get(), line, fds));
  }
  return id;
}

Result<wire::JsonNode> QmpClient::answer(std::int64_t id, std::string_view command) {
  const MonoTime deadline = SystemClock().monotonic() + kCommandTimeout;
  while (true) {
    const std::string answer = TRY(read_line(deadline));
    const auto json = wire::JsonNode::parse(answer, "QMP", kMaxLine);
    // The first line a later client sees may be cut; nothing with our id is.
    if (!json || json->at("id").is_null() || json->integer("id") != id) continue;
    if (json->at("error").is_null()) return json->at("return");
    return fail(ErrorCode::kInternal,
                cat("QMP ", command, ": ", json->text("error.class"), ": ", json->text("error.desc")));
  }
}

Status QmpClient::await_migration(Duration timeout) {
  const MonoTime deadline = SystemClock().monotonic() + timeout;
  while (true) {
    const auto state = TRY(execute("query-migrate"));
    const std::string status = state.text("status");
    if (status == "completed") return {};
    if (status == "failed" || status == "cancelled") {
      return fail(ErrorCode::kIo, cat("migration ", status, ": ", state.text("error-desc")));
    }
    if (SystemClock().monotonic() >= deadline) return fail(ErrorCode::kDeadlineExceeded, "the migration did not end");
    ::poll(nullptr, 0, kPollMs);
  }
}

Status QmpClient::set_shared_memory(SharedMemory handling) {
  TRY(execute("migrate-set-capabilities", ignore_shared(handling)));
  return {};
}

}  // namespace skerry::qemu
