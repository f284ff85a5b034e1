#include "image/seed_disk.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>

#include "base/text.h"

namespace skerry {
namespace {

using Writer = std::unique_ptr<archive, decltype(&::archive_write_free)>;

la_ssize_t append(archive*, void* into, const void* bytes, std::size_t size) {
  static_cast<std::string*>(into)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

std::unexpected<Error> failed(archive* disk, std::string_view what) {
  const char* why = ::archive_error_string(disk);
  return fail(ErrorCode::kInternal, cat("make the cloud-init disk: ", what, ": ", why == nullptr ? "failed" : why));
}

Status add(archive* disk, const std::string& name, const std::string& content) {
  const std::unique_ptr<archive_entry, decltype(&::archive_entry_free)> entry(::archive_entry_new(),
                                                                              &::archive_entry_free);
  ::archive_entry_set_pathname(entry.get(), name.c_str());
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  // For root alone: user-data may hold secrets.
  ::archive_entry_set_perm(entry.get(), 0400);
  ::archive_entry_set_mtime(entry.get(), 0, 0);
  ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
  if (::archive_write_header(disk, entry.get()) != ARCHIVE_OK) return failed(disk, name);
  const auto taken = ::archive_write_data(disk, content.data(), content.size());
  if (taken != static_cast<la_ssize_t>(content.size())) return failed(disk, name);
  return {};
}

}  // namespace

Result<std::string> make_seed_disk(const SeedFiles& files) {
  std::string bytes;
  const Writer disk(::archive_write_new(), &::archive_write_free);
  ::archive_write_set_format_iso9660(disk.get());
  if (::archive_write_set_options(disk.get(), "volume-id=cidata,rockridge=strict,joliet,!pad") != ARCHIVE_OK) {
    return failed(disk.get(), "options");
  }
  if (::archive_write_open2(disk.get(), &bytes, nullptr, &append, nullptr, nullptr) != ARCHIVE_OK) {
    return failed(disk.get(), "open");
  }
  for (const auto& [name, content] : files) TRY(add(disk.get(), name, content));
  if (::archive_write_close(disk.get()) != ARCHIVE_OK) return failed(disk.get(), "close");
  return bytes;
}

}  // namespace skerry
