#include "targets.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "deflate.hpp"
#include "headers.hpp"
#include "idx.hpp"
#include "jpeg.hpp"
#include "load.hpp"
#include "orient.hpp"
#include "pack.hpp"
#include "png.hpp"
#include "raw.hpp"
#include "read_many.hpp"
#include "records.hpp"
#include "resize.hpp"

using namespace recordkit;

namespace targets {
namespace {

// Abort, which the fuzzer reports, if a result is wrong.
void check(bool correct) {
    if (!correct) std::abort();
}

// A file in memory, with a path in /proc.
struct MemoryFile {
    int descriptor = memfd_create("fuzz", 0);
    std::string path = "/proc/self/fd/" + std::to_string(descriptor);

    explicit MemoryFile(Span bytes) {
        check(descriptor >= 0 && ::write(descriptor, bytes.data, bytes.size) == static_cast<ssize_t>(bytes.size));
    }
    ~MemoryFile() { close(descriptor); }
};

// Read the image header of each record; records without one must be errors.
void headers(const MappedFile& file, const std::vector<uint64_t>& offsets) {
    for (const uint64_t& offset : offsets) {
        try {
            const Headers result = read_headers(file, &offset, 1);
            check(result.keys.size() == 1 && result.bounds.size() == 2 && result.bounds[1] == result.labels.size());
        } catch (const FormatFault& fault) {
            check(fault.offset == offset && fault.truncated);
        }
    }
}

// Find records in any bytes. Each record that is found is framed again and must be found again.
void frame(Span bytes) {
    std::vector<uint64_t> offsets;
    for (uint64_t offset = 0; offset < bytes.size;) {
        try {
            const Extent extent = find_record(bytes, offset);
            std::vector<uint8_t> record(extent.length), framed, again(extent.length);
            copy_record(bytes, extent, record.data());
            frame_record({record.data(), record.size()}, framed);
            const Extent new_extent = find_record({framed.data(), framed.size()}, 0);
            check(new_extent.length == extent.length && new_extent.end == framed.size());
            copy_record({framed.data(), framed.size()}, new_extent, again.data());
            check(record == again);
            offsets.push_back(offset);
            offset = extent.end;
        } catch (const FormatFault& fault) {
            check(fault.offset <= bytes.size);
            const uint64_t next = next_head(bytes, offset + 4);
            check(next > offset);
            offset = next;
        }
    }
    try {
        scan(bytes);
    } catch (const FormatFault&) {
    }
    const MemoryFile file(bytes);
    headers(MappedFile(file.path), offsets);
}

// Frame the bytes as a record and find it again.
void write(Span bytes) {
    std::vector<uint8_t> framed, record(bytes.size);
    frame_record(bytes, framed);
    const Span file{framed.data(), framed.size()};
    const Extent extent = find_record(file, 0);
    check(extent.end == file.size && extent.length == bytes.size);
    copy_record(file, extent, record.data());
    check(!bytes.size || !std::memcmp(record.data(), bytes.data, bytes.size));
}

void idx(Span bytes) {
    const MemoryFile file(bytes);
    try {
        const IdxFile parsed(file.path, 1);
        std::vector<uint64_t> keys(parsed.size()), offsets(parsed.size());
        parsed.read({keys.data(), offsets.data()});
        parsed.read({nullptr, offsets.data()});
    } catch (const IdxLineFault&) {
    }
}

// Encode decoded pixels as PNG and decode them again: they must be equal.
void round_trip(const Image& image, int level) {
    std::vector<uint8_t> encoded;
    encode_png(image.view(), level, encoded);
    check(decode_png({encoded.data(), encoded.size()}, 0).pixels == image.pixels);
}

template <Image (*Decode)(Span, int)>
void decode(Span bytes) {
    for (int channels : {0, 1, 3}) {
        try {
            const Image image = Decode(bytes, channels);
            check(image.pixels.size() == size_t(image.width) * image.height * image.channels);
            if (image.pixels.size() < 1 << 16) round_trip(image, static_cast<int>(bytes.size % 10));
        } catch (const Unsupported&) {
        }
    }
}

void put_big(std::vector<uint8_t>& out, uint32_t word) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(word >> shift));
}

void put_chunk(std::vector<uint8_t>& out, const char* type, const std::vector<uint8_t>& body) {
    put_big(out, static_cast<uint32_t>(body.size()));
    const size_t begin = out.size();
    out.insert(out.end(), type, type + 4);
    out.insert(out.end(), body.begin(), body.end());
    put_big(out, crc32_of({&out[begin], out.size() - begin}));
}

