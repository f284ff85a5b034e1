#include "oci/cgroup_oom.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/cgroup.h"

namespace skerry::oci {

Result<OomWatch> OomWatch::open(const CgroupRecord& record) {
  const auto* directory = find_directory(record, "memory");
  if (directory == nullptr) return fail(ErrorCode::kUnsupported, "the container has no cgroup to watch");
  if (is_unified(*directory)) {
    const std::string file = directory->path + "/memory.events";
    return OomWatch(file, TRY_IN("watch for lack of memory", sys::open(file, O_RDONLY)), POLLPRI);
  }
  const std::string file = directory->path + "/memory.oom_control";
  const Fd control = TRY_IN("watch for lack of memory", sys::open(file, O_RDONLY));
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return fail_errno("eventfd");
  TRY(write_existing(directory->path + "/cgroup.event_control", cat(event.get(), " ", control.get())));
  return OomWatch(file, std::move(event), POLLIN);
}

std::uint64_t OomWatch::count() const {
  const auto text = read_file(counter_file_);
  if (!text) return 0;
  for (const auto line : split(*text, '\n')) {
    if (line.starts_with("oom_kill ")) return parse_int<std::uint64_t>(line.substr(9), "oom_kill").value_or(0);
  }
  return 0;
}

bool OomWatch::happened() {
  char taken[256];
  // The counter of an eventfd is taken by reading; memory.events is armed again by reading it from the front.
  (void)::read(wake_.get(), taken, sizeof taken);
  (void)::lseek(wake_.get(), 0, SEEK_SET);
  const auto now = count();
  const bool more = now > seen_;
  seen_ = now;
  return more;
}

}  // namespace skerry::oci
