// The format of an encoded image, by its first bytes.
#pragma once

#include <cstring>

#include "common.hpp"

namespace recordkit {

enum class ImageFormat : uint8_t { jpeg, png, raw, unknown };

inline ImageFormat format_of(Span payload) {
    const auto begins_with = [&](const char* magic, size_t size) {
        return payload.size >= size && !std::memcmp(payload.data, magic, size);
    };
    if (begins_with("\xff\xd8\xff", 3)) return ImageFormat::jpeg;
    if (begins_with("\x89PNG\r\n\x1a\n", 8)) return ImageFormat::png;
    if (begins_with("P5", 2) || begins_with("P6", 2) || begins_with("P7", 2)) return ImageFormat::raw;
    return ImageFormat::unknown;
}

}  // namespace recordkit
