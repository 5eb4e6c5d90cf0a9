// Types shared by all files of the native core: views of memory, images, and the exceptions that the Python bindings
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

// Pillow's limit, a quarter of a GiB of RGB; equal to recordkit.sample.MAX_PIXELS.
constexpr uint64_t kMaxPixels = 89478485;

// Most scans of a JPEG; equal to recordkit.formats.images.image_parts.MAX_SCANS.
constexpr int kMaxScans = 100;

// Most segments of a JPEG before its first scan, and most chunks of a PNG before IEND, as in
// recordkit.formats.images.image_parts.
constexpr size_t max_parts(size_t file_size) { return 10000 + file_size / 1024; }

// A number and its noun, as recordkit.errors.plural says it.
inline std::string plural(uint64_t n, const char* one) { return std::to_string(n) + " " + one + (n == 1 ? "" : "s"); }

// Read-only bytes. The caller of a function owns them and keeps them for as long as the call takes.
struct Span {
    const uint8_t* data = nullptr;  // not owned; see above
    size_t size = 0;

    Span sub(size_t begin, size_t length) const { return {data + begin, length}; }
};

// Bytes to be written. The caller of a function owns them and keeps them for as long as the call takes.
struct MutableSpan {
    uint8_t* data = nullptr;  // not owned; see above
    size_t size = 0;

    MutableSpan sub(size_t begin, size_t length) const { return {data + begin, length}; }
};

// A rectangle of an image, in whole pixels.
struct Rect {
    uint32_t left = 0, top = 0, width = 0, height = 0;

    uint32_t right() const { return left + width; }
    uint32_t bottom() const { return top + height; }
};

// Read-only pixels: uint8, rows from the top, channels interleaved: 1 (gray), 3 (RGB) or 4 (RGBA). An Image, an encoded
// file or a NumPy array owns them, and has to outlive the view.
struct ImageView {
    const uint8_t* data = nullptr;  // not owned; see above
    uint32_t width = 0;
    uint32_t height = 0;
    uint32_t channels = 0;
    size_t stride = 0;  // bytes from one row to the next

    const uint8_t* row(size_t y) const { return data + y * stride; }
    ImageView part(const Rect& rect) const {
        return {row(rect.top) + size_t(rect.left) * channels, rect.width, rect.height, channels, stride};
    }
};

// Allocator of a vector that does not zero its elements, for elements that are all written before they are read.
template <typename T>
struct DefaultInitAllocator : std::allocator<T> {
    // NOLINTBEGIN(readability-identifier-naming): the standard's names
    template <typename U>
    struct rebind {
        using other = DefaultInitAllocator<U>;
    };
    // NOLINTEND(readability-identifier-naming)
    template <typename U>
    void construct(U* element) noexcept {
        ::new (static_cast<void*>(element)) U;
    }
    template <typename U, typename... Arguments>
    void construct(U* element, Arguments&&... arguments) {
        ::new (static_cast<void*>(element)) U(std::forward<Arguments>(arguments)...);
    }
};

// An image that owns its pixels, which are uninitialised at first: the code that creates an image writes them all.
struct Image {
    uint32_t width = 0;
    uint32_t height = 0;
    uint32_t channels = 0;
    std::vector<uint8_t, DefaultInitAllocator<uint8_t>> pixels;

    Image() = default;
    Image(uint32_t w, uint32_t h, uint32_t c) : width(w), height(h), channels(c), pixels(size_t(w) * h * c) {}

    uint8_t* row(size_t y) { return pixels.data() + y * width * channels; }
    ImageView view() const { return {pixels.data(), width, height, channels, size_t(width) * channels}; }
};

// The input is damaged, or of a kind that the core does not decode. The reference engine then takes over and words the
// error. A decoder here need not be lenient; but every image that it accepts has the pixels of the reference engine.
struct Unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The bytes of a file violate its format. Becomes FormatError, or TruncatedError if the file ends early.
struct FormatFault : std::runtime_error {
    FormatFault(const std::string& what_expected, const std::string& what_came, uint64_t at_offset,
                bool ends_early = false, std::string what_to_do = "")
        : std::runtime_error("expected " + what_expected + ", got " + what_came), expected(what_expected),
          got(what_came), advice(std::move(what_to_do)), offset(at_offset), truncated(ends_early) {}
    std::string expected, got;
    std::string advice;  // empty for the usual one, "run 'recordkit verify FILE'"
    uint64_t offset;     // bytes from the beginning of the file
    bool truncated;
};

// Threads keep their scratch buffers from image to image, up to this size each.
constexpr size_t kMaxScratchBytes = size_t(1) << 25;

// Frees a scratch buffer at the end of a scope if a huge image made it too large to keep.
template <typename T>
struct ScratchTrimmer {
    std::vector<T>& scratch;
    ~ScratchTrimmer() {
        if (scratch.capacity() * sizeof(T) > kMaxScratchBytes) std::vector<T>().swap(scratch);
    }
};

inline void check_size(uint64_t width, uint64_t height) {
    if (width == 0 || height == 0 || width > kMaxPixels || height > kMaxPixels || width * height > kMaxPixels)
        throw Unsupported("no pixels, or too many");
}

}  // namespace recordkit
