#include "oci/dbus_message.h"

#include <gtest/gtest.h>

#include "oci/dbus_connection.h"
#include "oci/systemd_scope.h"

namespace skerry::oci {
namespace {

// A return of StartTransientUnit as a bus sends it: fields reply_serial, destination, signature, sender; body "o".
std::string a_return() {
  DbusWriter body;
  body.put_string("/org/freedesktop/systemd1/job/42");
  DbusWriter out;
  out.put_byte('l');
  out.put_byte(2);
  out.put_byte(1);
  out.put_byte(1);
  out.put_u32(static_cast<std::uint32_t>(body.text().size()));
  out.put_u32(7);
  out.put_array(8, [&] {
    out.align(8);
    out.put_byte(5);
    out.put_signature("u");
    out.put_u32(3);
    out.align(8);
    out.put_byte(6);
    out.put_signature("s");
    out.put_string(":1.5");
    out.align(8);
    out.put_byte(8);
    out.put_signature("g");
    out.put_signature("o");
  });
  out.align(8);
  return out.text() + body.text();
}

TEST(DbusMessage, AReturnIsRead) {
  const auto message = parse_dbus_message(a_return());
  ASSERT_TRUE(message) << message.error().message();
  EXPECT_EQ(message->type, DbusType::kReturn);
  EXPECT_EQ(message->reply_serial, 3U);
  EXPECT_EQ(message->signature, "o");
  EXPECT_EQ(DbusReader(message->body).string().value(), "/org/freedesktop/systemd1/job/42");
}

TEST(DbusMessage, EveryCutAndEveryChangedByteIsAnErrorOrAMessage) {
  const std::string whole = a_return();
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(parse_dbus_message(whole.substr(0, size)));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(0xFF);
    (void)parse_dbus_message(changed);
  }
}

// "Message Format": byte order, type, flags, version, length of the body, serial.
TEST(DbusMessage, ACallHasTheBytesOfTheSpecification) {
  const auto text = encode_call({"org.example", "/o", "org.example.I", "M", "s", std::string("\x01\0\0\0x\0", 6)}, 9);
  EXPECT_EQ(text.substr(0, 4), std::string("l\x01\0\x01", 4));
  EXPECT_EQ(text.substr(4, 8), std::string("\x06\0\0\0\x09\0\0\0", 8));
  EXPECT_EQ(dbus_message_size(text).value(), text.size());
  const auto back = parse_dbus_message(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->member, "M");
  EXPECT_EQ(back->body.size(), 6U);
}

TEST(DbusMessage, PropertiesAreAligned) {
  DbusWriter out;
  put_properties(out, {{"A", true}, {"B", std::uint64_t{5}}, {"C", DbusPids{1, 2}}, {"D", DbusBytes{3}}});
  DbusReader reader(out.text());
  EXPECT_EQ(reader.u32().value(), out.text().size() - 8);
  ASSERT_TRUE(reader.align(8));
  EXPECT_EQ(reader.string().value(), "A");
  EXPECT_EQ(reader.signature().value(), "b");
  EXPECT_EQ(reader.u32().value(), 1U);
  ASSERT_TRUE(reader.align(8));
  EXPECT_EQ(reader.string().value(), "B");
}

TEST(DbusAddress, TheFirstPathIsTaken) {
  EXPECT_EQ(dbus_socket_path("unix:path=/run/x").value(), "/run/x");
  EXPECT_EQ(dbus_socket_path("tcp:host=a;unix:guid=1,path=/a%20b").value(), "/a b");
  EXPECT_FALSE(dbus_socket_path("unix:abstract=/x"));
  EXPECT_FALSE(dbus_socket_path("unix:path=/a%2"));
}

TEST(SystemdScope, NamesAndSlices) {
  const auto name = parse_scope_name("machine.slice:libpod:abc", "id");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->slice, "machine.slice");
  EXPECT_EQ(name->unit, "libpod-abc.scope");
  EXPECT_EQ(parse_scope_name(":: abc", "id").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(parse_scope_name("::abc", "id")->unit, "abc.scope");
  EXPECT_EQ(parse_scope_name("", "id")->unit, "skerry-id.scope");
  EXPECT_FALSE(parse_scope_name("/a/b", "id"));
  EXPECT_EQ(slice_directory("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
  EXPECT_EQ(slice_directory("-.slice"), "");
}

TEST(SystemdScope, LimitsBecomeProperties) {
  Resources resources;
  resources.memory = MemoryLimits{};
  resources.memory->limit = 100;
  resources.memory->swap = 150;
  resources.cpu = CpuLimits{};
  resources.cpu->quota_us = 50000;
  resources.cpu->cpus = "0-1,9";
  resources.pids_limit = -1;
  const auto properties = limit_properties(resources);
  ASSERT_TRUE(properties);
  const auto value_of = [&](const std::string& name) {
    for (const auto& property : *properties) {
      if (property.name == name) return property.value;
    }
    return decltype(DbusProperty::value)("missing");
  };
  EXPECT_EQ(std::get<std::uint64_t>(value_of("MemorySwapMax")), 50U);
  EXPECT_EQ(std::get<std::uint64_t>(value_of("CPUQuotaPerSecUSec")), 500000U);
  EXPECT_EQ(std::get<std::uint64_t>(value_of("TasksMax")), ~0ULL);
  EXPECT_EQ(std::get<DbusBytes>(value_of("AllowedCPUs")), (DbusBytes{3, 2}));
}

}  // namespace
}  // namespace skerry::oci
