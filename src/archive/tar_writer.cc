#include "archive/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/mman.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "archive/entry_path.h"
#include "archive/utf8_scope.h"
#include "base/text.h"

namespace skerry {
namespace {

using Kind = TarEntry::Kind;

// Whole blocks go to the sink; the last one is cut at its end.
constexpr int kBlock = 64 * 1024;
constexpr int kLastBlock = 512;
// libarchive is given the bytes of holes too, and drops them without a look (archive_write_pax_data): addresses are all
// that this takes, and with many at once a hole of any length is few calls.
constexpr std::size_t kZeros = 1U << 30U;

}  // namespace

struct TarWriter::State {
  Sink sink;
  archive* tar = nullptr;
  std::string current;
  std::optional<Error> sink_error;
  void* zeros = MAP_FAILED;  // kZeros of them, never touched

  explicit State(Sink to) : sink(std::move(to)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    // Without this, freeing would write the end of the archive, as if it were whole. With it libarchive (3.6) forgets
    // to free its output buffer, one kBlock for each tar that is given up; who writes tars is a process of its own (the
    // agent's copier, the command line).
    if (tar != nullptr) ::archive_write_fail(tar);
    ::archive_write_free(tar);
    if (zeros != MAP_FAILED) ::munmap(zeros, kZeros);
  }

  static la_ssize_t write(archive*, void* self, const void* bytes, std::size_t size) {
    auto* state = static_cast<State*>(self);
    if (auto written = state->sink({static_cast<const char*>(bytes), size}); !written) {
      state->sink_error = std::move(written).error();
      return ARCHIVE_FATAL;
    }
    return static_cast<la_ssize_t>(size);
  }

  std::unexpected<Error> error() const {
    if (sink_error) return fail(Error(*sink_error));
    const char* why = ::archive_error_string(tar);
    return fail(ErrorCode::kIo, cat("write tar entry \"", printable(current), "\": ", why == nullptr ? "failed" : why));
  }
};

TarWriter::TarWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarWriter::~TarWriter() = default;
TarWriter::TarWriter(TarWriter&&) noexcept = default;
TarWriter& TarWriter::operator=(TarWriter&&) noexcept = default;

Result<TarWriter> TarWriter::open(Sink sink) {
  auto state = std::make_unique<State>(std::move(sink));
  state->tar = ::archive_write_new();
  if (state->tar == nullptr) return fail(ErrorCode::kResourceExhausted, "start writing a tar");
  ::archive_write_set_format_pax(state->tar);
  // Else each extended attribute would be written twice, once in a form of libarchive's own.
  ::archive_write_set_format_option(state->tar, "pax", "xattrheader", "SCHILY");
  ::archive_write_set_bytes_per_block(state->tar, kBlock);
  ::archive_write_set_bytes_in_last_block(state->tar, kLastBlock);
  const Utf8Scope utf8;
  if (::archive_write_open2(state->tar, state.get(), nullptr, &State::write, nullptr, nullptr) != ARCHIVE_OK) {
    return state->error();
  }
  return TarWriter(std::move(state));
}

Status TarWriter::add(const TarEntry& entry) { return begin(entry, nullptr); }

Status TarWriter::add_sparse(const TarEntry& entry, const std::vector<FileExtent>& data) { return begin(entry, &data); }

Status TarWriter::begin(const TarEntry& entry, const std::vector<FileExtent>* data) {
  const Utf8Scope utf8;
  state_->current = entry.path.empty() ? "." : entry.path;
  const std::unique_ptr<archive_entry, decltype(&::archive_entry_free)> header(::archive_entry_new(),
                                                                               &::archive_entry_free);
  ::archive_entry_set_pathname(header.get(), state_->current.c_str());
  ::archive_entry_set_filetype(header.get(), file_type_bits(entry.kind));
  ::archive_entry_set_perm(header.get(), entry.mode);
  ::archive_entry_set_uid(header.get(), entry.uid);
  ::archive_entry_set_gid(header.get(), entry.gid);
  ::archive_entry_set_mtime(header.get(), entry.mtime_s, static_cast<long>(entry.mtime_ns));
  if (entry.kind == Kind::kCharDevice || entry.kind == Kind::kBlockDevice) {
    ::archive_entry_set_rdevmajor(header.get(), entry.device_major);
    ::archive_entry_set_rdevminor(header.get(), entry.device_minor);
  }
  if (entry.kind == Kind::kSymlink) ::archive_entry_set_symlink(header.get(), entry.link_target.c_str());
  if (entry.kind == Kind::kHardLink) ::archive_entry_set_hardlink(header.get(), entry.link_target.c_str());
  ::archive_entry_set_size(header.get(), entry.kind == Kind::kFile ? static_cast<la_int64_t>(entry.size) : 0);
  for (const auto& [name, value] : entry.xattrs) {
    ::archive_entry_xattr_add_entry(header.get(), name.c_str(), value.data(), value.size());
  }
  if (data != nullptr) {
    for (const auto& [offset, length] : *data) {
      ::archive_entry_sparse_add_entry(header.get(), static_cast<la_int64_t>(offset), static_cast<la_int64_t>(length));
    }
    // No piece at all would be a file without holes.
    if (data->empty()) ::archive_entry_sparse_add_entry(header.get(), 0, 0);
  }
  if (::archive_write_header(state_->tar, header.get()) != ARCHIVE_OK) return state_->error();
  // Their map comes with the first content, and with none there would be no map.
  return data != nullptr ? write({}) : Status{};
}

Status TarWriter::write(std::string_view bytes) {
  const auto taken = ::archive_write_data(state_->tar, bytes.data(), bytes.size());
  if (taken != static_cast<la_ssize_t>(bytes.size())) return state_->error();
  return {};
}

Status TarWriter::write_zeros(std::uint64_t count) {
  if (state_->zeros == MAP_FAILED) {
    state_->zeros = ::mmap(nullptr, kZeros, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (state_->zeros == MAP_FAILED) return fail_errno("mmap");
  }
  while (count > 0) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(count, kZeros));
    TRY(write({static_cast<const char*>(state_->zeros), piece}));
    count -= piece;
  }
  return {};
}

Status TarWriter::finish() {
  if (::archive_write_close(state_->tar) != ARCHIVE_OK) return state_->error();
  return {};
}

}  // namespace skerry
