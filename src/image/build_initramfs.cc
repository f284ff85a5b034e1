#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/build_steps.h"

namespace skerry {
namespace {

using Kind = LayerEntry::Kind;

constexpr const char* kHostBusybox = "/bin/busybox";
constexpr std::size_t kMaxProgram = 256U << 20U;

// Filesystem Hierarchy Standard 3.0, as far as a small appliance needs it.
struct Directory {
  const char* path;
  mode_t mode;
};
constexpr Directory kDirectories[] = {
    {"bin", 0755},      {"dev", 0755},  {"etc", 0755},     {"home", 0755},    {"lib", 0755},      {"mnt", 0755},
    {"opt", 0755},      {"proc", 0555}, {"root", 0700},    {"run", 0755},     {"sbin", 0755},     {"srv", 0755},
    {"sys", 0555},      {"tmp", 01777}, {"usr", 0755},     {"usr/bin", 0755}, {"usr/lib", 0755},  {"usr/local", 0755},
    {"usr/sbin", 0755}, {"var", 0755},  {"var/lib", 0755}, {"var/log", 0755}, {"var/tmp", 01777},
};

struct TextFile {
  const char* path;
  const char* content;
};
constexpr TextFile kFiles[] = {
    {"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
    {"etc/group", "root:x:0:\nnogroup:x:65534:\n"},
};

// Whether an ELF program asks for a dynamic loader, which an initramfs does not have. kInvalidArgument: not ELF.
Status check_static(std::string_view program, const std::string& path) {
  const auto not_usable = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, cat(path, ": ", why), "an initramfs needs static programs");
  };
  Elf64_Ehdr header;
  if (program.size() < sizeof header || !program.starts_with(ELFMAG)) return not_usable("is not an ELF program");
  std::memcpy(&header, program.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return not_usable("is not a 64-bit program");
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const std::uint64_t at = header.e_phoff + std::uint64_t{i} * header.e_phentsize;
    Elf64_Phdr segment;
    if (at > program.size() || program.size() - at < sizeof segment) return not_usable("is cut short");
    std::memcpy(&segment, program.data() + at, sizeof segment);
    if (segment.p_type == PT_INTERP) return not_usable("needs a dynamic loader");
  }
  return {};
}

Status add_program(CpioWriter& cpio, std::string_view path, const std::string& source) {
  std::string program = TRY(read_file(source, kMaxProgram));
  TRY(check_static(program, source));
  return cpio.add_file(path, 0755, std::move(program));
}

// Where this host's busybox puts its applets. Only ever this program is run: the one that goes into the image may be
// anybody's.
Result<std::vector<std::string>> known_applets() {
  SpawnSpec spec;
  spec.argv = {kHostBusybox, "--list-full"};
  const auto listed = run_command(spec, std::chrono::seconds(10));
  if (!listed || !listed->status.success()) {
    return fail(ErrorCode::kUnsupported, cat("this host's ", kHostBusybox, " does not list its applets"),
                "apt install busybox-static");
  }
  std::vector<std::string> out;
  for (const auto line : split(listed->out, '\n')) {
    const auto applet = trim(line);
    // The init of an appliance is ours to choose.
    if (applet.empty() || applet == "bin/busybox" || applet == "sbin/init" || applet == "linuxrc") continue;
    out.emplace_back(applet);
  }
  return out;
}

// busybox keeps the names of its applets as one text, each ended by a zero byte (include/applet_tables.h of its build).
bool has_applet(std::string_view program, std::string_view name) {
  return program.find(cat(std::string_view("\0", 1), name, std::string_view("\0", 1))) != std::string_view::npos;
}

// busybox and a symlink for each applet it has of those that this host's has too.
Status add_busybox(CpioWriter& cpio, const std::string& path) {
  std::string program = TRY(read_file(path, kMaxProgram));
  TRY(check_static(program, path));
  const auto applets = TRY(known_applets());
  if (!has_applet(program, "sh")) {
    return fail(ErrorCode::kInvalidArgument, cat(path, ": is no busybox with a shell"), "it may be packed: unpack it");
  }
  for (const auto& applet : applets) {
    if (!has_applet(program, applet.substr(applet.rfind('/') + 1))) continue;
    TRY(cpio.add_symlink(applet, "/bin/busybox"));
  }
  return cpio.add_file("bin/busybox", 0755, std::move(program));
}

Status add_init(CpioWriter& cpio, const BuildRequest& request) {
  // The kernel runs /init (Linux Documentation/filesystems/ramfs-rootfs-initramfs.rst).
  switch (request.file.init) {
    case wire::BuildFile::Init::kNone: return cpio.add_symlink("init", cat("/", kAgentPath));
    case wire::BuildFile::Init::kShim: TRY(add_program(cpio, "sbin/init", request.default_init)); break;
    case wire::BuildFile::Init::kFile:
      TRY(cpio.add_file("sbin/init", 0755,
                        TRY(read_file(resolve_path(request.directory, request.file.init_path), kMaxProgram))));
      break;
  }
  return cpio.add_symlink("init", "/sbin/init");
}

Status add_inputs(CpioWriter& cpio, const std::vector<BuildInput>& inputs) {
  for (const auto& input : inputs) {
    const LayerEntry& entry = input.entry;
    switch (entry.kind) {
      case Kind::kDirectory: TRY(cpio.add_directory(entry.path, entry.mode)); break;
      case Kind::kSymlink: TRY(cpio.add_symlink(entry.path, entry.link_target)); break;
      default: {
        const Fd file = TRY(sys::open(input.source, O_RDONLY));
        TRY(cpio.add_file(entry.path, entry.mode, file.get()));
      }
    }
  }
  return {};
}

// gzip (RFC 1952) without name and time: the same bytes each time.
Result<std::string> gzip(std::string_view bytes) {
  z_stream zlib{};
  constexpr int kGzip = 16;
  constexpr int kMemory = 9;
  if (::deflateInit2(&zlib, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + kGzip, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
    return fail(ErrorCode::kResourceExhausted, "start gzip compression");
  }
  std::string out(::deflateBound(&zlib, bytes.size()), '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  zlib.avail_in = static_cast<uInt>(bytes.size());
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = static_cast<uInt>(out.size());
  const int answer = ::deflate(&zlib, Z_FINISH);
  out.resize(zlib.total_out);
  ::deflateEnd(&zlib);
  if (answer != Z_STREAM_END) return fail(ErrorCode::kInternal, "gzip compression did not end");
  return out;
}

}  // namespace

Status write_initramfs(const BuildRequest& request, const std::vector<BuildInput>& inputs, const std::string& path) {
  CpioWriter cpio;
  for (const auto& directory : kDirectories) TRY(cpio.add_directory(directory.path, directory.mode));
  TRY(cpio.add_device("dev/console", S_IFCHR | 0600, 5, 1));
  TRY(cpio.add_device("dev/null", S_IFCHR | 0666, 1, 3));
  const std::string busybox =
      request.file.busybox.empty() ? kHostBusybox : resolve_path(request.directory, request.file.busybox);
  TRY_IN("busybox", add_busybox(cpio, busybox));
  TRY_IN("init", add_init(cpio, request));
  const std::string agent = TRY(choose_agent(request));
  TRY_IN("agent", add_program(cpio, kAgentPath, agent));
  // A mapping may bring its own /etc/passwd.
  for (const auto& file : kFiles) {
    const bool is_mapped =
        std::ranges::any_of(inputs, [&](const auto& input) { return input.entry.path == file.path; });
    if (!is_mapped) TRY(cpio.add_file(file.path, 0644, std::string(file.content)));
  }
  TRY_IN("mappings", add_inputs(cpio, inputs));
  const std::string archive = TRY(cpio.to_string());
  if (archive.size() >= (1ULL << 32U)) return fail(ErrorCode::kResourceExhausted, "an initramfs of 4 GiB or more");
  return write_file_atomic(path, TRY(gzip(archive)), 0644);
}

}  // namespace skerry
