#include "cli/describe.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/text.h"

namespace skerry::cli {
namespace {

// "TEXT:{table,json}" → table, json.
std::vector<std::string> choices_of(const std::string& type) {
  const auto open = type.find('{');
  const auto close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  std::vector<std::string> out;
  for (const auto each : split(std::string_view(type).substr(open + 1, close - open - 1), ',')) out.emplace_back(each);
  return out;
}

// A value's name for people: the long option's own, in capitals, says more than "TEXT".
std::string value_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type.starts_with("INT") || type.starts_with("UINT") || type.starts_with("FLOAT")) return "NUMBER";
  const auto& names = option.get_lnames();
  std::string out = names.empty() ? "VALUE" : names.front();
  for (char& letter : out) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return out;
}

OptionText describe_option(const CLI::Option& option) {
  OptionText out;
  for (const auto& name : option.get_snames()) out.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) out.names.push_back("--" + name);
  if (out.names.empty()) {
    out.value = option.get_positional() ? option.get_name(true) : "";
  } else if (option.get_items_expected_max() > 0) {
    out.value = value_of(option);
  }
  const std::string type = option.get_type_name();
  out.choices = choices_of(type);
  out.help = option.get_description();
  out.required = option.get_required();
  out.repeated = option.get_expected_max() > 1;
  out.is_file = type.find("FILE") != std::string::npos || type.find("DIR") != std::string::npos;
  return out;
}

}  // namespace

std::string take_usage(const std::string& name, std::string& summary) {
  const auto found = summary.find(cat(": ", name, " "));
  if (found == std::string::npos) return {};
  std::string usage = summary.substr(found + 3 + name.size());
  summary.resize(found);
  return usage;
}

const CommandText* CommandText::find(std::string_view word) const {
  const auto found = std::ranges::find_if(commands, [&](const CommandText& each) {
    return each.name == word || std::ranges::find(each.aliases, word) != each.aliases.end();
  });
  return found == commands.end() ? nullptr : &*found;
}

CommandText describe(const CLI::App& app) {
  constexpr std::string_view kExamples = "Examples:\n";
  CommandText out;
  out.name = app.get_name();
  out.aliases = app.get_aliases();
  out.summary = app.get_description();
  out.usage = take_usage(out.name, out.summary);
  const std::string footer = app.get_footer();
  if (footer.starts_with(kExamples)) out.examples = footer.substr(kExamples.size());
  for (const auto* option : app.get_options({})) {
    if (option->get_group().empty()) continue;
    auto text = describe_option(*option);
    (text.names.empty() ? out.words : out.options).push_back(std::move(text));
  }
  for (const auto* command : app.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); })) {
    out.commands.push_back(describe(*command));
  }
  return out;
}

}  // namespace skerry::cli
