#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace skerry {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned kWrong = 64;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kWrong);
  for (std::size_t i = 0; i < kLetters.size(); ++i) {
    values.at(static_cast<unsigned char>(kLetters[i])) = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr auto kValues = make_values();

char letter(std::uint32_t bits) { return kLetters[bits & 63U]; }

auto wrong() { return fail(ErrorCode::kInvalidArgument, "is not base64"); }

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t left = std::min<std::size_t>(bytes.size() - at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8U | (i < left ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    out +=
        {letter(bits >> 18U), letter(bits >> 12U), left > 1 ? letter(bits >> 6U) : '=', left > 2 ? letter(bits) : '='};
  }
  return out;
}

Result<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return wrong();
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size() - padding; ++i) {
    const unsigned value = kValues.at(static_cast<unsigned char>(text[i]));
    if (value == kWrong) return wrong();
    bits = bits << 6U | value;
    if (i % 4 != 0) out += static_cast<char>(bits >> (6U - 2U * (i % 4)) & 0xffU);
  }
  // What does not make a whole byte has to be zero: one text for each value.
  const std::uint32_t left_over = padding == 1 ? 3U : padding == 2 ? 15U : 0U;
  if ((bits & left_over) != 0) return wrong();
  return out;
}

}  // namespace skerry
