// Utf8Scope: libarchive's names are bytes while one lives.
#pragma once

#include <locale.h>

namespace skerry {

// libarchive converts pax names from UTF-8 to the thread's character set and mangles what does not fit. In C.UTF-8 the
// bytes stay as they are, whatever locale the process runs in.
class Utf8Scope {
 public:
  Utf8Scope() : before_(::uselocale(utf8())) {}
  Utf8Scope(const Utf8Scope&) = delete;
  Utf8Scope& operator=(const Utf8Scope&) = delete;
  ~Utf8Scope() { ::uselocale(before_); }

 private:
  static locale_t utf8() {
    static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;  // null (no such locale): uselocale only asks
  }
  locale_t before_;
};

}  // namespace skerry
