#include "oci/outer_user.h"

#include <unistd.h>

#include <vector>

#include "base/file_io.h"
#include "base/text.h"

namespace skerry::oci {

uid_t outer_uid() {
  const uid_t self = ::geteuid();
  const auto map = read_file("/proc/self/uid_map");
  if (!map) return self;
  // "<inside> <outside> <count>", separated by runs of blanks.
  for (const auto line : split(*map, '\n')) {
    std::vector<uid_t> numbers;
    for (const auto word : split(line, ' ')) {
      if (word.empty()) continue;
      const auto number = parse_int<uid_t>(word, "uid_map");
      if (number) numbers.push_back(*number);
    }
    if (numbers.size() == 3 && self >= numbers[0] && self - numbers[0] < numbers[2]) {
      return numbers[1] + (self - numbers[0]);
    }
  }
  return self;
}

bool is_ordinary_user() { return outer_uid() != 0; }

}  // namespace skerry::oci
