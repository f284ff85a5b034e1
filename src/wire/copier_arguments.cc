#include "wire/copier_arguments.h"

#include <string_view>

#include "base/text.h"

namespace skerry::wire {
namespace {

constexpr std::string_view kIn = "copy-in";
constexpr std::string_view kOut = "copy-out";
constexpr std::string_view kFollow = "--follow";
constexpr std::string_view kXattrs = "--xattrs";
constexpr std::string_view kSparse = "--sparse";
constexpr std::string_view kNoOwners = "--no-owners";
constexpr std::string_view kTop = "--top=";

}  // namespace

std::vector<std::string> copier_arguments(const CopyRequest& request) {
  const bool in = request.direction == CopyDirection::kIn;
  std::vector<std::string> words{std::string(in ? kIn : kOut)};
  if (!in && request.follow) words.emplace_back(kFollow);
  if (!in && request.xattrs) words.emplace_back(kXattrs);
  if (!in && request.sparse) words.emplace_back(kSparse);
  if (in && !request.keep_owners) words.emplace_back(kNoOwners);
  if (in && !request.top.empty()) words.push_back(cat(kTop, request.top));
  words.push_back(request.path);
  return words;
}

Result<CopyRequest> parse_copier_arguments(const std::vector<std::string>& words) {
  CopyRequest request;
  const bool in = !words.empty() && words.front() == kIn;
  if (!in && (words.empty() || words.front() != kOut)) {
    return fail(ErrorCode::kInvalidArgument, cat(kIn, " or ", kOut, " expected"));
  }
  request.direction = in ? CopyDirection::kIn : CopyDirection::kOut;
  for (std::size_t at = 1; at + 1 < words.size(); ++at) {
    const std::string_view word = words[at];
    if (!in && word == kFollow) {
      request.follow = true;
    } else if (!in && word == kXattrs) {
      request.xattrs = true;
    } else if (!in && word == kSparse) {
      request.sparse = true;
    } else if (in && word == kNoOwners) {
      request.keep_owners = false;
    } else if (in && word.starts_with(kTop)) {
      request.top = word.substr(kTop.size());
    } else {
      return fail(ErrorCode::kInvalidArgument, cat("unknown argument \"", word.substr(0, 64), "\""));
    }
  }
  if (words.size() < 2 || !words.back().starts_with('/')) {
    return fail(ErrorCode::kInvalidArgument, "an absolute path expected");
  }
  request.path = words.back();
  return request;
}

}  // namespace skerry::wire
