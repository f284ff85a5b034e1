// The command line described as a plain value: what man pages and completion are made from, so that neither can say
// anything that the parser does not know.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own name
class App;
}

namespace skerry::cli {

struct OptionText {
  std::vector<std::string> names;    // "-o", "--output"; empty for a word without dashes
  std::string value;                 // "TEXT", for a word its name: "NAME"; empty: a flag, it takes none
  std::vector<std::string> choices;  // the only values there are, when they are few
  std::string help;
  bool required = false;
  bool repeated = false;  // a word that may stand several times
  bool is_file = false;   // the value is a path of this host
};

struct CommandText {
  std::string name;
  std::vector<std::string> aliases;
  std::string summary;
  std::string usage;  // what stands behind the name, where the parser cannot tell: "[OPTIONS] IMAGE [COMMAND…]"
  std::string examples;
  std::vector<OptionText> options;
  std::vector<OptionText> words;
  std::vector<CommandText> commands;

  // The command that `word` means: its name or an alias; nullptr for none.
  [[nodiscard]] const CommandText* find(std::string_view word) const;
};

// A summary such as "Run a command inside: exec [OPTIONS] NAME COMMAND…" says both what the command does and how it is
// written: takes the latter out of it. Empty: there is none.
std::string take_usage(const std::string& name, std::string& summary);

// Hidden commands and options (CLI11: of the group "") are left out.
CommandText describe(const CLI::App& app);

}  // namespace skerry::cli
