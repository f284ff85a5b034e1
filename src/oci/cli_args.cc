#include "oci/cli_args.h"

#include <algorithm>
#include <optional>

namespace skerry::oci {
namespace {

const Option* find_long(std::span<const Option> options, std::string_view name) {
  const auto found = std::ranges::find(options, name, &Option::name);
  return found == options.end() ? nullptr : &*found;
}

const Option* find_letter(std::span<const Option> options, char letter) {
  const auto found = std::ranges::find(options, letter, &Option::letter);
  return found == options.end() ? nullptr : &*found;
}

struct Word {
  const Option* option = nullptr;
  std::optional<std::string> value;  // behind '=', or glued to a letter
};

Result<Word> read_word(std::span<const Option> options, const std::string& text) {
  Word word;
  if (text.starts_with("--")) {
    const auto equals = text.find('=');
    word.option =
        find_long(options, std::string_view(text).substr(2, equals == std::string::npos ? equals : equals - 2));
    if (equals != std::string::npos) word.value = text.substr(equals + 1);
  } else {
    word.option = find_letter(options, text[1]);
    if (text.size() > 2) word.value = text.substr(text[2] == '=' ? 3 : 2);
  }
  if (word.option == nullptr) return fail(ErrorCode::kInvalidArgument, cat("unknown option ", text.substr(0, 64)));
  return word;
}

Status check_flag_value(const Word& word) {
  if (!word.value || *word.value == "true" || *word.value == "false") return {};
  return fail(ErrorCode::kInvalidArgument, cat("option --", word.option->name, " takes no value"));
}

}  // namespace

bool Arguments::flag(std::string_view name) const { return given(name) && value(name) != "false"; }

std::string Arguments::value(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string() : found->second.back();
}

std::vector<std::string> Arguments::values(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

Result<Arguments> parse_arguments(std::span<const Option> options, std::span<const std::string> words) {
  Arguments out;
  std::size_t at = 0;
  for (; at < words.size(); ++at) {
    const std::string& text = words[at];
    if (text.size() < 2 || text.front() != '-') break;  // "-" alone is an argument
    if (text == "--") {
      ++at;
      break;
    }
    Word word = TRY(read_word(options, text));
    if (word.option->kind == Option::Kind::kFlag) {
      TRY(check_flag_value(word));
    } else if (!word.value) {
      if (at + 1 == words.size()) return fail(ErrorCode::kInvalidArgument, cat("option ", text, " needs a value"));
      word.value = words[++at];
    }
    out.values_[std::string(word.option->name)].push_back(word.value.value_or("true"));
  }
  out.positional.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return out;
}

std::string describe_options(std::span<const Option> options) {
  std::string out;
  for (const auto& option : options) {
    std::string line = "  ";
    if (option.letter != 0) line += cat("-", option.letter, ", ");
    line += cat("--", option.name, option.kind == Option::Kind::kValue ? " VALUE" : "");
    constexpr std::size_t kColumn = 34;
    line.resize(std::max(line.size() + 2, kColumn), ' ');
    out += cat(line, option.help, "\n");
  }
  return out;
}

}  // namespace skerry::oci
