// PNG to pixels and back, with libdeflate for the compressed data.
//
// Decoding gives what recordkit.codec.decode gives, pixel for pixel; files that are damaged in any way, animated (acTL)
// or have EXIF (eXIf) are left to it (Unsupported). Source: PNG Specification (Third Edition), W3C.
#pragma once

#include "common.hpp"

namespace recordkit {

// Decode a PNG. `channels` is 3 (RGB), 1 (gray), 4 (RGB and alpha) or 0 (as stored: 1, 3 or 4), as in recordkit.codec.
// Throws Unsupported, before memory is asked for where the size is at fault.
Image decode_png(Span payload, int channels);

// Append the image as PNG to `out`: 8 bits a sample, colour type by the number of channels, not interlaced.
// `level` 0 (stored) to 9 (smallest).
void encode_png(const ImageView& image, int level, std::vector<uint8_t>& out);

}  // namespace recordkit
