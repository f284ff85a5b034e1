#include "image/layer_reader.h"

#include <string>

#include "archive/entry_path.h"
#include "archive/tar_reader.h"
#include "base/text.h"
#include "image/layer_stream.h"

namespace skerry {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kWhiteoutNotePrefix = ".wh..wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";

Result<bool> keep_xattr(std::string_view name) {
  if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.")) {
    return fail(ErrorCode::kCorrupt, cat("carries the attribute ", printable(name), ", which would steer overlayfs"));
  }
  return name.starts_with("user.") || name == "security.capability" || name == "system.posix_acl_access" ||
         name == "system.posix_acl_default";
}

TarRules rules_of(const LayerLimits& limits) {
  TarRules rules;
  rules.max_entries = limits.max_entries;
  rules.max_content_bytes = limits.max_content_bytes;
  rules.keep_xattr = &keep_xattr;
  return rules;
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

Status check_for_overlay(const LayerEntry& entry, const std::string& name) {
  if (entry.kind == LayerEntry::Kind::kCharDevice && entry.device_major == 0 && entry.device_minor == 0) {
    return bad_entry(name, "is a character device 0:0, which overlayfs takes for a whiteout");
  }
  const bool may_be_root = entry.kind == LayerEntry::Kind::kDirectory || entry.kind == LayerEntry::Kind::kOpaque;
  if (entry.path.empty() && !may_be_root) return bad_entry(name, "the root of a layer must be a directory");
  return {};
}

}  // namespace

struct LayerReader::State {
  LayerStream stream;
  std::optional<Error> stream_error;
  std::optional<TarReader> tar;

  explicit State(LayerStream from) : stream(std::move(from)) {}

  Result<std::string_view> read() {
    auto piece = stream.next();
    if (!piece) stream_error = piece.error();
    return piece;
  }
};

LayerReader::LayerReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LayerReader::~LayerReader() = default;
LayerReader::LayerReader(LayerReader&&) noexcept = default;
LayerReader& LayerReader::operator=(LayerReader&&) noexcept = default;

Result<LayerReader> LayerReader::open(Fd blob, const LayerLimits& limits) {
  auto state = std::make_unique<State>(TRY(LayerStream::open(std::move(blob), limits.max_stream_bytes)));
  state->tar = TRY(TarReader::open([at = state.get()] { return at->read(); }, rules_of(limits)));
  return LayerReader(std::move(state));
}

Result<std::optional<LayerEntry>> LayerReader::next() {
  while (auto entry = TRY(state_->tar->next())) {
    if (!TRY(resolve_whiteout(*entry))) continue;
    TRY(check_for_overlay(*entry, state_->tar->name()));
    return entry;
  }
  return std::nullopt;
}

Status LayerReader::read_content(const ContentSink& sink) { return state_->tar->read_content(sink); }

Result<Digest> LayerReader::finish() {
  if (state_->stream_error) return fail(Error(*state_->stream_error));
  return state_->stream.finish();
}

}  // namespace skerry
