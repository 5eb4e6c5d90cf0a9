// What every file of the native core shares: views of memory, images, and the errors that the files that know Python
// (module*.cpp) turn into those of recordkit.errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace recordkit {

// Pillow's limit, a quarter of a GiB of RGB; the same number as recordkit.sample.MAX_PIXELS.
constexpr uint64_t kMaxPixels = 89478485;

// Bytes that somebody else owns, for at least as long as the call they are passed to.
struct Span {
    const uint8_t* data = nullptr;
    size_t size = 0;

    Span sub(size_t begin, size_t length) const { return {data + begin, length}; }
};

// A part of an image, in whole pixels.
struct Rect {
    uint32_t left = 0, top = 0, width = 0, height = 0;

    uint32_t right() const { return left + width; }
    uint32_t bottom() const { return top + height; }
};

// Pixels that somebody else owns: uint8, rows from the top, channels interleaved, 1 (gray), 3 (RGB) or 4 (RGBA).
struct ImageView {
    const uint8_t* data = nullptr;
    uint32_t width = 0;
    uint32_t height = 0;
    uint32_t channels = 0;
    size_t stride = 0;  // bytes from one row to the next

    const uint8_t* row(size_t y) const { return data + y * stride; }
    ImageView part(const Rect& rect) const {
        return {row(rect.top) + size_t(rect.left) * channels, rect.width, rect.height, channels, stride};
    }
};

// For a vector whose elements are all written before they are read: it does not set them to zero first.
template <typename T>
struct Unset : std::allocator<T> {
    template <typename U>
    struct rebind {
        using other = Unset<U>;
    };
    template <typename U>
    void construct(U* at) noexcept {
        ::new (static_cast<void*>(at)) U;
    }
    template <typename U, typename... Arguments>
    void construct(U* at, Arguments&&... arguments) {
        ::new (static_cast<void*>(at)) U(std::forward<Arguments>(arguments)...);
    }
};

// Pixels of its own; whoever makes it writes them all.
struct Image {
    uint32_t width = 0;
    uint32_t height = 0;
    uint32_t channels = 0;
    std::vector<uint8_t, Unset<uint8_t>> pixels;

    Image() = default;
    Image(uint32_t w, uint32_t h, uint32_t c) : width(w), height(h), channels(c), pixels(size_t(w) * h * c) {}

    uint8_t* row(size_t y) { return pixels.data() + y * width * channels; }
    ImageView view() const { return {pixels.data(), width, height, channels, size_t(width) * channels}; }
};

// The input is damaged, or of a kind that the core leaves to the reference engine, which then decides and words the
// error. So a decoder here need not be lenient: whatever it accepts has the pixels that the reference gives.
struct Unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The bytes of a file are not what its format says; becomes FormatError, or TruncatedError where the file ends early.
struct FormatFault : std::runtime_error {
    FormatFault(const std::string& expected, const std::string& got, uint64_t offset, bool truncated = false,
                const std::string& advice = "")
        : std::runtime_error("expected " + expected + ", got " + got), expected(expected), got(got), advice(advice),
          offset(offset), truncated(truncated) {}
    std::string expected, got;
    std::string advice;  // empty: verify the file
    uint64_t offset;     // in the file, in bytes
    bool truncated;
};

// Threads keep their scratch memory from image to image, but not that of a huge one.
constexpr size_t kKeptBytes = size_t(1) << 25;

template <typename T>
struct Trimmed {
    std::vector<T>& scratch;
    ~Trimmed() {
        if (scratch.capacity() * sizeof(T) > kKeptBytes) std::vector<T>().swap(scratch);
    }
};

inline void check_size(uint64_t width, uint64_t height) {
    if (width == 0 || height == 0 || width > kMaxPixels || height > kMaxPixels || width * height > kMaxPixels)
        throw Unsupported("too many pixels, or none");
}

}  // namespace recordkit
