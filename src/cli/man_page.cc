#include "cli/man_page.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kExitStatus =
    "0: done. 1: failed. 2: wrong usage. 3: not found. 4: refused by policy.\n\n"
    "run and exec end with the exit code of the command inside; 125: it could not be started, 126: it cannot be "
    "executed, 127: it does not exist, 128 + N: ended by signal N.";
constexpr std::string_view kEnvironment =
    "SKERRY_SOCKET: the daemon's socket, when --socket does not say it.\n\n"
    "SKERRY_NAME, SKERRY_ISOLATION, SKERRY_KIND, SKERRY_ZONE, SKERRY_USER, SKERRY_RESTART, SKERRY_CPU, SKERRY_MEMORY, "
    "SKERRY_PIDS: settings of run and create, below the command line and above the file of --config.";
constexpr std::string_view kFiles =
    "/run/skerry/skerryd.sock: the daemon's socket.\n\n/var/lib/skerry: images, database, writable layers and disks.";

// The bytes of a UTF-8 letter as one escape (groff_char(7)); what is not ASCII depends on the reader's locale.
std::string letter_escape(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  std::uint32_t code = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size && at + 1 < text.size(); ++i) {
    code = code << 6U | (static_cast<unsigned char>(text[++at]) & 0x3FU);
  }
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string hex;
  for (int shift = code > 0xFFFF ? 16 : 12; shift >= 0; shift -= 4) hex += kDigits[code >> shift & 0xFU];
  return cat("\\[u", hex, "]");
}

std::string escaped(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (line_begins && (letter == '.' || letter == '\'')) out += "\\&";
    line_begins = letter == '\n';
    if (letter == '\\') {
      out += "\\e";
    } else if (letter == '-') {
      out += "\\-";
    } else if (static_cast<unsigned char>(letter) >= 0x80) {
      out += letter_escape(text, i);
    } else {
      out += letter;
    }
  }
  return out;
}

std::string bold(std::string_view text) { return cat("\\fB", escaped(text), "\\fR"); }
std::string italic(std::string_view text) { return cat("\\fI", escaped(text), "\\fR"); }

// Broken into lines that a person can read in the source as well (mandoc's advice).
std::string wrapped(std::string_view text) {
  constexpr std::size_t kWidth = 72;
  std::string out;
  std::size_t column = 0;
  for (const auto word : split(text, ' ')) {
    if (column > 0 && column + 1 + word.size() > kWidth) {
      out += '\n';
      column = 0;
    }
    out += cat(column > 0 ? " " : "", word);
    column += word.size() + (column > 0 ? 1 : 0);
  }
  return out;
}

std::string sentence(std::string text) {
  if (!text.empty() && text.back() != '.') text += '.';
  return escaped(wrapped(text));
}

std::string capitals(std::string text) {
  for (char& letter : text) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return text;
}

void add_text(std::string& out, std::string_view text) {
  for (const auto line : split(text, '\n')) out += line.empty() ? ".PP\n" : cat(escaped(wrapped(line)), "\n");
}

void add_option(std::string& out, const OptionText& option) {
  out += ".TP\n";
  for (std::size_t i = 0; i < option.names.size(); ++i) out += cat(i == 0 ? "" : ", ", bold(option.names[i]));
  if (!option.value.empty()) out += cat(option.names.empty() ? "" : " ", italic(option.value));
  out += '\n';
  std::string help = option.help;
  if (!option.choices.empty() && help.find(option.choices.back()) == std::string::npos) {
    help += cat(help.empty() ? "" : ": ", join(option.choices, ", "));
  }
  out += sentence(help.empty() ? option.value : help) + "\n";
}

void add_usage(std::string& out, std::string_view program, const CommandText& command) {
  out += bold(program);
  if (!command.usage.empty()) {
    out += cat(" ", escaped(command.usage), "\n");
    return;
  }
  if (!command.commands.empty()) out += cat(" ", italic("COMMAND"));
  if (!command.options.empty()) out += cat(" [", italic("OPTIONS"), "]");
  for (const auto& word : command.words) {
    const std::string name = cat(italic(word.value), word.repeated ? escaped("…") : "");
    out += word.required ? cat(" ", name) : cat(" [", name, "]");
  }
  out += '\n';
}

