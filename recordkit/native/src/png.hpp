// PNG decoding and encoding; deflate.hpp compresses the data.
//
// Decoded pixels are equal to those of recordkit.codec.decode. Files that are damaged in any way, are animated (acTL)
// or have EXIF (eXIf) are left to the reference engine (Unsupported). Source: PNG Specification (Third Edition), W3C.
#pragma once

#include "common.hpp"

namespace recordkit {

// Decode a PNG. `channels` is 3 (RGB), 1 (gray), 4 (RGBA) or 0 (1, 3 or 4, as stored), as in recordkit.codec. Throws
// Unsupported; for a wrong size, before memory is allocated.
Image decode_png(Span payload, int channels);

// Check a PNG as decode_png does for `channels` 0, without making the pixels. Throws Unsupported for the same files.
void check_png(Span payload);

// Append the image as PNG to `out`: 8 bits a sample, colour type by the number of channels, not interlaced. `level` is
// 0 (stored) to 9 (smallest).
void encode_png(const ImageView& image, int level, std::vector<uint8_t>& out);

}  // namespace recordkit
