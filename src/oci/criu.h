// Criu: one conversation with the criu program (criu(8), "swrk"): it is started for one request and ends with it.
//
//   runtime                          criu swrk 3
//     request (dump, restore) ─────▶
//     ◀──────────── notification ─── once at each stage; some carry a descriptor
//     answer ──────────────────────▶
//     ◀────────────────── result ───
//
// Source: criu/rpc.proto, criu.org/RPC. Every message is one of the SOCK_SEQPACKET connection.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/process.h"
#include "base/result.h"
#include "oci/criu_messages.h"

namespace skerry::oci {

class Criu {
 public:
  struct StartOptions {
    std::vector<int> inherited;  // descriptors it is given, with the numbers kFirstInherited, kFirstInherited + 1, …
    // CRIU up to 3.17 does not restore it; what it makes has it from CRIU itself.
    bool no_new_privileges = false;
  };
  // kUnsupported when it is not installed.
  static Result<Criu> start(const StartOptions& options);
  static constexpr int kFirstInherited = 4;

  [[nodiscard]] pid_t pid() const { return child_.pid(); }

  // What is done at a stage; a failure ends the request. The descriptor is unset where none came.
  using Notified = std::function<Status(const CriuAnswer& stage, Fd descriptor)>;
  // `log`: the file of that name says why it failed; the last error in it becomes part of ours.
  Result<CriuAnswer> request(CriuRequest type, const CriuOptions& options, const std::string& log,
                             const Notified& notified);

 private:
  Criu(Child child, Fd connection, Fd output)
      : child_(std::move(child)), connection_(std::move(connection)), output_(std::move(output)) {}
  Result<CriuAnswer> converse(CriuRequest type, const CriuOptions& options, const Notified& notified);
  [[nodiscard]] std::string last_words(const std::string& log) const;

  Child child_;
  Fd connection_;
  Fd output_;  // a memory file: its standard output and error
};

}  // namespace skerry::oci
