// JPEG to pixels and back, with libjpeg-turbo.
//
// Decoding gives what recordkit.codec.decode gives, pixel for pixel: accurate integer DCT, smooth chroma upsampling,
// EXIF orientation applied unless the image is wanted as stored. Files that libjpeg warns of, and rare kinds, are left
// to it (Unsupported).
#pragma once

#include "common.hpp"

namespace recordkit {

// Decode a JPEG. `channels` is 3 (RGB), 1 (the luma plane), 4 (RGB and 255) or 0 (as stored: 1 or 3), as in recordkit.codec.
// Throws Unsupported.
Image decode_jpeg(Span payload, int channels);

// A part of a decoded image that may have been scaled down: to `eighths` / 8 in both directions, a last pixel that is not
// whole with it. Sides and place are in its own pixels.
struct Decoded {
    Image image;
    uint32_t left = 0, top = 0;
    unsigned eighths = 8;
};

// A JPEG whose head was read, so that what is wanted of it can be chosen by its size.
class Jpeg {
  public:
    Jpeg(Span payload, int channels);  // throws Unsupported
    ~Jpeg();
    Jpeg(const Jpeg&) = delete;
    Jpeg& operator=(const Jpeg&) = delete;

    // Sides of the upright image.
    uint32_t width() const;
    uint32_t height() const;

    // Decode at least the part `wanted`, which is in pixels of the whole image, scaled down to `eighths` (8, 4, 2 or 1)
    // or not at all; all of its pixels are as if the whole image had been decoded so. Damage elsewhere may go unseen.
    // Throws Unsupported.
    Decoded decode(const Rect& wanted, unsigned eighths);

    // Decode all, and look at the file to its end.
    Image decode();

  private:
    struct Decoder;
    std::unique_ptr<Decoder> decoder_;
};

// Append the image as JPEG to `out`, 4:2:0 with standard Huffman tables. `quality` 1 to 100; of four channels the
// fourth is dropped. Throws Unsupported for sides above 65,500 pixels.
void encode_jpeg(const ImageView& image, int quality, std::vector<uint8_t>& out);

}  // namespace recordkit
