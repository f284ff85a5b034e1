// A network namespace that is made before anybody asks for it.
//
// To make one and set its kernel parameters takes longer the more there are: the kernel finds a namespace's own
// /proc/sys/net by comparing with those of all others. A start need not wait for that.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/result.h"
#include "network/netns.h"

namespace skerry {

class SpareNetwork {
 public:
  using Maker = std::function<Result<network::NewNetns>()>;
  // `make` is called by several threads at once. Nothing is made before the first take().
  explicit SpareNetwork(Maker make);
  SpareNetwork(const SpareNetwork&) = delete;
  SpareNetwork& operator=(const SpareNetwork&) = delete;
  ~SpareNetwork();

  // The spare one, or one that is made now; the next one is made behind the caller's back. What `make` answers: a
  // failure behind the back is nobody's, whoever comes next sees it for himself.
  Result<network::NewNetns> take();

 private:
  void run();

  const Maker make_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<network::NewNetns> spare_;
  bool wanted_ = false;
  bool stopping_ = false;
  std::thread maker_;  // last: it uses all of the above
};

}  // namespace skerry
