// skerry cp: files between this host and an environment. The archive that comes out of one is unpacked here, with the
// rights of who runs this, and as what it is: somebody else's (archive/tree_unpack.h).
#include <unistd.h>

#include "archive/tree_pack.h"
#include "archive/tree_unpack.h"
#include "base/sys_file.h"
#include "base/terminal_text.h"
#include "base/text.h"
#include "cli/copy_stream.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "wire/json_writer.h"
#include "wire/requests.h"

namespace skerry::cli {
namespace {

constexpr std::uint64_t kMaxEntries = 10'000'000;
constexpr std::uint64_t kMaxNamesBytes = 256U << 20U;
constexpr const char* kStream = "-";  // a tar on standard input or output

// One side of a copy. "web:/etc" is in an environment, "./a:b" and "/a:b" are not.
struct End {
  std::string environment;  // empty: on this host
  std::string path;
};

Result<End> parse_end(const std::string& text) {
  const auto colon = text.find(':');
  const bool here = text.starts_with('/') || text.starts_with('.') || colon == std::string::npos || colon == 0 ||
                    text.find('/') < colon;
  if (text.empty()) return fail(ErrorCode::kInvalidArgument, "an empty path");
  if (here) return End{{}, text};
  End end{text.substr(0, colon), text.substr(colon + 1)};
  if (end.path.empty()) {
    return fail(ErrorCode::kInvalidArgument, cat("\"", text, "\": the path inside is missing"),
                cat("for example ", end.environment, ":/tmp/"));
  }
  if (!end.path.starts_with('/')) end.path.insert(0, "/");
  return end;
}

void say(const std::string& text) { note(cat("skerry: ", without_controls(text))); }

Result<FrameChannel> open_channel(const Session& session, const CopyOptions& options, const std::string& name,
                                  const wire::CopyRequest& request) {
  return session.http.upgrade(cat(path_of(options.scope), "/", escape(name), "/copy"),
                              wire::copy_request_json(request));
}

// ── into an environment ──

Status send_standard_input(CopyStream& stream) {
  std::string piece(64U << 10U, '\0');
  while (true) {
    TRY(stream.await_input(STDIN_FILENO));
    const auto got = TRY(sys::read(STDIN_FILENO, piece.data(), piece.size()));
    if (got == 0) return stream.finish();
    TRY(stream.write(std::string_view(piece).substr(0, got)));
  }
}

Result<std::uint64_t> copy_in(const Session& session, const CopyOptions& options, const End& from, const End& to) {
  wire::CopyRequest request;
  request.direction = wire::CopyDirection::kIn;
  request.path = to.path;
  request.keep_owners = !options.no_owners;
  const bool is_stream = from.path == kStream;
  if (is_stream && ::isatty(STDIN_FILENO) == 1) {
    return fail(ErrorCode::kInvalidArgument, "\"-\" reads a tar, and standard input is a terminal",
                cat("tar -c FILES | skerry cp - ", to.environment, ":", to.path));
  }
  if (!is_stream) {
    request.top = TRY(name_of_top(from.path));
    TRY(sys::lstat(from.path));  // rather before anybody is asked
  }
  CopyStream stream(TRY(open_channel(session, options, to.environment, request)), to.environment, session.settings);
  if (is_stream) {
    TRY(send_standard_input(stream));
    return stream.bytes();
  }
  PackOptions pack;
  pack.follow_top = options.follow;
  pack.xattrs = CopiedXattrs::kUserAndCapabilities;
  pack.sparse = true;
  pack.note = say;
  TRY(pack_tree(from.path, pack, [&](std::string_view bytes) { return stream.write(bytes); }));
  TRY(stream.finish());
  return stream.bytes();
}

// ── out of an environment ──

Status write_standard_output(CopyStream& stream) {
  while (true) {
    const auto bytes = TRY(stream.read());
    if (bytes.empty()) return {};
    TRY(print(bytes));
  }
}

Status unpack(CopyStream& stream, const CopyTarget& target, const std::string& top, const CopyOptions& options) {
  UnpackOptions unpacking;
  if (top != ".") unpacking.top = top;
  unpacking.as = target.as;
  unpacking.top_must_be_directory = target.must_be_directory;
  unpacking.keep_owners = !options.no_owners && ::geteuid() == 0;
  // Nobody in an environment makes a program that runs as somebody else out here.
  unpacking.keep_set_ids = false;
  unpacking.max_names_bytes = kMaxNamesBytes;
  unpacking.note = say;
  TarRules rules;
  rules.max_entries = kMaxEntries;
  rules.max_content_bytes = std::uint64_t{options.most_mib} << 20U;
  // Whatever it sends: nothing that means something to this host's kernel, and nothing at all unasked.
  const auto kept = options.xattrs ? CopiedXattrs::kUser : CopiedXattrs::kNone;
  rules.keep_xattr = [kept](std::string_view name) { return is_copied(kept, name); };
  auto reader = TRY(TarReader::open([&] { return stream.read(); }, std::move(rules)));
  TRY(unpack_tree(reader, target.directory.get(), unpacking));
  // Behind the archive's end: whether its sender was content too.
  while (!TRY(stream.read()).empty()) {
  }
  return {};
}

Result<std::uint64_t> copy_out(const Session& session, const CopyOptions& options, const End& from, const End& to) {
  wire::CopyRequest request;
  request.direction = wire::CopyDirection::kOut;
  request.path = from.path;
  request.follow = options.follow;
  request.xattrs = options.xattrs;
  request.sparse = to.path != kStream;  // who knows what reads that
  const std::string top = TRY(name_of_top(from.path));
  if (to.path == kStream && ::isatty(STDOUT_FILENO) == 1) {
    return fail(ErrorCode::kInvalidArgument, "\"-\" writes a tar, and standard output is a terminal",
                cat("skerry cp ", from.environment, ":", from.path, " - | tar -x"));
  }
  CopyStream stream(TRY(open_channel(session, options, from.environment, request)), from.environment, session.settings);
  if (to.path == kStream) {
    TRY(write_standard_output(stream));
    return stream.bytes();
  }
  // Once it is known that something comes: a directory may have to be made for it.
  TRY(stream.await_first());
  const auto target = TRY(open_copy_target(to.path, top, EndLink::kReplace));
  TRY(unpack(stream, target, top, options));
  return stream.bytes();
}

}  // namespace

Outcome copy(const Session& session, const CopyOptions& options) {
  const End from = TRY(parse_end(options.from));
  const End to = TRY(parse_end(options.to));
  if (from.environment.empty() == to.environment.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                from.environment.empty() ? "neither of the two is in an environment" : "both are in an environment",
                from.environment.empty() ? "write that one as NAME:PATH"
                                         : cat("skerry cp ", options.from, " - | skerry cp - ", options.to));
  }
  const InterruptGuard guard;
  const bool in = !to.environment.empty();
  const auto bytes = TRY(in ? copy_in(session, options, from, to) : copy_out(session, options, from, to));
  if (session.settings.output != OutputForm::kJson || to.path == kStream) return kExitSuccess;
  wire::JsonWriter json;
  json.begin_object()
      .field("name", in ? to.environment : from.environment)
      .field("direction", in ? "in" : "out")
      .field("path", in ? to.path : from.path)
      .field("archive_bytes", bytes)
      .end_object();
  TRY(print_json(TRY(wire::JsonNode::parse(std::move(json).text()))));
  return kExitSuccess;
}

}  // namespace skerry::cli
