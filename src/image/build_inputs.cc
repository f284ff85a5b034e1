#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "archive/entry_path.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/build_steps.h"

namespace skerry {
namespace {

using Kind = LayerEntry::Kind;

constexpr std::size_t kMaxInputs = 1'000'000;

bool is_executable(std::string_view target, mode_t source_mode) {
  const std::string_view folder = name_of(parent_of(target));
  return folder == "bin" || folder == "sbin" || target.ends_with(".sh") || (source_mode & S_IXUSR) != 0;
}

Status expand(const std::string& source, const std::string& target, std::vector<BuildInput>& out) {
  if (out.size() >= kMaxInputs) return fail(ErrorCode::kResourceExhausted, "mappings: more than 1000000 files");
  const auto info = TRY(sys::lstat(source));
  BuildInput input;
  input.source = source;
  input.entry.path = target;
  if (S_ISREG(info.st_mode)) {
    input.entry.kind = Kind::kFile;
    input.entry.mode = is_executable(target, info.st_mode) ? 0755 : 0644;
    out.push_back(std::move(input));
    return {};
  }
  if (S_ISLNK(info.st_mode)) {
    input.entry.kind = Kind::kSymlink;
    input.entry.mode = 0777;
    input.entry.link_target = TRY(sys::readlink(source));
    out.push_back(std::move(input));
    return {};
  }
  if (!S_ISDIR(info.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, cat("mapping ", source, ": not a file, directory or symbolic link"));
  }
  input.entry.kind = Kind::kDirectory;
  input.entry.mode = 0755;
  if (!target.empty()) out.push_back(std::move(input));
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& child : std::filesystem::directory_iterator(source, error)) {
    names.push_back(child.path().filename().string());
  }
  if (error) return fail(Error::from_errno(error.value(), cat("list ", source)));
  std::ranges::sort(names);
  for (const auto& name : names) {
    TRY(expand(cat(source, "/", name), target.empty() ? name : cat(target, "/", name), out));
  }
  return {};
}

}  // namespace

std::string resolve_path(const std::string& directory, const std::string& path) {
  return path.starts_with('/') ? path : cat(directory, "/", path);
}

Result<std::vector<BuildInput>> expand_mappings(const std::vector<wire::BuildFile::Mapping>& mappings,
                                                const std::string& directory) {
  std::vector<BuildInput> out;
  for (const auto& mapping : mappings) {
    std::string source = resolve_path(directory, mapping.source);
    // The named source itself may be a symbolic link to what is meant.
    const auto real = std::filesystem::path(source);
    std::error_code error;
    const auto followed = std::filesystem::canonical(real, error);
    if (error) {
      return fail(ErrorCode::kInvalidArgument,
                  cat("mapping \"", mapping.source, "\": ", Error::from_errno(error.value(), source).message()));
    }
    auto expanded = expand(followed.string(), mapping.target.substr(1), out);
    if (!expanded) return fail(std::move(std::move(expanded).error()).in(cat("mapping \"", mapping.source, "\"")));
  }
  return out;
}

Result<std::string> choose_agent(const BuildRequest& request) {
  std::string path = request.file.agent_path.empty() ? request.default_agent
                                                     : resolve_path(request.directory, request.file.agent_path);
  if (::access(path.c_str(), R_OK) != 0) {
    return fail(Error::last(cat("agent ", path)).with_hint("name one with [agent] path"));
  }
  const std::string& wanted = request.file.agent_version;
  if (wanted.empty()) return path;
  // What it would say of itself stands in the program. It is never run: the build file may come from anybody.
  constexpr std::size_t kMaxAgentBytes = 64U << 20U;
  const std::string program = TRY_IN(cat("agent ", path), read_file(path, kMaxAgentBytes));
  const std::string banner = cat("skerry-agent ", wanted);
  for (std::size_t at = program.find(banner); at != std::string::npos; at = program.find(banner, at + 1)) {
    const char behind = at + banner.size() < program.size() ? program[at + banner.size()] : '\0';
    if (behind == '\0' || behind == '\n') return path;
  }
  return fail(ErrorCode::kInvalidArgument, cat("agent ", path, " is not version ", wanted));
}

Status install_inputs(MergedTree& tree, ErofsWriter& writer, const std::vector<BuildInput>& inputs, Sha256& identity) {
  for (const auto& input : inputs) {
    LayerEntry entry = input.entry;
    Fd file;
    if (entry.kind == Kind::kFile) {
      file = TRY(sys::open(input.source, O_RDONLY));
      const auto digest = TRY(sha256_of_file(file.get()));
      entry.size = digest.size;
      identity.update(digest.digest.text());
    }
    identity.update(cat(entry.path, "\n", entry.mode, " ", entry.link_target, "\n"));
    Inode* const inode = TRY_IN("mappings", tree.install(entry.path, entry));
    if (entry.kind != Kind::kFile || entry.size == 0) continue;
    inode->content = TRY(writer.begin_file());
    std::string buffer(256U << 10U, '\0');
    for (std::uint64_t at = 0; at < entry.size;) {
      const auto got =
          TRY(sys::read(file.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), entry.size - at)));
      if (got == 0) return fail(ErrorCode::kCorrupt, cat(input.source, " became shorter"));
      TRY(writer.write(at, std::string_view(buffer).substr(0, got)));
      at += got;
    }
    TRY(writer.end_file(entry.size));
  }
  return {};
}

}  // namespace skerry
