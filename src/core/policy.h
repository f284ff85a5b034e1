// Policy: who may ask what of whom. Rules are text, one a line, '#' begins a comment:
//
//   SERVICE +ARG|*  SOURCE  TARGET  allow|deny|ask  [target=NAME] [user=NAME] [notify=yes|no]
//   net.connect  +tcp:5432  @zone:web  db  allow
//
// Files are read in the order of the bytes of their names; the first rule that matches decides; no match is deny. With
// a file that is malformed anywhere nothing is allowed: it may have been about to deny. `target=` sends what is allowed
// elsewhere, and is decided again for there. Pure: neither files nor environments are looked up here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/environment.h"

namespace skerry {

inline constexpr std::size_t kMaxPolicyFiles = 256;
inline constexpr std::size_t kMaxPolicyFileBytes = 256U << 10U;
inline constexpr std::size_t kMaxPolicyRules = 4096;  // of all files
inline constexpr std::size_t kMaxPolicyLineBytes = 1024;
inline constexpr int kMaxPolicyRedirects = 8;
// PolicyDecision::reason when it is for the default to say.
inline constexpr std::string_view kNoRuleMatches = "no rule matches";

struct PolicyFile {
  std::string name;
  std::string text;
  std::string unreadable;  // why it cannot be used, whatever it says; empty: it can
};

enum class PolicyAnswer : std::uint8_t { kDeny, kAsk, kAllow };
std::string_view to_text(PolicyAnswer value);

// The services that rules can speak of, and what their argument looks like.
//   net.connect net.egress   tcp:PORT, udp:PORT
//   device.usb               VID:PID, four hexadecimal digits each
//   share.mount              an absolute path
//   device.pci rpc           a word
//   clipboard.copy file.copy open.url   none: "*" in rules
bool is_policy_service(std::string_view name);
// kInvalidArgument says what is wrong with it. `argument` without its '+'.
Status check_policy_argument(std::string_view service, std::string_view argument);

// Whom a rule speaks of.
struct PolicyPattern {
  enum class Kind : std::uint8_t {
    kName,           // an environment: NAME, or ZONE/NAME
    kZone,           // @zone:Z
    kKind,           // @kind:disposable
    kIsolation,      // @isolation:vm
    kTag,            // @tag:T, a label's key, or @tag:KEY=VALUE
    kAny,            // @any: every environment, a new disposable one and, for net.egress, what lies beyond the host
    kNewDisposable,  // @dispvm, as a target
    kHost,           // @host
  } kind = Kind::kAny;
  std::string value;  // behind the colon, or the name
  bool operator==(const PolicyPattern&) const = default;
};
std::string to_text(const PolicyPattern& pattern);

struct PolicyRule {
  std::string file;
  std::size_t line = 0;  // from 1
  std::string service;
  std::optional<std::string> argument;  // unset: "*"
  PolicyPattern source;
  PolicyPattern target;
  PolicyAnswer answer = PolicyAnswer::kDeny;
  std::string redirect;  // target=; empty: none
  std::string user;      // user=
  bool notify = false;
  bool operator==(const PolicyRule&) const = default;
};
// As it would be written, with single spaces.
std::string to_text(const PolicyRule& rule);

struct PolicyProblem {
  std::string file;
  std::size_t line = 0;    // 0: the file as a whole
  std::size_t column = 0;  // from 1, in bytes; 0: the line as a whole
  std::string what;
  bool operator==(const PolicyProblem&) const = default;
};
// "10-web:3:14: what".
std::string to_text(const PolicyProblem& problem);

// One side of a request, as rules see it.
struct PolicyParty {
  enum class Kind : std::uint8_t { kEnvironment, kNewDisposable, kHost, kOutside } kind = Kind::kEnvironment;
  std::string name;  // "@host" and so on for those that are no environment
  std::string zone;
  skerry::Kind life = skerry::Kind::kApp;
  Isolation isolation = Isolation::kContainer;
  std::map<std::string, std::string> labels;
  static PolicyParty of(const EnvironmentSpec& spec);
  static PolicyParty host() { return {Kind::kHost, "@host", {}, {}, {}, {}}; }
  static PolicyParty new_disposable() {
    return {Kind::kNewDisposable, "@dispvm", {}, skerry::Kind::kDisposable, {}, {}};
  }
  static PolicyParty outside() { return {Kind::kOutside, "@any", {}, {}, {}, {}}; }
};
// The party of a word: "@host", "@dispvm", "@any" (what lies beyond the host), or nullopt: an environment's name.
std::optional<PolicyParty> party_of_word(std::string_view word);

bool matches(const PolicyPattern& pattern, const PolicyParty& party);
// Whether a rule's service and argument are those; without an argument only "*" matches.
bool matches(const PolicyRule& rule, std::string_view service, const std::optional<std::string>& argument);

struct PolicyRequest {
  std::string service;
  std::optional<std::string> argument;
  PolicyParty source;
  PolicyParty target;
};

// A rule that was looked at and did not decide, or did.
struct PolicyStep {
  std::size_t rule = 0;  // index in Policy::rules()
  std::string why;       // "another source", "another argument"; empty: it matched
};

struct PolicyDecision {
  PolicyAnswer answer = PolicyAnswer::kDeny;
  std::string target;               // who it goes to in the end
  std::string user;                 // user= of the rule
  bool notify = false;              // notify= of the rule
  std::optional<std::size_t> rule;  // which decided; unset: none matched, or a problem did
  std::string reason;               // for people
  std::vector<PolicyStep> steps;    // in order, over all redirections
};

// Finds an environment by its name, for target=.
using PolicyLookup = std::function<std::optional<PolicyParty>(const std::string& name)>;

class Policy {
 public:
  Policy() = default;
  // Any text gives a policy: what is wrong is in problems(). Files in any order.
  static Policy parse(std::vector<PolicyFile> files);

  // In the order in which they are asked; those of malformed files that could be read are not among them.
  [[nodiscard]] const std::vector<PolicyRule>& rules() const { return rules_; }
  [[nodiscard]] const std::vector<PolicyProblem>& problems() const { return problems_; }
  [[nodiscard]] const std::vector<std::string>& files() const { return files_; }

  [[nodiscard]] PolicyDecision decide(const PolicyRequest& request, const PolicyLookup& lookup) const;

 private:
  friend class PolicyParser;
  std::vector<PolicyRule> rules_;
  std::vector<PolicyProblem> problems_;
  std::vector<std::string> files_;
};

}  // namespace skerry
