#include "core/plugin_version.h"

#include <gtest/gtest.h>

#include <vector>

namespace skerry {
namespace {

TEST(PluginVersion, OrdersAsPeopleCount) {
  const std::vector<std::string_view> ascending{"0.9",
                                                "1.2-1",
                                                "1.2-2",
                                                "1.2-10",
                                                "1.2-alpha",
                                                "1.2-rc.1",
                                                "1.2-rc.2",
                                                "1.2-rc.x",
                                                "1.2",
                                                "1.2+build",
                                                "v1.2",
                                                "1.2.0",
                                                "1.9",
                                                "1.10",
                                                "1.010.1",
                                                "2024.05",
                                                "99999999999999999999999",
                                                "x"};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      const int expected = i < j ? -1 : i > j ? 1 : 0;
      EXPECT_EQ(compare_versions(ascending[i], ascending[j]), expected) << ascending[i] << " " << ascending[j];
    }
  }
}

TEST(PluginVersion, AReferenceIsANameAndMaybeAVersion) {
  EXPECT_EQ(parse_plugin_ref("nginx"), (PluginRef{"nginx", ""}));
  EXPECT_EQ(parse_plugin_ref("nginx@1.22"), (PluginRef{"nginx", "1.22"}));
  EXPECT_EQ(parse_plugin_ref("nginx@1@2"), (PluginRef{"nginx", "1@2"}));
  EXPECT_EQ(to_text(PluginRef{"nginx", ""}), "nginx");
  EXPECT_EQ(to_text(PluginRef{"nginx", "1.22"}), "nginx@1.22");
}

}  // namespace
}  // namespace skerry
