// JPEG to pixels and back, with libjpeg-turbo.
//
// Decoding gives what recordkit.codec.decode gives, pixel for pixel: accurate integer DCT, smooth chroma upsampling,
// EXIF orientation applied unless the image is wanted as stored. Files that libjpeg warns of, and rare kinds, are left
// to it (Unsupported).
#pragma once

#include "common.hpp"

namespace recordkit {

// Decode a JPEG. `channels` is 3 (RGB), 1 (the luma plane) or 0 (as stored: 1 or 3), as in recordkit.codec.
// Throws Unsupported.
Image decode_jpeg(Span payload, int channels);

// The same with the DCT scaling it down, by as much as leaves the short side at least `min_side` long. A scaled pixel
// stands for 8 / eighths pixels each way; the last row and column may stand for fewer.
struct Scaled {
    Image image;
    uint32_t full_width = 0;  // of the image unscaled
    uint32_t full_height = 0;
    unsigned eighths = 8;
};
Scaled decode_jpeg_scaled(Span payload, int channels, uint32_t min_side);

// Append the image as JPEG to `out`, 4:2:0 with standard Huffman tables. `quality` 1 to 100; of four channels the
// fourth is dropped. Throws Unsupported for sides above 65,500 pixels.
void encode_jpeg(const ImageView& image, int quality, std::vector<uint8_t>& out);

// EXIF orientation 1 (upright, or none) to 8, of a whole JPEG file. Throws Unsupported where that is not plain.
int jpeg_orientation(Span payload);

}  // namespace recordkit
