// Policy::parse(): the text of rules.
#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "core/policy.h"

namespace skerry {
namespace {

enum class ArgumentForm : std::uint8_t { kNone, kPort, kDevice, kPath, kWord };
struct ServiceRow {
  std::string_view name;
  ArgumentForm form;
};
constexpr std::array kServices{
    ServiceRow{"net.connect", ArgumentForm::kPort},    ServiceRow{"net.egress", ArgumentForm::kPort},
    ServiceRow{"clipboard.copy", ArgumentForm::kNone}, ServiceRow{"file.copy", ArgumentForm::kNone},
    ServiceRow{"device.usb", ArgumentForm::kDevice},   ServiceRow{"device.pci", ArgumentForm::kWord},
    ServiceRow{"share.mount", ArgumentForm::kPath},    ServiceRow{"rpc", ArgumentForm::kWord},
    ServiceRow{"open.url", ArgumentForm::kNone},
};

const ServiceRow* find_service(std::string_view name) {
  const auto found = std::ranges::find(kServices, name, &ServiceRow::name);
  return found == kServices.end() ? nullptr : &*found;
}

bool is_port(std::string_view text) {
  if (!text.starts_with("tcp:") && !text.starts_with("udp:")) return false;
  const auto digits = text.substr(4);
  // One spelling for a port: rules are compared as texts.
  if (digits.empty() || digits.size() > 5 || digits.front() == '0') return false;
  const auto number = parse_int<std::uint32_t>(digits, "port");
  return number && *number <= 65535;
}

bool is_hex4(std::string_view text) {
  return text.size() == 4 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == ':';
  });
}

bool has_form(std::string_view text, ArgumentForm form) {
  switch (form) {
    case ArgumentForm::kNone: return false;
    case ArgumentForm::kPort: return is_port(text);
    case ArgumentForm::kDevice:
      return text.size() == 9 && text[4] == ':' && is_hex4(text.substr(0, 4)) && is_hex4(text.substr(5));
    case ArgumentForm::kPath:
      return text.starts_with('/') && text.find("/../") == std::string_view::npos && !text.ends_with("/..");
    case ArgumentForm::kWord: return is_word(text);
  }
  return false;
}

std::string_view hint_of(ArgumentForm form) {
  switch (form) {
    case ArgumentForm::kNone: return "takes no argument: write *";
    case ArgumentForm::kPort: return "takes tcp:PORT or udp:PORT";
    case ArgumentForm::kDevice: return "takes VID:PID, four of 0-9 and a-f each";
    case ArgumentForm::kPath: return "takes an absolute path without ..";
    case ArgumentForm::kWord: return "takes one word";
  }
  return {};
}

// A word of a line, and where it begins.
struct Word {
  std::string_view text;
  std::size_t column = 1;
};

std::vector<Word> words_of(std::string_view line) {
  std::vector<Word> out;
  std::size_t at = 0;
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (at < line.size()) {
    while (at < line.size() && is_space(line[at])) ++at;
    if (at == line.size() || line[at] == '#') break;
    const std::size_t begin = at;
    while (at < line.size() && !is_space(line[at])) ++at;
    out.push_back({line.substr(begin, at - begin), begin + 1});
  }
  return out;
}

std::string cut(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 64)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

}  // namespace

// Reads one file, line by line, until something is wrong with it.
class PolicyParser {
 public:
  PolicyParser(Policy& into, const PolicyFile& file) : into_(into), file_(file) {}

  void run() {
    into_.files_.push_back(file_.name);
    if (!file_.unreadable.empty()) return wrong(0, file_.unreadable);
    if (file_.text.size() > kMaxPolicyFileBytes) return wrong(0, cat("is larger than ", kMaxPolicyFileBytes, " bytes"));
    const std::size_t before = into_.rules_.size();
    const std::size_t problems = into_.problems_.size();
    for (const auto line : split(file_.text, '\n')) {
      ++line_;
      read_line(line);
      if (into_.problems_.size() > problems) break;
    }
    // No part of it counts: what stands behind the mistake may have been an exception to what stands before it.
    if (into_.problems_.size() > problems) drop_rules(before);
  }

