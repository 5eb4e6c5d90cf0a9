// zlib streams and CRC-32 for PNG. deflate_libdeflate.cpp implements them, or deflate_zlib.cpp where libdeflate.h is
// missing: slower, and the files that it writes have other bytes, but the same pixels. setup.py compiles one of the two.
#pragma once

#include <string>

#include "common.hpp"

namespace recordkit {

// The library that is compiled in.
struct DeflateLibrary {
    const char* name;
    std::string version;
};
DeflateLibrary deflate_library();

// Decompress a zlib stream. Return false if it is damaged, ends before or after the end of `packed`, or has fewer or
// more bytes than `out`.
bool zlib_decompress(Span packed, MutableSpan out);

// Compress into a zlib stream of level 0 (stored) to 9 (smallest). Return the size of the stream at the beginning of
// `out`, which grows to hold it; 0 if the library cannot compress the data.
size_t zlib_compress(Span data, int level, std::vector<uint8_t>& out);

uint32_t crc32_of(Span data);

}  // namespace recordkit