void add_options(std::string& out, const CommandText& command) {
  for (const auto& word : command.words) {
    if (!word.help.empty()) add_option(out, word);
  }
  for (const auto& option : command.options) add_option(out, option);
}

void add_examples(std::string& out, std::string_view examples) {
  if (!examples.empty()) out += cat(".nf\n.RS\n", escaped(examples), ".RE\n.fi\n");
}

void add_section(std::string& out, const ManSection& section) {
  out += cat(".SH ", section.title, "\n");
  add_text(out, section.text);
}

std::string head(const std::string& page, int section, std::string_view summary) {
  return cat(".TH ", capitals(page), " ", section, " \"\" \"skerry ", SKERRY_VERSION, "\" \"Skerry\"\n.SH NAME\n",
             escaped(page), " \\- ", escaped(summary), "\n");
}

// The members of a group, each with its own options.
void add_members(std::string& out, const std::string& program, const CommandText& group) {
  out += ".SH COMMANDS\n";
  for (const auto& each : group.commands) {
    out += cat(".SS ", escaped(each.name), "\n");
    out += sentence(each.summary) + "\n.PP\n";
    add_usage(out, cat(program, " ", each.name), each);
    add_options(out, each);
    add_examples(out, each.examples);
  }
}

// `path`: the words that lead to it, "images build".
ManPage command_page(const CommandText& command, const std::string& path) {
  std::string page = "skerry-" + path;
  std::ranges::replace(page, ' ', '-');
  const std::string program = "skerry " + path;
  std::string out = head(page, 1, command.summary);
  out += ".SH SYNOPSIS\n";
  add_usage(out, program, command);
  for (const auto& alias : command.aliases) out += cat(".PP\nAlso spelled ", bold("skerry " + alias), ".\n");
  if (!command.commands.empty()) {
    add_members(out, program, command);
  } else {
    out += ".SH OPTIONS\n";
    add_options(out, command);
    if (!command.examples.empty()) out += ".SH EXAMPLES\n";
    add_examples(out, command.examples);
  }
  add_section(out, {"EXIT STATUS", std::string(kExitStatus)});
  out += ".SH SEE ALSO\n\\fBskerry\\fR(1), \\fBskerryd\\fR(8)\n";
  return {page + ".1", out};
}

}  // namespace

ManPage man_page(const CommandText& program, int section, const std::vector<ManSection>& more) {
  std::string out = head(program.name, section, program.summary);
  out += ".SH SYNOPSIS\n";
  add_usage(out, program.name, program);
  out += ".SH OPTIONS\n";
  add_options(out, program);
  for (const auto& each : more) add_section(out, each);
  return {cat(program.name, ".", section), out};
}

std::vector<ManPage> man_pages(const CommandText& skerry) {
  std::string out = head(skerry.name, 1, "run containers, microVMs and VMs under one daemon");
  out += ".SH SYNOPSIS\n";
  add_usage(out, skerry.name, skerry);
  out += ".SH DESCRIPTION\n";
  add_text(out, skerry.summary);
  out += ".SH OPTIONS\n";
  add_options(out, skerry);
  out += ".SH COMMANDS\n";
  for (const auto& each : skerry.commands) {
    out += cat(".TP\n", bold("skerry-" + each.name), "(1)\n", sentence(each.summary), "\n");
  }
  add_section(out, {"ENVIRONMENT", std::string(kEnvironment)});
  add_section(out, {"FILES", std::string(kFiles)});
  add_section(out, {"EXIT STATUS", std::string(kExitStatus)});
  out += ".SH SEE ALSO\n\\fBskerryd\\fR(8)\n";
  std::vector<ManPage> pages{{"skerry.1", out}};
  for (const auto& each : skerry.commands) pages.push_back(command_page(each, each.name));
  return pages;
}

Result<ManPage> man_page_of(const CommandText& skerry, const std::vector<std::string>& words) {
  if (words.empty()) return man_pages(skerry).front();
  const CommandText* command = &skerry;
  std::string path;
  for (const auto& word : words) {
    command = command->find(word);
    if (command == nullptr) {
      return fail(ErrorCode::kNotFound, cat("there is no command \"", join(words, " "), "\""), "see: skerry --help");
    }
    path += cat(path.empty() ? "" : " ", command->name);
  }
  return command_page(*command, path);
}

}  // namespace skerry::cli
