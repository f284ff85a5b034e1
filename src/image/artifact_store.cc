#include "image/artifact_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/crash_point.h"
#include "base/process.h"
#include "base/sparse_copy.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "image/artifact_format.h"
#include "image/watched_run.h"

namespace skerry {
namespace {

constexpr std::string_view kTemporaryPrefix = "tmp-";
constexpr std::string_view kFile = "file://";
constexpr std::size_t kLastWords = 1000;

Status check_size(std::uint64_t size, std::uint64_t most) {
  if (size <= most) return {};
  return fail(ErrorCode::kResourceExhausted, cat("is larger than ", most, " bytes"), "see skerryd --max-artifact-mb");
}

Status copy_file(const std::string& from, const std::string& to, std::uint64_t most) {
  const Fd source = TRY(sys::open(from, O_RDONLY | O_NONBLOCK));
  const auto info = TRY(sys::fstat(source.get()));
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kInvalidArgument, cat(from, " is not a file"));
  TRY(check_size(static_cast<std::uint64_t>(info.st_size), most));
  const Fd target = TRY(sys::open(to, O_RDWR | O_CREAT | O_EXCL, 0400));
  return copy_sparse(source.get(), target.get());
}

// A server need not say how much it will send: what has come is looked at while more comes.
Status download(const std::string& url, const std::string& to, std::uint64_t most, const Work& work) {
  SpawnSpec spec;
  // Redirects may not leave TLS. "--" so that no URL is ever an option.
  spec.argv = {"curl",
               "--silent",
               "--show-error",
               "--fail",
               "--location",
               "--proto",
               "=https",
               "--proto-redir",
               "=https",
               "--connect-timeout",
               "30",
               "--speed-limit",
               "1",
               "--speed-time",
               "120",
               "--output",
               to,
               "--",
               url};
  const auto look = [&]() -> Status {
    TRY(work.check());
    const auto info = sys::lstat(to);  // not there: nothing has come yet
    if (!info) return {};
    const auto size = static_cast<std::uint64_t>(info->st_size);
    work.report(cat("fetching ", url), size);
    return check_size(size, most);
  };
  auto ran = run_watched(spec, look, kLastWords);
  if (!ran && ran.error().code == ErrorCode::kCommandNotFound) {
    return fail(ErrorCode::kUnsupported, "curl is not installed", "apt install curl");
  }
  const auto done = TRY(std::move(ran));
  if (!done.status.success()) return fail(ErrorCode::kUnavailable, cat(trim(done.err)));
  return look();
}

}  // namespace

Result<std::unique_ptr<ArtifactStore>> ArtifactStore::open(std::string dir, std::uint64_t max_bytes) {
  TRY(sys::mkdir_all(dir, 0700));
  for (const auto& name : TRY(sys::list_directory(dir))) {
    if (name.starts_with(kTemporaryPrefix)) TRY(sys::remove_tree(cat(dir, "/", name)));
  }
  return std::unique_ptr<ArtifactStore>(new ArtifactStore(std::move(dir), max_bytes));
}

Status ArtifactStore::fetch(const Artifact& artifact, const Digest& wanted, const std::string& path, const Work& work) {
  work.report(cat("fetching ", artifact.url));
  const TempDir making = TRY(TempDir::create(std::string(kTemporaryPrefix), dir_));
  const std::string temporary = making / "file";
  const bool local = artifact.url.starts_with(kFile);
  TRY_IN(artifact.url, local ? copy_file(artifact.url.substr(kFile.size()), temporary, max_bytes_)
                             : download(artifact.url, temporary, max_bytes_, work));
  TRY(sys::chmod(temporary, 0400));
  // The copy is what is checked: the source may change while it is read.
  TRY(verified_.check(temporary, wanted, artifact.url));
  crash_point("an artifact is fetched under another name");
  TRY(sys::rename(temporary, path));
  crash_point("an artifact is fetched");
  return {};
}

Result<std::string> ArtifactStore::get(const Artifact& artifact, const Work& work) {
  const Digest wanted = TRY(Digest::parse(artifact.checksum));
  std::string path = cat(dir_, "/", wanted.hex());
  const SingleFlight::Turn turn(flights_, wanted.hex());
  const auto as_it_says = [&]() -> Result<std::string> {
    TRY_IN(artifact.url, check_format(path, artifact.format));
    return path;
  };
  if (sys::exists(path)) {
    auto good = verified_.check(path, wanted, path);
    if (good) return as_it_says();
    // Damaged here: what the source still has is worth more.
    if (good.error().code != ErrorCode::kCorrupt) return fail(std::move(good).error());
    TRY(sys::unlink(path));
  }
  TRY(fetch(artifact, wanted, path, work));
  TRY(verified_.check(path, wanted, path));
  return as_it_says();
}

Result<std::uint64_t> ArtifactStore::keep_only(const std::set<Digest>& wanted) {
  std::uint64_t freed = 0;
  for (const auto& name : TRY(sys::list_directory(dir_))) {
    const auto digest = Digest::from_hex(name);
    if (!digest || wanted.contains(*digest)) continue;
    const std::string path = cat(dir_, "/", name);
    constexpr std::uint64_t kBlock = 512;
    freed += static_cast<std::uint64_t>(TRY(sys::lstat(path)).st_blocks) * kBlock;
    TRY(sys::unlink(path));
    verified_.forget(path);
    crash_point("an artifact is removed");
  }
  return freed;
}

}  // namespace skerry
