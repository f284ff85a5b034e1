// Nftables: loads rulesets into the kernel through libnftables, in the network namespace it was opened in.
//
// Thread-safe; calls are made one after the other. Keep one for a daemon's life: libnftables ends the process when it
// cannot open its socket, so that must not be able to happen later.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "network/firewall.h"

struct nft_ctx;

namespace skerry::network {

class Nftables {
 public:
  static Result<std::unique_ptr<Nftables>> open();
  ~Nftables();
  Nftables(const Nftables&) = delete;
  Nftables& operator=(const Nftables&) = delete;

  // All or nothing. The error's hint is what nftables said.
  Status apply(const Ruleset& ruleset);
  // Removes both tables of that name. Missing is success.
  Status remove(const std::string& table);
  // The tables as `nft list table` prints them, without counters; empty when there are none.
  Result<std::string> list(const std::string& table);

 private:
  explicit Nftables(nft_ctx* context) : context_(context) {}
  Result<std::string> run(const std::string& commands, std::string_view step);

  std::mutex mutex_;
  nft_ctx* context_;
};

// Firewall: keeps the kernel's table at a wanted state. Thread-safe.
class Firewall {
 public:
  // `nftables` outlives it.
  explicit Firewall(Nftables& nftables) : nftables_(nftables) {}

  // From the second time on only the difference is loaded. When the kernel's table turns out not to be what was loaded
  // before (somebody flushed it), it is replaced as a whole.
  Status apply(const FirewallState& wanted);
  // The same for a caller that knows the difference to what was loaded last: changed(last, gone, fresh) is wanted. Only
  // after an apply() of the same bridges that succeeded; kInternal otherwise.
  Status change(const FirewallState& gone, const FirewallState& fresh);
  // Removes the table that was loaded, if any.
  Status remove();

 private:
  Status load(const Ruleset& change, FirewallState wanted);

  std::mutex mutex_;
  Nftables& nftables_;
  std::optional<FirewallState> loaded_;
};

}  // namespace skerry::network
