#include "oci/criu.h"

#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "oci/launch.h"

namespace skerry::oci {
namespace {

constexpr int kConnection = 3;
constexpr std::size_t kMaxMessage = 64U << 10U;
constexpr std::size_t kMaxLog = 64U << 20U;

// The last line that tells of an error.
std::string last_error_of(const std::string& text) {
  std::string out;
  for (const auto line : split(text, '\n')) {
    if (line.find("Error") != std::string_view::npos) out = std::string(trim(line));
  }
  return out;
}

Status send_bytes(int socket, const std::string& bytes) {
  if (::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return fail_errno("talk to criu");
  return {};
}

}  // namespace

Result<Criu> Criu::start(const StartOptions& options) {
  auto pair = TRY(make_status_pair());
  Fd output = TRY(sys::memfd("criu-output"));
  SpawnSpec spec;
  spec.argv = {"criu", "swrk", cat(kConnection)};
  spec.fds = {{output.get(), 1}, {output.get(), 2}, {pair.child.get(), kConnection}};
  for (std::size_t i = 0; i < options.inherited.size(); ++i) {
    spec.fds.push_back({options.inherited[i], kFirstInherited + static_cast<int>(i)});
  }
  spec.no_new_privileges = options.no_new_privileges;
  spec.parent_death_signal = SIGKILL;
  auto child = Child::spawn(spec);
  if (!child && child.error().code == ErrorCode::kCommandNotFound) {
    return fail(ErrorCode::kUnsupported, "CRIU is not installed on this host", "install the package criu");
  }
  if (!child) return fail(std::move(std::move(child).error()).in("start CRIU"));
  return Criu(std::move(*child), std::move(pair.runtime), std::move(output));
}

Result<CriuAnswer> Criu::converse(CriuRequest type, const CriuOptions& options, const Notified& notified) {
  // One that cannot work on this kernel ends before it has read anything.
  const auto ended = [] { return fail(ErrorCode::kUnsupported, "CRIU ended without an answer"); };
  if (!send_bytes(connection_.get(), encode_criu_request(type, options))) return ended();
  for (;;) {
    auto message = receive_with_fds(connection_.get(), kMaxMessage);
    if (!message || message->data.empty()) return ended();
    auto answer = TRY(decode_criu_answer(message->data));
    if (answer.type != CriuRequest::kNotify) return answer;
    const auto done = notified(answer, message->fds.empty() ? Fd() : std::move(message->fds.front()));
    TRY(send_bytes(connection_.get(), encode_criu_notified(done.has_value())));
    if (!done) return fail(done.error());
  }
}

Result<CriuAnswer> Criu::request(CriuRequest type, const CriuOptions& options, const std::string& log,
                                 const Notified& notified) {
  auto answer = converse(type, options, notified);
  connection_.reset();
  (void)child_.wait();
  if (answer && answer->success) return answer;
  const std::string words = last_words(log);
  if (!answer) {
    return fail(answer.error().code, cat(answer.error().message(), words.empty() ? "" : ": ", words));
  }
  std::string text = answer->error_text.empty() ? words : cat(trim(answer->error_text), "; ", words);
  if (answer->error_number != 0) text = cat(text, " (errno ", answer->error_number, ")");
  return fail(ErrorCode::kIo, cat("CRIU failed: ", text));
}

// Its log, where it got so far as to write one, else what it printed.
std::string Criu::last_words(const std::string& log) const {
  if (const auto text = read_file(log, kMaxLog)) {
    if (auto line = last_error_of(*text); !line.empty()) return line;
  }
  if (::lseek(output_.get(), 0, SEEK_SET) < 0) return {};
  const auto text = sys::read_to_end(output_.get(), kMaxLog);
  return text ? last_error_of(*text) : std::string();
}

}  // namespace skerry::oci
