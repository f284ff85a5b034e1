// StdioRelay: a process of the guest at our own standard input and output, as if it were ours.
//
// A reader of ours may fall 256 MiB behind; then its output is cut off, and that is said.
//
// Bytes go both ways in frames (base/frame.h) until the process's exit; signals that we get are passed on to it. With a
// terminal, standard input is one too: it is put into raw mode (the guest's terminal has the line discipline) and its
// size is followed.
#pragma once

#include "base/result.h"
#include "drivers/driver.h"

namespace skerry::oci_microvm {

enum class Terminal : std::uint8_t { kNo, kYes };

// Takes the signals that are to be passed on, from its making on.
class PassedSignals {
 public:
  PassedSignals();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

// The process's shell code; 137 when its machine went without a word.
Result<int> relay_stdio(const Conversation& conversation, Terminal terminal, const PassedSignals& signals);

}  // namespace skerry::oci_microvm