 private:
  void read_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > kMaxPolicyLineBytes)
      return wrong(0, cat("the line is longer than ", kMaxPolicyLineBytes, " bytes"));
    const auto odd = std::ranges::find_if(line, [](char c) { return c != '\t' && (c < ' ' || c > '~'); });
    const auto comment = line.find('#');
    const auto at = static_cast<std::size_t>(odd - line.begin());
    if (odd != line.end() && (comment == std::string_view::npos || at < comment)) {
      return wrong(at + 1, "only printable ASCII stands in a rule");
    }
    const auto words = words_of(line);
    if (words.empty()) return;
    PolicyRule rule;
    rule.file = file_.name;
    rule.line = line_;
    if (read_rule(words, rule)) add(std::move(rule), words.front().column);
  }

  void add(PolicyRule rule, std::size_t column) {
    if (into_.rules_.size() == kMaxPolicyRules)
      return wrong(column, cat("there are more than ", kMaxPolicyRules, " rules"));
    into_.rules_.push_back(std::move(rule));
  }

  bool read_rule(const std::vector<Word>& words, PolicyRule& rule) {
    static constexpr std::array kNames{"a service", "an argument or *", "a source", "a target", "allow, deny or ask"};
    if (words.size() < kNames.size()) {
      const auto& last = words.back();
      wrong(last.column + last.text.size(), cat(kNames[words.size()], " is missing"));
      return false;
    }
    return read_service(words[0], words[1], rule) && read_source(words[2], rule) && read_target(words[3], rule) &&
           read_answer(words[4], rule) && read_options(words, rule);
  }

  bool read_service(const Word& service, const Word& argument, PolicyRule& rule) {
    const auto* row = find_service(service.text);
    if (row == nullptr) return bad(service, "is no service");
    rule.service = service.text;
    if (argument.text == "*") return true;
    if (!argument.text.starts_with('+')) return bad(argument, "is neither * nor begins with +");
    const auto bare = argument.text.substr(1);
    if (!has_form(bare, row->form)) return bad(argument, cat("does not fit: ", row->name, " ", hint_of(row->form)));
    rule.argument = bare;
    return true;
  }

  bool read_source(const Word& word, PolicyRule& rule) {
    if (!read_pattern(word, rule.source)) return false;
    if (rule.source.kind == PolicyPattern::Kind::kNewDisposable) return bad(word, "is a target only");
    return true;
  }

  bool read_target(const Word& word, PolicyRule& rule) {
    if (!read_pattern(word, rule.target)) return false;
    if (rule.service == "net.egress" && rule.target.kind != PolicyPattern::Kind::kAny) {
      return bad(word, "is not where net.egress goes: its target is @any, what lies beyond this host");
    }
    return true;
  }

  bool read_pattern(const Word& word, PolicyPattern& into) {
    using Form = PolicyPattern::Kind;
    if (!word.text.starts_with('@')) {
      into = {Form::kName, std::string(word.text)};
      const auto slash = word.text.find('/');
      const bool with_zone = slash != std::string_view::npos;
      const auto name = with_zone ? word.text.substr(slash + 1) : word.text;
      if (with_zone && !is_dns_label(word.text.substr(0, slash))) return bad(word, "names no zone before its /");
      return is_dns_label(name) || bad(word, "is no name of an environment, and begins with no @");
    }
    if (word.text == "@any") return into = {Form::kAny, {}}, true;
    if (word.text == "@host") return into = {Form::kHost, {}}, true;
    if (word.text == "@dispvm") return into = {Form::kNewDisposable, {}}, true;
    const auto colon = word.text.find(':');
    const auto head = word.text.substr(0, colon);
    into.value = colon == std::string_view::npos ? std::string_view() : word.text.substr(colon + 1);
    if (head == "@zone") return into.kind = Form::kZone, is_dns_label(into.value) || bad(word, "names no zone");
    if (head == "@kind")
      return into.kind = Form::kKind, parse_kind(into.value).has_value() || bad(word, "names no kind");
    if (head == "@isolation") {
      return into.kind = Form::kIsolation, parse_isolation(into.value).has_value() || bad(word, "names no isolation");
    }
    if (head == "@tag") return into.kind = Form::kTag, !into.value.empty() || bad(word, "names no tag");
    return bad(word, "is not known: there are @zone:Z, @kind:K, @isolation:I, @tag:T, @any, @dispvm, @host");
  }

  bool read_answer(const Word& word, PolicyRule& rule) {
    for (const auto answer : {PolicyAnswer::kAllow, PolicyAnswer::kDeny, PolicyAnswer::kAsk}) {
      if (word.text == to_text(answer)) return rule.answer = answer, true;
    }
    return bad(word, "is neither allow, deny nor ask");
  }

  bool read_options(const std::vector<Word>& words, PolicyRule& rule) {
    std::set<std::string_view> seen;
    for (std::size_t i = 5; i < words.size(); ++i) {
      const auto equals = words[i].text.find('=');
      if (equals == std::string_view::npos) return bad(words[i], "is not known: there are target=, user=, notify=");
      const auto key = words[i].text.substr(0, equals);
      const auto value = words[i].text.substr(equals + 1);
      if (!seen.insert(key).second) return bad(words[i], "stands twice");
      if (!read_option(words[i], key, value, rule)) return false;
    }
    return true;
  }

  bool read_option(const Word& word, std::string_view key, std::string_view value, PolicyRule& rule) {
    if (key == "notify") {
      rule.notify = value == "yes";
      return value == "yes" || value == "no" || bad(word, "is neither notify=yes nor notify=no");
    }
    if (key != "target" && key != "user") return bad(word, "is not known: there are target=, user=, notify=");
    if (rule.answer == PolicyAnswer::kDeny) return bad(word, "makes no sense with deny");
    if (key == "user") return rule.user = value, is_word(value) || bad(word, "names no user");
    if (rule.service == "net.egress") return bad(word, "cannot send net.egress elsewhere");
    rule.redirect = value;
    return value == "@host" || value == "@dispvm" || is_dns_label(value) ||
           bad(word, "names no environment (nor @dispvm, @host)");
  }

  bool bad(const Word& word, std::string_view what) {
    wrong(word.column, cat("\"", cut(word.text), "\" ", what));
    return false;
  }
  void wrong(std::size_t column, std::string what) {
    into_.problems_.push_back({file_.name, column == 0 && line_ == 0 ? 0 : line_, column, std::move(what)});
  }
  void drop_rules(std::size_t from) {
    into_.rules_.erase(into_.rules_.begin() + static_cast<std::ptrdiff_t>(from), into_.rules_.end());
  }

  Policy& into_;
  const PolicyFile& file_;
  std::size_t line_ = 0;
};

