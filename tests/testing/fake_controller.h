// FakeController: a Controller whose environments are values in memory, for tests of what stands above it. Commands are
// done at once. What runs "inside" is played by threads: see exec().
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/controller.h"

namespace skerry::testing {

class FakeController final : public Controller {
 public:
  explicit FakeController(std::string log_dir) : log_dir_(std::move(log_dir)) {}
  ~FakeController() override;

  // ── what a test does ──
  void add(Environment environment);
  // The one of its name is gone, and this one there, at once.
  void replace(Environment environment);
  // The next submit is answered with this error.
  void fail_next(Error error);
  // Commands wait until release(); a waiting create is stored as starting.
  void hold();
  void release();
  std::vector<VerbCommand> verbs();
  std::vector<CreateCommand> creations();
  // Ends the run of `name`: waiters are told, its state becomes stopped or failed.
  void end_run(const std::string& name, int exit_code);
  void set_health(const std::string& name, Health health);
  void set_image_users(std::vector<std::string> users);

  // ── Controller ──
  void submit(Command command, Completion done) override;
  // The workload echoes its input line by line, and ends with code 0 at the end of it; with the command {"exit", N} it
  // writes "bye" and ends with N.
  void run_attached(CreateCommand command, StdioSink stdio, Completion done) override;
  SharedViews views() override;
  Result<Environment> find(const std::string& name) override;
  // {"cat"} echoes its input; {"exit", N} writes "out" and "err" and ends with N; {"flood", N} writes N bytes;
  // {"sleep"} waits for the hang-up; {"signals"} tells each signal and size it gets; anything else is not found.
  Result<Conversation> exec(const std::string& name, const ExecSpec& spec) override;
  Result<Conversation> attach(const std::string& name) override;
  Result<Conversation> serial(const std::string& name) override;
  Result<UsageSample> stats(const std::string& name) override;
  Result<Fd> guest_events(const std::string&) override { return fail(ErrorCode::kUnsupported, "a fake has no guests"); }
  void report_health(const std::string&, std::uint64_t, Health, std::string) override {}
  void report_guest_restart(const std::string&, const GuestRestart&) override {}
  // Writes the file "saved" to the directory; restore() wants it there.
  void save(const std::string& name, const std::string& directory, Completion done) override;
  void restore(const std::string& name, const std::string& directory, Completion done) override;
  Result<std::string> log_path(const std::string& name) override;
  void wait_exit(const std::string& name, Completion done) override;
  std::map<Isolation, Histogram::Sample> start_times() override;
  std::map<Isolation, Availability> capabilities() override;
  std::vector<std::string> users_of_image(const std::string& manifest_digest) override;
  bool settle(Duration) override { return true; }
  Status refresh_network() override { return {}; }
  Result<std::string> choose_service_address(const std::string&, const std::string& wanted) override {
    return wanted.empty() ? "192.168.127.2" : wanted;
  }

 private:
  void carry_out(const Command& command, const Completion& done);
  Result<Environment> create(const CreateCommand& command, State state);
  Result<Environment> act(const VerbCommand& command);
  Result<Conversation> converse(std::vector<std::string> argv);

  std::string log_dir_;
  std::mutex mutex_;
  std::vector<Environment> environments_;
  std::vector<VerbCommand> verbs_;
  std::vector<CreateCommand> creations_;
  std::map<std::string, std::vector<Completion>> waiters_;
  std::vector<std::function<void()>> held_;
  std::vector<std::string> image_users_;
  std::vector<std::thread> threads_;
  std::optional<Error> next_error_;
  bool holding_ = false;
};

}  // namespace skerry::testing
