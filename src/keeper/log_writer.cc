#include "keeper/log_writer.h"

#include "base/text.h"

namespace skerry::keeper {
namespace {

constexpr std::size_t kMaxBatch = 32U << 10U;
constexpr std::string_view kNotePrefix = "skerry-keeper: ";

}  // namespace

void LogWriter::write(LogStream stream, std::string_view bytes) {
  std::string& held = held_.at(static_cast<std::size_t>(stream));
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    const std::size_t room = kMaxLogText - held.size();
    const std::size_t line = std::min(newline, bytes.size());
    const std::size_t take = std::min(line, room);
    held.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (take == newline) {
      bytes.remove_prefix(1);
      add(stream, LogTag::kFull, held);
    } else if (held.size() == kMaxLogText && !bytes.empty()) {
      add(stream, LogTag::kPartial, held);
    } else {
      break;
    }
    held.clear();
  }
  commit();
}

void LogWriter::flush() {
  for (const auto stream : {LogStream::kStdout, LogStream::kStderr}) {
    std::string& held = held_.at(static_cast<std::size_t>(stream));
    if (!held.empty()) add(stream, LogTag::kPartial, held);
    held = std::string();  // gives the memory back
  }
  commit();
  batch_ = std::string();
}

void LogWriter::note(std::string_view text) {
  add(LogStream::kStderr, LogTag::kFull, cat(kNotePrefix, text));
  commit();
}

void LogWriter::add(LogStream stream, LogTag tag, std::string_view text) {
  std::string entry;
  append_cri_entry(entry, {clock_.now(), stream, tag, text});
  // A file boundary is an entry boundary: the batch so far goes into this file, the entry into the next.
  if (batch_.size() + entry.size() > kMaxBatch || !file_.fits(batch_.size() + entry.size())) commit();
  batch_ += entry;
  ++batch_entries_;
}

void LogWriter::commit() {
  if (batch_.empty()) return;
  bool kept = report_dropped();
  if (kept) {
    const auto written = file_.append(batch_);
    kept = written.has_value();
    if (!kept) drop_reason_ = written.error().message();
  }
  if (!kept) {
    dropped_entries_ += batch_entries_;
    dropped_bytes_ += batch_.size();
  }
  batch_.clear();
  batch_entries_ = 0;
}

// False while there is still no room.
bool LogWriter::report_dropped() {
  if (dropped_entries_ == 0) return true;
  std::string entry;
  const std::string text =
      cat(kNotePrefix, dropped_entries_, " log entries (", dropped_bytes_, " bytes) were lost: ", drop_reason_);
  append_cri_entry(entry, {clock_.now(), LogStream::kStderr, LogTag::kFull, text});
  if (!file_.append(entry)) return false;
  dropped_entries_ = 0;
  dropped_bytes_ = 0;
  return true;
}

}  // namespace skerry::keeper
