#include "measure.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "image_format.hpp"
#include "jpeg.hpp"
#include "orient.hpp"
#include "png.hpp"
#include "raw.hpp"

namespace recordkit {
namespace {

enum Color : uint8_t { kGray = 1, kGrayAlpha, kColor, kColorAlpha, kPalette, kCmyk };

constexpr size_t kTableSize = 64;
using Table = std::array<uint16_t, kTableSize>;

// The luma table of ITU-T T.81, K.1, in zigzag order: that of libjpeg for quality 50.
constexpr Table kLuma{16, 11,  12, 14, 12, 10, 16,  14,  13,  14, 18, 17,  16,  19,  24,  40,  26, 24,  22,  22, 24, 49,
                      35, 37,  29, 40, 58, 51, 61,  60,  57,  51, 56, 55,  64,  72,  92,  78,  64, 68,  87,  69, 55, 56,
                      80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99};

// Return the luma table that libjpeg makes for a quality of 1 to 100.
Table luma_table(unsigned quality) {
    const unsigned percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    Table table{};
    for (size_t n = 0; n < kTableSize; ++n)
        table[n] = static_cast<uint16_t>(std::clamp((kLuma[n] * percent + 50) / 100, 1u, 255u));
    return table;
}

// Return the quality at which libjpeg makes this table; 0 if there is none.
int64_t quality_of(const Table& table) {
    static const std::array<Table, 101> tables = [] {
        std::array<Table, 101> all{};
        for (unsigned quality = 1; quality <= 100; ++quality) all[quality] = luma_table(quality);
        return all;
    }();
    const auto equal = std::find(tables.begin() + 1, tables.end(), table);
    return equal == tables.end() ? 0 : equal - tables.begin();
}

// Return the sampling of chroma by the factors of three components, each two hexadecimal digits, horizontal first.
int64_t sampling_of(const uint8_t* factors) {
    if (factors[1] != 0x11 || factors[2] != 0x11) return 0;
    switch (factors[0]) {
        case 0x11: return 444;
        case 0x12: return 440;
        case 0x21: return 422;
        case 0x22: return 420;
        case 0x41: return 411;
        case 0x42: return 410;
        default: return 0;
    }
}

unsigned read_16(const uint8_t* bytes) { return unsigned(bytes[0]) << 8 | bytes[1]; }

// The parts of a JPEG's header that say how it was encoded.
struct JpegHeader {
    std::array<Table, 4> tables{};
    unsigned luma_table = 0;
    int64_t color = 0, progressive = 0, sampling = 0;

    void read_tables(Span segment) {
        for (size_t offset = 0; offset < segment.size;) {
            const unsigned bytes = segment.data[offset] >> 4 ? 2 : 1, number = segment.data[offset] & 15;
            if (++offset + kTableSize * bytes > segment.size || number > 3) return;
            for (size_t n = 0; n < kTableSize; ++n, offset += bytes) {
                const uint8_t* const entry = segment.data + offset;
                tables[number][n] = static_cast<uint16_t>(bytes == 2 ? read_16(entry) : *entry);
            }
        }
    }

    void read_frame(Span segment, unsigned marker) {
        const size_t n_components = segment.size < 6 ? 0 : segment.data[5];
        if (!n_components || segment.size < 6 + 3 * n_components) return;
        luma_table = segment.data[8] & 3;
        progressive = (marker & 3) == 2;
        color = n_components == 1 ? kGray : n_components == 3 ? kColor : n_components == 4 ? kCmyk : 0;
        if (n_components != 3) return;
        const uint8_t factors[3]{segment.data[7], segment.data[10], segment.data[13]};
        sampling = sampling_of(factors);
    }
};

// Read the header of a JPEG that has been decoded, so that its segments follow each other.
JpegHeader read_jpeg_header(Span file) {
    JpegHeader header;
    for (size_t offset = 2; file.size - offset >= 4;) {
        const unsigned marker = file.data[offset + 1];
        const size_t size = read_16(file.data + offset + 2);
        if (marker == 0xda || size < 2 || size > file.size - offset - 2) break;
        const Span segment = file.sub(offset + 4, size - 2);
        if (marker == 0xdb) header.read_tables(segment);
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc)
            header.read_frame(segment, marker);
        offset += 2 + size;
    }
    return header;
}

// Add the pixels of an RGB image to the sums. A group has so few pixels that their squares fit into 32 bits.
void add_pixels(const ImageView& image, Measurement& facts) {
    constexpr size_t kGroup = 65536;
    static_assert(kGroup * 255 * 255 <= UINT32_MAX);
    for (size_t y = 0; y < image.height; ++y) {
        const uint8_t* pixel = image.row(y);
        for (size_t left = image.width; left;) {
            const size_t n = std::min(left, kGroup);
            uint32_t sums[3]{}, squares[3]{};
            for (size_t x = 0; x < n; ++x, pixel += 3) {
                for (size_t c = 0; c < 3; ++c) {
                    const uint32_t value = pixel[c];
                    sums[c] += value;
                    squares[c] += value * value;
                }
            }
            for (size_t c = 0; c < 3; ++c) facts.sums[c] += sums[c], facts.squares[c] += squares[c];
            left -= n;
        }
    }
}

void add_image(const ImageView& image, Measurement& facts) {
    facts.width = image.width;
    facts.height = image.height;
    add_pixels(image, facts);
}

int64_t color_of_png(uint8_t color_type) {
    switch (color_type) {
        case 0: return kGray;
        case 2: return kColor;
        case 3: return kPalette;
        case 4: return kGrayAlpha;
        default: return kColorAlpha;
    }
}

}  // namespace

Measurement measure(Span payload) {
    Measurement facts{};
    facts.n_bytes = static_cast<int64_t>(payload.size);
    switch (format_of(payload)) {
        case ImageFormat::jpeg: {
            add_image(decode_jpeg(payload, 3).view(), facts);
            const JpegHeader header = read_jpeg_header(payload);
            facts.format = 1;
            facts.color = header.color;
            facts.progressive = header.progressive;
            facts.sampling = header.sampling;
            facts.quality = quality_of(header.tables[header.luma_table]);
            return facts;
        }
        case ImageFormat::png:
            add_image(decode_png(payload, 3).view(), facts);
            facts.format = 2;
            facts.color = color_of_png(payload.data[25]);
            return facts;
        case ImageFormat::raw: {
            const ImageView image = view_raw(payload);
            facts.format = 3;
            facts.color = image.channels == 1 ? kGray : image.channels == 3 ? kColor : kColorAlpha;
            add_image(image.channels == 3 ? image : to_channels(image, 3).view(), facts);
            return facts;
        }
        case ImageFormat::unknown: break;
    }
    throw Unsupported("a format that the reference engine decodes");
}

}  // namespace recordkit
