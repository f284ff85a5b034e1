// Composition: builds skerryd from its parts, in the order they depend on each other, and takes it down again.
// The one place that constructs drivers, stores and servers.
#pragma once

#include <memory>

#include "base/result.h"
#include "daemon/options.h"

namespace skerry {

class Composition {
 public:
  // Takes the locks, opens store and images, prepares the network, adopts what runs, opens the API's sockets. What an
  // error leaves is what was there before. kConflict: another skerryd uses the same directories.
  static Result<std::unique_ptr<Composition>> create(const DaemonOptions& options);
  virtual ~Composition() = default;

  // Serves until stop() is called (from any thread).
  virtual void run() = 0;
  virtual void stop() = 0;
  // Reads the policy again (from any thread, while it serves).
  virtual void reload() = 0;
  // After run(): nothing is kept running for nobody. A host without environments gets its bridge and firewall back.
  virtual void release_host() = 0;
};

}  // namespace skerry
