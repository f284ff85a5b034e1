#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>

namespace skerry {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(ErrorCode::kInvalidArgument, "odd");
  return value / 2;
}
Result<int> quarter(int value) { return TRY(half(TRY(half(value)))); }
Result<int> named(int value) { return TRY_IN("outer", half(value)); }
Status only_status(int value) {
  static_cast<void>(TRY(half(value)));
  return {};
}
Result<std::unique_ptr<int>> box(int value) { return std::make_unique<int>(value); }
Result<int> unbox(int value) {
  const std::unique_ptr<int> boxed = TRY(box(value));
  return *boxed;
}

TEST(Result, TryYieldsTheValueOrLeaves) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().step, "odd");
  EXPECT_TRUE(only_status(2));
  EXPECT_FALSE(only_status(3));
  EXPECT_EQ(unbox(7).value(), 7);
}

TEST(Result, TryInSaysWhatWasBeingDone) {
  EXPECT_EQ(named(4).value(), 2);
  EXPECT_EQ(named(3).error().step, "outer: odd");
}

TEST(Result, AnErrnoGivesCodeAndText) {
  const auto error = Error::from_errno(ENOENT, "open /x").in("start").with_hint("make it");
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.message(), "start: open /x: No such file or directory (make it)");
  EXPECT_EQ(Error::from_errno(ENOSPC, "w").code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(Error::from_errno(EACCES, "w").code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(Error::from_errno(ENOTTY, "w").code, ErrorCode::kIo);
}

TEST(Result, AMessageIsOneLine) {
  EXPECT_EQ((Error{ErrorCode::kIo, 0, "a\nb\rc", {}}.message()), "a b c");
  EXPECT_EQ((Error{ErrorCode::kIo, 99999, "x", {}}.message()), "x: unknown error");
}

TEST(Result, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  constexpr int kCodes = static_cast<int>(ErrorCode::kInternal) + 1;
  for (int code = 0; code < kCodes; ++code) names.insert(error_code_name(static_cast<ErrorCode>(code)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kCodes));
}

TEST(Result, AnnotatePrefixesOnlyErrors) {
  EXPECT_EQ(annotate(half(2), "x").value(), 1);
  EXPECT_EQ(annotate(half(1), "x").error().step, "x: odd");
}

}  // namespace
}  // namespace skerry
