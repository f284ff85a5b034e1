// AuditTrail: one line of JSON for every call that may change something: when, who, what, outcome. A file of its own,
// appended to, 0600; it survives restarts and is not part of the log's levels.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry::api {

struct AuditRecord {
  std::string what;  // "POST /api/v1/environments"
  std::string who;
  std::string request_id;
  int status = 0;
};

class AuditTrail {
 public:
  // "" keeps none.
  static Result<AuditTrail> open(const std::string& path, const Clock& clock);
  void record(const AuditRecord& record) const;

 private:
  AuditTrail(Fd file, const Clock& clock) : file_(std::move(file)), clock_(&clock) {}
  Fd file_;
  const Clock* clock_;
};

}  // namespace skerry::api
