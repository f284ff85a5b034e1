// The client's side of a conversation in frames: standard input, signals and the terminal's size go in, output comes
// out, and at last the exit code.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cli/http_client.h"

namespace skerry::cli {

struct ConversationForm {
  bool input = false;     // forward standard input
  bool terminal = false;  // raw mode, resizes; Ctrl-P Ctrl-Q leaves
  std::string name = {};  // of the environment, for what is said about it; may be empty
};

// Until the process has ended, the user has left or the connection broke. Signals (INT, TERM, HUP, QUIT, USR1, USR2)
// that reach us are passed on; after the third INT we let go (130). The answer is the process's exit code; 0 when the
// user left.
Result<int> converse(FrameChannel channel, const ConversationForm& form);

}  // namespace skerry::cli
