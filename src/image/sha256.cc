#include "image/sha256.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "base/sparse_copy.h"
#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {

struct Sha256::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(md); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  // Fails only without memory or without the default provider: nothing can be verified then.
  if (context_->md == nullptr || EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr) != 1) std::abort();
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) { EVP_DigestUpdate(context_->md, bytes.data(), bytes.size()); }

Digest Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned size = 0;
  EVP_DigestFinal_ex(context_->md, raw.data(), &size);
  // 32 bytes give 64 digits: the parse cannot fail.
  return Digest::from_hex(to_hex({reinterpret_cast<const char*>(raw.data()), size})).value_or(Digest());
}

Digest sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Result<FileDigest> sha256_of_file(int fd) {
  Sha256 hash;
  FileDigest out;
  std::vector<char> buffer(256U << 10U);
  while (true) {
    const auto got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(out.size));
    if (got < 0) return fail_errno("read blob");
    if (got == 0) break;
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
    out.size += static_cast<std::uint64_t>(got);
  }
  out.digest = hash.finish();
  return out;
}

Result<Digest> sha256_of_content(int fd) { return TRY(sha256_of_file(fd)).digest; }

namespace {

constexpr std::uint64_t kBlock = 4096;

// From one multiple of kBlock to another, or to the end of the file; gives where it got to.
Result<std::uint64_t> hash_blocks(int fd, std::uint64_t from, std::uint64_t to, Sha256& hash) {
  std::vector<char> buffer(64 * kBlock);
  while (from < to) {
    const auto want = std::min<std::uint64_t>(buffer.size(), to - from);
    const auto got = TRY(sys::pread(fd, buffer.data(), want, from));
    const std::string_view bytes(buffer.data(), got);
    for (std::uint64_t at = 0; at < got; at += kBlock) {
      const auto block = bytes.substr(at, kBlock);
      if (block.find_first_not_of('\0') == std::string_view::npos) continue;
      hash.update(cat(from + at, "\n"));
      hash.update(block);
    }
    from += got;
    if (got < want) break;
  }
  return from;
}

}  // namespace

Result<Digest> sha256_of_sparse_file(int fd) {
  Sha256 hash;
  hash.update(cat("sparse ", TRY(sys::fstat(fd)).st_size, "\n"));
  std::uint64_t at = 0;
  while (const auto data = TRY(next_data(fd, at))) {
    const auto from = std::max(at, data->offset / kBlock * kBlock);
    const auto end = (data->offset + data->length + kBlock - 1) / kBlock * kBlock;
    at = TRY(hash_blocks(fd, from, end, hash));
    if (at < end) break;
  }
  return hash.finish();
}

}  // namespace skerry
