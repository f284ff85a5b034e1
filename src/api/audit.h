// AuditTrail: one line of JSON for every call that may change something: when, who, what, outcome. A file of its own,
// appended to, 0600; it survives restarts and is not part of the log's levels. Thread-safe.
//
// Its size is bounded: at kMaxAuditBytes it becomes FILE.1 and a new one begins. Calls without valid credentials are
// counted, not told one by one: strangers cannot fill the disk or push out what matters.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry::api {

inline constexpr std::uint64_t kMaxAuditBytes = 32U << 20U;

struct AuditRecord {
  std::string what;  // "POST /api/v1/environments"; cut at 256 bytes
  std::string who;
  std::string request_id;
  int status = 0;
};

class AuditTrail {
 public:
  // "" keeps none.
  static Result<std::unique_ptr<AuditTrail>> open(const std::string& path, const Clock& clock,
                                                  std::uint64_t max_bytes = kMaxAuditBytes);
  void record(const AuditRecord& record);
  // A call without valid credentials: at most one line a second, with their number.
  void denied();

 private:
  AuditTrail(std::string path, Fd file, std::uint64_t size, std::uint64_t max_bytes, const Clock& clock);
  void write(std::string line);
  void rotate();

  const std::string path_;
  const std::uint64_t max_bytes_;
  const Clock* clock_;
  std::mutex mutex_;
  Fd file_;
  std::uint64_t size_;
  std::uint64_t denied_ = 0;  // since the last line about them
  MonoTime denied_told_;
};

}  // namespace skerry::api
