// Pixels are changed in blocks, so that several changes are made in one pass over an image. A block holds float32 values
// by channel; each change leaves whole levels in it. A change of contrast needs the mean of the image before it, so it
// begins a new pass. The code of a pass, color_run.hpp, is plain loops, which the compiler turns into vector
// instructions.
#include "color.hpp"

#include <algorithm>
#include <cmath>

#if defined(__x86_64__)
#include "cpu.hpp"
#define RECORDKIT_X86 1
#endif

namespace recordkit {
namespace {

constexpr uint32_t kBlock = 256;

// Colours of consecutive pixels. Values behind the last pixel of an image are those of earlier pixels.
struct Block {
    alignas(32) float values[3][kBlock] = {};
    alignas(32) uint8_t levels[3][kBlock] = {};  // while pixels are read and written
    uint32_t channels = 0;
};

// Changes that are made in one pass.
struct ColorJob {
    Image& image;  // of the caller of `change_colors`, as are the changes
    const ColorChange* begin;
    const ColorChange* end;
    float offset;  // added by a change of contrast, which is the first one
};

namespace portable {
#define TARGET
#include "color_run.hpp"
#undef TARGET
}  // namespace portable

#if RECORDKIT_X86
namespace avx2 {
#define TARGET __attribute__((target("avx2")))
#include "color_run.hpp"
#undef TARGET
}  // namespace avx2
#endif

using RunFunction = void (*)(const ColorJob&);

RunFunction fastest_run() {
#if RECORDKIT_X86
    if (has_avx2()) return avx2::run;
#endif
    return portable::run;
}

void paint(Image& image, const ColorChange& change) {
    const uint32_t channels = std::min(image.channels, 3u);
    for (uint32_t y = change.rect.top; y < change.rect.bottom(); ++y) {
        uint8_t* pixel = image.row(y) + size_t(change.rect.left) * image.channels;
        for (uint32_t x = 0; x < change.rect.width; ++x, pixel += image.channels)
            std::fill_n(pixel, channels, change.fill);
    }
}

// Return the sum of the values of each channel except alpha.
std::vector<uint64_t> channel_sums(const Image& image) {
    const uint32_t channels = std::min(image.channels, 3u);
    std::vector<uint64_t> sums(channels);
    const size_t n_pixels = size_t(image.width) * image.height;
    for (size_t begin = 0; begin < n_pixels; begin += 1 << 16) {  // whose sums fit 32 bits
        const size_t n = std::min<size_t>(1 << 16, n_pixels - begin);
        const uint8_t* const pixels = image.pixels.data() + begin * image.channels;
        for (uint32_t c = 0; c < channels; ++c) {
            uint32_t sum = 0;
            for (size_t i = 0; i < n; ++i) sum += pixels[i * image.channels + c];
            sums[c] += sum;
        }
    }
    return sums;
}

// Return what a change of contrast adds to all values.
float contrast_offset(const Image& image, double factor) {
    const auto sums = channel_sums(image);
    const double total = sums.size() == 1 ? double(sums[0])
                                          : 0.299 * double(sums[0]) + 0.587 * double(sums[1]) + 0.114 * double(sums[2]);
    return static_cast<float>((1 - factor) * (total / (double(image.width) * image.height)));
}

bool has_no_meaning_for_gray(ColorChange::Kind kind) {
    using Kind = ColorChange::Kind;
    return kind == Kind::saturate || kind == Kind::mix || kind == Kind::gray || kind == Kind::add;
}

void change_colors_with(RunFunction run, Image& image, const std::vector<ColorChange>& all) {
    using Kind = ColorChange::Kind;
    std::vector<ColorChange> changes;
    for (const ColorChange& change : all)
        if (image.channels > 1 || !has_no_meaning_for_gray(change.kind)) changes.push_back(change);
    if (image.channels == 1)  // the lightness of gray is its only value
        for (ColorChange& change : changes)
            if (change.kind == Kind::hsl) {
                change.kind = Kind::add;
                change.shift[0] = change.shift[2];
            }
    const ColorChange* const end = changes.data() + changes.size();
    for (const ColorChange* begin = changes.data(); begin != end;) {
        const ColorChange* next = begin + 1;
        if (begin->kind == Kind::paint) {
            paint(image, *begin);
        } else {
            const auto needs_a_pass = [](const ColorChange& each) {
                return each.kind == Kind::contrast || each.kind == Kind::paint;
            };
            next = std::find_if(next, end, needs_a_pass);
            run({image, begin, next, begin->kind == Kind::contrast ? contrast_offset(image, begin->factor) : 0.0f});
        }
        begin = next;
    }
}

}  // namespace

void change_colors(Image& image, const std::vector<ColorChange>& changes) {
    change_colors_with(fastest_run(), image, changes);
}

void change_colors_portable(Image& image, const std::vector<ColorChange>& changes) {
    change_colors_with(portable::run, image, changes);
}

}  // namespace recordkit
