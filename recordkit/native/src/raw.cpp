#include "raw.hpp"

#include <cstring>
#include <string>

namespace recordkit {
namespace {

constexpr char kPamDepth[] = "\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n";

// Reads a header from its beginning; `ok` becomes false at the first unexpected byte.
struct HeaderReader {
    Span payload;
    size_t next = 0;
    bool ok = true;

    void text(const std::string& expected) {
        ok = ok && payload.size - next >= expected.size() &&
             !std::memcmp(payload.data + next, expected.data(), expected.size());
        if (ok) next += expected.size();
    }
    void blank() {
        ok = ok && next < payload.size && std::strchr(" \t\n\v\f\r", payload.data[next]) && payload.data[next];
        if (ok) ++next;
    }
    // Read 1 to 9 digits.
    uint32_t number() {
        uint32_t value = 0;
        const size_t begin = next;
        while (next < payload.size && next - begin < 9 && payload.data[next] >= '0' && payload.data[next] <= '9')
            value = value * 10 + (payload.data[next++] - '0');
        ok = ok && next > begin;
        return value;
    }
};

}  // namespace

ImageView view_raw(Span payload) {
    HeaderReader header{payload};
    uint32_t width, height, channels;
    if (payload.size > 1 && payload.data[1] == '7') {
        header.text("P7\nWIDTH ");
        width = header.number();
        header.text("\nHEIGHT ");
        height = header.number();
        header.text(kPamDepth);
        channels = 4;
    } else {
        channels = payload.size > 1 && payload.data[1] == '5' ? 1 : 3;
        header.text(channels == 1 ? "P5" : "P6");
        header.blank();
        width = header.number();
        header.blank();
        height = header.number();
        header.blank();
        header.text("255");
        header.blank();
    }
    if (!header.ok) throw Unsupported("not a raw image's header");
    check_size(width, height);
    if (payload.size - header.next != size_t(width) * height * channels)
        throw Unsupported("raw pixels are missing, or too many");
    return {payload.data + header.next, width, height, channels, size_t(width) * channels};
}

void encode_raw(const ImageView& image, std::vector<uint8_t>& out) {
    const std::string width = std::to_string(image.width), height = std::to_string(image.height);
    const std::string head = image.channels == 4
                                 ? "P7\nWIDTH " + width + "\nHEIGHT " + height + kPamDepth
                                 : (image.channels == 1 ? "P5\n" : "P6\n") + width + " " + height + "\n255\n";
    const size_t row_bytes = size_t(image.width) * image.channels;
    out.reserve(out.size() + head.size() + row_bytes * image.height);
    out.insert(out.end(), head.begin(), head.end());
    for (uint32_t y = 0; y < image.height; ++y) out.insert(out.end(), image.row(y), image.row(y) + row_bytes);
}

}  // namespace recordkit
