// The grammar of skerry-oci's command line: options as a table, read strictly.
//
//   skerry-oci [global options] COMMAND [options] [arguments]
//
// `--name value`, `--name=value`, `-n value`; a flag may carry `=true` or `=false`; `--` ends the options. Options end
// at the first argument, so that whatever follows a container id belongs to the program. An unknown option, a missing
// or an unasked value is an error that names it.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

struct Option {
  std::string_view name;  // without dashes
  char letter = 0;        // 0: none
  enum class Kind : std::uint8_t { kFlag, kValue } kind = Kind::kFlag;
  std::string_view help;
};

// The options of two tables, as one.
template <std::size_t N, std::size_t M>
constexpr std::array<Option, N + M> join_options(const std::array<Option, N>& first,
                                                 const std::array<Option, M>& second) {
  std::array<Option, N + M> out{};
  std::ranges::copy(first, out.begin());
  std::ranges::copy(second, out.begin() + N);
  return out;
}

class Arguments {
 public:
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] bool given(std::string_view name) const { return values_.contains(name); }
  // The last value given, "" when there is none.
  [[nodiscard]] std::string value(std::string_view name) const;
  // All of them, in order.
  [[nodiscard]] std::vector<std::string> values(std::string_view name) const;
  template <typename T>
  [[nodiscard]] Result<T> number(std::string_view name, T fallback) const;

  std::vector<std::string> positional;

 private:
  friend Result<Arguments> parse_arguments(std::span<const Option> options, std::span<const std::string> words);
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// Reads words up to the first argument; that and everything behind it becomes `positional`.
Result<Arguments> parse_arguments(std::span<const Option> options, std::span<const std::string> words);

// One line an option, for --help.
std::string describe_options(std::span<const Option> options);

}  // namespace skerry::oci

#include "base/text.h"

namespace skerry::oci {

template <typename T>
Result<T> Arguments::number(std::string_view name, T fallback) const {
  if (!given(name)) return fallback;
  return parse_int<T>(value(name), cat("--", name));
}

}  // namespace skerry::oci
