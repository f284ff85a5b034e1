// Completion of command lines: the shell asks `skerry __complete SHELL WORDS…` at every TAB, so that its script holds
// no second copy of the commands and names of what exists can be offered.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/describe.h"

namespace skerry::cli {

// The script for "bash", "zsh" or "fish"; kInvalidArgument for another shell.
Result<std::string> completion_script(std::string_view shell);

// What a word without dashes names.
enum class NameSource : std::uint8_t {
  kNone,
  kEnvironments,
  kVms,
  kImages,
  kKernels,
  kPlugins,
  kDeployments,
  kTokens,
  kZones,
  kOperations
};

struct Candidates {
  struct Each {
    std::string word;
    std::string help;  // may be empty
  };
  std::vector<Each> words;
  bool files = false;  // the shell is to offer paths instead
};

// What may stand in place of the last of `words` (those behind the program's name; the last may be empty). `names`
// tells what exists; it is asked at most once, and only when names can stand there.
using NameLister = std::function<std::vector<std::string>(NameSource)>;
Candidates complete(const CommandText& skerry, const std::vector<std::string>& words, const NameLister& names);

// One line each, "word\thelp"; the line ":files" alone when paths are to be offered.
std::string candidates_text(const Candidates& candidates);

}  // namespace skerry::cli
