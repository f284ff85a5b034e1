#include "image/archive_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

// More files than any image archive has (a few a layer).
constexpr std::uint64_t kMaxFiles = 100'000;
constexpr std::size_t kBufferSize = 256U << 10U;

std::string error_of(archive* tar) {
  const char* text = ::archive_error_string(tar);
  return text == nullptr ? "damaged" : text;
}

}  // namespace

struct ArchiveFileWriter::State {
  std::string path;
  std::string temporary;
  Fd file;
  archive* tar = nullptr;
  Rollback remove_temporary;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::archive_write_free(tar); }

  std::unexpected<Error> error(std::string_view what) const {
    const int err = ::archive_errno(tar);
    if (err > 0) return fail(Error::from_errno(err, cat("write ", path, ": ", what)));
    return fail(ErrorCode::kIo, cat("write ", path, ": ", what, ": ", error_of(tar)));
  }

  Status begin(const std::string& name, std::uint64_t size) {
    archive_entry* entry = ::archive_entry_new();
    ::archive_entry_set_pathname(entry, name.c_str());
    ::archive_entry_set_filetype(entry, AE_IFREG);
    ::archive_entry_set_perm(entry, 0644);
    ::archive_entry_set_size(entry, static_cast<la_int64_t>(size));
    ::archive_entry_set_mtime(entry, 0, 0);
    const int answer = ::archive_write_header(tar, entry);
    ::archive_entry_free(entry);
    if (answer != ARCHIVE_OK) return error(name);
    return {};
  }

  Status data(std::string_view bytes) {
    if (::archive_write_data(tar, bytes.data(), bytes.size()) != static_cast<la_ssize_t>(bytes.size())) {
      return error("data");
    }
    return {};
  }
};

ArchiveFileWriter::ArchiveFileWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveFileWriter::~ArchiveFileWriter() = default;
ArchiveFileWriter::ArchiveFileWriter(ArchiveFileWriter&&) noexcept = default;
ArchiveFileWriter& ArchiveFileWriter::operator=(ArchiveFileWriter&&) noexcept = default;

Result<ArchiveFileWriter> ArchiveFileWriter::create(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->temporary = cat(path, ".tmp.XXXXXX");
  state->file.reset(::mkostemp(state->temporary.data(), O_CLOEXEC));
  if (!state->file) return fail_errno(cat("create ", path));
  state->remove_temporary.add([temporary = state->temporary] { ::unlink(temporary.c_str()); });
  state->tar = ::archive_write_new();
  if (state->tar == nullptr) return fail(ErrorCode::kResourceExhausted, "start writing a tar");
  ::archive_write_set_format_pax_restricted(state->tar);  // plain ustar wherever that is enough
  if (::archive_write_open_fd(state->tar, state->file.get()) != ARCHIVE_OK) return state->error("open");
  return ArchiveFileWriter(std::move(state));
}

Status ArchiveFileWriter::add_text(const std::string& name, std::string_view content) {
  TRY(state_->begin(name, content.size()));
  return state_->data(content);
}

Result<std::uint64_t> ArchiveFileWriter::add_file(const std::string& name, int fd) {
  const auto size = static_cast<std::uint64_t>(TRY(sys::fstat(fd)).st_size);
  TRY(state_->begin(name, size));
  std::vector<char> buffer(kBufferSize);
  for (std::uint64_t at = 0; at < size;) {
    const auto got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got < 0) return fail_errno(cat("read ", name));
    if (got == 0) return fail(ErrorCode::kCorrupt, cat(name, " became shorter"));
    TRY(state_->data({buffer.data(), static_cast<std::size_t>(got)}));
    at += static_cast<std::uint64_t>(got);
  }
  return size;
}

Status ArchiveFileWriter::commit() {
  if (::archive_write_close(state_->tar) != ARCHIVE_OK) return state_->error("close");
  TRY(sys::fsync(state_->file.get()));
  TRY(sys::rename(state_->temporary, state_->path));
  state_->remove_temporary.commit();
  return {};
}

Result<std::string> ArchiveFileReader::Entry::read(std::size_t limit) {
  if (size > limit) return fail(ErrorCode::kResourceExhausted, cat(name, ": larger than ", limit, " bytes"));
  std::string out(size, '\0');
  if (::archive_read_data(static_cast<archive*>(handle), out.data(), out.size()) != static_cast<la_ssize_t>(size)) {
    return fail(ErrorCode::kCorrupt, cat(name, ": ", error_of(static_cast<archive*>(handle))));
  }
  return out;
}

Status ArchiveFileReader::Entry::copy_to(int fd) {
  std::vector<char> buffer(kBufferSize);
  while (true) {
    const auto got = ::archive_read_data(static_cast<archive*>(handle), buffer.data(), buffer.size());
    if (got == 0) return {};
    if (got < 0) return fail(ErrorCode::kCorrupt, cat(name, ": ", error_of(static_cast<archive*>(handle))));
    TRY(sys::write_all(fd, {buffer.data(), static_cast<std::size_t>(got)}));
  }
}

Status read_archive_file(const std::string& path, const std::function<Status(ArchiveFileReader::Entry&)>& take) {
  const Fd file = TRY(sys::open(path, O_RDONLY));
  const std::unique_ptr<archive, decltype(&::archive_read_free)> tar(::archive_read_new(), &::archive_read_free);
  ::archive_read_support_format_tar(tar.get());
  ::archive_read_support_filter_gzip(tar.get());
  ::archive_read_support_filter_zstd(tar.get());
  if (::archive_read_open_fd(tar.get(), file.get(), kBufferSize) != ARCHIVE_OK) {
    return fail(ErrorCode::kCorrupt, error_of(tar.get()));
  }
  for (std::uint64_t files = 0; true; ++files) {
    if (files > kMaxFiles) return fail(ErrorCode::kResourceExhausted, "more files than an image archive has");
    archive_entry* header = nullptr;
    const int answer = ::archive_read_next_header(tar.get(), &header);
    if (answer == ARCHIVE_EOF) return {};
    if (answer != ARCHIVE_OK) return fail(ErrorCode::kCorrupt, error_of(tar.get()));
    if (::archive_entry_filetype(header) != AE_IFREG || ::archive_entry_hardlink(header) != nullptr) continue;
    const char* name = ::archive_entry_pathname(header);
    ArchiveFileReader::Entry entry{name == nullptr ? "" : name,
                                   static_cast<std::uint64_t>(::archive_entry_size(header)), tar.get()};
    if (entry.name.starts_with("./")) entry.name.erase(0, 2);
    TRY(take(entry));
  }
}

}  // namespace skerry
