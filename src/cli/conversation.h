// The client's side of a conversation in frames: standard input, signals and the terminal's size go in, output comes
// out, and at last the exit code.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "cli/http_client.h"

namespace skerry::cli {

struct ConversationForm {
  bool input = false;     // forward standard input
  bool terminal = false;  // raw mode, resizes; Ctrl-P Ctrl-Q leaves
  bool line = false;      // bytes to and from a machine, no process of ours that a signal could be passed on to
  std::string name = {};  // of the environment, for what is said about it; may be empty
  std::string look = {};  // the command that shows what became of it: "attach web"; may be empty
  // When the user has given up (third Ctrl-C): does what there is to do, and says it. Unset: it is left running.
  std::function<std::string()> give_up = {};
};

// Until the process has ended, the user has left or the connection broke. Signals (INT, TERM, HUP, QUIT, USR1, USR2)
// that reach us are passed on; with the second INT we say so, after the third we let go (130). On a line each of them
// ends us (128 + N), and the end of the input ends nothing: the machine may have more to say. The answer is the
// process's exit code; 0 when the user left.
Result<int> converse(FrameChannel channel, const ConversationForm& form);

}  // namespace skerry::cli
