// JPEG decoding and encoding, with libjpeg-turbo.
//
// Decoded pixels are equal to those of recordkit.codec.decode: accurate integer DCT, smooth chroma upsampling, and EXIF
// orientation applied unless the image is wanted as stored. Files for which libjpeg gives a warning, and rare kinds,
// are left to the reference engine (Unsupported).
#pragma once

#include <array>

#include "common.hpp"
#include "taps.hpp"

namespace recordkit {

// Decode a JPEG. `channels` is 3 (RGB), 1 (luma), 4 (RGB and alpha 255) or 0 (1 or 3, as stored), as in
// recordkit.codec. Throws Unsupported.
Image decode_jpeg(Span payload, int channels);

// A part of an image that was decoded at a reduced size: both sides are scaled by `eighths` / 8 and rounded up.
struct DecodedPart {
    Image image;
    uint32_t left = 0, top = 0;  // position of the part in the whole image, in pixels of the reduced size
    unsigned eighths = 8;
};

// One of the planes Y, Cb and Cr of a JPEG, as it is stored. Chroma often has fewer samples than the image has pixels.
struct Plane {
    Image blocks;  // one channel, whole blocks of the JPEG; the samples begin at its upper left
    uint32_t width = 0, height = 0;
    Upsampling columns, rows;

    ImageView view() const { return blocks.view().part({0, 0, width, height}); }
};

// A JPEG whose header has been read, so that a caller can choose from its size which part to decode.
class Jpeg {
  public:
    Jpeg(Span payload, int channels);  // `payload` must outlive this object. Throws Unsupported.
    ~Jpeg();
    Jpeg(const Jpeg&) = delete;
    Jpeg& operator=(const Jpeg&) = delete;

    bool is_gray() const;
    bool has_planes() const;  // it is stored as Y, Cb and Cr

    // Size of the upright image.
    uint32_t width() const;
    uint32_t height() const;

    // Decode at least `part`, given in pixels of the full-size image, scaled by `eighths` (8, 4, 2 or 1) / 8. The scale
    // may stay 1, see the result. The pixels are equal to those of the whole image decoded at this scale. Damage in
    // other parts of the file may go unnoticed. Throws Unsupported.
    DecodedPart decode_part(const Rect& part, unsigned eighths);

    // Decode the whole image, and check the file to its end.
    Image decode();

    // Check the file to its end as `decode` does, without making the pixels. Throws Unsupported for the same files.
    void check();

    // Decode to Y, Cb and Cr, and check the file to its end. With `halve_chroma`, chroma may have half of its columns
    // and rows, by a smaller inverse DCT. Throws Unsupported also for images that are not stored as these planes, or not
    // upright.
    std::array<Plane, 3> decode_planes(bool halve_chroma);

  private:
    struct Decoder;
    std::unique_ptr<Decoder> decoder_;
};

// Append the image as JPEG to `out`, with 4:2:0 subsampling and the standard Huffman tables. `quality` is 1 to 100. The
// fourth of four channels is dropped. Throws Unsupported for sides above 65,500 pixels.
void encode_jpeg(const ImageView& image, int quality, std::vector<uint8_t>& out);

// Append an image of this size, given as planes Y, Cb and Cr, to `out`. The columns of a plane fill whole blocks of 8;
// chroma has half of luma's columns and rows, rounded up.
void encode_jpeg_planes(const std::array<Image, 3>& planes, uint32_t width, uint32_t height, int quality,
                        std::vector<uint8_t>& out);

}  // namespace recordkit
