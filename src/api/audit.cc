#include "api/audit.h"

#include <fcntl.h>

#include "base/log.h"
#include "base/sys_file.h"
#include "wire/json_writer.h"

namespace skerry::api {

Result<AuditTrail> AuditTrail::open(const std::string& path, const Clock& clock) {
  if (path.empty()) return AuditTrail(Fd(), clock);
  return AuditTrail(TRY_IN("audit trail", sys::open(path, O_WRONLY | O_CREAT | O_APPEND, 0600)), clock);
}

void AuditTrail::record(const AuditRecord& record) const {
  if (!file_) return;
  wire::JsonWriter json;
  json.begin_object()
      .field("time", to_rfc3339(clock_->now()))
      .field("who", record.who)
      .field("what", record.what)
      .field("status", record.status)
      .field("request", record.request_id)
      .end_object();
  // One write(2) of one line: O_APPEND keeps lines of several threads whole.
  if (auto written = sys::write_all(file_.get(), std::move(json).text() + "\n"); !written) {
    log::error("the audit trail cannot be written", {{"error", written.error().message()}});
  }
}

}  // namespace skerry::api
