#include "cli/manifest_source.h"

#include <unistd.h>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "wire/plugin_manifest.h"

namespace skerry::cli {
namespace {

constexpr auto kFetchTime = std::chrono::seconds(120);

bool is_url(std::string_view source) { return source.starts_with("https://") || source.starts_with("http://"); }

Status check_size(const std::string& text) {
  if (text.size() <= wire::kMaxManifestBytes) return {};
  return fail(ErrorCode::kResourceExhausted, cat("larger than ", wire::kMaxManifestBytes, " bytes"));
}

Result<std::string> fetch(const std::string& url) {
  SpawnSpec spec;
  const std::string protocols = url.starts_with("https://") ? "=https" : "=http,https";
  // "--" so that no URL is ever an option.
  spec.argv = {"curl",          "--silent", "--show-error",      "--fail", "--location", "--proto", protocols,
               "--proto-redir", protocols,  "--connect-timeout", "30",     "--",         url};
  auto ran = run_command(spec, kFetchTime, wire::kMaxManifestBytes + 1);
  if (!ran && ran.error().code == ErrorCode::kCommandNotFound) {
    return fail(ErrorCode::kUnsupported, "curl is not installed", "apt install curl");
  }
  auto done = TRY(std::move(ran));
  if (!done.status.success()) return fail(ErrorCode::kUnavailable, std::string(trim(done.err)));
  return std::move(done.out);
}

}  // namespace

bool is_no_file(std::string_view source) { return source == "-" || is_url(source) || source.starts_with('{'); }

Result<std::string> read_manifest(const std::string& source) {
  if (source.starts_with('{')) return source;
  if (source == "-") return sys::read_to_end(STDIN_FILENO, wire::kMaxManifestBytes);
  if (!is_url(source)) return read_file(source, wire::kMaxManifestBytes);
  auto text = TRY(fetch(source));
  TRY(check_size(text));
  return text;
}

}  // namespace skerry::cli
