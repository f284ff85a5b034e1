// What the agent's documents share: how their parts are written and read. Only for the files agent_*.cc of this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/agent_protocol.h"
#include "wire/json_fields.h"

namespace skerry::wire {

inline constexpr int kMaxSignal = 64;  // SIGRTMAX

// An enum as the word at its place in the list.
template <typename Enum>
void read_word(ObjectReader& fields, const char* name, Enum& into, const std::vector<std::string_view>& words) {
  auto index = static_cast<std::size_t>(into);
  fields.word(name, index, words);
  into = static_cast<Enum>(index);
}

template <typename Enum>
std::string_view word_of(Enum value, const std::vector<std::string_view>& words) {
  return words.at(static_cast<std::size_t>(value));
}

// Parses `text`, reads it with `read`, and gives the value or the first error.
template <typename Value, typename Read>
Result<Value> decode(std::string_view text, std::string_view what, Read read) {
  const Json json = TRY(parse_json(text, what, kMaxAgentJson));
  FieldErrors errors;
  Value value;
  ObjectReader fields(json, {}, errors);
  read(fields, value);
  TRY_IN(what, errors.status());
  return value;
}

Json process_json(const GuestProcess& process);
void read_process(ObjectReader& fields, GuestProcess& process);
Json network_json(const GuestNetwork& network);
GuestNetwork read_network(ObjectReader& fields);

}  // namespace skerry::wire
