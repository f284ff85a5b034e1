// WorkloadInput: what a client can do to the workload. Two real ones: the stdio of a process (ProcessStdio) and the
// workload of a guest behind its agent (FramedChannel).
#pragma once

#include <string_view>

#include "base/frame.h"

namespace skerry::keeper {

class WorkloadInput {
 public:
  virtual ~WorkloadInput() = default;
  virtual void write_stdin(std::string_view bytes) = 0;
  virtual void end_stdin() = 0;
  virtual void resize(TerminalSize size) = 0;
  virtual void signal(int signal_number) = 0;
  // The workload does not read fast enough: callers stop reading their clients until told that it does again.
  [[nodiscard]] virtual bool congested() const = 0;
};

// Carries out an input frame (kStdin, kStdinEof, kResize, kSignal); false when it is of another kind or malformed.
bool apply_input(WorkloadInput& input, const Frame& frame);

// Above this many bytes not yet taken by the reader, its writers are paused.
inline constexpr std::size_t kCongestedAt = 256U << 10U;

}  // namespace skerry::keeper
