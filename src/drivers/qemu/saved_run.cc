#include "drivers/qemu/saved_run.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/file_io.h"
#include "base/rollback.h"
#include "base/sparse_copy.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "drivers/qemu/vmm_jail.h"

namespace skerry::qemu {
namespace {

constexpr const char* kSocketInJail = "/vm/save.sock";
constexpr Duration kConnectTimeout = std::chrono::seconds(10);
constexpr Duration kStallTimeout = std::chrono::seconds(30);
constexpr std::size_t kChunk = 1U << 20U;
// What a stream holds beside the guest's memory: headers of pages, the state of devices.
constexpr std::uint32_t kMostDeviceMib = 256;
constexpr std::uint64_t kMib = 1U << 20U;

Status await_readable(int fd, Duration timeout) {
  pollfd ready{fd, POLLIN, 0};
  const auto wait_ms = static_cast<int>(timeout / std::chrono::milliseconds(1));
  int found = ::poll(&ready, 1, wait_ms);
  while (found < 0 && errno == EINTR) found = ::poll(&ready, 1, wait_ms);
  if (found < 0) return fail_errno("poll");
  if (found == 0) return fail(ErrorCode::kDeadlineExceeded, "the VMM does not send its memory");
  return {};
}

Status unlink_if_there(const std::string& path) {
  auto gone = sys::unlink(path);
  if (!gone && gone.error().code == ErrorCode::kNotFound) return {};
  return gone;
}

// Hard links and renames keep all of it. The device's number is not in it: it may be another one after each boot of
// the host.
Result<std::string> identity_of(const std::string& file) {
  const auto info = TRY(sys::stat(file));
  return cat(info.st_size, " ", info.st_ino, " ", info.st_mtim.tv_sec, " ", info.st_mtim.tv_nsec, "\n");
}

}  // namespace

Status note_file(const std::string& file, const std::string& was) {
  return write_file_atomic(was, TRY(identity_of(file)), 0600);
}

Status check_file(const std::string& file, const std::string& was) {
  const auto noted = read_file(was);
  if (!noted) return noted.error().code == ErrorCode::kNotFound ? Status() : fail(noted.error());
  const auto now = identity_of(file);
  if (now && *now == *noted) return {};
  return fail(ErrorCode::kCorrupt, cat(file, now ? " was changed since it was saved" : " is gone"));
}

Status receive_stream(int socket, int file, std::uint64_t most_bytes) {
  std::string chunk(kChunk, '\0');
  std::uint64_t left = most_bytes;
  while (true) {
    TRY(await_readable(socket, kStallTimeout));
    const auto got = TRY(sys::read(socket, chunk.data(), chunk.size()));
    if (got == 0) return {};
    if (got > left) {
      return fail(ErrorCode::kResourceExhausted,
                  cat("the VMM sends more than the ", most_bytes / kMib, " MiB that its guest's memory can take"),
                  "do not trust this guest any more: stop it");
    }
    left -= got;
    TRY(sys::write_all(file, std::string_view(chunk).substr(0, got)));
  }
}

bool has_memory(const SavedRun& saved) { return sys::exists(saved.machine()) && sys::exists(saved.memory()); }

Status share_memory(const SavedRun& from, const SavedRun& to) {
  if (!has_memory(from)) return {};
  TRY(sys::mkdir_all(to.directory, 0700));
  TRY(forget_memory(to));
  TRY(sys::link(from.memory(), to.memory()));
  if (sys::exists(from.memory_was())) TRY(sys::link(from.memory_was(), to.memory_was()));
  return sys::link(from.machine(), to.machine());
}

Status forget_memory(const SavedRun& saved) {
  TRY(unlink_if_there(saved.machine()));
  TRY(unlink_if_there(saved.memory_was()));
  TRY(unlink_if_there(saved.overlay_was()));
  return unlink_if_there(saved.memory());
}

Status save_memory(QmpClient& qmp, const EnvironmentPlace& place, const SavedRun& saved, const std::string& machine,
                   std::uint32_t memory_mib) {
  TRY(forget_memory(saved));
  Rollback undo;
  undo.add([&] { static_cast<void>(forget_memory(saved)); });
  const std::string path = cat(place.run_dir, "/vmm", kSocketInJail);
  TRY(unlink_if_there(path));
  const Fd listener = TRY(unix_listen(path, 0600, 1));
  Rollback cleanup;  // in any case
  cleanup.add([&] { static_cast<void>(unlink_if_there(path)); });
  TRY(sys::chown(path, vmm_uid(place.id), vmm_uid(place.id)));
  const Fd file = TRY(sys::open(saved.memory(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  TRY(qmp.set_shared_memory(QmpClient::SharedMemory::kIncluded));
  // Without a guest that runs there is nothing to be gentle to.
  TRY(qmp.execute("migrate-set-parameters", R"({"max-bandwidth":17179869184})"));
  TRY(qmp.execute("migrate", cat(R"({"uri":"unix:)", kSocketInJail, R"("})")));
  TRY(await_readable(listener.get(), kConnectTimeout));
  const Fd stream = TRY(unix_accept(listener.get()));
  TRY(receive_stream(stream.get(), file.get(), (std::uint64_t{memory_mib} + kMostDeviceMib) * kMib));
  TRY(qmp.await_migration(kStallTimeout));
  TRY(note_file(saved.memory(), saved.memory_was()));
  TRY(write_file_atomic(saved.machine(), machine, 0600));
  undo.commit();
  return {};
}

Status carry_on(QmpClient& qmp) {
  const std::string migration = TRY(qmp.execute("query-migrate")).text("status");
  const bool over = migration.empty() || migration == "none" || migration == "completed" || migration == "failed" ||
                    migration == "cancelled";
  if (!over) {
    TRY(qmp.execute("migrate_cancel"));
    // It may have come to any other end before that; processors must not run while the stream is still written.
    auto ended = qmp.await_migration(kStallTimeout);
    if (!ended && ended.error().code != ErrorCode::kIo) return ended;
  }
  TRY(qmp.execute("cont"));
  return {};
}

Status copy_disk(const std::string& from, const std::string& to) {
  const std::string temporary = cat(to, ".tmp");
  Rollback undo;
  undo.add([&] { static_cast<void>(unlink_if_there(temporary)); });
  {
    const Fd source = TRY(sys::open(from, O_RDONLY));
    const Fd target = TRY(sys::open(temporary, O_RDWR | O_CREAT | O_TRUNC, 0600));
    TRY(copy_sparse(source.get(), target.get()));
  }
  TRY(sys::rename(temporary, to));
  undo.commit();
  return {};
}

}  // namespace skerry::qemu
