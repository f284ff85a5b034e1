// What somebody who mistyped a word may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

// The name with the fewest letters added, removed, changed or swapped with their neighbour; "" when that would be more
// than a third of the word.
std::string nearest(std::string_view word, const std::vector<std::string>& names);

}  // namespace skerry::cli