// Bytes of filtered rows that the image of this header has.
size_t png_data_size(Span header) {
    const size_t width = header.data[3], height = header.data[7], depth = header.data[8];
    constexpr uint32_t kSamples[] = {1, 1, 3, 1, 2, 1, 4};
    const size_t bits = depth * kSamples[header.data[9]];
    if (!header.data[12]) return ((width * bits + 7) / 8 + 1) * height;
    constexpr uint32_t kPasses[][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                       {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    size_t size = 0;
    for (const auto& pass : kPasses) {
        const size_t w = width > pass[0] ? (width - pass[0] - 1) / pass[2] + 1 : 0;
        const size_t h = height > pass[1] ? (height - pass[1] - 1) / pass[3] + 1 : 0;
        if (w && h) size += ((w * bits + 7) / 8 + 1) * h;
    }
    return size;
}

// Make a PNG with correct checksums, which mutated files do not have, and decode it. The first bytes are its header,
// the others its filtered rows.
void png_rows(Span bytes) {
    if (bytes.size < 6) return;
    const uint8_t* b = bytes.data;
    std::vector<uint8_t> file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, header, palette(size_t(3) * (b[5] + 1), 77),
        rows(1 << 16, 0);
    put_big(header, 1u + b[0] % 40);
    put_big(header, 1u + b[1] % 40);
    header.insert(header.end(), {static_cast<uint8_t>(1u << b[2] % 5), static_cast<uint8_t>(b[3] % 7), 0, 0,
                                 static_cast<uint8_t>(b[4] & 1)});
    for (size_t n = 6; n < bytes.size && n < rows.size(); ++n) rows[n - 6] = bytes.data[n];
    put_chunk(file, "IHDR", header);
    put_chunk(file, "PLTE", palette);
    if (b[4] & 2) put_chunk(file, "tRNS", std::vector<uint8_t>(b[4] & 4 ? 2 : 6, b[5]));
    std::vector<uint8_t> packed;
    packed.resize(zlib_compress({rows.data(), png_data_size({header.data(), header.size()})}, 1, packed));
    put_chunk(file, "IDAT", packed);
    put_chunk(file, "IEND", {});
    decode<decode_png>({file.data(), file.size()});
}

void raw(Span bytes) {
    try {
        const ImageView image = view_raw(bytes);
        std::vector<uint8_t> encoded;
        encode_raw(image, encoded);
        const ImageView again = view_raw({encoded.data(), encoded.size()});
        check(again.width == image.width &&
              !std::memcmp(again.data, image.data, size_t(image.width) * image.height * image.channels));
    } catch (const Unsupported&) {
    }
}

// Resize an image with both implementations. The first bytes are its size, wide or high, the next the size of the
// result; the others are its pixels, repeated.
void resize(Span bytes) {
    if (bytes.size < 9) return;
    const uint8_t* b = bytes.data;
    constexpr uint32_t kChannels[] = {1, 3, 4, 1};
    const bool high = b[2] & 4;
    Image image(1u + b[0] / (high ? 16 : 2), 1u + b[1] / (high ? 2 : 16), kChannels[b[2] % 4]);
    for (size_t i = 0, from = 8; i < image.pixels.size(); ++i, ++from) {
        if (from == bytes.size) from = 8;
        image.pixels[i] = b[from];
    }
    const LineRange across{image.width * (b[3] / 512.0), image.width * (0.5 - b[3] / 512.0 + b[5] / 512.0)};
    const LineRange down{image.height * (b[4] / 512.0), image.height * (0.5 - b[4] / 512.0 + b[5] / 512.0)};
    const uint32_t width = 1u + b[6] / 8, height = 1u + b[7] / 8, skipped = b[5] % height;
    for (Filter filter : {Filter::antialias, Filter::bilinear}) {
        const Taps columns = taps_for(filter, image.width, across, width, 0, width);
        const Taps rows = taps_for(filter, image.height, down, height, skipped, height - skipped);
        Image small;
        try {
            small = recordkit::resize(image.view(), columns, rows, filter);
        } catch (const Unsupported&) {
            continue;
        }
        check(small.pixels == resize_portable(image.view(), columns, rows, filter).pixels);
        uint8_t least = 255, most = 0;
        for (uint8_t value : image.pixels) least = value < least ? value : least, most = value > most ? value : most;
        for (uint8_t value : small.pixels) check(value >= least && value <= most);
    }
}

// Decode a part of a JPEG at a scale, and compare it with the whole image. The first bytes are the part and the scale.
void jpeg_part(Span bytes) {
    if (bytes.size < 5) return;
    const Span payload = bytes.sub(5, bytes.size - 5);
    const uint8_t* b = bytes.data;
    const unsigned eighths = 1u << b[4] % 4;
    try {
        Jpeg jpeg(payload, 3);
        const uint32_t width = jpeg.width(), height = jpeg.height();
        Rect part{b[0] * width / 256, b[1] * height / 256, 0, 0};
        part.width = 1 + b[2] * (width - part.left - 1) / 256;
        part.height = 1 + b[3] * (height - part.top - 1) / 256;
        const DecodedPart got = jpeg.decode_part(part, eighths);
        const DecodedPart all = Jpeg(payload, 3).decode_part({0, 0, width, height}, eighths);
        const auto up = [&](uint32_t side, uint32_t limit) { return std::min((side * got.eighths + 7) / 8, limit); };
        const size_t left = part.left * got.eighths / 8, top = part.top * got.eighths / 8;
        const size_t right = up(part.right(), all.image.width), bottom = up(part.bottom(), all.image.height);
        check(got.eighths == all.eighths && got.left <= left && got.top <= top);
        check(got.left + got.image.width >= right && got.top + got.image.height >= bottom);
        const ImageView ours = got.image.view(), whole = all.image.view();
        for (size_t y = top; y < bottom; ++y)
            check(!std::memcmp(ours.row(y - got.top) + (left - got.left) * 3, whole.row(y) + left * 3,
                               (right - left) * 3));
    } catch (const Unsupported&) {
    }
}

// Load a record into a batch. The first bytes are the steps and the target.
void load(Span bytes) {
    if (bytes.size < 8) return;
    const uint8_t* b = bytes.data;
    LoadPlan plan;
    plan.channels = b[0] & 1 ? 3 : 1;
    plan.scale_in_dct = b[0] & 2;
    for (unsigned n = 0; n < 4; ++n) {
        Step step{};
        step.kind = static_cast<Step::Kind>((b[1] >> 2 * n & 3) + (b[0] >> (4 + n) & 1)), step.number = n;
        step.height = 1u + b[2 + n], step.width = 1u + b[5 - n];
        step.filter = b[0] & 4 ? Filter::antialias : Filter::bilinear;
        step.low = 0.1, step.high = 1, step.ratio_low = 0.5, step.ratio_high = 2;
        plan.steps.push_back(step);
    }
    plan.target.type = static_cast<ElementType>(b[6] % 3);
    plan.target.planar = b[6] & 4;
    plan.target.height = 1u + b[2 + 3], plan.target.width = 1u + b[5 - 3];
    plan.target.channels = static_cast<uint32_t>(plan.channels);
    std::vector<uint8_t> sample(plan.target.bytes());
    try {
        const RecordHeader header = read_header(bytes.sub(7, bytes.size - 7));
        load_image(header.payload, plan, 0, b[7], {sample.data(), sample.size()});
    } catch (const Unsupported&) {
    }
}

// Transcode an image as packing does. The first bytes are the recipe.
void pack(Span bytes) {
    if (bytes.size < 3) return;
    Recipe recipe;
    recipe.channels = bytes.data[0] % 4 == 2 ? 0 : bytes.data[0] % 4;
    recipe.crop = bytes.data[0] & 64;
    recipe.filter = static_cast<Filter>(bytes.data[1] % 3);
    recipe.side = 1u + bytes.data[1] / 3;
    recipe.encoding = static_cast<Encoding>(bytes.data[2] % 3);
    recipe.quality = 1 + bytes.data[2] / 3;
    std::vector<uint8_t> out;
    try {
        transcode(bytes.sub(3, bytes.size - 3), recipe, out);
    } catch (const Unsupported&) {
        check(out.empty());
    }
}

void exif(Span bytes) {
    const int orientation = exif_orientation(bytes);
    check(orientation >= 1 && orientation <= 8);
}

}  // namespace

const Target kTargets[] = {
    {"exif", exif},         {"frame", frame}, {"idx", idx},        {"jpeg", decode<decode_jpeg>},
    {"load", load},         {"pack", pack},   {"part", jpeg_part}, {"png", decode<decode_png>},
    {"png-rows", png_rows}, {"raw", raw},     {"resize", resize},  {"write", write},
};
const size_t kNTargets = sizeof kTargets / sizeof *kTargets;

const Target* find(const char* name) {
    for (const Target& target : kTargets)
        if (!std::strcmp(target.name, name)) return &target;
    return nullptr;
}

}  // namespace targets
