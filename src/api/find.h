// Looking up what a request names, with what its caller may see.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/context.h"
#include "api/http.h"
#include "core/environment.h"
#include "wire/json_writer.h"

namespace skerry::api {

// Whether the caller may know of it, and the path leads to its isolation.
bool is_visible(const Request& request, const Environment& environment);
// The environment of the path's {name}. kNotFound also for one that the caller may not see.
Result<Environment> find_environment(Context& context, const Request& request);

// The document of one environment, without what is not for the caller.
Response environment_response(const Caller& caller, const Environment& environment, int status = 200);
// The same of one that was made by the request: 201, and where it is.
Response made_response(const Request& request, const Environment& environment);

// A page of a list: limit, offset, sort and order of the query.
struct Page {
  std::size_t offset = 0;
  std::size_t limit = 0;  // 0: all
  std::string sort;
  bool descending = false;
};
Result<Page> read_page(const Request& request);
// Cuts the page out of the sorted list.
template <typename T>
std::vector<T> cut_page(std::vector<T> all, const Page& page) {
  if (page.descending) std::vector<T>(all.rbegin(), all.rend()).swap(all);
  const auto from = std::min(page.offset, all.size());
  const auto count = page.limit == 0 ? all.size() - from : std::min(page.limit, all.size() - from);
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(from);
  return std::vector<T>(std::make_move_iterator(begin),
                        std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count)));
}
// Sorts JSON objects by their field `key`, those without it first, numbers by size, and equal ones as they come.
// kInvalidArgument: no such field, or one that holds more than one value.
Status sort_documents(std::vector<std::string>& documents, const std::string& key);
// Keeps the JSON objects that have what the query asks for: of every option but those of a page, the field of that name
// has that value, or a list that holds it.
Status filter_documents(std::vector<std::string>& documents, const std::map<std::string, std::string>& query);
// A list's answer; `total` goes into X-Total-Count.
Response list_response(std::string json, std::size_t total);
// The page that the request asks for, of all that its caller may see; `write(json, each)` puts one into the array.
template <typename T, typename Write>
Result<Response> list_page(const Request& request, const std::vector<T>& all, Write write) {
  const auto page = TRY(read_page(request));
  std::vector<std::string> documents;
  documents.reserve(all.size());
  for (const auto& each : all) {
    wire::JsonWriter json;
    write(json, each);
    documents.push_back(std::move(json).text());
  }
  TRY(filter_documents(documents, request.query));
  const std::size_t total = documents.size();
  TRY(sort_documents(documents, page.sort));
  wire::JsonWriter json;
  json.begin_array();
  for (const auto& each : cut_page(std::move(documents), page)) json.raw(each);
  json.end_array();
  return list_response(std::move(json).text(), total);
}

}  // namespace skerry::api
