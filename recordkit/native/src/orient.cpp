#include "orient.hpp"

#include <cstring>
#include <utility>

namespace recordkit {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;

// Reads numbers of a TIFF block in the block's byte order.
struct TiffReader {
    Span block;
    bool little_endian;

    // Read a number of `size` bytes; false if it lies outside the block.
    bool number(size_t offset, size_t size, uint32_t* value) const {
        if (offset > block.size || size > block.size - offset) return false;
        *value = 0;
        for (size_t n = 0; n < size; ++n)
            *value = *value << 8 | block.data[offset + (little_endian ? size - 1 - n : n)];
        return true;
    }
};

}  // namespace

int exif_orientation(Span block) {
    if (block.size < 4) return 1;
    const bool little_endian = !std::memcmp(block.data, "II*\0", 4);
    if (!little_endian && std::memcmp(block.data, "MM\0*", 4)) return 1;
    const TiffReader tiff{block, little_endian};
    uint32_t begin, n_fields;
    if (!tiff.number(4, 4, &begin) || !tiff.number(begin, 2, &n_fields)) return 1;
    for (size_t field = 0; field < n_fields; ++field) {
        const size_t field_offset = size_t(begin) + 2 + 12 * field;
        uint32_t tag, value;
        if (!tiff.number(field_offset, 2, &tag) || !tiff.number(field_offset + 8, 2, &value)) return 1;
        if (tag == kOrientationTag) return value >= 2 && value <= 8 ? static_cast<int>(value) : 1;
    }
    return 1;
}

Image upright(Image image, int orientation) {
    if (orientation <= 1 || orientation > 8) return image;
    const bool swapped = swaps_sides(orientation), rows = flips_rows(orientation), columns = flips_columns(orientation);
    const size_t height = image.height, width = image.width, channels = image.channels;
    Image result(swapped ? image.height : image.width, swapped ? image.width : image.height, image.channels);
    uint8_t* out = result.pixels.data();
    for (size_t y = 0; y < result.height; ++y) {
        for (size_t x = 0; x < result.width; ++x, out += channels) {
            size_t from_y = swapped ? x : y, from_x = swapped ? y : x;
            if (rows) from_y = height - 1 - from_y;
            if (columns) from_x = width - 1 - from_x;
            std::memcpy(out, image.pixels.data() + (from_y * width + from_x) * channels, channels);
        }
    }
    return result;
}

Image to_channels(const ImageView& image, uint32_t channels) {
    Image result(image.width, image.height, channels);
    uint8_t* out = result.pixels.data();
    const size_t step = image.channels;
    for (uint32_t y = 0; y < image.height; ++y) {
        const uint8_t* in = image.row(y);
        for (uint32_t x = 0; x < image.width; ++x, in += step, out += channels) {
            if (channels >= 3) {
                for (size_t c = 0; c < 3; ++c) out[c] = in[step == 1 ? 0 : c];
                if (channels == 4) out[3] = step == 4 ? in[3] : 255;
            } else if (step == 1) {
                out[0] = in[0];
            } else {
                out[0] = static_cast<uint8_t>((in[0] * 19595u + in[1] * 38470u + in[2] * 7471u + 0x8000u) >> 16);
            }
        }
    }
    return result;
}

}  // namespace recordkit
