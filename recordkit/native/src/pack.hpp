// Transcodes one image for packing, in one pass: decode, crop, resize, encode. Defined by recordkit.packing.python.
#pragma once

#include "common.hpp"
#include "taps.hpp"

namespace recordkit {

enum class Encoding : uint8_t { jpg, png, raw };

struct Recipe {
    int channels = 3;  // 3, 1, or 0 for as stored
    bool crop = false;
    Filter filter = Filter::none;
    uint32_t side = 0;    // length of the short side after the resize
    bool planes = false;  // resize the planes of a JPEG that becomes a JPEG, without RGB in between
    Encoding encoding = Encoding::jpg;
    int quality = 95;
};

// Append the transcoded image to `out`. Throws Unsupported, and then leaves `out` as it was.
void transcode(Span payload, const Recipe& recipe, std::vector<uint8_t>& out);

// Append decoded pixels, transcoded in the same way, to `out`.
void encode_pixels(const ImageView& image, const Recipe& recipe, std::vector<uint8_t>& out);

}  // namespace recordkit
