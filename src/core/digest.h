// Digest: the content address of a blob, as the OCI image specification writes it ("Descriptors", section "Digests"):
// "sha256:" and 64 lower-case hexadecimal digits. sha256 is the only algorithm Skerry accepts: it is the one every
// registry serves, and one algorithm means one address for a blob.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

class Digest {
 public:
  // The empty digest: no content. Only as a placeholder before a value is known.
  Digest() = default;
  // Strict: exactly "sha256:" and 64 of [0-9a-f]. kInvalidArgument otherwise.
  static Result<Digest> parse(std::string_view text);
  // From the 64 digits alone; the same rules.
  static Result<Digest> from_hex(std::string_view hex);

  [[nodiscard]] bool empty() const { return hex_.empty(); }
  [[nodiscard]] std::string_view algorithm() const { return "sha256"; }
  [[nodiscard]] const std::string& hex() const { return hex_; }
  [[nodiscard]] std::string text() const { return "sha256:" + hex_; }
  // The first twelve digits, for people.
  [[nodiscard]] std::string short_text() const { return hex_.substr(0, 12); }

  auto operator<=>(const Digest&) const = default;

 private:
  explicit Digest(std::string hex) : hex_(std::move(hex)) {}
  std::string hex_;
};

}  // namespace skerry
