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

// Append the image as JPEG to `out`, 4:2:0 with standard Huffman tables. `quality` 1 to 100; of four channels the
// fourth is dropped. Throws Unsupported for sides above 65,500 pixels.
void encode_jpeg(const ImageView& image, int quality, std::vector<uint8_t>& out);

}  // namespace recordkit
