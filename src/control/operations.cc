#include "control/operations.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/text.h"

namespace skerry {

std::string_view to_text(OperationState state) {
  switch (state) {
    case OperationState::kRunning: return "running";
    case OperationState::kSucceeded: return "succeeded";
    case OperationState::kFailed: return "failed";
    case OperationState::kCancelled: return "cancelled";
  }
  return "failed";
}

struct Operations::State {
  State(Clock& the_clock, std::size_t most) : clock(the_clock), max_running(most) {}

  struct Entry {
    Operation operation;
    std::atomic<bool> cancel{false};
    std::thread thread;
  };

  // What the work sees: writes into its entry under the lock.
  class Progress final : public OperationProgress {
   public:
    Progress(State& state, Entry& entry) : state_(state), entry_(entry) {}
    void report(std::string stage, std::uint64_t done, std::uint64_t total) override {
      {
        const std::lock_guard lock(state_.mutex);
        entry_.operation.stage = std::move(stage);
        entry_.operation.done = done;
        entry_.operation.total = total;
        ++entry_.operation.version;
      }
      state_.changed.notify_all();
    }
    [[nodiscard]] bool cancelled() const override { return entry_.cancel; }

   private:
    State& state_;
    Entry& entry_;
  };

  // What a library throws (no memory, no thread) ends the operation, not the daemon.
  static Result<std::map<std::string, std::string>> try_work(const OperationWork& work, Progress& progress) {
    try {
      return work(progress);
    } catch (const std::exception& error) {
      return fail(ErrorCode::kInternal, error.what());
    }
  }

  void run(Entry& entry, const OperationWork& work) {
    Progress progress(*this, entry);
    auto result = try_work(work, progress);
    {
      const std::lock_guard lock(mutex);
      auto& operation = entry.operation;
      operation.finished_at = clock.now();
      ++operation.version;
      if (result) {
        operation.state = OperationState::kSucceeded;
        operation.result = std::move(*result);
      } else {
        const bool cancelled = entry.cancel || result.error().code == ErrorCode::kCancelled;
        operation.state = cancelled ? OperationState::kCancelled : OperationState::kFailed;
        operation.error = std::move(result).error();
      }
    }
    changed.notify_all();
  }

  // Joins and drops the oldest ended ones beyond kKeptOperations. The lock is held; their threads are past it.
  void trim() {
    for (auto entry = entries.begin(); entry != entries.end() && entries.size() > kKeptOperations;) {
      if ((*entry)->operation.state == OperationState::kRunning) {
        ++entry;
        continue;
      }
      // Not detached: its last call is for `changed`, which is to be there until then.
      if ((*entry)->thread.joinable()) (*entry)->thread.join();
      entry = entries.erase(entry);
    }
  }

  Entry* find(const std::string& id) {
    const auto found = std::ranges::find_if(entries, [&](const auto& entry) { return entry->operation.id == id; });
    return found == entries.end() ? nullptr : found->get();
  }

  Clock& clock;
  const std::size_t max_running;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Entry>> entries;
  std::uint64_t next_id = 1;
};

Operations::Operations(Clock& clock, std::size_t max_running) : state_(std::make_unique<State>(clock, max_running)) {}

Operations::~Operations() {
  std::deque<std::shared_ptr<State::Entry>> entries;
  {
    const std::lock_guard lock(state_->mutex);
    entries = state_->entries;
  }
  for (auto& entry : entries) {
    entry->cancel = true;
    if (entry->thread.joinable()) entry->thread.join();
  }
}

Result<Operation> Operations::start(std::string kind, std::string subject, OperationWork work) {
  const std::lock_guard lock(state_->mutex);
  const auto running = std::ranges::count_if(
      state_->entries, [](const auto& entry) { return entry->operation.state == OperationState::kRunning; });
  if (static_cast<std::size_t>(running) >= state_->max_running) {
    return fail(ErrorCode::kResourceExhausted, cat("start ", kind),
                "too many operations are going on; wait for one to end");
  }
  auto entry = std::make_shared<State::Entry>();
  auto& operation = entry->operation;
  operation.id = cat("op-", state_->next_id++);
  operation.kind = std::move(kind);
  operation.subject = std::move(subject);
  operation.version = 1;
  operation.started_at = state_->clock.now();
  state_->entries.push_back(entry);
  // The thread holds its entry alive and waits for this lock before it can end, so `thread` is set before it is read.
  try {
    entry->thread = std::thread([state = state_.get(), entry, work = std::move(work)] { state->run(*entry, work); });
  } catch (const std::system_error& error) {
    state_->entries.pop_back();
    return fail(ErrorCode::kResourceExhausted, cat("start ", operation.kind, ": ", error.what()));
  }
  Operation copy = operation;
  state_->trim();
  return copy;
}

std::vector<Operation> Operations::list() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<Operation> out;
  for (const auto& entry : state_->entries) out.push_back(entry->operation);
  return out;
}

Result<Operation> Operations::find(const std::string& id) const {
  const std::lock_guard lock(state_->mutex);
  const auto* entry = state_->find(id);
  if (entry == nullptr) return fail(ErrorCode::kNotFound, cat("operation \"", id, "\" does not exist"));
  return entry->operation;
}

Result<Operation> Operations::wait(const std::string& id, std::uint64_t seen, Duration timeout) const {
  std::unique_lock lock(state_->mutex);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const auto* entry = state_->find(id);
    if (entry == nullptr) return fail(ErrorCode::kNotFound, cat("operation \"", id, "\" does not exist"));
    const auto& operation = entry->operation;
    if (operation.version > seen || operation.state != OperationState::kRunning) return operation;
    if (state_->changed.wait_until(lock, deadline) == std::cv_status::timeout) return operation;
  }
}

Status Operations::cancel(const std::string& id) {
  const std::lock_guard lock(state_->mutex);
  auto* entry = state_->find(id);
  if (entry == nullptr) return fail(ErrorCode::kNotFound, cat("operation \"", id, "\" does not exist"));
  entry->cancel = true;
  return {};
}

}  // namespace skerry
