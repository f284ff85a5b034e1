#include "archive/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>

#include "archive/entry_path.h"
#include "archive/utf8_scope.h"
#include "base/text.h"

namespace skerry {
namespace {

using Kind = TarEntry::Kind;

constexpr std::size_t kMaxXattrs = 1024;
constexpr std::size_t kMaxXattrName = 255;
constexpr std::size_t kMaxXattrValue = 65535;

std::string_view text_or_empty(const char* text) { return text == nullptr ? std::string_view() : text; }

Result<Kind> kind_of(archive_entry* from, std::string_view path) {
  if (::archive_entry_hardlink(from) != nullptr) return Kind::kHardLink;
  switch (::archive_entry_filetype(from)) {
    case AE_IFREG: return Kind::kFile;
    case AE_IFDIR: return Kind::kDirectory;
    case AE_IFLNK: return Kind::kSymlink;
    case AE_IFCHR: return Kind::kCharDevice;
    case AE_IFBLK: return Kind::kBlockDevice;
    case AE_IFIFO: return Kind::kFifo;
    default: return bad_entry(path, "is of a type that tars of files do not have");
  }
}

Status read_owner(archive_entry* from, TarEntry& entry) {
  const auto uid = ::archive_entry_uid(from);
  const auto gid = ::archive_entry_gid(from);
  // The highest id means "no change" to chown(2).
  constexpr std::int64_t kMaxId = std::numeric_limits<std::uint32_t>::max() - 1;
  if (uid < 0 || uid > kMaxId || gid < 0 || gid > kMaxId) return bad_entry(entry.path, "its owner is out of range");
  entry.uid = static_cast<uid_t>(uid);
  entry.gid = static_cast<gid_t>(gid);
  return {};
}

}  // namespace

std::unexpected<Error> bad_entry(std::string_view path, std::string_view why) {
  return fail(ErrorCode::kCorrupt, cat("entry \"", printable(path), "\": ", why));
}

struct TarReader::State {
  Source source;
  TarRules rules;
  archive* tar = nullptr;
  archive_entry* current = nullptr;
  std::string current_path;
  std::uint64_t current_size = 0;
  std::uint64_t entries = 0;
  std::uint64_t content_bytes = 0;
  bool in_header = false;
  std::uint64_t header_bytes = 0;  // since it began
  std::optional<Error> source_error;

  State(Source from, TarRules with) : source(std::move(from)), rules(std::move(with)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::archive_read_free(tar); }

  static la_ssize_t read(archive*, void* self, const void** bytes) {
    auto* state = static_cast<State*>(self);
    auto piece = state->source();
    if (!piece) {
      state->source_error = std::move(piece).error();
      return ARCHIVE_FATAL;
    }
    if (state->in_header && state->header_bytes > state->rules.max_header_bytes) {
      state->source_error = fail(ErrorCode::kResourceExhausted,
                                 cat("entry ", state->entries + 1, " (after \"", printable(state->current_path),
                                     "\"): its header has more than ", state->rules.max_header_bytes, " bytes"))
                                .error();
      return ARCHIVE_FATAL;
    }
    state->header_bytes += piece->size();
    *bytes = piece->data();
    return static_cast<la_ssize_t>(piece->size());
  }

  std::unexpected<Error> error(std::string_view where) const {
    if (source_error) return fail(Error(*source_error));
    const auto why = text_or_empty(::archive_error_string(tar));
    return fail(ErrorCode::kCorrupt, cat(where, ": ", why.empty() ? "damaged tar" : printable(why)));
  }

