#include "cli/copy_stream.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/sys_file.h"
#include "base/terminal_text.h"
#include "base/text.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/table.h"
#include "wire/copier_arguments.h"

namespace skerry::cli {
namespace {

constexpr std::size_t kPiece = 64U << 10U;
// Sent ahead of a slow other end.
constexpr std::size_t kMostAhead = 512U << 10U;
constexpr std::size_t kMaxReason = 2048;
constexpr int kMostNotes = 40;
constexpr Duration kRedraw = std::chrono::milliseconds(100);

}  // namespace

CopyStream::CopyStream(FrameChannel channel, std::string name, const Settings& settings)
    : channel_(std::move(channel)), name_(std::move(name)), line_(settings) {
  static_cast<void>(sys::set_nonblocking(channel_.socket.get()));
  started_ = drawn_ = clock_.monotonic();
}

void CopyStream::count(std::size_t size) {
  bytes_ += size;
  if (!line_.shown()) return;
  const auto now = clock_.monotonic();
  if (now - drawn_ < kRedraw) return;
  drawn_ = now;
  const auto ms = static_cast<std::uint64_t>((now - started_).count() / 1'000'000);
  line_.draw(
      cat("copied ", human_bytes(bytes_), "  ", human_bytes(bytes_ * 1000 / std::max<std::uint64_t>(ms, 1)), "/s")
          .substr(0, ProgressLine::columns() - 1));
}

void CopyStream::take_line(std::string_view line) {
  const std::string_view note_mark = wire::kCopierNote;
  if (!line.starts_with(note_mark)) {
    // Lines without end, empty ones too, add nothing.
    if (reason_.size() >= kMaxReason) return;
    if (!reason_.empty()) reason_ += ' ';
    reason_ += without_controls(line.substr(0, kMaxReason - std::min(reason_.size(), kMaxReason)));
    return;
  }
  if (notes_ == kMostNotes) return;
  ++notes_;
  line_.wipe();
  note(cat("skerry: ", name_, ": ", without_controls(line.substr(note_mark.size()))));
}

void CopyStream::take_words(std::string_view bytes) {
  words_ += bytes;
  for (auto end = words_.find('\n'); end != std::string::npos; end = words_.find('\n')) {
    take_line(std::string_view(words_).substr(0, end));
    words_.erase(0, end + 1);
  }
  if (words_.size() > kMaxReason) words_.resize(kMaxReason);
}

Status CopyStream::take_frames() {
  while (!exit_code_) {
    const auto frame = TRY(channel_.parser.next());
    if (!frame) return {};
    if (frame->kind == FrameKind::kStdout && reading_) in_ += frame->payload;
    if (frame->kind == FrameKind::kStderr) take_words(frame->payload);
    if (frame->kind == FrameKind::kExit) exit_code_ = TRY(decode_u32(frame->payload));
  }
  return {};
}

Status CopyStream::receive() {
  std::array<char, kPiece> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const auto got = sys::read(channel_.socket.get(), chunk.data(), chunk.size());
  if (!got && got.error().sys_errno == EAGAIN) return {};
  if (!got || *got == 0) {
    return fail(ErrorCode::kUnavailable, "the connection to skerryd broke before the copy was complete");
  }
  channel_.parser.feed({chunk.data(), *got});
  return take_frames();
}

// Both directions, whatever is ready first: the other end may fail while we write, and must be heard then.
// `also`: a descriptor whose input ends the wait too; -1: none.
Status CopyStream::move_some(int also) {
  TRY(take_frames());
  if (exit_code_) return {};
  std::array<pollfd, 2> polls{
      pollfd{channel_.socket.get(), static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), 0},
      pollfd{also, POLLIN, 0}};
  const int ready = ::poll(polls.data(), polls.size(), -1);
  if (interrupted() != 0) return fail(ErrorCode::kCancelled, "the copy was cancelled; what was copied so far stays");
  if (ready < 0) return errno == EINTR ? Status{} : fail_errno("poll");
  send_some();
  return (polls[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 ? receive() : Status{};
}

void CopyStream::send_some() {
  if (out_.empty()) return;
  const auto sent = sys::write_some(channel_.socket.get(), out_);
  if (sent) out_.erase(0, *sent);
  if (sent || sent.error().sys_errno == EAGAIN) return;
  // It has ended; why, it has said.
  deaf_ = true;
  out_.clear();
}

Status CopyStream::await_input(int fd) {
  while (true) {
    pollfd look{fd, POLLIN, 0};
    if (exit_code_) return ended_early();
    if (::poll(&look, 1, 0) > 0 && look.revents != 0) return {};
    TRY(move_some(fd));
  }
}

std::unexpected<Error> CopyStream::failure() {
  if (!words_.empty()) take_line(std::exchange(words_, {}));
  const auto code = *exit_code_ == wire::kCopierFoundNothing ? ErrorCode::kNotFound : ErrorCode::kIo;
  if (reason_.empty()) {
    return fail(code, cat(name_, ": the copier inside ended with exit code ", *exit_code_));
  }
  return fail(code, cat(name_, ": ", reason_));
}

std::unexpected<Error> CopyStream::ended_early() {
  if (*exit_code_ != 0) return failure();
  return fail(ErrorCode::kCorrupt, cat(name_, ": the copier inside ended before it had everything"));
}

Status CopyStream::await_first() {
  reading_ = true;
  while (in_.empty()) {
    if (exit_code_ && *exit_code_ != 0) return failure();
    if (exit_code_) return {};
    TRY(move_some());
  }
  return {};
}

Result<std::string_view> CopyStream::read() {
  TRY(await_first());
  current_ = std::exchange(in_, {});
  count(current_.size());
  return std::string_view(current_);
}

Status CopyStream::write(std::string_view bytes) {
  count(bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
    if (!deaf_) out_ += encode_frame(FrameKind::kStdin, 0, bytes.substr(at, kPiece));
    send_some();
    while (!exit_code_ && (deaf_ || out_.size() > kMostAhead)) TRY(move_some());
    if (exit_code_) return ended_early();
  }
  return {};
}

Status CopyStream::finish() {
  if (!deaf_) out_ += encode_frame(FrameKind::kStdinEof, 0, {});
  while (!exit_code_) TRY(move_some());
  if (*exit_code_ != 0) return failure();
  line_.wipe();
  return {};
}

}  // namespace skerry::cli
