#include "image/registry.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <functional>

#include "base/fd.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/watched_run.h"
#include "wire/oci_image_json.h"

namespace skerry {
namespace {

// Runs skopeo to its end; an error of `tick` ends it.
template <typename Tick>
Result<WatchedRun> run_skopeo(std::vector<std::string> arguments, const Tick& tick) {
  SpawnSpec spec;
  spec.argv = {"skopeo"};
  spec.argv.insert(spec.argv.end(), std::make_move_iterator(arguments.begin()),
                   std::make_move_iterator(arguments.end()));
  auto run = run_watched(std::move(spec), tick, wire::kMaxManifestBytes + 1);
  if (!run && run.error().code == ErrorCode::kCommandNotFound) {
    return fail(ErrorCode::kUnsupported, "skopeo is not installed", "apt install skopeo");
  }
  return run;
}

std::vector<std::string> common_arguments(const ImageReference& reference, const RegistryOptions& options,
                                          std::string_view tls_flag) {
  std::vector<std::string> out;
  if (options.insecure || reference.is_loopback()) out.push_back(cat(tls_flag, "=false"));
  if (!options.auth_file.empty()) out.push_back(cat("--authfile=", options.auth_file));
  return out;
}

// skopeo takes a tag or a digest, not both; the digest says more.
std::string docker_name(const ImageReference& reference) {
  if (reference.digest) return cat("docker://", reference.name(), "@", reference.digest->text());
  return cat("docker://", reference.name(), ":", reference.tag);
}

// Bytes that lie below a directory, temporary files of skopeo included.
std::uint64_t bytes_below(const std::string& dir) {
  std::uint64_t sum = 0;
  std::error_code error;
  for (auto at = std::filesystem::recursive_directory_iterator(dir, error);
       !error && at != std::filesystem::recursive_directory_iterator(); at.increment(error)) {
    struct stat info{};
    if (::lstat(at->path().c_str(), &info) == 0 && S_ISREG(info.st_mode))
      sum += static_cast<std::uint64_t>(info.st_size);
  }
  return sum;
}

// What skopeo may write beside the blobs: the index, manifests, its own notes.
constexpr std::uint64_t kMoreThanSaid = 16U << 20U;

// Reports the growth of a directory; fails when it stops growing, or grows past what the manifest said (a registry that
// lies about sizes must not fill the disk before a digest can be checked).
std::function<Status()> watch_growth(const std::string& dir, std::uint64_t total, const std::string& subject,
                                     Duration stall, const Work& work) {
  struct Seen {
    std::uint64_t bytes = 0;
    MonoTime changed;
  };
  // What lies there already is not progress.
  const std::uint64_t before = bytes_below(dir);
  auto seen = std::make_shared<Seen>(Seen{0, SystemClock().monotonic()});
  return [=, &work]() -> Status {
    TRY(work.check());
    const std::uint64_t now_there = bytes_below(dir);
    const std::uint64_t bytes = now_there - std::min(before, now_there);
    const MonoTime now = SystemClock().monotonic();
    if (bytes != seen->bytes) *seen = {bytes, now};
    work.report("downloading", std::min(bytes, total), total);
    if (total > 0 && bytes > total + kMoreThanSaid) {
      return fail(ErrorCode::kCorrupt, cat("pull ", subject, ": the registry sends more than the ", total,
                                           " bytes that the image's manifest names"));
    }
    if (now - seen->changed > stall) {
      return fail(ErrorCode::kUnavailable, cat("pull ", subject, ": no byte came for ",
                                               std::chrono::duration_cast<std::chrono::seconds>(stall).count(), " s"));
    }
    return {};
  };
}

// What a process has read and written in all, sockets included (proc(5), "io": rchar and wchar). 0: it is gone.
struct Traffic {
  std::uint64_t in = 0;
  std::uint64_t out = 0;
};
Traffic traffic_of(pid_t process) {
  Traffic traffic;
  const auto text = read_file(cat("/proc/", process, "/io"), 4096);
  if (!text) return traffic;
  for (const auto line : split(*text, '\n')) {
    for (const auto& [key, into] : {std::pair{"rchar: ", &traffic.in}, std::pair{"wchar: ", &traffic.out}}) {
      if (line.starts_with(key)) *into = parse_int<std::uint64_t>(line.substr(7), key).value_or(0);
    }
  }
  return traffic;
}

// Reports what goes out; fails when nothing does any more. (A few bytes are what the tool tells itself, not traffic.)
std::function<Status(pid_t)> watch_upload(std::uint64_t total, const std::string& subject, Duration stall,
                                          const Work& work) {
  constexpr std::uint64_t kLeastProgress = 512;
  struct Seen {
    std::uint64_t bytes = 0;
    MonoTime changed;
  };
  auto seen = std::make_shared<Seen>(Seen{0, SystemClock().monotonic()});
  return [=, &work](pid_t tool) -> Status {
    TRY(work.check());
    const Traffic traffic = traffic_of(tool);
    const MonoTime now = SystemClock().monotonic();
    if (traffic.in + traffic.out > seen->bytes + kLeastProgress) *seen = {traffic.in + traffic.out, now};
    work.report("uploading", std::min(traffic.out, total), total);
    if (now - seen->changed > stall) {
      return fail(ErrorCode::kUnavailable, cat("push ", subject, ": no byte went out for ",
                                               std::chrono::duration_cast<std::chrono::seconds>(stall).count(), " s"));
    }
    return {};
  };
}

struct Meaning {
  std::string_view said;  // what skopeo (or the registry, or the kernel through it) wrote
  ErrorCode code;
  std::string_view means;
  std::string_view hint;
};
// First match wins. The texts are those of containers/image, docker distribution and Go's net package.
constexpr Meaning kMeanings[] = {
    {"no space left on device", ErrorCode::kResourceExhausted, "the disk is full", "free space in the state directory"},
    {"disk quota exceeded", ErrorCode::kResourceExhausted, "the disk quota is used up", ""},
    {"connection refused", ErrorCode::kUnavailable, "connection refused", "is the registry running?"},
    {"no such host", ErrorCode::kUnavailable, "its name cannot be resolved", "check the name and the DNS"},
    {"server misbehaving", ErrorCode::kUnavailable, "its name cannot be resolved", "check the DNS"},
    {"i/o timeout", ErrorCode::kUnavailable, "no answer in time", ""},
    {"network is unreachable", ErrorCode::kUnavailable, "the network is unreachable", ""},
    {"no route to host", ErrorCode::kUnavailable, "no route to host", ""},
    {"connection reset", ErrorCode::kUnavailable, "the connection was reset", ""},
    {"http response to https client", ErrorCode::kUnavailable, "it speaks plain HTTP",
     "allow it with --insecure if you trust the network to it"},
    {"x509:", ErrorCode::kUnavailable, "its certificate is not trusted",
     "add its CA to /etc/containers/certs.d/HOST:PORT, or use --insecure"},
    {"tls:", ErrorCode::kUnavailable, "the TLS handshake failed", ""},
    {"manifest unknown", ErrorCode::kNotFound, "no such image", "check the name and the tag"},
    {"name unknown", ErrorCode::kNotFound, "no such image", "check the name and the tag"},
    {"repository name not known", ErrorCode::kNotFound, "no such image", "check the name and the tag"},
    {"unauthorized", ErrorCode::kPermissionDenied, "it asks for credentials, or has no such image",
     "log in with: skopeo login HOST"},
    {"authentication required", ErrorCode::kPermissionDenied, "it asks for credentials, or has no such image",
     "log in with: skopeo login HOST"},
    {"access to the resource is denied", ErrorCode::kPermissionDenied, "it asks for credentials, or has no such image",
     "log in with: skopeo login HOST"},
    {"digest did not match", ErrorCode::kCorrupt, "a digest does not match its content", ""},
    {"does not match", ErrorCode::kCorrupt, "a digest does not match its content", ""},
    {"digest verification failed", ErrorCode::kCorrupt, "a digest does not match its content", ""},
    {"unexpected eof", ErrorCode::kCorrupt, "a blob was cut off", "pull again"},
    {"blob unknown", ErrorCode::kCorrupt, "a blob of the image is missing", ""},
    {"policy.json", ErrorCode::kUnsupported, "there is no usable /etc/containers/policy.json",
     "apt install golang-github-containers-common"},
    {"404 (not found)", ErrorCode::kNotFound, "no such image", "check the name and the tag"},
};

// skopeo's log line: time="…" level=fatal msg="…". The message of the last fatal one, else all of it.
std::string last_words(std::string_view said) {
  const auto fatal = said.rfind("level=fatal msg=");
  std::string_view text = fatal == std::string_view::npos ? said : said.substr(fatal + 16);
  text = trim(text);
  constexpr std::size_t kShown = 500;
  std::string out(text.substr(0, kShown));
  std::ranges::replace(out, '\n', ' ');
  return out;
}

}  // namespace

Error explain_transfer_failure(std::string_view said, std::string_view subject, std::string_view registry,
                               Transfer transfer) {
  const bool push = transfer == Transfer::kPush;
  std::string lower(said);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto* const found = std::ranges::find_if(
      kMeanings, [&](const Meaning& meaning) { return lower.find(meaning.said) != std::string::npos; });
  const std::string where =
      registry.empty() ? std::string() : cat(push ? " to registry " : " from registry ", registry);
  const std::string_view verb = push ? "push " : "pull ";
  if (found == std::end(kMeanings)) {
    return {ErrorCode::kUnavailable, 0, cat(verb, subject, where, ": ", last_words(said)), {}};
  }
  const bool denied = push && found->code == ErrorCode::kPermissionDenied;
  const std::string_view means = denied ? "it asks for credentials, or these may not push there" : found->means;
  std::string step = cat(verb, subject, where, ": ", means);
  if (found->code == ErrorCode::kCorrupt) step += cat(" (", last_words(said), ")");
  return {found->code, 0, std::move(step), std::string(found->hint)};
}

Result<std::string> fetch_manifest(const ImageReference& reference, const RegistryOptions& options, const Work& work) {
  std::vector<std::string> arguments = {"inspect", "--raw"};
  for (auto& flag : common_arguments(reference, options, "--tls-verify")) arguments.push_back(std::move(flag));
  arguments.push_back(docker_name(reference));
  const SystemClock clock;
  const MonoTime deadline = clock.monotonic() + options.answer_timeout;
  const auto tick = [&]() -> Status {
    TRY(work.check());
    if (clock.monotonic() < deadline) return {};
    return fail(ErrorCode::kUnavailable,
                cat("pull ", reference.text(), ": registry ", reference.registry, " did not answer in time"));
  };
  auto run = TRY(run_skopeo(std::move(arguments), tick));
  if (!run.status.success()) return fail(explain_transfer_failure(run.err, reference.text(), reference.registry));
  if (run.out.size() > wire::kMaxManifestBytes) {
    return fail(ErrorCode::kCorrupt, cat("the manifest of ", reference.text(), " is larger than any manifest may be"));
  }
  return std::move(run.out);
}

Status fetch_blobs(const ImageReference& reference, const Digest& digest, BlobReuse reuse, const std::string& staging,
                   std::uint64_t total, const RegistryOptions& options, const Work& work) {
  ImageReference exact = reference;
  exact.tag.clear();
  exact.digest = digest;
  std::vector<std::string> arguments = {"copy", "--quiet", "--preserve-digests"};
  for (auto& flag : common_arguments(reference, options, "--src-tls-verify")) arguments.push_back(std::move(flag));
  std::string target = cat("dir:", staging);
  if (reuse == BlobReuse::kPresent) {
    // The blob directory of an OCI layout: skopeo leaves out what lies there already.
    TRY(sys::mkdir_all(cat(staging, "/shared"), 0700));
    TRY(sys::symlink("..", cat(staging, "/shared/sha256")));
    arguments.push_back(cat("--dest-shared-blob-dir=", staging, "/shared"));
    target = cat("oci:", staging, "/layout:x");
  }
  arguments.push_back(docker_name(exact));
  arguments.push_back(std::move(target));
  const auto tick = watch_growth(staging, total, reference.text(), options.stall_timeout, work);
  const auto run = TRY(run_skopeo(std::move(arguments), tick));
  if (!run.status.success()) return fail(explain_transfer_failure(run.err, reference.text(), reference.registry));
  return {};
}

Status push_image(const std::string& staging, const ImageReference& reference, std::uint64_t total,
                  const RegistryOptions& options, const Work& work) {
  std::vector<std::string> arguments = {"copy", "--quiet", "--preserve-digests"};
  for (auto& flag : common_arguments(reference, options, "--dest-tls-verify")) arguments.push_back(std::move(flag));
  arguments.push_back(cat("dir:", staging));
  arguments.push_back(docker_name(reference));
  const auto run =
      TRY(run_skopeo(std::move(arguments), watch_upload(total, reference.text(), options.stall_timeout, work)));
  if (run.status.success()) return {};
  return fail(explain_transfer_failure(run.err, reference.text(), reference.registry, Transfer::kPush));
}

Status import_image(const std::string& source, const std::string& staging, const Work& work) {
  const auto tick = [&]() -> Status {
    TRY(work.check());
    work.report("reading", bytes_below(staging), 0);
    return {};
  };
  const auto run = TRY(run_skopeo({"copy", "--quiet", source, cat("dir:", staging)}, tick));
  if (!run.status.success()) return fail(explain_transfer_failure(run.err, source, ""));
  return {};
}

}  // namespace skerry
