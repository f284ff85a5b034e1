#include "base/log_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <utility>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr std::size_t kBlock = 256U << 10U;
// Rotation numbers are tried upward until one is missing, up to here.
constexpr int kMaxFiles = 1000;
// A rotation moves names while we look: upward, the oldest first. So one number may be missing in the middle, and a
// file is never found below where it was.
constexpr int kMaxTries = 100;
// A file that so many looks did not find is gone.
constexpr int kLooks = 3;

using FileId = LogReader::FileId;

FileId id_of(const struct stat& st) { return {st.st_dev, st.st_ino}; }

// The file of that name, nullopt when there is none.
Result<std::optional<FileId>> id_by_name(const std::string& name) {
  const auto st = sys::lstat(name);
  if (st) return id_of(*st);
  if (st.error().code == ErrorCode::kNotFound) return std::nullopt;
  return fail(st.error());
}

Result<Fd> open_log(const std::string& name) { return sys::open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK); }

Result<std::string> pread_block(int fd, std::uint64_t offset) {
  std::string block(kBlock, '\0');
  while (true) {
    const auto got = ::pread(fd, block.data(), block.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read log");
    block.resize(static_cast<std::size_t>(got));
    return block;
  }
}

// Calls visit(line, end offset) for every whole line from the start of the file.
template <typename Visit>
Status each_line(int fd, Visit visit) {
  std::uint64_t offset = 0;
  while (true) {
    const std::string block = TRY(pread_block(fd, offset));
    std::size_t begin = 0;
    for (auto end = block.find('\n'); end != std::string::npos; end = block.find('\n', begin)) {
      visit(std::string_view(block).substr(begin, end - begin), offset + end + 1);
      begin = end + 1;
    }
    // Without any line end in a whole block there is damage: step over it.
    if (begin == 0 && block.size() == kBlock) begin = block.size();
    if (begin == 0) return {};
    offset += begin;
  }
}

// The offsets at which the last `count` + 1 lines of the program end, oldest first; the last one may be unfinished.
Result<std::deque<std::uint64_t>> last_line_ends(int fd, std::size_t count) {
  std::deque<std::uint64_t> ends;
  std::optional<std::uint64_t> unfinished;
  TRY(each_line(fd, [&](std::string_view line, std::uint64_t end) {
    const auto entry = parse_cri_entry(line);
    unfinished = end;
    if (!entry || entry->tag == LogTag::kPartial) return;
    unfinished.reset();
    ends.push_back(end);
    if (ends.size() > count + 1) ends.pop_front();
  }));
  if (unfinished) ends.push_back(*unfinished);
  if (ends.size() > count + 1) ends.pop_front();
  return ends;
}

}  // namespace

Result<LogReader> LogReader::open(std::string path, const LogStart& start) {
  LogReader reader(std::move(path));
  reader.since_ = start.since;
  if (start.tail) TRY(reader.seek_tail(*start.tail));
  return reader;
}

std::string LogReader::name(int number) const { return number == 0 ? path_ : cat(path_, ".", number); }

// From the newest file back until enough lines lie behind.
Status LogReader::seek_tail(std::size_t lines) {
  for (int number = 0; number <= kMaxFiles; ++number) {
    auto file = open_log(name(number));
    if (!file && file.error().code == ErrorCode::kNotFound) {
      if (number == 0 || sys::exists(name(number + 1))) continue;  // in the middle of a rotation
      return {};
    }
    if (!file) return fail(std::move(file).error());
    const bool same = file_ && id_of(TRY(sys::fstat(file_.get()))) == id_of(TRY(sys::fstat(file->get())));
    if (same) continue;  // rotated under our hands
    const auto ends = TRY(last_line_ends(file->get(), lines));
    const bool enough = ends.size() > lines;
    offset_ = enough ? ends.front() : 0;
    file_ = std::move(*file);
    if (enough) return {};
    lines -= ends.size();
  }
  return {};
}

// The oldest kept file; none when there is no log.
Result<Fd> LogReader::open_oldest() const {
  for (int tries = 0; tries < kMaxTries; ++tries) {
    int oldest = 0;
    while (oldest < kMaxFiles && (sys::exists(name(oldest + 1)) || sys::exists(name(oldest + 2)))) ++oldest;
    auto file = open_log(name(oldest));
    if (!file && file.error().code != ErrorCode::kNotFound) return fail(std::move(file).error());
    if (!file && oldest == 0) return Fd{};
    if (!file || (oldest < kMaxFiles && sys::exists(name(oldest + 1)))) continue;  // rotated meanwhile
    return file;
  }
  return fail(ErrorCode::kUnavailable, cat(path_, " is rotated faster than it can be read"));
}

// The number a file has now; nullopt when it was not found.
Result<std::optional<int>> LogReader::find_number(const FileId& held) const {
  for (int number = 0; number <= kMaxFiles; ++number) {
    const auto there = TRY(id_by_name(name(number)));
    if (there == held) return number;
    if (!there && number > 0 && !sys::exists(name(number + 1))) break;
  }
  return std::nullopt;
}

// The file that was begun when file_ was full; none while file_ is the current one.
Result<Fd> LogReader::find_newer() {
  const FileId held = id_of(TRY(sys::fstat(file_.get())));
  int absent = 0;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const auto found = TRY(find_number(held));
    if (!found && ++absent < kLooks) continue;
    if (!found) {
      missed_ = true;
      return open_oldest();
    }
    const int number = *found;
    if (number == 0) return Fd{};
    auto newer = open_log(name(number - 1));
    if (!newer && newer.error().code == ErrorCode::kNotFound) return Fd{};  // the new one is not made yet
    if (!newer) return fail(std::move(newer).error());
    // Only if file_ still has its number is the one below it its successor.
    if (TRY(id_by_name(name(number))) == held) return std::move(*newer);
  }
  return fail(ErrorCode::kUnavailable, cat(path_, " is rotated faster than it can be read"));
}

Result<std::size_t> LogReader::take_lines(std::size_t most, std::vector<LogRecord>& out) {
  // What a full disk cut off may have been read already.
  const auto size = static_cast<std::uint64_t>(TRY(sys::fstat(file_.get())).st_size);
  if (size < offset_) offset_ = size;
  const std::string block = TRY(pread_block(file_.get(), offset_));
  std::size_t begin = 0;
  for (auto end = block.find('\n'); end != std::string::npos && out.size() < most; end = block.find('\n', begin)) {
    const auto entry = parse_cri_entry(std::string_view(block).substr(begin, end - begin));
    begin = end + 1;
    if (!entry) missed_ = true;
    if (!entry || entry->time < since_) continue;
    out.push_back({entry->time, entry->stream, entry->tag, std::string(entry->text)});
  }
  if (begin == 0 && block.size() == kBlock) {
    missed_ = true;
    begin = block.size();
  }
  offset_ += begin;
  return begin;
}

// At the end of file_: whether there is more to try.
Result<bool> LogReader::advance() {
  if (!newer_) {
    // The writer may have added to file_ between our last read and its rotation: read the rest once more.
    newer_ = TRY(find_newer());
    return newer_.valid();
  }
  file_ = std::exchange(newer_, Fd{});
  offset_ = 0;
  return true;
}

Result<std::vector<LogRecord>> LogReader::read(std::size_t most) {
  std::vector<LogRecord> out;
  if (!file_) file_ = TRY(open_oldest());
  if (!file_) return out;
  while (out.empty()) {
    if (TRY(take_lines(most, out)) > 0) continue;
    if (!TRY(advance())) return out;
  }
  return out;
}

}  // namespace skerry
