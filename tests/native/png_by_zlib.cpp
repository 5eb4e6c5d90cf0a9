// PNG by zlib as functions of C, for test_zlib.py: png.cpp and deflate_zlib.cpp without the rest of the core.
#include <cstdint>
#include <cstring>

#include "deflate.hpp"
#include "png.hpp"

using namespace recordkit;

extern "C" {

// Return "zlib", or "libdeflate" if the other file was compiled.
const char* library() { return deflate_library().name; }

// Decode as stored. Write height, width and channels, and up to `capacity` bytes of pixels. Return 0 if the file is left
// to the reference engine.
int decode(const uint8_t* file, size_t size, uint32_t* shape, uint8_t* pixels, size_t capacity) {
    try {
        const Image image = decode_png({file, size}, 0);
        if (image.pixels.size() > capacity) return 0;
        shape[0] = image.height, shape[1] = image.width, shape[2] = image.channels;
        std::memcpy(pixels, image.pixels.data(), image.pixels.size());
        return 1;
    } catch (const Unsupported&) {
        return 0;
    }
}

// Encode pixels (height, width, channels). Return the size of the file, of which up to `capacity` bytes are written.
size_t encode(const uint8_t* pixels, const uint32_t* shape, int level, uint8_t* file, size_t capacity) {
    std::vector<uint8_t> out;
    encode_png({pixels, shape[1], shape[0], shape[2], size_t(shape[1]) * shape[2]}, level, out);
    std::memcpy(file, out.data(), out.size() < capacity ? out.size() : capacity);
    return out.size();
}
}
