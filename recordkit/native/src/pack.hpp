// What packing does to one image, in one go: decode, crop, resize, encode. The meaning is recordkit.packing.python's.
#pragma once

#include "common.hpp"
#include "taps.hpp"

namespace recordkit {

enum class Encoding { jpg, png, raw };

struct Recipe {
    int channels = 3;  // 3, 1, or 0 for as stored
    bool crop = false;
    Filter filter = Filter::none;
    uint32_t side = 0;  // the short side's length after the resize
    Encoding encoding = Encoding::jpg;
    int quality = 95;
};

// Append what an encoded image becomes to `out`. Throws Unsupported, with `out` as it was.
void transcode(Span payload, const Recipe& recipe, std::vector<uint8_t>& out);

// The same for pixels.
void encode_pixels(const ImageView& image, const Recipe& recipe, std::vector<uint8_t>& out);

}  // namespace recordkit
