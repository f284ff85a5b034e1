#include "oci/seccomp_cache.h"

#include <fcntl.h>
#include <seccomp.h>
#include <unistd.h>

#include <cstring>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr std::uint32_t kMagic = 0x324D4353;  // "SCM2"
constexpr std::size_t kMaxFile = 1U << 20U;

struct Header {
  std::uint32_t magic = kMagic;
  std::uint32_t key_bytes = 0;
  std::uint32_t instructions = 0;
};

// Behind its length, so that no text can look like two fields or like the end of one.
std::string field(std::string_view text) { return cat(text.size(), ":", text); }

// Every field that changes the program; lists behind their number of elements.
std::string key_of(const Seccomp& seccomp) {
  const scmp_version* version = ::seccomp_version();
  std::string key = cat("libseccomp ", version->major, ".", version->minor, ".", version->micro, " native ",
                        ::seccomp_arch_native(), "\n", field(seccomp.default_action),
                        seccomp.default_errno_ret.value_or(1), "\n", seccomp.architectures.size(), "\n");
  for (const auto& arch : seccomp.architectures) key += field(arch);
  for (const auto& rule : seccomp.syscalls) {
    key +=
        cat("\n", field(rule.action), rule.errno_ret.value_or(1), " ", rule.args.size(), " ", rule.names.size(), "\n");
    for (const auto& arg : rule.args) key += cat(arg.index, " ", field(arg.op), arg.value, " ", arg.value_two, "\n");
    for (const auto& name : rule.names) key += field(name);
  }
  return key;
}

// FNV-1a, for the file name only: equality is decided on the whole key.
std::string hash_name(std::string_view key) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return to_hex(std::string_view(reinterpret_cast<const char*>(&hash), sizeof hash));
}

}  // namespace

SeccompCache::SeccompCache(const std::string& directory, const Seccomp& seccomp) {
  if (directory.empty()) return;
  key_ = key_of(seccomp);
  path_ = cat(directory, "/", hash_name(key_), ".bpf");
}

std::optional<std::vector<sock_filter>> SeccompCache::load() const {
  if (path_.empty()) return std::nullopt;
  const auto file = sys::open(path_, O_RDONLY | O_NOFOLLOW);
  if (!file) return std::nullopt;
  // Only what we wrote ourselves: nobody else may own or change the file.
  const auto info = sys::fstat(file->get());
  if (!info || info->st_uid != ::geteuid() || (info->st_mode & 0022U) != 0) return std::nullopt;
  const auto text = sys::read_to_end(file->get(), kMaxFile);
  Header header;
  if (!text || text->size() < sizeof header) return std::nullopt;
  std::memcpy(&header, text->data(), sizeof header);
  const std::size_t code_bytes = std::size_t{header.instructions} * sizeof(sock_filter);
  if (header.magic != kMagic || header.key_bytes != key_.size() || header.instructions == 0 ||
      text->size() != sizeof header + key_.size() + code_bytes ||
      std::string_view(*text).substr(sizeof header, key_.size()) != key_) {
    return std::nullopt;
  }
  std::vector<sock_filter> program(header.instructions);
  std::memcpy(program.data(), text->data() + sizeof header + key_.size(), code_bytes);
  return program;
}

void SeccompCache::store(const std::vector<sock_filter>& program) const {
  if (path_.empty()) return;
  const Header header{kMagic, static_cast<std::uint32_t>(key_.size()), static_cast<std::uint32_t>(program.size())};
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  text += key_;
  text.append(reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter));
  if (sys::mkdir_all(path_.substr(0, path_.rfind('/')), 0700)) (void)write_file_atomic(path_, text, 0600);
}

}  // namespace skerry::oci
