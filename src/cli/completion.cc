#include "cli/completion.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kBash = R"(# skerry: completion for bash. Load it with: source <(skerry completion bash)
_skerry() {
  local line last behind_colon
  local -a words
  read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
  case ${COMP_LINE:0:COMP_POINT} in *[[:space:]]) words+=("") ;; esac
  last=${words[${#words[@]} - 1]}
  # Bash takes what stands behind a colon for a word of its own: image references have some.
  behind_colon=""
  case $COMP_WORDBREAKS in *:*) behind_colon=${last%"${last##*:}"} ;; esac
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then
      compopt -o default 2>/dev/null
      COMPREPLY=()
      return
    fi
    line=${line%%$'\t'*}
    COMPREPLY+=("${line#"$behind_colon"}")
  done < <("${words[0]}" __complete bash "${words[@]:1}" 2>/dev/null)
}
complete -F _skerry skerry
)";

constexpr std::string_view kZsh = R"(#compdef skerry
# skerry: completion for zsh. Save it as _skerry in a directory of $fpath, or: source <(skerry completion zsh)
_skerry() {
  local line
  local -a offered
  while IFS= read -r line; do
    if [[ $line == ":files" ]]; then
      _files
      return
    fi
    offered+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done < <("$words[1]" __complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe -t words 'skerry' offered
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _skerry "$@"
else
  compdef _skerry skerry
fi
)";

constexpr std::string_view kFish = R"(# skerry: completion for fish. Save it as ~/.config/fish/completions/skerry.fish
function __skerry_complete
    set -l words (commandline -opc)
    set -l offered ($words[1] __complete fish $words[2..-1] (commandline -ct) 2>/dev/null)
    if test "$offered" = ":files"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $offered
    end
end
complete -c skerry -f -a '(__skerry_complete)'
)";

struct SourceRow {
  std::string_view command;  // the first word; the second when that names a group
  NameSource source;
};
constexpr std::array kSources{
    SourceRow{"run", NameSource::kImages},        SourceRow{"create", NameSource::kImages},
    SourceRow{"vms", NameSource::kVms},           SourceRow{"images", NameSource::kImages},
    SourceRow{"plugins", NameSource::kPlugins},   SourceRow{"deployments", NameSource::kDeployments},
    SourceRow{"token", NameSource::kTokens},      SourceRow{"operations", NameSource::kOperations},
    SourceRow{"exec", NameSource::kEnvironments}, SourceRow{"kernels", NameSource::kKernels},
    SourceRow{"zones", NameSource::kZones},
};

// Where a walk along the words has come to.
struct Position {
  const CommandText* command = nullptr;
  std::string_view first;                   // first command's name
  const OptionText* wants_value = nullptr;  // the option whose value comes next
  std::size_t words = 0;                    // words without dashes behind the command
  bool verbatim = false;                    // what follows belongs to a command inside
};

const OptionText* find_option(const CommandText& command, std::string_view name) {
  const auto found = std::ranges::find_if(
      command.options, [&](const OptionText& each) { return std::ranges::find(each.names, name) != each.names.end(); });
  return found == command.options.end() ? nullptr : &*found;
}

// Run, create and exec hand everything behind their first word on.
bool hands_on(const CommandText& command) { return command.usage.find("COMMAND") != std::string::npos; }

void step(Position& at, std::string_view word) {
  if (at.verbatim) return;
  if (at.wants_value != nullptr) {
    at.wants_value = nullptr;
  } else if (word == "--") {
    at.verbatim = hands_on(*at.command);
  } else if (word.starts_with('-')) {
    const auto* option = find_option(*at.command, word);
    if (option != nullptr && !option->value.empty()) at.wants_value = option;
  } else if (const auto* next = at.command->find(word); next != nullptr) {
    if (at.first.empty()) at.first = next->name;
    at.command = next;
  } else {
    ++at.words;
    at.verbatim = hands_on(*at.command);
  }
}

NameSource source_of(const Position& at) {
  const auto found = std::ranges::find(kSources, at.first, &SourceRow::command);
  if (found != kSources.end())
    return at.command->name == "create" && at.first != "create" ? NameSource::kNone : found->source;
  const bool takes_names =
      std::ranges::any_of(at.command->words, [](const auto& each) { return each.value == "NAME"; });
  return takes_names ? NameSource::kEnvironments : NameSource::kNone;
}

bool takes_another(const Position& at) {
  if (hands_on(*at.command)) return at.words == 0;
  return std::ranges::any_of(at.command->words, &OptionText::repeated) || at.words < at.command->words.size();
}

void offer(Candidates& out, std::string_view begin, const std::string& word, const std::string& help = {}) {
  if (word.starts_with(begin)) out.words.push_back({word, help});
}

}  // namespace

Result<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  if (shell == "fish") return std::string(kFish);
  return fail(ErrorCode::kInvalidArgument, cat("no completion for the shell \"", shell, "\""), "use bash, zsh or fish");
}

Candidates complete(const CommandText& skerry, const std::vector<std::string>& words, const NameLister& names) {
  Candidates out;
  if (words.empty()) return out;
  Position at{&skerry, {}, nullptr, 0, false};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) step(at, words[i]);
  const std::string& last = words.back();
  if (at.verbatim) {
    out.files = true;
  } else if (at.wants_value != nullptr) {
    for (const auto& choice : at.wants_value->choices) offer(out, last, choice);
    out.files = at.wants_value->is_file;
  } else if (last.starts_with('-')) {
    for (const auto& option : at.command->options) offer(out, last, option.names.back(), option.help);
  } else if (!at.command->commands.empty()) {
    if (at.words > 0) return out;  // a command that there is not
    for (const auto& each : at.command->commands) offer(out, last, each.name, each.summary);
  } else if (takes_another(at)) {
    const auto& kinds = at.command->words;
    out.files = at.words < kinds.size() && kinds[at.words].is_file;
    const auto source = source_of(at);
    if (source != NameSource::kNone) {
      for (const auto& name : names(source)) offer(out, last, name);
    }
  }
  return out;
}

std::string candidates_text(const Candidates& candidates) {
  if (candidates.files) return ":files\n";
  std::string out;
  for (const auto& each : candidates.words) out += cat(each.word, "\t", each.help, "\n");
  return out;
}

}  // namespace skerry::cli
