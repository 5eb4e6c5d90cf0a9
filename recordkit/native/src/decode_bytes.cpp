#include "decode_bytes.hpp"

#include <algorithm>
#include <cstring>

#include "image_format.hpp"
#include "raw.hpp"

namespace recordkit {
namespace {

constexpr uint64_t kBlockBytes = uint64_t(64) * 2;  // the coefficients of 8 x 8 samples
constexpr uint64_t kRowBuffers = 64;  // rows that libjpeg holds at once, with what its filters need around them

unsigned read_16(const uint8_t* bytes) { return unsigned(bytes[0]) << 8 | bytes[1]; }

uint32_t read_32(const uint8_t* bytes) { return uint32_t(read_16(bytes)) << 16 | read_16(bytes + 2); }

bool is_frame(unsigned marker) {
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

bool is_progressive(unsigned marker) { return is_frame(marker) && (marker & 3) == 2; }

struct Frame {
    uint64_t width = 0, height = 0, n_components = 0;
    uint64_t coefficient_bytes = 0;  // of the whole image
    bool progressive = false;
};

// `segment` is the content of the frame header, after its length.
Frame read_frame(Span segment, unsigned marker) {
    Frame frame;
    if (segment.size < 6) return frame;
    frame.height = read_16(segment.data + 1);
    frame.width = read_16(segment.data + 3);
    frame.n_components = std::min<uint64_t>(segment.data[5], (segment.size - 6) / 3);
    frame.progressive = is_progressive(marker);
    uint64_t most_x = 1, most_y = 1, blocks_in_group = 0;
    for (size_t n = 0; n < frame.n_components; ++n) {
        const uint64_t x = segment.data[7 + 3 * n] >> 4, y = segment.data[7 + 3 * n] & 15;
        most_x = std::max(most_x, x), most_y = std::max(most_y, y);
        blocks_in_group += x * y;
    }
    const auto groups = [](uint64_t side, uint64_t most) { return (side + 8 * most - 1) / (8 * most); };
    frame.coefficient_bytes =
        groups(frame.width, most_x) * groups(frame.height, most_y) * blocks_in_group * kBlockBytes;
    return frame;
}

uint64_t jpeg_bytes(Span file, int channels) {
    Frame frame;
    bool has_exif = false;
    for (size_t offset = 2; file.size - offset >= 4;) {
        if (file.data[offset] != 0xff) return 0;  // decode_jpeg refuses bytes between the segments
        const unsigned marker = file.data[offset + 1];
        offset += 2;
        const size_t size = read_16(file.data + offset);
        if (size < 2 || size > file.size - offset) return 0;
        const Span segment = file.sub(offset + 2, size - 2);
        offset += size;
        if (is_frame(marker)) frame = read_frame(segment, marker);
        if (marker == 0xe1 && segment.size >= 6 && !std::memcmp(segment.data, "Exif", 4)) has_exif = true;
        if (marker != 0xda) continue;
        if (!frame.n_components || frame.width * frame.height > kMaxPixels || !segment.size) return 0;
        const uint64_t decoded = frame.n_components == 4 ? 4 : channels == 1 || frame.n_components == 1 ? 1 : 3;
        const uint64_t wanted = channels ? static_cast<uint64_t>(channels) : std::min<uint64_t>(decoded, 3);
        const bool is_copied = has_exif || decoded != wanted;
        const uint64_t image_bytes =
            frame.width * frame.height * (decoded + (is_copied ? std::max(decoded, wanted) : 0));
        const bool keeps_coefficients = frame.progressive || segment.data[0] < frame.n_components;
        return image_bytes + (keeps_coefficients ? frame.coefficient_bytes : 0) +
               kRowBuffers * frame.width * frame.n_components;
    }
    return 0;
}

uint64_t png_bytes(Span file, int channels) {
    if (file.size < 33) return 0;
    const uint64_t width = read_32(file.data + 16), height = read_32(file.data + 20);
    if (!width || !height || width > kMaxPixels || height > kMaxPixels || width * height > kMaxPixels) return 0;
    const unsigned depth = file.data[24], color = file.data[25];
    const uint64_t samples = color == 2 ? 3 : color == 4 ? 2 : color == 6 ? 4 : 1;
    const uint64_t decoded = color == 0 ? 1 : color == 2 ? 3 : 4;  // a palette may have alpha
    // The rows as stored, of up to seven images if they are interlaced, with a filter byte each and whole bytes.
    const uint64_t row_bytes = width * height * samples * depth / 8 + 4 * (width + height) + 64;
    const uint64_t wanted = channels ? static_cast<uint64_t>(channels) : decoded;
    return row_bytes + width * height * (decoded + (wanted == decoded ? 0 : wanted)) + file.size;  // IDATs are joined
}

uint64_t raw_bytes(Span payload, int channels) {
    try {
        const ImageView image = view_raw(payload);
        const auto wanted = static_cast<uint32_t>(channels);
        return !channels || image.channels == wanted ? 0 : uint64_t(image.width) * image.height * wanted;
    } catch (const Unsupported&) {
        return 0;
    }
}

}  // namespace

uint64_t decode_bytes(Span payload, int channels) {
    switch (format_of(payload)) {
        case ImageFormat::jpeg: return jpeg_bytes(payload, channels);
        case ImageFormat::png: return png_bytes(payload, channels);
        case ImageFormat::raw: return raw_bytes(payload, channels);
        case ImageFormat::unknown: break;
    }
    return 0;
}

}  // namespace recordkit
