// Manual pages, in the language of man(7), from the description of the command line.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/describe.h"

namespace skerry::cli {

struct ManPage {
  std::string file;  // "skerry-run.1"
  std::string text;
};

// What a page says beside what the description knows.
struct ManSection {
  std::string title;  // "EXIT STATUS"
  std::string text;   // plain; an empty line begins a paragraph
};

// One page of `section` for a program without commands of its own.
ManPage man_page(const CommandText& program, int section, const std::vector<ManSection>& more);

// All pages of `skerry`: skerry.1, and one for each of its commands; a group's page tells of all that are in it.
std::vector<ManPage> man_pages(const CommandText& skerry);

// The page of one command, also of one in a group: {"run"}, {"images", "build"}; {}: skerry's own. kNotFound.
Result<ManPage> man_page_of(const CommandText& skerry, const std::vector<std::string>& words);

}  // namespace skerry::cli
