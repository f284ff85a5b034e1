// Operations: long work with progress (pulling an image, later building one), each on a thread of its own.
//
// An operation can be looked at while it goes on, waited for, and cancelled. Finished ones are kept for a while
// (the newest kKeptOperations) so that a client that comes back learns the outcome.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace skerry {

enum class OperationState : std::uint8_t { kRunning, kSucceeded, kFailed, kCancelled };
std::string_view to_text(OperationState state);

struct Operation {
  std::string id;       // "op-1", grows
  std::string kind;     // "image.pull"
  std::string subject;  // what it works on
  OperationState state = OperationState::kRunning;
  std::string stage;       // for people: "downloading", "unpacking layer 2/4"
  std::uint64_t done = 0;  // in bytes; 0 of 0 when not known
  std::uint64_t total = 0;
  std::map<std::string, std::string> result;  // kSucceeded
  Error error;                                // kFailed, kCancelled
  std::uint64_t version = 0;                  // grows with every change
  WallTime started_at;
  WallTime finished_at;
};

inline constexpr std::size_t kKeptOperations = 200;

// What the work calls to tell how far it is. Thread-safe.
class OperationProgress {
 public:
  virtual ~OperationProgress() = default;
  virtual void report(std::string stage, std::uint64_t done, std::uint64_t total) = 0;
  [[nodiscard]] virtual bool cancelled() const = 0;
};
using OperationWork = std::function<Result<std::map<std::string, std::string>>(OperationProgress&)>;

class Operations {
 public:
  // At most `max_running` at once.
  explicit Operations(Clock& clock, std::size_t max_running = 16);
  // Cancels what runs and waits for it.
  ~Operations();
  Operations(const Operations&) = delete;
  Operations& operator=(const Operations&) = delete;

  // Starts `work` on its own thread. kResourceExhausted when too many run.
  Result<Operation> start(std::string kind, std::string subject, OperationWork work);
  [[nodiscard]] std::vector<Operation> list() const;
  Result<Operation> find(const std::string& id) const;
  // Waits until the operation's version is newer than `seen` or it has ended, at most `timeout`. BLOCKING.
  Result<Operation> wait(const std::string& id, std::uint64_t seen, Duration timeout) const;
  // Asks it to stop; it ends as kCancelled soon. An ended one is left as it is.
  Status cancel(const std::string& id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
