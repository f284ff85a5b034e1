#include "archive/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>

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

}  // namespace

struct TarWriter::State {
  Sink sink;
  archive* tar = nullptr;
  std::string current;
  std::optional<Error> sink_error;

  explicit State(Sink to) : sink(std::move(to)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    // Without this, freeing would write the end of the archive, as if it were whole.
    if (tar != nullptr) ::archive_write_fail(tar);
    ::archive_write_free(tar);
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
  ::archive_write_set_bytes_per_block(state->tar, kBlock);
  ::archive_write_set_bytes_in_last_block(state->tar, kLastBlock);
  const Utf8Scope utf8;
  if (::archive_write_open2(state->tar, state.get(), nullptr, &State::write, nullptr, nullptr) != ARCHIVE_OK) {
    return state->error();
  }
  return TarWriter(std::move(state));
}

Status TarWriter::add(const TarEntry& entry) {
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
  if (::archive_write_header(state_->tar, header.get()) != ARCHIVE_OK) return state_->error();
  return {};
}

Status TarWriter::write(std::string_view bytes) {
  const auto taken = ::archive_write_data(state_->tar, bytes.data(), bytes.size());
  if (taken != static_cast<la_ssize_t>(bytes.size())) return state_->error();
  return {};
}

Status TarWriter::finish() {
  if (::archive_write_close(state_->tar) != ARCHIVE_OK) return state_->error();
  return {};
}

}  // namespace skerry
