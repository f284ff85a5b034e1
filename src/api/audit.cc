#include "api/audit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

constexpr std::size_t kMaxWhat = 256;
constexpr Duration kBetweenDenied = std::chrono::seconds(1);

Result<Fd> open_file(const std::string& path) { return sys::open(path, O_WRONLY | O_CREAT | O_APPEND, 0600); }

}  // namespace

AuditTrail::AuditTrail(std::string path, Fd file, std::uint64_t size, std::uint64_t max_bytes, const Clock& clock)
    : path_(std::move(path)), max_bytes_(max_bytes), clock_(&clock), file_(std::move(file)), size_(size) {}

Result<std::unique_ptr<AuditTrail>> AuditTrail::open(const std::string& path, const Clock& clock,
                                                     std::uint64_t max_bytes) {
  Fd file;
  struct stat info{};
  if (!path.empty()) {
    file = TRY_IN("audit trail", open_file(path));
    if (::fstat(file.get(), &info) < 0) return fail_errno("audit trail: fstat");
  }
  return std::unique_ptr<AuditTrail>(
      new AuditTrail(path, std::move(file), static_cast<std::uint64_t>(info.st_size), max_bytes, clock));
}

void AuditTrail::record(const AuditRecord& record) {
  wire::JsonWriter json;
  json.begin_object()
      .field("time", to_rfc3339(clock_->now()))
      .field("who", record.who)
      .field("what", std::string_view(record.what).substr(0, kMaxWhat))
      .field("status", record.status)
      .field("request", record.request_id)
      .end_object();
  const std::lock_guard lock(mutex_);
  write(std::move(json).text() + "\n");
}

void AuditTrail::denied() {
  const std::lock_guard lock(mutex_);
  ++denied_;
  const MonoTime now = clock_->monotonic();
  if (denied_told_ != MonoTime{} && now - denied_told_ < kBetweenDenied) return;
  denied_told_ = now;
  wire::JsonWriter json;
  json.begin_object()
      .field("time", to_rfc3339(clock_->now()))
      .field("who", "nobody")
      .field("what", "calls without valid credentials")
      .field("count", denied_)
      .field("status", 401)
      .end_object();
  denied_ = 0;
  write(std::move(json).text() + "\n");
}

void AuditTrail::write(std::string line) {
  if (!file_) return;
  if (size_ + line.size() > max_bytes_) rotate();
  if (auto written = sys::write_all(file_.get(), line); !written) {
    log::error("the audit trail cannot be written", {{"error", written.error().message()}});
    return;
  }
  size_ += line.size();
}

// On failure it goes on in the file it has.
void AuditTrail::rotate() {
  if (auto moved = sys::rename(path_, path_ + ".1"); !moved) {
    log::error("the audit trail cannot be rotated", {{"error", moved.error().message()}});
    return;
  }
  auto file = open_file(path_);
  if (!file) {
    log::error("the audit trail cannot be opened", {{"error", file.error().message()}});
    return;
  }
  file_ = std::move(*file);
  size_ = 0;
}

}  // namespace skerry::api
