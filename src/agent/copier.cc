#include "agent/copier.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <string_view>
#include <tuple>

#include "archive/tree_pack.h"
#include "archive/tree_unpack.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "wire/copier_arguments.h"

namespace skerry::agent {
namespace {

constexpr std::size_t kPiece = 256U << 10U;
constexpr int kMostNotes = 20;
constexpr int kNothingThere = wire::kCopierFoundNothing;

// What was left out, on standard error; the first few by name.
class Notes {
 public:
  void take(const std::string& text) {
    if (++count_ <= kMostNotes) say(text);
  }
  void end() const {
    if (count_ > kMostNotes) say(cat(count_ - kMostNotes, " more"));
  }

 private:
  static void say(std::string_view text) {
    std::ignore = sys::write_all(STDERR_FILENO, cat(wire::kCopierNote, text, "\n"));
  }
  int count_ = 0;
};

// Standard input, or the signal that the client has gone: then what is half written can still be removed.
class Input {
 public:
  static Result<Input> open() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGHUP, SIGTERM, SIGINT}) ::sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    Input input;
    input.signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC));
    if (!input.signals_) return fail_errno("signalfd");
    input.buffer_.resize(kPiece);
    return input;
  }

  Result<std::string_view> read() {
    std::array<pollfd, 2> polls{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0}};
    while (::poll(polls.data(), polls.size(), -1) < 0) {
      if (errno != EINTR) return fail_errno("poll");
    }
    if (polls[1].revents != 0) return fail(ErrorCode::kCancelled, "the client gave up");
    const auto got = TRY(sys::read(STDIN_FILENO, buffer_.data(), buffer_.size()));
    return std::string_view(buffer_.data(), got);
  }

 private:
  Fd signals_;
  std::string buffer_;
};

Status copy_in(const wire::CopyRequest& request, Notes& notes) {
  auto input = TRY(Input::open());
  CopyTarget target;
  if (request.top.empty()) {
    target.directory = TRY(sys::open(request.path, O_PATH | O_DIRECTORY));
  } else {
    target = TRY(open_copy_target(request.path, request.top, EndLink::kFollow));
  }
  UnpackOptions options;
  if (request.top != ".") options.top = request.top;
  options.as = target.as;
  options.top_must_be_directory = target.must_be_directory;
  options.keep_owners = request.keep_owners;
  options.note = [&](const std::string& text) { notes.take(text); };
  // It comes from whoever may do anything in here: the disk is the limit.
  TarRules rules;
  rules.max_entries = rules.max_content_bytes = std::numeric_limits<std::int64_t>::max();
  rules.keep_xattr = [](std::string_view name) { return is_copied(CopiedXattrs::kUserAndCapabilities, name); };
  auto reader = TRY(TarReader::open([&] { return input.read(); }, std::move(rules)));
  TRY(unpack_tree(reader, target.directory.get(), options));
  // A writer that finds nobody listening would take that for a failure.
  while (!TRY(input.read()).empty()) {
  }
  return {};
}

Status copy_out(const wire::CopyRequest& request, Notes& notes) {
  PackOptions options;
  options.follow_top = request.follow;
  options.xattrs = request.xattrs ? CopiedXattrs::kUser : CopiedXattrs::kNone;
  options.sparse = request.sparse;
  options.note = [&](const std::string& text) { notes.take(text); };
  return pack_tree(request.path, options, [](std::string_view bytes) { return sys::write_all(STDOUT_FILENO, bytes); });
}

}  // namespace

bool is_copier_word(const char* word) {
  const std::string_view text = word;
  return text == "copy-in" || text == "copy-out";
}

int run_copier(const std::vector<std::string>& words) {
  const auto request = wire::parse_copier_arguments(words);
  Notes notes;
  Status done = request ? Status{} : fail(Error(request.error()));
  if (request)
    done = request->direction == wire::CopyDirection::kIn ? copy_in(*request, notes) : copy_out(*request, notes);
  notes.end();
  if (done) return 0;
  std::ignore = sys::write_all(STDERR_FILENO, cat(done.error().message(), "\n"));
  return done.error().code == ErrorCode::kNotFound ? kNothingThere : 1;
}

}  // namespace skerry::agent