bool is_policy_service(std::string_view name) { return find_service(name) != nullptr; }

Status check_policy_argument(std::string_view service, std::string_view argument) {
  const auto* row = find_service(service);
  if (row == nullptr) return fail(ErrorCode::kInvalidArgument, cat("\"", cut(service), "\" is no service"));
  if (has_form(argument, row->form)) return {};
  return fail(ErrorCode::kInvalidArgument, cat("argument \"", cut(argument), "\": ", service, " ", hint_of(row->form)));
}

Policy Policy::parse(std::vector<PolicyFile> files) {
  Policy policy;
  // As strcmp(3) in the C locale: by bytes.
  std::ranges::sort(files, [](const PolicyFile& a, const PolicyFile& b) {
    return std::ranges::lexicographical_compare(
        a.name, b.name, [](char x, char y) { return static_cast<unsigned char>(x) < static_cast<unsigned char>(y); });
  });
  if (files.size() > kMaxPolicyFiles) {
    policy.problems_.push_back(
        {files[kMaxPolicyFiles].name, 0, 0, cat("there are more than ", kMaxPolicyFiles, " files")});
    files.resize(kMaxPolicyFiles);
  }
  for (const auto& file : files) PolicyParser(policy, file).run();
  return policy;
}

}  // namespace skerry
