#include "image/layer_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "image/layer_path.h"
#include "image/layer_stream.h"
#include "image/utf8_scope.h"

namespace skerry {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kWhiteoutNotePrefix = ".wh..wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::size_t kMaxXattrs = 1024;
constexpr std::size_t kMaxXattrName = 255;
constexpr std::size_t kMaxXattrValue = 65535;

std::string_view text_or_empty(const char* text) { return text == nullptr ? std::string_view() : text; }

std::unexpected<Error> bad_entry(std::string_view path, std::string_view why) {
  return fail(ErrorCode::kCorrupt, cat("entry \"", printable(path), "\": ", why));
}

bool keep_xattr(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability" || name == "system.posix_acl_access" ||
         name == "system.posix_acl_default";
}

Result<LayerEntry::Kind> kind_of(archive_entry* from, std::string_view path) {
  if (::archive_entry_hardlink(from) != nullptr) return LayerEntry::Kind::kHardLink;
  switch (::archive_entry_filetype(from)) {
    case AE_IFREG: return LayerEntry::Kind::kFile;
    case AE_IFDIR: return LayerEntry::Kind::kDirectory;
    case AE_IFLNK: return LayerEntry::Kind::kSymlink;
    case AE_IFCHR: return LayerEntry::Kind::kCharDevice;
    case AE_IFBLK: return LayerEntry::Kind::kBlockDevice;
    case AE_IFIFO: return LayerEntry::Kind::kFifo;
    default: return bad_entry(path, "is of a type that layers do not have");
  }
}

Status read_xattrs(archive_entry* from, LayerEntry& entry) {
  ::archive_entry_xattr_reset(from);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (::archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
    const std::string_view key = text_or_empty(name);
    if (key.starts_with("trusted.overlay.") || key.starts_with("user.overlay.")) {
      return bad_entry(entry.path, cat("carries the attribute ", printable(key), ", which would steer overlayfs"));
    }
    if (!keep_xattr(key)) continue;
    if (key.size() > kMaxXattrName || size > kMaxXattrValue || entry.xattrs.size() >= kMaxXattrs) {
      return bad_entry(entry.path, "its extended attributes are larger than the kernel takes");
    }
    entry.xattrs.emplace_back(std::string(key), std::string(static_cast<const char*>(value), size));
  }
  std::ranges::sort(entry.xattrs);
  const auto same = std::ranges::adjacent_find(entry.xattrs, {}, [](const auto& pair) { return pair.first; });
  if (same != entry.xattrs.end()) return bad_entry(entry.path, cat("has the attribute ", same->first, " twice"));
  return {};
}

Status read_owner(archive_entry* from, LayerEntry& entry) {
  const auto uid = ::archive_entry_uid(from);
  const auto gid = ::archive_entry_gid(from);
  // The highest id means "no change" to chown(2).
  constexpr std::int64_t kMaxId = std::numeric_limits<std::uint32_t>::max() - 1;
  if (uid < 0 || uid > kMaxId || gid < 0 || gid > kMaxId) return bad_entry(entry.path, "its owner is out of range");
  entry.uid = static_cast<uid_t>(uid);
  entry.gid = static_cast<gid_t>(gid);
  return {};
}

// Turns ".wh." names into whiteouts. Returns false for an entry that is to be skipped.
Result<bool> resolve_whiteout(LayerEntry& entry) {
  const std::string_view name = name_of(entry.path);
  if (!name.starts_with(kWhiteoutPrefix)) return true;
  if (name == kOpaqueName) {
    entry.kind = LayerEntry::Kind::kOpaque;
    entry.path = std::string(parent_of(entry.path));
    return true;
  }
  if (name.starts_with(kWhiteoutNotePrefix)) return false;
  const std::string_view hidden = name.substr(kWhiteoutPrefix.size());
  if (hidden.empty() || hidden == "." || hidden == "..") return bad_entry(entry.path, "is not a valid whiteout");
  const std::string parent(parent_of(entry.path));
  entry.path = parent.empty() ? std::string(hidden) : cat(parent, "/", hidden);
  entry.kind = LayerEntry::Kind::kWhiteout;
  return true;
}

}  // namespace

struct LayerReader::State {
  LayerStream stream;
  LayerLimits limits;
  archive* tar = nullptr;
  archive_entry* current = nullptr;
  std::string current_path;
  std::uint64_t current_size = 0;
  std::uint64_t entries = 0;
  std::uint64_t content_bytes = 0;
  Error stream_error;
  bool stream_failed = false;

  State(LayerStream from, const LayerLimits& with) : stream(std::move(from)), limits(with) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::archive_read_free(tar); }

  static la_ssize_t read(archive*, void* self, const void** bytes) {
    auto* state = static_cast<State*>(self);
    auto piece = state->stream.next();
    if (!piece) {
      state->stream_error = std::move(piece).error();
      state->stream_failed = true;
      return ARCHIVE_FATAL;
    }
    *bytes = piece->data();
    return static_cast<la_ssize_t>(piece->size());
  }

  std::unexpected<Error> error(std::string_view where) const {
    if (stream_failed) return fail(Error(stream_error));
    const auto why = text_or_empty(::archive_error_string(tar));
    return fail(ErrorCode::kCorrupt, cat(where, ": ", why.empty() ? "damaged tar" : why));
  }

  std::unexpected<Error> entry_error() const { return error(cat("entry \"", printable(current_path), "\"")); }

  Result<LayerEntry> read_entry();
};

