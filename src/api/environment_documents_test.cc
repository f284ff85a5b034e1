#include "api/environment_documents.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "wire/environment_json.h"

namespace skerry::api {
namespace {

EnvironmentView environment(int number, State state = State::kCreated) {
  Environment out;
  out.id = cat(number);
  out.spec.name = cat("e", number);
  out.spec.image = "localhost/x:1";
  out.status.state = state;
  return std::make_shared<const Environment>(std::move(out));
}

TEST(EnvironmentDocuments, SayWhatTheEnvironmentsAreNow) {
  EnvironmentDocuments documents;
  EXPECT_EQ(documents.list({}), "[]");
  EnvironmentViews views{environment(1), environment(2)};
  EXPECT_EQ(documents.list(views), wire::environments_json({*views[0], *views[1]}));
  views[1] = environment(2, State::kRunning);
  EXPECT_EQ(documents.list(views), wire::environments_json({*views[0], *views[1]}));
  EXPECT_EQ(documents.list({views[1]}), wire::environments_json({*views[1]}));
}

// A list of few must not push out what a list of all needs again; what is outdated must go at some time.
TEST(EnvironmentDocuments, OutdatedOnesAreForgotten) {
  EnvironmentDocuments documents;
  EnvironmentViews views;
  for (int i = 0; i < 200; ++i) views.push_back(environment(i));
  documents.list(views);
  documents.list({views[0]});
  EXPECT_EQ(documents.size(), 200U);
  for (int round = 0; round < 1000; ++round) {
    views[0] = environment(0, State::kRunning);
    documents.list(views);
  }
  EXPECT_LE(documents.size(), 2 * views.size() + 65);
}

}  // namespace
}  // namespace skerry::api
