#include <libdeflate.h>

#include <array>

#include "deflate.hpp"

namespace recordkit {
namespace {

struct FreeDecompressor {
    void operator()(libdeflate_decompressor* pointer) const { libdeflate_free_decompressor(pointer); }
};
struct FreeCompressor {
    void operator()(libdeflate_compressor* pointer) const { libdeflate_free_compressor(pointer); }
};

// Both return objects that the calling thread owns and reuses; they are freed when the thread ends.
libdeflate_decompressor* decompressor() {
    thread_local std::unique_ptr<libdeflate_decompressor, FreeDecompressor> instance(libdeflate_alloc_decompressor());
    if (!instance) throw std::bad_alloc();
    return instance.get();
}

// The level of libdeflate for each level of zlib: at most as slow, and smaller files.
constexpr int kLevels[10] = {0, 1, 2, 4, 5, 6, 7, 8, 9, 12};

libdeflate_compressor* compressor(int zlib_level) {
    thread_local std::array<std::unique_ptr<libdeflate_compressor, FreeCompressor>, 10> instances;
    auto& instance = instances.at(zlib_level);
    if (!instance) instance.reset(libdeflate_alloc_compressor(kLevels[zlib_level]));
    if (!instance) throw std::bad_alloc();
    return instance.get();
}

}  // namespace

DeflateLibrary deflate_library() { return {"libdeflate", LIBDEFLATE_VERSION_STRING}; }

bool zlib_decompress(Span packed, MutableSpan out) {
    size_t used;
    return libdeflate_zlib_decompress_ex(decompressor(), packed.data, packed.size, out.data, out.size, &used,
                                         nullptr) == LIBDEFLATE_SUCCESS &&
           used == packed.size;
}

size_t zlib_compress(Span data, int level, std::vector<uint8_t>& out) {
    libdeflate_compressor* const encoder = compressor(level);
    const size_t bound = libdeflate_zlib_compress_bound(encoder, data.size);
    if (out.size() < bound) out.resize(bound);
    return libdeflate_zlib_compress(encoder, data.data, data.size, out.data(), out.size());
}

uint32_t crc32_of(Span data) { return libdeflate_crc32(0, data.data, data.size); }

}  // namespace recordkit
