#include "image/minisign.h"

#include "base/file_io.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "image/watched_run.h"

namespace skerry {
namespace {

constexpr std::size_t kLastWords = 1000;

Result<bool> is_signed_by(const TempDir& dir, const std::string& key_file) {
  SpawnSpec spec;
  spec.argv = {"minisign", "-V", "-q", "-p", key_file, "-m", dir / "text", "-x", dir / "signature"};
  auto ran = run_watched(spec, [] { return Status(); }, kLastWords);
  if (!ran && ran.error().code == ErrorCode::kCommandNotFound) {
    return fail(ErrorCode::kUnsupported, "minisign is not installed: signatures cannot be checked",
                "apt install minisign");
  }
  return TRY(std::move(ran)).status.success();
}

}  // namespace

Status check_signature(std::string_view text, const std::string& signature, const std::vector<std::string>& key_files) {
  if (signature.empty()) {
    return fail(ErrorCode::kRefused, "it is not signed, and only signed ones may run here", "see docs/PLUGINS.md");
  }
  const TempDir dir = TRY(TempDir::create("skerry-signature"));
  TRY(write_file_atomic(dir / "text", text, 0600));
  TRY(write_file_atomic(dir / "signature", signature, 0600));
  for (const auto& key : key_files) {
    if (TRY(is_signed_by(dir, key))) return {};
  }
  return fail(ErrorCode::kRefused, cat("its signature is not that of a trusted key: ", join(key_files, ", ")),
              "it was changed after it was signed, or signed by somebody else");
}

}  // namespace skerry
