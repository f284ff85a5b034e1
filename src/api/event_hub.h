// EventHub: reads new events from the store once, for all who stream them.
//
//   store ──ring()──▶ one thread: reads, puts into the stream's form ──▶ ring of the newest frames ──▶ readers
//                     at most every kPace                                                     bells ──▶
//
// Readers share the frames and keep only where they are. One that falls behind the ring, or comes back with an old id,
// asks the store for what it lacks until it has caught up: a slow reader costs nothing, holds up nobody and loses
// nothing. The first event after a quiet time goes out at once; in a storm they go out in batches, at most kPace late.
//
// Thread-safe. While nobody reads the store is not asked and nothing is kept.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "store/store.h"

namespace skerry::api {

class EventHub {
 public:
  static constexpr std::size_t kMaxFrames = 4096;
  static constexpr auto kPace = std::chrono::milliseconds(20);

  // An event and its message of the stream.
  struct Frame {
    Event event;
    std::string text;
  };
  using Frames = std::vector<std::shared_ptr<const Frame>>;

  // One reader's bell: polls readable after new frames, until cleared.
  class Bell {
   public:
    explicit Bell(Fd event_fd) : fd_(std::move(event_fd)) {}
    [[nodiscard]] int fd() const { return fd_.get(); }
    void ring() const;
    // Clear first, then look: a ring in between is kept.
    void clear() const;

   private:
    Fd fd_;
  };

  explicit EventHub(Store& store) : store_(store) {}
  ~EventHub() { stop(); }
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  // Starts the thread, once. Before, bells do not ring.
  void start();
  // Ends it. Safe to repeat.
  void stop();

  Result<std::shared_ptr<Bell>> subscribe();
  // Called with the newest id after events were stored, from any thread.
  void ring(std::uint64_t last_id);
  // The newest event that was stored.
  [[nodiscard]] std::uint64_t last_id() const { return last_id_; }
  [[nodiscard]] std::size_t readers();

  // At most `limit` frames behind this id, in order; none: there is nothing newer yet. nullopt: the ring does not reach
  // back to there, the store does.
  [[nodiscard]] std::optional<Frames> after(std::uint64_t id, std::size_t limit);
  // Whether after() has an answer.
  [[nodiscard]] bool reaches(std::uint64_t id);

 private:
  void run();
  // Reads what is new and rings the bells. Without readers it only moves on.
  void publish();

  Store& store_;
  std::atomic<std::uint64_t> last_id_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::weak_ptr<Bell>> bells_;
  std::deque<std::shared_ptr<const Frame>> frames_;  // all events in (floor_, published_]
  std::uint64_t floor_ = 0;
  std::uint64_t published_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

// Whether the filter lets the event through; its first id and limit aside.
bool passes(const EventFilter& filter, const Event& event);

}  // namespace skerry::api
