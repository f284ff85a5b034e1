// EnvironmentDocuments: what the API says of environments, put into JSON once for each change and not once for each
// question. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/environment.h"

namespace skerry::api {

class EnvironmentDocuments {
 public:
  // An array of their documents (wire/environment_json.h), in this order. One answer for all who ask: the texts of
  // cloud-init are hidden in it.
  std::string list(const EnvironmentViews& views);
  // How many it remembers, for tests.
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    EnvironmentView view;  // held, so that no other one gets its address
    std::string json;
  };
  const std::string& document(const EnvironmentView& view);
  void forget_outdated(std::size_t in_use);

  mutable std::mutex mutex_;
  std::unordered_map<const Environment*, Entry> entries_;
};

}  // namespace skerry::api
