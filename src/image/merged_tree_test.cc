#include "image/merged_tree.h"

#include <gtest/gtest.h>

#include "image/layer_testing.h"

namespace skerry {
namespace {

// Layers given bottom first, as people think of them. Hard links to hidden files are satisfied by a second reading, as
// image/layer_disk.cc does.
Result<MergedTree> merge(const std::vector<std::vector<TestEntry>>& layers) {
  MergedTree tree;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    LayerReader reader = TRY(LayerReader::open(memory_file(test_tar(*layer)), {}));
    tree.begin_layer();
    while (const auto entry = TRY(reader.next())) TRY(tree.add(*entry));
    const auto unmet = tree.end_layer();
    LayerReader again = TRY(LayerReader::open(memory_file(test_tar(*layer)), {}));
    while (const auto entry = TRY(again.next())) {
      if (const auto wanted = unmet.find(entry->path); wanted != unmet.end()) {
        MergedTree::describe(*wanted->second, *entry);
      }
    }
  }
  tree.finish();
  return tree;
}

void list(const MergedTree::Node& node, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [name, child] : node.children) {
    const bool is_directory = child->inode->kind == LayerEntry::Kind::kDirectory;
    out.push_back(path + name + (is_directory ? "/" : ""));
    list(*child, path + name + "/", out);
  }
}

std::vector<std::string> paths(const std::vector<std::vector<TestEntry>>& layers) {
  std::vector<std::string> out;
  const auto tree = merge(layers);
  if (!tree) return {tree.error().message()};
  list(tree->root(), "", out);
  return out;
}

using Paths = std::vector<std::string>;

TEST(MergedTree, UpperFilesWin) {
  const auto tree = merge({{{"a", AE_IFREG, "lower"}, {"b", AE_IFREG, "1"}}, {{"a", AE_IFREG, "new"}}});
  EXPECT_EQ(tree->find("a")->inode->size, 3U);
  EXPECT_NE(tree->find("b"), nullptr);
}

TEST(MergedTree, WhiteoutsHideOnlyWhatIsBelow) {
  EXPECT_EQ(paths({{{"d/x"}, {"d/y"}}, {{"d/.wh.x"}}}), (Paths{"d/", "d/y"}));
  EXPECT_EQ(paths({{{"d/x"}}, {{".wh.d"}}}), Paths{});
  EXPECT_EQ(paths({{{"d/x"}}, {{".wh.d"}, {"d/new"}}}), (Paths{"d/", "d/new"}));
  EXPECT_EQ(paths({{{"d/x"}}, {{"d/new"}, {".wh.d"}}}), (Paths{"d/", "d/new"}));
  EXPECT_EQ(paths({{{"x"}}, {{".wh.x"}}, {{"x"}}}), Paths{"x"});
}

TEST(MergedTree, OpaqueDirectoriesHideWhatIsBelow) {
  EXPECT_EQ(paths({{{"d/x"}}, {{"d/.wh..wh..opq"}, {"d/y"}}}), (Paths{"d/", "d/y"}));
  EXPECT_EQ(paths({{{"d/x"}}, {{"d/y"}, {"d/.wh..wh..opq"}}, {{"d/z"}}}), (Paths{"d/", "d/y", "d/z"}));
}

TEST(MergedTree, AFileBetweenDirectoriesEndsTheMerging) {
  EXPECT_EQ(paths({{{"d/x"}}, {{"d"}}, {{"d/y"}}}), (Paths{"d/", "d/y"}));
  EXPECT_EQ(paths({{{"d"}}, {{"d/y"}}}), (Paths{"d/", "d/y"}));
  EXPECT_EQ(paths({{{"d/x"}}, {{"d"}}}), Paths{"d"});
}

TEST(MergedTree, UndescribedDirectoriesTakeTheLowerDescription) {
  const auto tree = merge({{{"d", AE_IFDIR, "", false, 0700}, {"d/x"}}, {{"d/y"}}});
  EXPECT_EQ(tree->find("d")->inode->mode, 0700U);
  const auto replaced = merge({{{"d", AE_IFDIR, "", false, 0700}}, {{".wh.d"}, {"d/y"}}});
  EXPECT_EQ(replaced->find("d")->inode->mode, 0755U);
}

TEST(MergedTree, HardLinksShareAnInodeEvenWhenTheFirstNameIsHidden) {
  const auto tree = merge(
      {{{"x", AE_IFREG, "old"}, {"y", AE_IFREG, "x", true}, {"z", AE_IFREG, "y", true}}, {{"x", AE_IFREG, "longer"}}});
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ(tree->find("y")->inode, tree->find("z")->inode);
  EXPECT_EQ(tree->find("y")->inode->size, 3U);
  EXPECT_EQ(tree->find("y")->inode->links, 2U);
  EXPECT_EQ(tree->find("x")->inode->size, 6U);
}

TEST(MergedTree, CountsLinksOfDirectories) {
  const auto tree = merge({{{"a/b/c"}, {"a/d", AE_IFDIR}}});
  EXPECT_EQ(tree->root().inode->links, 3U);
  EXPECT_EQ(tree->find("a")->inode->links, 4U);
}

TEST(MergedTree, RefusesWhatIsNoFileSystem) {
  const auto error_of = [](const std::vector<TestEntry>& layer) {
    const auto tree = merge({layer});
    return tree ? ErrorCode::kInternal : tree.error().code;
  };
  EXPECT_EQ(error_of({{"x"}, {"x"}}), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of({{"x"}, {"x/y"}}), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of({{"x/y"}, {"x"}}), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of({{"l", AE_IFLNK, "/etc"}, {"l/passwd"}}), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of({{"h", AE_IFREG, "missing", true}}), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of({{"../x"}}), ErrorCode::kCorrupt);
}

TEST(MergedTree, InstallFollowsSymlinksInsideTheTree) {
  auto tree = merge({{{"usr/sbin", AE_IFDIR},
                      {"sbin", AE_IFLNK, "usr/sbin"},
                      {"up", AE_IFLNK, "/../../usr"},
                      {"loop", AE_IFLNK, "loop"},
                      {"file", AE_IFREG, "x"}}});
  LayerEntry file;
  ASSERT_TRUE(tree->install("sbin/tool", file));
  EXPECT_NE(tree->find("usr/sbin/tool"), nullptr);
  ASSERT_TRUE(tree->install("up/new/deep/tool", file));
  EXPECT_NE(tree->find("usr/new/deep/tool"), nullptr);
  ASSERT_TRUE(tree->install("file", file));
  EXPECT_EQ(tree->find("file")->inode->size, 0U);
  EXPECT_EQ(tree->install("loop/x", file).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(tree->install("file/x", file).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(tree->install("usr", file).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace skerry
