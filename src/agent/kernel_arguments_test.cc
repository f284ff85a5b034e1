#include "agent/kernel_arguments.h"

#include <gtest/gtest.h>

namespace skerry::agent {
namespace {

TEST(KernelArguments, ReadsBothSpellings) {
  const auto arguments = parse_kernel_arguments(
      "console=ttyS0 volant.manifest=OLD skerry.plugin=nginx volant.runtime=r volant.api_host=10.0.0.1 "
      "skerry.api_port=8080\n");
  EXPECT_EQ(arguments.manifest, "OLD");
  EXPECT_EQ(arguments.plugin, "nginx");
  EXPECT_EQ(arguments.runtime, "r");
  EXPECT_EQ(arguments.api_host, "10.0.0.1");
  EXPECT_EQ(arguments.api_port, "8080");
}

TEST(KernelArguments, OwnSpellingWinsWhereverItStands) {
  EXPECT_EQ(parse_kernel_arguments("skerry.manifest=NEW volant.manifest=OLD").manifest, "NEW");
}

TEST(KernelArguments, QuotesProtectSpaces) {
  const auto arguments =
      parse_kernel_arguments("a=\"skerry.plugin=no\" \"skerry.runtime=two words\" skerry.plugin=yes");
  EXPECT_EQ(arguments.runtime, "two words");
  EXPECT_EQ(arguments.plugin, "yes");
}

TEST(KernelArguments, NothingIsNothing) {
  EXPECT_TRUE(parse_kernel_arguments("").manifest.empty());
  EXPECT_TRUE(parse_kernel_arguments("").channel.empty());
  EXPECT_EQ(parse_kernel_arguments("quiet skerry.channel=vsock:7").channel, "vsock:7");
  EXPECT_TRUE(parse_kernel_arguments("skerry.manifest").manifest.empty());
}

}  // namespace
}  // namespace skerry::agent
