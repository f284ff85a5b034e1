#include "base/terminal_text.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(TerminalText, LetsNothingSteerTheTerminal) {
  EXPECT_EQ(without_controls("user \x1b]0;owned\x07 \x1b[2J"), "user \\x1b]0;owned\\x07 \\x1b[2J");
  EXPECT_EQ(without_controls("a\rb\x7f\xc2\x9b"
                             "31m"),
            "a\\x0db\\x7f\\xc2\\x9b31m");
  EXPECT_EQ(without_controls("cut \xc2"), "cut \xc2");
  EXPECT_EQ(without_controls("grün €😀 \xc2\xa0\ttab\nline"), "grün €😀 \xc2\xa0\ttab\nline");
}

}  // namespace
}  // namespace skerry
