// ProcessStdio: standard input, output and error of a process: three pipes, or one pty.
//
//   1. open()                     makes the pipes, or the console socket on which the OCI runtime hands over the pty
//   2. child_fds()                what the runtime inherits as 0, 1, 2
//   3. take_console()             (terminal) receives the pty master from the runtime, sets its size
//   4. start()                    closes the child's ends, begins to read
//
// The console socket conversation is runc's, which every OCI runtime speaks: connect, send one message with the pty
// master in SCM_RIGHTS.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/cri_log.h"
#include "base/keeper_protocol.h"
#include "base/process.h"
#include "keeper/connection.h"
#include "keeper/workload_input.h"

namespace skerry::keeper {

class ProcessStdio final : public WorkloadInput {
 public:
  struct Spec {
    bool terminal = false;
    TerminalSize size;
    StdinMode stdin_mode = StdinMode::kNull;
    std::string console_path;  // where the console socket is made
  };
  struct Handlers {
    std::function<void(LogStream stream, std::string_view bytes)> output;
    std::function<void()> ended;  // all output has come
    std::function<void()> uncongested;
    std::function<void(int signal_number)> signal;
  };
  static Result<std::unique_ptr<ProcessStdio>> open(const Spec& spec, Handlers handlers);

  [[nodiscard]] std::vector<SpawnSpec::InheritFd> child_fds() const;
  // The listening console socket to poll, -1 without a terminal or when the pty is there.
  [[nodiscard]] int console_fd() const { return console_.get(); }
  // Accepts the runtime's connection and takes the pty from it.
  Status take_console();
  Status start(EventLoop& loop);
  // After a failed start: what the runtime itself wrote to its stderr.
  [[nodiscard]] std::string read_error_text() const;

  void write_stdin(std::string_view bytes) override;
  void end_stdin() override;
  void resize(TerminalSize size) override;
  void signal(int signal_number) override { handlers_.signal(signal_number); }
  [[nodiscard]] bool congested() const override;

  // Stops or goes on reading the process's output: it then waits in its pipe.
  void pause_output();
  void resume_output();

 private:
  ProcessStdio(Spec spec, Handlers handlers) : spec_(std::move(spec)), handlers_(std::move(handlers)) {}
  Status open_pipes();
  Result<std::shared_ptr<Connection>> reader(EventLoop& loop, Fd fd, LogStream stream, Direction direction);
  void output_ended(LogStream stream);

  Spec spec_;
  Handlers handlers_;
  Fd console_;  // listens for the runtime
  Fd pty_;      // between take_console() and start()
  Fd child_in_, child_out_, child_err_;
  Fd own_in_, own_out_, own_err_;
  std::shared_ptr<Connection> in_, out_, err_;  // with a terminal in_ == out_, no err_
};

}  // namespace skerry::keeper
