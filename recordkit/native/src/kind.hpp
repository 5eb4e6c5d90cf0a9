// Which format an encoded image has, by its first bytes.
#pragma once

#include <cstring>

#include "common.hpp"

namespace recordkit {

enum class Kind { jpeg, png, raw, other };

inline Kind kind_of(Span payload) {
    const auto begins = [&](const char* magic, size_t size) {
        return payload.size >= size && !std::memcmp(payload.data, magic, size);
    };
    if (begins("\xff\xd8\xff", 3)) return Kind::jpeg;
    if (begins("\x89PNG\r\n\x1a\n", 8)) return Kind::png;
    if (begins("P5", 2) || begins("P6", 2) || begins("P7", 2)) return Kind::raw;
    return Kind::other;
}

}  // namespace recordkit
