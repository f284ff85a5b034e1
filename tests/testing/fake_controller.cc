#include "testing/fake_controller.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "core/state_machine.h"

namespace skerry::testing {
namespace {

constexpr std::uint32_t kSession = 7;  // not 0: the API must renumber

void say(int socket, FrameKind kind, std::string_view text) {
  static_cast<void>(write_frame(socket, kind, kSession, text));
}

// Frames that nobody may see pass: another session's, and kinds a client has no use for.
void say_noise(int socket) {
  static_cast<void>(write_frame(socket, FrameKind::kStdout, kSession + 1, "foreign"));
  static_cast<void>(write_frame(socket, FrameKind::kEvent, 0, "{}"));
}

void end(int socket, int code) { say(socket, FrameKind::kExit, encode_u32(static_cast<std::uint32_t>(code))); }

void flood(int socket, std::size_t size) {
  const std::string block(32768, 'x');
  for (std::size_t sent = 0; sent < size; sent += block.size()) {
    const auto piece = std::string_view(block).substr(0, std::min(block.size(), size - sent));
    if (!write_frame(socket, FrameKind::kStdout, kSession, piece)) return;
  }
}

// Until the client hangs up.
void sleep_on(int socket) {
  FrameParser parser;
  while (auto frame = read_frame(socket, parser)) {
    if (!*frame || (*frame)->kind == FrameKind::kClose) return;
  }
}

// Reads frames until the client's end of input, its hang-up or kClose.
void listen(int socket, bool echo, bool report) {
  FrameParser parser;
  while (auto frame = read_frame(socket, parser)) {
    if (!*frame || (*frame)->kind == FrameKind::kStdinEof || (*frame)->kind == FrameKind::kClose) return;
    if ((*frame)->session != kSession) continue;
    if (echo && (*frame)->kind == FrameKind::kStdin) say(socket, FrameKind::kStdout, (*frame)->payload);
    if (report && (*frame)->kind == FrameKind::kSignal) {
      say(socket, FrameKind::kStdout, cat("signal ", decode_u32((*frame)->payload).value_or(0), "\n"));
    }
    if (report && (*frame)->kind == FrameKind::kResize) {
      const auto size = decode_size((*frame)->payload).value_or(TerminalSize{});
      say(socket, FrameKind::kStdout, cat("size ", size.columns, "x", size.rows, "\n"));
    }
  }
}

void play(const Fd& socket, const std::vector<std::string>& argv) {
  const int fd = socket.get();
  say_noise(fd);
  if (argv[0] == "exit") {
    say(fd, FrameKind::kStdout, "out\n");
    say(fd, FrameKind::kStderr, "err\n");
    return end(fd, std::stoi(argv.at(1)));
  }
  if (argv[0] == "flood") {
    flood(fd, std::stoul(argv.at(1)));
    return end(fd, 0);
  }
  if (argv[0] == "archive") {
    const auto bytes = read_file(argv.at(1), 256U << 20U).value_or("");
    for (std::size_t at = 0; at < bytes.size(); at += 1000) say(fd, FrameKind::kStdout, bytes.substr(at, 1000));
    say(fd, FrameKind::kStderr, "note: \x1b[31mred\nwords without an end");
    return end(fd, 0);
  }
  if (argv[0] == "sleep") return sleep_on(fd);
  listen(fd, argv[0] == "cat", argv[0] == "signals");
  end(fd, 0);
}

Error no_such(const std::string& name) {
  return Error{ErrorCode::kNotFound, 0, cat("environment \"", name, "\" does not exist"), "see: skerry ls"};
}

}  // namespace

FakeController::~FakeController() {
  for (auto& thread : threads_) thread.join();
}

void FakeController::add(Environment environment) {
  const std::lock_guard lock(mutex_);
  environments_.push_back(std::move(environment));
}

void FakeController::replace(Environment environment) {
  const std::lock_guard lock(mutex_);
  std::ranges::replace_if(
      environments_, [&](const auto& each) { return each.spec.name == environment.spec.name; }, environment);
}

void FakeController::fail_next(Error error) {
  const std::lock_guard lock(mutex_);
  next_error_ = std::move(error);
}

void FakeController::hold() {
  const std::lock_guard lock(mutex_);
  holding_ = true;
}

void FakeController::release() {
  std::vector<std::function<void()>> held;
  {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    held.swap(held_);
  }
  for (const auto& each : held) each();
}

std::vector<VerbCommand> FakeController::verbs() {
  const std::lock_guard lock(mutex_);
  return verbs_;
}

std::vector<CreateCommand> FakeController::creations() {
  const std::lock_guard lock(mutex_);
  return creations_;
}

void FakeController::set_image_users(std::vector<std::string> users) {
  const std::lock_guard lock(mutex_);
  image_users_ = std::move(users);
}

void FakeController::set_health(const std::string& name, Health health) {
  const std::lock_guard lock(mutex_);
  for (auto& each : environments_) {
    if (each.spec.name == name) each.status.health = health;
  }
}

void FakeController::end_run(const std::string& name, int exit_code) {
  std::vector<Completion> waiters;
  Environment last;
  {
    const std::lock_guard lock(mutex_);
    for (auto& each : environments_) {
      if (each.spec.name != name) continue;
      each.status.state = exit_code == 0 ? State::kStopped : State::kFailed;
      each.status.exit_code = exit_code;
      last = each;
    }
    if (last.spec.auto_remove) std::erase_if(environments_, [&](const auto& each) { return each.spec.name == name; });
    waiters.swap(waiters_[name]);
  }
  for (const auto& done : waiters) done(last);
}

void FakeController::submit(Command command, Completion done) {
  {
    const std::lock_guard lock(mutex_);
    if (next_error_) {
      const Error error = *std::exchange(next_error_, std::nullopt);
      return done(fail(error));
    }
    if (holding_) {
      held_.emplace_back([this, command, done] { carry_out(command, done); });
      return;
    }
  }
  carry_out(command, done);
}

void FakeController::carry_out(const Command& command, const Completion& done) {
  if (const auto* creation = std::get_if<CreateCommand>(&command)) {
    return done(create(*creation, creation->start ? State::kRunning : State::kCreated));
  }
  done(act(std::get<VerbCommand>(command)));
}

Result<Environment> FakeController::create(const CreateCommand& command, State state) {
  TRY(validate(command.spec));
  const std::lock_guard lock(mutex_);
  creations_.push_back(command);
  for (const auto& each : environments_) {
    if (each.spec.name == command.spec.name) {
      return fail(ErrorCode::kAlreadyExists, cat("name \"", command.spec.name, "\" is taken"), "choose another --name");
    }
  }
  Environment environment;
  environment.spec = command.spec;
  environment.id = cat("00000000000000", 10 + environments_.size());
  environment.ip = cat("192.168.127.", 100 + environments_.size());
  environment.status.state = state;
  environment.status.goal = state == State::kRunning ? Goal::kRunning : Goal::kStopped;
  environment.status.created_at = SystemClock().now();
  environments_.push_back(environment);
  return environment;
}

Result<Environment> FakeController::act(const VerbCommand& command) {
  const std::lock_guard lock(mutex_);
  verbs_.push_back(command);
  const auto found =
      std::ranges::find_if(environments_, [&](const auto& each) { return each.spec.name == command.name; });
  if (found == environments_.end()) return fail(no_such(command.name));
  auto& status = found->status;
  switch (command.verb) {
    case Verb::kStart:
    case Verb::kRestart:
    case Verb::kResume: status.state = State::kRunning; break;
    case Verb::kStop:
    case Verb::kKill: status.state = State::kStopped; break;
    case Verb::kPause: status.state = State::kPaused; break;
    case Verb::kSuspend: return fail(ErrorCode::kUnsupported, "suspend to disk");
    case Verb::kUpdate: found->spec.resources = command.resources; break;
    case Verb::kExec:
    case Verb::kSave:
    case Verb::kRestore: break;
    case Verb::kDelete:
    case Verb::kForceDelete: {
      if (command.verb == Verb::kDelete && is_alive(status.state)) {
        return fail(ErrorCode::kConflict, cat("\"", command.name, "\" is running"), "stop it first, or use force");
      }
      Environment last = std::move(*found);
      environments_.erase(found);
      return last;
    }
  }
  return *found;
}

void FakeController::run_attached(CreateCommand command, StdioSink stdio, Completion done) {
  auto made = create(command, State::kRunning);
  if (!made) return done(std::move(made));
  auto argv = command.spec.command.empty() ? std::vector<std::string>{"cat"} : command.spec.command;
  auto conversation = converse(std::move(argv));
  if (!conversation) {
    VerbCommand remove;
    remove.name = command.spec.name;
    remove.verb = Verb::kForceDelete;
    static_cast<void>(act(remove));
    return done(fail(conversation.error()));
  }
  stdio(std::move(*conversation));
  done(std::move(made));
}

void FakeController::save(const std::string& name, const std::string& directory, Completion done) {
  auto environment = find(name);
  if (!environment) return done(std::move(environment));
  if (auto written = write_file_atomic(directory + "/saved", name, 0600); !written) {
    return done(fail(std::move(written).error()));
  }
  done(std::move(environment));
}

void FakeController::restore(const std::string& name, const std::string& directory, Completion done) {
  if (auto saved = read_file(directory + "/saved"); !saved) return done(fail(std::move(saved).error()));
  {
    const std::lock_guard lock(mutex_);
    for (auto& each : environments_) {
      if (each.spec.name == name) each.status.state = State::kSuspended;
    }
  }
  done(find(name));
}

std::map<Isolation, Histogram::Sample> FakeController::start_times() {
  Histogram one;
  one.observe(std::chrono::milliseconds(20));
  return {{Isolation::kContainer, one.sample()}};
}

SharedViews FakeController::views() {
  const std::lock_guard lock(mutex_);
  EnvironmentViews out;
  for (const auto& each : environments_) out.push_back(std::make_shared<const Environment>(each));
  return out;
}

Result<Environment> FakeController::find(const std::string& name) {
  const std::lock_guard lock(mutex_);
  for (const auto& each : environments_) {
    if (each.spec.name == name) return each;
  }
  return fail(no_such(name));
}

Result<Conversation> FakeController::converse(std::vector<std::string> argv) {
  const bool known = argv[0] == "cat" || argv[0] == "exit" || argv[0] == "flood" || argv[0] == "sleep" ||
                     argv[0] == "signals" || argv[0] == "archive";
  if (!known) return fail(ErrorCode::kCommandNotFound, cat("\"", argv[0], "\" is not in the image"));
  auto pair = TRY(unix_pair());
  const std::lock_guard lock(mutex_);
  threads_.emplace_back([socket = std::move(pair.second), argv = std::move(argv)] { play(socket, argv); });
  return Conversation{std::move(pair.first), kSession};
}

Result<Conversation> FakeController::exec(const std::string& name, const ExecSpec& spec) {
  const auto environment = TRY(find(name));
  if (!is_alive(environment.status.state)) return fail(ErrorCode::kConflict, cat("\"", name, "\" does not run"));
  if (spec.program == ExecSpec::Program::kAgent) return converse({"archive", log_dir_ + "/archive"});
  return converse(spec.argv);
}

Result<Conversation> FakeController::attach(const std::string& name) {
  TRY(find(name));
  return converse({"cat"});
}

// A line that says what it hears, until "poweroff".
Result<Conversation> FakeController::serial(const std::string& name) {
  const auto environment = TRY(find(name));
  if (environment.spec.isolation == Isolation::kContainer) {
    return fail(ErrorCode::kUnsupported, cat(name, ": has no serial line"));
  }
  auto [ours, theirs] = TRY(unix_pair());
  const std::lock_guard lock(mutex_);
  threads_.emplace_back([line = std::move(theirs)] {
    std::array<char, 4096> heard{};
    ssize_t size = 0;
    while ((size = ::read(line.get(), heard.data(), heard.size())) > 0) {
      const std::string_view text(heard.data(), static_cast<std::size_t>(size));
      if (text == "poweroff\n" || !sys::write_all(line.get(), text)) return;
    }
  });
  Conversation conversation;
  conversation.socket = std::move(ours);
  conversation.plain = true;
  return conversation;
}

Result<UsageSample> FakeController::stats(const std::string& name) {
  TRY(find(name));
  UsageSample sample;
  sample.cpu_ns = 1'000'000;
  sample.memory_bytes = 4096;
  return sample;
}

Result<std::string> FakeController::log_path(const std::string& name) {
  TRY(find(name));
  return cat(log_dir_, "/log");
}

void FakeController::wait_exit(const std::string& name, Completion done) {
  auto environment = find(name);
  if (environment && is_alive(environment->status.state)) {
    const std::lock_guard lock(mutex_);
    waiters_[name].push_back(std::move(done));
    return;
  }
  done(std::move(environment));
}

std::map<Isolation, Availability> FakeController::capabilities() {
  return {{Isolation::kContainer, {true, "works"}}, {Isolation::kMicrovm, {false, "no hardware virtualisation"}}};
}

std::vector<std::string> FakeController::users_of_image(const std::string&) {
  const std::lock_guard lock(mutex_);
  return image_users_;
}

}  // namespace skerry::testing