  Result<TarEntry> read_entry();
  Status read_details(TarEntry& entry);
  Status read_xattrs(TarEntry& entry);
};

TarReader::TarReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarReader::~TarReader() = default;
TarReader::TarReader(TarReader&&) noexcept = default;
TarReader& TarReader::operator=(TarReader&&) noexcept = default;

const std::string& TarReader::name() const { return state_->current_path; }

Result<TarReader> TarReader::open(Source source, TarRules rules) {
  auto state = std::make_unique<State>(std::move(source), std::move(rules));
  state->tar = ::archive_read_new();
  if (state->tar == nullptr) return fail(ErrorCode::kResourceExhausted, "start reading a tar");
  ::archive_read_support_format_tar(state->tar);
  ::archive_read_support_format_empty(state->tar);
  const Utf8Scope utf8;
  if (::archive_read_open2(state->tar, state.get(), nullptr, &State::read, nullptr, nullptr) != ARCHIVE_OK) {
    return state->error("not a tar");
  }
  return TarReader(std::move(state));
}

Status TarReader::State::read_xattrs(TarEntry& entry) {
  if (!rules.keep_xattr) return {};
  ::archive_entry_xattr_reset(current);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (::archive_entry_xattr_next(current, &name, &value, &size) == ARCHIVE_OK) {
    const std::string_view key = text_or_empty(name);
    const auto keep = rules.keep_xattr(key);
    if (!keep) return bad_entry(entry.path, keep.error().step);
    if (!*keep) continue;
    if (key.size() > kMaxXattrName || size > kMaxXattrValue || entry.xattrs.size() >= kMaxXattrs) {
      return bad_entry(entry.path, "its extended attributes are larger than the kernel takes");
    }
    entry.xattrs.emplace_back(std::string(key), std::string(static_cast<const char*>(value), size));
  }
  std::ranges::sort(entry.xattrs);
  // bsdtar writes each in two forms.
  entry.xattrs.erase(std::ranges::unique(entry.xattrs).begin(), entry.xattrs.end());
  const auto same = std::ranges::adjacent_find(entry.xattrs, {}, [](const auto& pair) { return pair.first; });
  if (same != entry.xattrs.end()) return bad_entry(entry.path, cat("has the attribute ", same->first, " twice"));
  return {};
}

// What only one kind of entry has.
Status TarReader::State::read_details(TarEntry& entry) {
  switch (entry.kind) {
    case Kind::kHardLink: {
      auto target = normalise_entry_path(text_or_empty(::archive_entry_hardlink(current)));
      if (!target || target->empty()) {
        return bad_entry(current_path,
                         cat("hard link out of the archive: ", target ? "the root" : target.error().step));
      }
      entry.link_target = std::move(*target);
      break;
    }
    case Kind::kSymlink:
      entry.link_target = text_or_empty(::archive_entry_symlink(current));
      if (entry.link_target.empty() || entry.link_target.size() > kMaxEntryPath) {
        return bad_entry(current_path, "the symbolic link's target is empty or too long");
      }
      break;
    case Kind::kCharDevice:
    case Kind::kBlockDevice:
      entry.device_major = static_cast<std::uint32_t>(::archive_entry_rdevmajor(current));
      entry.device_minor = static_cast<std::uint32_t>(::archive_entry_rdevminor(current));
      break;
    case Kind::kFile: {
      const auto size = ::archive_entry_size(current);
      if (size < 0) return bad_entry(current_path, "its size is negative");
      entry.size = static_cast<std::uint64_t>(size);
      break;
    }
    default: break;
  }
  return {};
}

Result<TarEntry> TarReader::State::read_entry() {
  current_path = text_or_empty(::archive_entry_pathname(current));
  TarEntry entry;
  auto path = normalise_entry_path(current_path);
  if (!path) return bad_entry(current_path, path.error().step);
  entry.path = std::move(*path);
  entry.kind = TRY(kind_of(current, current_path));
  entry.mode = ::archive_entry_perm(current) & 07777U;
  entry.mtime_s = ::archive_entry_mtime(current);
  entry.mtime_ns = static_cast<std::uint32_t>(std::clamp(::archive_entry_mtime_nsec(current), 0L, 999'999'999L));
  TRY(read_owner(current, entry));
  TRY(read_details(entry));
  TRY(read_xattrs(entry));
  return entry;
}

Result<std::optional<TarEntry>> TarReader::next() {
  const Utf8Scope utf8;
  // Content that nobody read belongs to no header.
  if (state_->current != nullptr && ::archive_read_data_skip(state_->tar) < ARCHIVE_WARN) {
    return state_->error(cat("entry \"", printable(state_->current_path), "\""));
  }
  state_->in_header = true;
  state_->header_bytes = 0;
  const int answer = ::archive_read_next_header(state_->tar, &state_->current);
  state_->in_header = false;
  if (answer == ARCHIVE_EOF) return std::nullopt;
  if (answer != ARCHIVE_OK) {
    if (answer == ARCHIVE_WARN) state_->current_path = text_or_empty(::archive_entry_pathname(state_->current));
    return state_->error(cat("entry ", state_->entries + 1, " (after \"", printable(state_->current_path), "\")"));
  }
  if (++state_->entries > state_->rules.max_entries) {
    return fail(ErrorCode::kResourceExhausted, cat("more than ", state_->rules.max_entries, " entries"));
  }
  TarEntry entry = TRY(state_->read_entry());
  state_->current_size = entry.kind == Kind::kFile ? entry.size : 0;
  if (state_->current_size > state_->rules.max_content_bytes - state_->content_bytes) {
    return fail(ErrorCode::kResourceExhausted, cat("entry \"", printable(entry.path), "\": the content is more than ",
                                                   state_->rules.max_content_bytes, " bytes"));
  }
  state_->content_bytes += state_->current_size;
  return entry;
}

Status TarReader::read_content(const ContentSink& sink) {
  const Utf8Scope utf8;
  std::uint64_t end = 0;
  while (true) {
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int answer = ::archive_read_data_block(state_->tar, &bytes, &size, &offset);
    if (answer == ARCHIVE_EOF) return {};
    if (answer != ARCHIVE_OK) return state_->error(cat("entry \"", printable(state_->current_path), "\""));
    if (size == 0) continue;
    const auto from = static_cast<std::uint64_t>(offset);
    if (offset < 0 || from < end || from > state_->current_size || size > state_->current_size - from) {
      return bad_entry(state_->current_path, "its content lies outside its size");
    }
    end = from + size;
    TRY(sink(from, {static_cast<const char*>(bytes), size}));
  }
}

}  // namespace skerry
