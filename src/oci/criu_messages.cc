#include "oci/criu_messages.h"

namespace skerry::oci {
namespace {

// Wire types (protobuf.dev/programming-guides/encoding).
constexpr unsigned kVarint = 0;
constexpr unsigned kFixed64 = 1;
constexpr unsigned kBytes = 2;
constexpr unsigned kFixed32 = 5;

class Writer {
 public:
  // Negative numbers are written as 64 bits, as int32 fields are.
  Writer& number(unsigned field, std::int64_t value) {
    varint(field << 3U | kVarint);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Writer& flag(unsigned field, bool value) {
    if (value) number(field, 1);
    return *this;
  }
  Writer& text(unsigned field, std::string_view value) {
    if (!value.empty()) bytes(field, value);
    return *this;
  }
  Writer& bytes(unsigned field, std::string_view value) {
    varint(field << 3U | kBytes);
    varint(value.size());
    out_ += value;
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) out_ += static_cast<char>(value | 0x80U);
    out_ += static_cast<char>(value);
  }
  std::string out_;
};

struct Field {
  unsigned number = 0;
  std::uint64_t value = 0;  // of a number
  std::string_view bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view rest) : rest_(rest) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  Result<Field> next() {
    const std::uint64_t key = TRY(varint());
    Field out;
    out.number = static_cast<unsigned>(key >> 3U);
    switch (key & 7U) {
      case kVarint: out.value = TRY(varint()); return out;
      case kBytes: out.bytes = TRY(take(TRY(varint()))); return out;
      case kFixed64: TRY(take(8)); return out;
      case kFixed32: TRY(take(4)); return out;
      default: return fail(ErrorCode::kCorrupt, "criu's answer: unknown wire type");
    }
  }

 private:
  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(TRY(take(1)).front());
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return fail(ErrorCode::kCorrupt, "criu's answer: a number is too long");
  }
  Result<std::string_view> take(std::uint64_t size) {
    if (size > rest_.size()) return fail(ErrorCode::kCorrupt, "criu's answer: is cut short");
    const auto out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  std::string_view rest_;
};

// The numbers are those of criu_opts.
std::string encode_options(const CriuOptions& options) {
  constexpr int kDebug = 4;
  Writer out;
  out.number(1, options.images_fd);
  if (options.pid != 0) out.number(2, options.pid);
  out.flag(3, options.leave_running).flag(4, options.ext_unix_sk).flag(5, options.tcp_established);
  out.flag(7, options.shell_job).flag(8, options.file_locks);
  out.number(9, kDebug).text(10, options.log_file).flag(12, true).text(13, options.root);
  out.text(14, options.parent_images).flag(15, options.track_memory);
  if (options.work_fd >= 0) out.number(17, options.work_fd);
  out.flag(24, options.cgroup_mode != CriuCgroupMode::kIgnore);
  for (const auto& [controller, path] : options.cgroup_roots) {
    out.bytes(25, Writer().text(1, controller).bytes(2, path).take());
  }
  out.flag(26, options.restore_sibling);
  for (const auto& [name, number] : options.inherit) out.bytes(27, Writer().bytes(1, name).number(2, number).take());
  out.number(34, static_cast<int>(options.cgroup_mode));
  for (const auto& one : options.external) out.bytes(37, one);
  out.text(44, options.freeze_cgroup).flag(50, true).text(51, options.config_file);
  return out.take();
}

Status read_restore(std::string_view bytes, CriuAnswer& out) {
  for (Reader reader(bytes); !reader.at_end();) {
    const auto field = TRY(reader.next());
    if (field.number == 1) out.restored_pid = static_cast<int>(field.value);
  }
  return {};
}

Status read_notify(std::string_view bytes, CriuAnswer& out) {
  for (Reader reader(bytes); !reader.at_end();) {
    const auto field = TRY(reader.next());
    if (field.number == 1) out.notify_script = field.bytes;
    if (field.number == 2) out.notify_pid = static_cast<int>(field.value);
  }
  return {};
}

}  // namespace

std::string encode_criu_request(CriuRequest type, const CriuOptions& options) {
  return Writer().number(1, static_cast<int>(type)).bytes(2, encode_options(options)).take();
}

std::string encode_criu_notified(bool success) {
  return Writer().number(1, static_cast<int>(CriuRequest::kNotify)).number(3, success ? 1 : 0).take();
}

Result<CriuAnswer> decode_criu_answer(std::string_view bytes) {
  CriuAnswer out;
  for (Reader reader(bytes); !reader.at_end();) {
    const auto field = TRY(reader.next());
    switch (field.number) {
      case 1: out.type = static_cast<CriuRequest>(field.value & 0xFFU); break;
      case 2: out.success = field.value != 0; break;
      case 4: TRY(read_restore(field.bytes, out)); break;
      case 5: TRY(read_notify(field.bytes, out)); break;
      case 7: out.error_number = static_cast<int>(field.value); break;
      case 9: out.error_text = field.bytes; break;
      default: break;
    }
  }
  return out;
}

}  // namespace skerry::oci
