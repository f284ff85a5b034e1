// The inside end of `skerry cp`: `skerry-agent copy-in|copy-out …` (wire/copier_arguments.h) unpacks a tar from its
// standard input, or writes one to its standard output.
//
// It runs inside the environment like any command of it, in a container as well as in a microVM, with no right that the
// environment has not: what it may not read or write there, it may not.
#pragma once

#include <string>
#include <vector>

namespace skerry::agent {

// Whether the first word behind the program's name asks for this.
bool is_copier_word(const char* word);
// 0; else the reason is on standard error: wire::kCopierFoundNothing when there is no such file, 1 for every other.
int run_copier(const std::vector<std::string>& words);

}  // namespace skerry::agent
