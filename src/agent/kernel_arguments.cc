#include "agent/kernel_arguments.h"

#include <array>
#include <vector>

namespace skerry::agent {
namespace {

struct Key {
  std::string_view name;
  std::string KernelArguments::* member;
};
constexpr std::array<Key, 7> kKeys{{
    {"manifest", &KernelArguments::manifest},
    {"manifest_disk", &KernelArguments::manifest_disk},
    {"channel", &KernelArguments::channel},
    {"plugin", &KernelArguments::plugin},
    {"runtime", &KernelArguments::runtime},
    {"api_host", &KernelArguments::api_host},
    {"api_port", &KernelArguments::api_port},
}};

std::vector<std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  for (const char letter : line) {
    const bool space = letter == ' ' || letter == '\t' || letter == '\n';
    if (letter == '"') {
      quoted = !quoted;
    } else if (space && !quoted) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
    } else {
      word += letter;
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

void read_prefix(KernelArguments& arguments, const std::vector<std::string>& words, std::string_view prefix) {
  for (const std::string_view word : words) {
    if (!word.starts_with(prefix)) continue;
    const auto rest = word.substr(prefix.size());
    const auto equals = rest.find('=');
    if (equals == std::string_view::npos) continue;
    for (const auto& key : kKeys) {
      if (rest.substr(0, equals) == key.name) arguments.*key.member = std::string(rest.substr(equals + 1));
    }
  }
}

}  // namespace

KernelArguments parse_kernel_arguments(std::string_view command_line) {
  KernelArguments arguments;
  const auto words = split_words(command_line);
  read_prefix(arguments, words, "volant.");
  read_prefix(arguments, words, "skerry.");
  return arguments;
}

}  // namespace skerry::agent
