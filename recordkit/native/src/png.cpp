#include "png.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "deflate.hpp"
#include "orient.hpp"

namespace recordkit {
namespace {

constexpr uint8_t kSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
enum ColorType : uint8_t { kGray = 0, kRgb = 2, kPalette = 3, kGrayAlpha = 4, kRgba = 6 };

uint32_t read_big_endian(const uint8_t* bytes) {
    return uint32_t(bytes[0]) << 24 | uint32_t(bytes[1]) << 16 | uint32_t(bytes[2]) << 8 | bytes[3];
}

void put_big_endian(uint8_t* out, uint32_t word) {
    for (int n = 0; n < 4; ++n) out[n] = static_cast<uint8_t>(word >> (24 - 8 * n));
}

struct Header {
    uint32_t width, height;
    int depth, color;
    bool interlaced;

    int samples() const { return color == kRgb ? 3 : color == kGrayAlpha ? 2 : color == kRgba ? 4 : 1; }
    size_t bits_per_pixel() const { return size_t(samples()) * depth; }
};

Header parse_header(Span data) {
    if (data.size != 13) throw Unsupported("IHDR is not 13 bytes");
    const Header header{read_big_endian(data.data), read_big_endian(data.data + 4), data.data[8], data.data[9],
                        data.data[12] == 1};
    check_size(header.width, header.height);
    const int depth = header.depth;
    bool allowed_depth = depth == 8 || depth == 16;
    if (header.color == kGray) allowed_depth = allowed_depth || depth == 1 || depth == 2 || depth == 4;
    if (header.color == kPalette) allowed_depth = depth == 1 || depth == 2 || depth == 4 || depth == 8;
    const bool allowed_color = header.color == kGray || header.color == kRgb || header.color == kPalette ||
                               header.color == kGrayAlpha || header.color == kRgba;
    if (!allowed_depth || !allowed_color || data.data[10] || data.data[11] || data.data[12] > 1)
        throw Unsupported("a rare kind of PNG");
    return header;
}

// The chunks that are needed for the pixels. The spans are views of the file's bytes, which the caller of decode_png
// owns; `data` is a view of `joined` if there are several IDAT chunks.
struct Chunks {
    Header header;
    Span palette, transparency, data;
    std::vector<uint8_t> joined;
};

void take_chunk(Chunks& chunks, uint32_t type, Span body, bool* ended_data) {
    const auto is = [type](const char* name) {
        return type == read_big_endian(reinterpret_cast<const uint8_t*>(name));
    };
    if (is("IDAT")) {
        if (*ended_data) throw Unsupported("other chunks between IDAT chunks");
        if (!chunks.data.size) {
            chunks.data = body;  // data.data is not null from now on, even if all IDAT chunks are empty
            return;
        }
        if (chunks.joined.empty()) chunks.joined.assign(chunks.data.data, chunks.data.data + chunks.data.size);
        chunks.joined.insert(chunks.joined.end(), body.data, body.data + body.size);
        chunks.data = {chunks.joined.data(), chunks.joined.size()};
        return;
    }
    if (chunks.data.data) *ended_data = true;
    if (is("PLTE") || is("tRNS")) {
        Span& chunk = is("PLTE") ? chunks.palette : chunks.transparency;
        if (chunk.data || *ended_data) throw Unsupported("PLTE or tRNS is repeated, or follows IDAT");
        chunk = body;
    } else if (is("acTL") || is("eXIf") || is("fcTL") || is("fdAT") || !(type >> 24 & 0x20)) {
        throw Unsupported("animated, turned by EXIF, or with a critical chunk of another standard");
    }
}

constexpr uint32_t kIend = 0x49454e44;

// True for four ASCII letters, as all chunks have.
bool is_name(const uint8_t* name) {
    return std::all_of(name, name + 4, [](uint8_t byte) { return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'; });
}

Chunks parse_chunks(Span file) {
    if (file.size < sizeof kSignature || std::memcmp(file.data, kSignature, sizeof kSignature))
        throw Unsupported("not a PNG");
    Chunks chunks{};
    bool first = true, ended_data = false;
    size_t n_chunks = 0;
    for (size_t offset = sizeof kSignature;;) {
        if (file.size - offset < 12) throw Unsupported("ends before IEND");
        const uint32_t size = read_big_endian(file.data + offset), type = read_big_endian(file.data + offset + 4);
        if (size > file.size - offset - 12) throw Unsupported("a chunk ends after the file");
        const Span body = file.sub(offset + 8, size);
        offset += size_t(size) + 12;
        if (!is_name(body.data - 4)) throw Unsupported("a chunk without a name");
        if (type != kIend && ++n_chunks > max_parts(file.size)) throw Unsupported("too many chunks");
        if (crc32_of(file.sub(offset - size - 8, size_t(size) + 4)) != read_big_endian(body.data + size)) {
            const bool is_ancillary = type >> 24 & 0x20;
            if (!is_ancillary || first || chunks.data.data) throw Unsupported("a chunk's CRC is wrong");
            continue;  // the image is read without it
        }
        if (first) {
            if (type != 0x49484452) throw Unsupported("IHDR is not first");
            chunks.header = parse_header(body);
            first = false;
        } else if (type == kIend) {
            if (!chunks.data.data) throw Unsupported("no IDAT");
            return chunks;
        } else {
            take_chunk(chunks, type, body, &ended_data);
        }
    }
}

uint8_t paeth(int left, int up, int corner) {
    const int estimate = left + up - corner;
    const int a = std::abs(estimate - left), b = std::abs(estimate - up), c = std::abs(estimate - corner);
    return static_cast<uint8_t>(a <= b && a <= c ? left : b <= c ? up : corner);
}

constexpr uint8_t kLastFilter = 4;

[[noreturn]] void reject_filter() { throw Unsupported("a filter that PNG does not have"); }

// Undo the filter of one row in place. `above` is the previous row, or zeros for the first row; `step` is the bytes of
// a pixel, at least 1.
void unfilter(uint8_t filter, uint8_t* row, const uint8_t* above, size_t n, size_t step) {
    switch (filter) {
        case 0: return;
        case 1:
            for (size_t i = step; i < n; ++i) row[i] = static_cast<uint8_t>(row[i] + row[i - step]);
            return;
        case 2:
            for (size_t i = 0; i < n; ++i) row[i] = static_cast<uint8_t>(row[i] + above[i]);
            return;
        case 3:
            for (size_t i = 0; i < n; ++i)
                row[i] = static_cast<uint8_t>(row[i] + ((i < step ? 0 : row[i - step]) + above[i]) / 2);
            return;
        case 4:
            for (size_t i = 0; i < n; ++i)
                row[i] = static_cast<uint8_t>(row[i] +
                                              (i < step ? above[i] : paeth(row[i - step], above[i], above[i - step])));
            return;
        default: reject_filter();
    }
}

// One of the seven images in an interlaced file: its pixels are at `left`, `left` + `step_x` ... and `top` ... of the
// whole image.
struct Pass {
    uint32_t left, top, step_x, step_y;

    uint32_t width(const Header& header) const {
        return header.width > left ? (header.width - left - 1) / step_x + 1 : 0;
    }
    uint32_t height(const Header& header) const {
        return header.height > top ? (header.height - top - 1) / step_y + 1 : 0;
    }
};

constexpr Pass kWhole[] = {{0, 0, 1, 1}};
constexpr Pass kAdam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                           {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

template <typename Do>
void each_pass(const Header& header, Do&& act) {
    const Pass* const passes = header.interlaced ? kAdam7 : kWhole;
    for (int n = 0; n < (header.interlaced ? 7 : 1); ++n)
        if (passes[n].width(header) && passes[n].height(header)) act(passes[n]);
}

size_t row_bytes(const Header& header, uint32_t width) { return (width * header.bits_per_pixel() + 7) / 8; }

// The most bytes to which deflate expands one byte: 2 bits can repeat 258 bytes.
constexpr size_t kMaxInflated = 1032;

// Decompress the filtered rows, whose size is known from the header. The result belongs to the calling thread, until it
// decompresses the next image.
std::vector<uint8_t>& inflate(const Chunks& chunks) {
    thread_local std::vector<uint8_t> rows;
    size_t size = 0;
    each_pass(chunks.header, [&](const Pass& pass) {
        size += (row_bytes(chunks.header, pass.width(chunks.header)) + 1) * pass.height(chunks.header);
    });
    if (size / kMaxInflated > chunks.data.size) throw Unsupported("too little data for its size");
    if (rows.size() < size) rows.resize(size);
    if (!zlib_decompress(chunks.data, {rows.data(), size})) throw Unsupported("the compressed data are damaged");
    return rows;
}

// Converts stored samples into the pixels that the reference engine returns for `channels` 0, as stored.
class Expander {
  public:
    Expander(const Chunks& chunks, int channels)
        : header_(chunks.header), palette_(chunks.palette), transparency_(chunks.transparency) {
        const Header& header = header_;
        if (header.color == kPalette && (palette_.size % 3 || !palette_.size || palette_.size > 768))
            throw Unsupported("PLTE is missing or odd");
        if (transparency_.data && (header.color == kGrayAlpha || header.color == kRgba))
            throw Unsupported("tRNS beside alpha");
        if (transparency_.data && header.color == kPalette && transparency_.size > palette_.size / 3)
            throw Unsupported("tRNS is too long");
        if (transparency_.data && header.color != kPalette && transparency_.size < size_t(header.samples()) * 2)
            throw Unsupported("tRNS is cut short");
        // A single transparent colour matters only if the result has alpha; then the reference engine decodes the file.
        if (transparency_.data && header.color == kRgb && (channels == 0 || channels == 4))
            throw Unsupported("one transparent colour");
        if (header.color == kGrayAlpha) channels_ = 4;
        else if (header.color == kPalette) channels_ = transparency_.data ? 4 : 3;
        else channels_ = static_cast<uint32_t>(header.samples());
    }

    uint32_t channels() const { return channels_; }

    // True if each sample that the header allows has a colour, so that `expand` throws for none.
    bool has_all_colors() const { return header_.color != kPalette || palette_.size / 3 >= size_t(1) << header_.depth; }

    void expand(const uint8_t* row, uint32_t x, uint8_t* out) const {
        if (header_.depth < 8) return indexed(packed(row, x), out);
        const size_t bytes = header_.depth / 8;
        const uint8_t* pixel = row + size_t(x) * header_.samples() * bytes;  // the high byte of 16-bit samples is first
        switch (header_.color) {
            case kPalette: return indexed(pixel[0], out);
            case kGrayAlpha:
                out[0] = out[1] = out[2] = pixel[0];
                out[3] = pixel[bytes];
                return;
            default:
                for (uint32_t c = 0; c < channels_; ++c) out[c] = pixel[c * bytes];
        }
    }

  private:
    unsigned packed(const uint8_t* row, uint32_t x) const {
        const size_t bit = size_t(x) * header_.depth;
        return row[bit / 8] >> (8 - header_.depth - bit % 8) & ((1u << header_.depth) - 1);
    }

    void indexed(unsigned value, uint8_t* out) const {
        if (header_.color == kGray) {
            out[0] = static_cast<uint8_t>(value * 255 / ((1u << header_.depth) - 1));
            return;
        }
        const size_t color = size_t(value) * 3;
        if (color >= palette_.size) throw Unsupported("a pixel beyond the palette");
        std::memcpy(out, palette_.data + color, 3);
        if (channels_ == 4) out[3] = value < transparency_.size ? transparency_.data[value] : 255;
    }

    const Header& header_;  // owned by the Chunks of decode_png
    Span palette_, transparency_;
    uint32_t channels_;
};

// Write a row into the image. 8-bit rows without a palette are copied; others are converted pixel by pixel.
void store_row(const Chunks& chunks, const Expander& expander, const Pass& pass, const uint8_t* row, uint32_t y,
               Image& image) {
    const Header& header = chunks.header;
    uint8_t* out = image.row(size_t(pass.top) + size_t(y) * pass.step_y);
    if (!header.interlaced && header.depth == 8 && header.color != kPalette && header.color != kGrayAlpha) {
        std::memcpy(out, row, size_t(image.width) * image.channels);
        return;
    }
    const uint32_t width = pass.width(header);
    for (uint32_t x = 0; x < width; ++x)
        expander.expand(row, x, out + (size_t(pass.left) + size_t(x) * pass.step_x) * image.channels);
}

Image decode_chunks(const Chunks& chunks, int channels) {
    const Header& header = chunks.header;
    const Expander expander(chunks, channels);
    std::vector<uint8_t>& rows = inflate(chunks);
    const ScratchTrimmer<uint8_t> trimmer{rows};
    uint8_t* row = rows.data();
    Image image(header.width, header.height, expander.channels());
    const size_t step = std::max<size_t>(header.bits_per_pixel() / 8, 1);
    each_pass(header, [&](const Pass& pass) {
        const size_t n = row_bytes(header, pass.width(header));
        const std::vector<uint8_t> zeros(n);
        const uint8_t* above = zeros.data();
        for (uint32_t y = 0; y < pass.height(header); ++y, row += n + 1) {
            unfilter(row[0], row + 1, above, n, step);
            store_row(chunks, expander, pass, row + 1, y, image);
            above = row + 1;
        }
    });
    const auto n_channels = static_cast<uint32_t>(channels);
    return channels && image.channels != n_channels ? to_channels(image.view(), n_channels) : image;
}

}  // namespace

Image decode_png(Span payload, int channels) { return decode_chunks(parse_chunks(payload), channels); }

void check_png(Span payload) {
    const Chunks chunks = parse_chunks(payload);
    const Header& header = chunks.header;
    if (!Expander(chunks, 0).has_all_colors()) {
        decode_chunks(chunks, 0);
        return;
    }
    std::vector<uint8_t>& rows = inflate(chunks);
    const ScratchTrimmer<uint8_t> trimmer{rows};
    const uint8_t* row = rows.data();
    each_pass(header, [&](const Pass& pass) {
        const size_t n = row_bytes(header, pass.width(header));
        for (uint32_t y = 0; y < pass.height(header); ++y, row += n + 1)
            if (row[0] > kLastFilter) reject_filter();
    });
}

namespace {

// Filter a row and return the sum of its absolute differences; a small sum means that the row compresses well. The
// filter is known and the first pixel is apart, so that compilers use vector instructions.
template <int kFilter>
uint32_t filter_row(const uint8_t* row, const uint8_t* above, size_t n, size_t step, uint8_t* out) {
    uint32_t sum = 0;  // it overflows only in rows of 33 MB, where another filter is then taken
    const auto filter_byte = [&](size_t i, int left, int corner) {
        const int up = above[i];
        const int prediction = kFilter == 1   ? left
                               : kFilter == 2 ? up
                               : kFilter == 3 ? (left + up) / 2
                                              : paeth(left, up, corner);
        out[i] = static_cast<uint8_t>(row[i] - prediction);
        sum += static_cast<uint32_t>(std::abs(static_cast<int8_t>(out[i])));
    };
    for (size_t i = 0; i < step; ++i) filter_byte(i, 0, 0);
    for (size_t i = step; i < n; ++i) filter_byte(i, row[i - step], above[i - step]);
    return sum;
}

constexpr decltype(&filter_row<1>) kFilterRow[] = {filter_row<1>, filter_row<2>, filter_row<3>, filter_row<4>};

// Images up to this size, such as digits on black, become larger if they are filtered.
constexpr size_t kMaxUnfilteredBytes = 4096;

void filter_image(const ImageView& image, std::vector<uint8_t>& out) {
    const size_t n = size_t(image.width) * image.channels;
    out.resize((n + 1) * image.height);
    thread_local std::vector<uint8_t> zeros, best;
    zeros.assign(n, 0);
    best.resize(n);
    const bool small = n * image.height <= kMaxUnfilteredBytes;
    for (uint32_t y = 0; y < image.height; ++y) {
        uint8_t* filtered = &out[(n + 1) * y];
        const uint8_t* above = y ? image.row(y - 1) : zeros.data();
        filtered[0] = 0;
        std::memcpy(filtered + 1, image.row(y), n);
        if (small) continue;
        size_t least = SIZE_MAX;
        for (uint8_t filter = 1; filter <= 4; ++filter) {
            const size_t sum = kFilterRow[filter - 1](image.row(y), above, n, image.channels, best.data());
            if (sum >= least) continue;
            least = sum;
            filtered[0] = filter;
            std::memcpy(filtered + 1, best.data(), n);
        }
    }
}

void append_chunk(const char* type, const uint8_t* body, size_t size, std::vector<uint8_t>& out) {
    const size_t begin = out.size();
    out.resize(begin + 12 + size);
    put_big_endian(&out[begin], static_cast<uint32_t>(size));
    std::memcpy(&out[begin + 4], type, 4);
    if (size) std::memcpy(&out[begin + 8], body, size);
    put_big_endian(&out[begin + 8 + size], crc32_of({&out[begin + 4], size + 4}));
}

}  // namespace

void encode_png(const ImageView& image, int level, std::vector<uint8_t>& out) {
    thread_local std::vector<uint8_t> rows, packed;
    const ScratchTrimmer<uint8_t> rows_trimmer{rows}, packed_trimmer{packed};
    filter_image(image, rows);
    const size_t size = zlib_compress({rows.data(), rows.size()}, level < 0 ? 0 : level > 9 ? 9 : level, packed);
    if (!size || size > INT32_MAX) throw Unsupported("the image is too large for one PNG chunk");
    uint8_t header[13] = {};
    put_big_endian(header, image.width);
    put_big_endian(header + 4, image.height);
    header[8] = 8;
    header[9] = image.channels == 1 ? kGray : image.channels == 3 ? kRgb : kRgba;
    out.insert(out.end(), kSignature, kSignature + sizeof kSignature);
    append_chunk("IHDR", header, sizeof header, out);
    append_chunk("IDAT", packed.data(), size, out);
    append_chunk("IEND", nullptr, 0, out);
}

}  // namespace recordkit