LayerReader::LayerReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LayerReader::~LayerReader() = default;
LayerReader::LayerReader(LayerReader&&) noexcept = default;
LayerReader& LayerReader::operator=(LayerReader&&) noexcept = default;

Result<LayerReader> LayerReader::open(Fd blob, const LayerLimits& limits) {
  LayerStream stream = TRY(LayerStream::open(std::move(blob), limits.max_stream_bytes));
  auto state = std::make_unique<State>(std::move(stream), limits);
  state->tar = ::archive_read_new();
  if (state->tar == nullptr) return fail(ErrorCode::kResourceExhausted, "start reading a tar");
  ::archive_read_support_format_tar(state->tar);
  ::archive_read_support_format_empty(state->tar);
  const Utf8Scope utf8;
  if (::archive_read_open2(state->tar, state.get(), nullptr, &State::read, nullptr, nullptr) != ARCHIVE_OK) {
    return state->error("not a tar");
  }
  return LayerReader(std::move(state));
}

Result<LayerEntry> LayerReader::State::read_entry() {
  current_path = text_or_empty(::archive_entry_pathname(current));
  LayerEntry entry;
  auto path = normalise_layer_path(current_path);
  if (!path) return bad_entry(current_path, path.error().step);
  entry.path = std::move(*path);
  entry.kind = TRY(kind_of(current, current_path));
  entry.mode = ::archive_entry_perm(current) & 07777U;
  entry.mtime_s = ::archive_entry_mtime(current);
  entry.mtime_ns = static_cast<std::uint32_t>(std::clamp(::archive_entry_mtime_nsec(current), 0L, 999'999'999L));
  TRY(read_owner(current, entry));
  switch (entry.kind) {
    case LayerEntry::Kind::kHardLink: {
      auto target = normalise_layer_path(text_or_empty(::archive_entry_hardlink(current)));
      if (!target || target->empty()) {
        return bad_entry(current_path, cat("hard link out of the layer: ", target ? "the root" : target.error().step));
      }
      entry.link_target = std::move(*target);
      break;
    }
    case LayerEntry::Kind::kSymlink:
      entry.link_target = text_or_empty(::archive_entry_symlink(current));
      if (entry.link_target.empty() || entry.link_target.size() > kMaxLayerPath) {
        return bad_entry(current_path, "the symbolic link's target is empty or too long");
      }
      break;
    case LayerEntry::Kind::kCharDevice:
    case LayerEntry::Kind::kBlockDevice:
      entry.device_major = static_cast<std::uint32_t>(::archive_entry_rdevmajor(current));
      entry.device_minor = static_cast<std::uint32_t>(::archive_entry_rdevminor(current));
      if (entry.kind == LayerEntry::Kind::kCharDevice && entry.device_major == 0 && entry.device_minor == 0) {
        return bad_entry(current_path, "is a character device 0:0, which overlayfs takes for a whiteout");
      }
      break;
    case LayerEntry::Kind::kFile: {
      const auto size = ::archive_entry_size(current);
      if (size < 0) return bad_entry(current_path, "its size is negative");
      entry.size = static_cast<std::uint64_t>(size);
      break;
    }
    default: break;
  }
  TRY(read_xattrs(current, entry));
  return entry;
}

Result<std::optional<LayerEntry>> LayerReader::next() {
  const Utf8Scope utf8;
  while (true) {
    const int answer = ::archive_read_next_header(state_->tar, &state_->current);
    if (answer == ARCHIVE_EOF) return std::nullopt;
    if (answer != ARCHIVE_OK) {
      if (answer == ARCHIVE_WARN) state_->current_path = text_or_empty(::archive_entry_pathname(state_->current));
      return state_->error(cat("entry ", state_->entries + 1, " (after \"", printable(state_->current_path), "\")"));
    }
    if (++state_->entries > state_->limits.max_entries) {
      return fail(ErrorCode::kResourceExhausted, cat("more than ", state_->limits.max_entries, " entries"));
    }
    LayerEntry entry = TRY(state_->read_entry());
    if (!TRY(resolve_whiteout(entry))) continue;
    if (entry.path.empty() && entry.kind != LayerEntry::Kind::kDirectory && entry.kind != LayerEntry::Kind::kOpaque) {
      return bad_entry(state_->current_path, "the root of a layer must be a directory");
    }
    state_->current_size = entry.kind == LayerEntry::Kind::kFile ? entry.size : 0;
    if (state_->current_size > state_->limits.max_content_bytes - state_->content_bytes) {
      return fail(ErrorCode::kResourceExhausted, cat("entry \"", printable(entry.path), "\": the content is more than ",
                                                     state_->limits.max_content_bytes, " bytes"));
    }
    state_->content_bytes += state_->current_size;
    return entry;
  }
}

Status LayerReader::read_content(const ContentSink& sink) {
  const Utf8Scope utf8;
  std::uint64_t end = 0;
  while (true) {
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int answer = ::archive_read_data_block(state_->tar, &bytes, &size, &offset);
    if (answer == ARCHIVE_EOF) return {};
    if (answer != ARCHIVE_OK) return state_->entry_error();
    if (size == 0) continue;
    const auto from = static_cast<std::uint64_t>(offset);
    if (offset < 0 || from < end || from > state_->current_size || size > state_->current_size - from) {
      return bad_entry(state_->current_path, "its content lies outside its size");
    }
    end = from + size;
    TRY(sink(from, {static_cast<const char*>(bytes), size}));
  }
}

Result<Digest> LayerReader::finish() {
  if (state_->stream_failed) return fail(Error(state_->stream_error));
  return state_->stream.finish();
}

}  // namespace skerry
