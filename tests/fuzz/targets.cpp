#include "targets.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <string>

#include <jpeglib.h>

#include "check.hpp"
#include "copy_records.hpp"
#include "deflate.hpp"
#include "headers.hpp"
#include "heads.hpp"
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
void headers(const File& file, const std::vector<uint64_t>& offsets) {
    for (const uint64_t& offset : offsets) {
        try {
            const Headers result = read_headers(file, &offset, 1);
            check(result.keys.size() == 1 && result.bounds.size() == 2 && result.bounds[1] == result.labels.size());
        } catch (const FormatFault& fault) {
            check(fault.offset == offset && fault.truncated);
        }
    }
}

// Read the only record of some bytes.
std::vector<uint8_t> only_record(Span bytes) {
    const MemoryFile memory(bytes);
    const File file(memory.path);
    Scratch scratch;
    RecordReader reader(file, scratch);
    const Record record = reader.read(0);
    check(record.end == bytes.size);
    return {record.bytes.data, record.bytes.data + record.bytes.size};
}

// Copy records with other keys, which may be the magic; records without an image header must be errors.
void copies(const File& file, const std::vector<uint64_t>& offsets) {
    std::vector<uint64_t> rows(offsets), ends(offsets.size(), file.size()), keys(offsets.size(), kMagic);
    const std::vector<int64_t> numbers(offsets.size(), 0), checksums(offsets.size(), -1);
    for (const bool reversed : {false, true}) {
        if (reversed) std::reverse(rows.begin(), rows.end());
        CopyRequest request;
        request.n = rows.size();
        request.files = {&file};
        request.file_numbers = numbers.data();
        request.offsets = rows.data();
        request.ends = ends.data();
        request.checksums = checksums.data();
        for (const uint64_t* const new_keys :
             {static_cast<const uint64_t*>(nullptr), static_cast<const uint64_t*>(keys.data())}) {
            request.new_keys = new_keys;
            size_t row = 0;
            try {
                const CopiedRecords copied = copy_records(request, &row);
                check(copied.sizes.size() == rows.size());
                check(std::accumulate(copied.sizes.begin(), copied.sizes.end(), size_t(0)) == copied.frames.size());
            } catch (const FormatFault& fault) {
                check(row < rows.size() && fault.offset == rows[row]);
            }
        }
    }
}

// Find records in any bytes. Each record that is found is framed again and must be read again, also from a copy of the
// file in memory.
void frame(Span bytes) {
    std::vector<uint64_t> offsets;
    const MemoryFile memory(bytes);
    const File file(memory.path), kept_file(memory.path);
    kept_file.keep(UINT64_MAX);
    Scratch scratch, other_scratch;
    RecordReader reader(file, scratch), other(kept_file, other_scratch, RecordReader::kHeadBlockBytes);
    for (uint64_t offset = 0; offset < bytes.size;) {
        try {
            const Extent extent = other.find(offset);
            const Record found = reader.read(offset, offset % 3 ? offset + 100 : 0);
            const std::vector<uint8_t> record(found.bytes.data, found.bytes.data + found.bytes.size);
            check(record.size() == extent.length && found.end == extent.end);
            const Span again = other.read(offset).bytes;
            check(record == std::vector<uint8_t>(again.data, again.data + again.size));
            std::vector<uint8_t> framed;
            frame_record({record.data(), record.size()}, framed);
            check(record == only_record({framed.data(), framed.size()}));
            offsets.push_back(offset);
            offset = extent.end;
        } catch (const FormatFault& fault) {
            check(fault.offset <= bytes.size);
            offset = (offset + 4) / 4 * 4;
        }
    }
    try {
        scan(file);
    } catch (const FormatFault&) {
    }
    headers(file, offsets);
    copies(file, offsets);
}

// Frame the bytes as a record and read it again.
void write(Span bytes) {
    std::vector<uint8_t> framed;
    frame_record(bytes, framed);
    check(only_record({framed.data(), framed.size()}) == std::vector<uint8_t>(bytes.data, bytes.data + bytes.size));
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

// Decode an image. The check of it must find the same files good.
template <Image (*Decode)(Span, int), void (*Check)(Span)>
void decode(Span bytes) {
    bool is_good = true, decodes = true;
    try {
        Check(bytes);
    } catch (const Unsupported&) {
        is_good = false;
    }
    for (int channels : {0, 1, 3}) {
        try {
            const Image image = Decode(bytes, channels);
            check(image.pixels.size() == size_t(image.width) * image.height * image.channels);
            if (image.pixels.size() < 1 << 16) round_trip(image, static_cast<int>(bytes.size % 10));
        } catch (const Unsupported&) {
            if (!channels) decodes = false;
        }
    }
    check(is_good == decodes);
}

void check_jpeg(Span bytes) { Jpeg(bytes, 0).check(); }

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
    decode<decode_png, check_png>({file.data(), file.size()});
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

// The bytes of an input one after the other; 0 after the last one.
struct Bytes {
    Span rest;

    uint8_t next() {
        if (!rest.size) return 0;
        const uint8_t byte = *rest.data;
        rest = rest.sub(1, rest.size - 1);
        return byte;
    }
    // A number of 256 from `low` to `high`.
    double between(double low, double high) { return low + (high - low) * next() / 255; }
};

// Change the colours of an image with both implementations. The first bytes are the changes; the others are its pixels,
// repeated.
void colors(Span input) {
    Bytes bytes{input};
    constexpr uint32_t kChannels[] = {1, 3, 4, 3};
    const uint8_t options = bytes.next();
    Image image(1u + bytes.next(), 1u + bytes.next() / 64, kChannels[options % 4]);
    std::vector<ColorChange> changes(options / 64 + 1);
    for (ColorChange& change : changes) {
        change.kind = static_cast<ColorChange::Kind>(bytes.next() % 7);  // `paint` has one implementation
        change.factor = bytes.between(0, 2);
        for (float& shift : change.shift) shift = static_cast<float>(bytes.between(-180, 180));
        for (auto& row : change.matrix)
            for (float& weight : row) weight = static_cast<float>(bytes.between(-2, 2));
    }
    if (!bytes.rest.size) return;
    for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = bytes.rest.data[i % bytes.rest.size];
    Image other = image;
    change_colors(image, changes);
    change_colors_portable(other, changes);
    check(image.pixels == other.pixels);
}

Range drawn_range(Bytes& bytes, double low, double high) {
    const double a = bytes.between(low, high), b = bytes.between(low, high);
    return {std::min(a, b), std::max(a, b), true};
}

// Any step, also one that the core refuses.
Step step_of(Bytes& bytes, uint32_t number) {
    Step step;
    step.kind = static_cast<Step::Kind>(bytes.next() % 17), step.number = number;
    step.height = bytes.next(), step.width = bytes.next();
    step.filter = bytes.next() & 1 ? Filter::antialias : Filter::bilinear;
    switch (step.kind) {
        case Step::Kind::resized_crop: {
            const Range area = drawn_range(bytes, 0, 1.5), ratio = drawn_range(bytes, 0, 4);
            step.low = area.low, step.high = area.high, step.ratio_low = ratio.low, step.ratio_high = ratio.high;
            break;
        }
        case Step::Kind::size_crop:
        case Step::Kind::center_size_crop: step.side_low = bytes.next(), step.side_high = bytes.next(); break;
        case Step::Kind::flip:
        case Step::Kind::gray: step.high = bytes.between(0, 1.1); break;
        case Step::Kind::brightness:
        case Step::Kind::contrast:
        case Step::Kind::saturation:
        case Step::Kind::hue:
        case Step::Kind::lighting: step.limits[0] = bytes.between(-0.1, 1.1); break;
        case Step::Kind::hsl:
            for (double& limit : step.limits) limit = bytes.between(-1, 260);
            break;
        case Step::Kind::cutout: step.n = bytes.next() % 4, step.fill = bytes.next(); break;
        case Step::Kind::pad: step.margin = bytes.next() % 80, step.fill = bytes.next(); break;
        case Step::Kind::warp:
            step.shear = drawn_range(bytes, -1, 1), step.angle = drawn_range(bytes, -360, 360);
            step.scale = drawn_range(bytes, -0.1, 2), step.aspect = drawn_range(bytes, -2, 4);
            step.fill = bytes.next();
            for (int n = bytes.next() % 4; n > 0; --n) step.angles.push_back(2 * bytes.next() - 255);
            break;
        default: break;
    }
    return step;
}

// The image after one step after the other, each applied to the whole image before it.
Image apply_one_by_one(Span payload, LoadPlan plan, uint64_t position) {
    const std::vector<Step> steps = std::move(plan.steps);
    plan.steps.clear();
    Image image = make_image(payload, plan, 0, position);
    for (const Step& step : steps) {
        std::vector<uint8_t> encoded;
        encode_raw(image.view(), encoded);
        plan.steps = {step};
        image = make_image({encoded.data(), encoded.size()}, plan, 0, position);
    }
    return image;
}

// Load a record into a batch. The first bytes are the steps and the target. Steps that are merged, and parts of files,
// must give the pixels of one step after the other.
void load(Span input) {
    Bytes bytes{input};
    constexpr int kChannels[] = {1, 3, 4, 3};
    LoadPlan plan;
    const uint8_t options = bytes.next(), position = bytes.next();
    plan.channels = kChannels[options & 3];
    plan.scale_in_dct = options & 4;
    for (unsigned n = 0; n < options >> 6; ++n) {
        plan.steps.push_back(step_of(bytes, n));
        try {
            check_step(plan.steps.back());
        } catch (const std::invalid_argument&) {
            plan.steps.pop_back();
        }
    }
    plan.target.type = static_cast<ElementType>((options >> 3 & 3) % 3);
    plan.target.planar = options & 32;
    plan.target.channels = static_cast<uint32_t>(plan.channels);
    try {
        const RecordHeader header = read_header(bytes.rest);
        const Image image = make_image(header.payload, plan, 0, position);
        check(image.pixels.size() == size_t(image.width) * image.height * image.channels && !image.pixels.empty());
        plan.target.width = image.width, plan.target.height = image.height;
        std::vector<uint8_t> sample(plan.target.bytes());
        load_image(header.payload, plan, 0, position, {sample.data(), sample.size()});
        if (plan.target.type == ElementType::uint8 && !plan.target.planar)
            check(!std::memcmp(sample.data(), image.pixels.data(), sample.size()));
        if (plan.scale_in_dct || image.pixels.size() > 1 << 18) return;
        check(apply_one_by_one(header.payload, plan, position).pixels == image.pixels);
    } catch (const Unsupported&) {
    }
}

// libjpeg's own decoder, without the core's Huffman decoder.
struct LibjpegDecoder {
    jpeg_decompress_struct info{};
    jpeg_error_mgr errors{};
    std::jmp_buf jump_target;

    LibjpegDecoder() {
        info.err = jpeg_std_error(&errors);
        info.client_data = this;
        errors.error_exit = jump_out;
        errors.emit_message = [](j_common_ptr common, int level) {
            if (level < 0) jump_out(common);
        };
    }
    ~LibjpegDecoder() { jpeg_destroy_decompress(&info); }
    LibjpegDecoder(const LibjpegDecoder&) = delete;
    LibjpegDecoder& operator=(const LibjpegDecoder&) = delete;

    static void jump_out(j_common_ptr common) {
        std::longjmp(static_cast<LibjpegDecoder*>(common->client_data)->jump_target, 1);
    }
    // Compare the pixels row by row. Return false if they differ, or if libjpeg gives an error or a warning.
    bool gives(Span payload, const Image& image, JSAMPLE* row) {
        if (setjmp(jump_target)) return false;
        jpeg_create_decompress(&info);
        jpeg_mem_src(&info, payload.data, static_cast<unsigned long>(payload.size));
        jpeg_read_header(&info, TRUE);
        if (info.num_components == 4) return true;  // Pillow's conversion to RGB is not libjpeg's
        info.out_color_space = info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
        jpeg_start_decompress(&info);
        if (info.output_width != image.width || info.output_height != image.height) return false;
        const ImageView view = image.view();
        while (info.output_scanline < info.output_height) {
            const uint8_t* const expected = view.row(info.output_scanline);
            jpeg_read_scanlines(&info, &row, 1);
            if (std::memcmp(row, expected, view.stride) != 0) return false;
        }
        return jpeg_finish_decompress(&info);
    }
};

// Decode a JPEG with the core and with libjpeg alone; a file that the core accepts must have libjpeg's pixels.
void jpeg(Span bytes) {
    decode<decode_jpeg, check_jpeg>(bytes);
    try {
        const Image image = decode_jpeg(bytes, 0);
        std::vector<uint8_t> row(image.view().stride);
        check(LibjpegDecoder().gives(bytes, image, row.data()));
    } catch (const Unsupported&) {
    }
}

void put_segment(std::vector<uint8_t>& file, uint8_t marker, const std::vector<uint8_t>& body) {
    const size_t length = body.size() + 2;
    file.insert(file.end(), {0xff, marker, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)});
    file.insert(file.end(), body.begin(), body.end());
}

struct HuffmanCode {
    unsigned code, length;
    uint8_t symbol;
};

// Append a table of Huffman codes to a file, which is nearly always a valid one: lengths and symbols from the bytes.
std::vector<HuffmanCode> put_huffman_table(std::vector<uint8_t>& file, Bytes& bytes, bool dc, uint8_t number) {
    std::vector<uint8_t> body{static_cast<uint8_t>((dc ? 0 : 16) | number)};
    std::vector<HuffmanCode> codes;
    for (unsigned length = 1, code = 0; length <= 16; ++length, code *= 2) {
        const uint8_t byte = bytes.next();  // one code of each length stays free, or the table is damaged
        const unsigned n_free = (1u << length) - 1 - code, limit = length == 16 ? 40u : 4u;
        const unsigned n = byte == 255 ? 5 : std::min(byte % limit, n_free);
        body.push_back(static_cast<uint8_t>(n));
        for (unsigned last = code + n; code < last; ++code) codes.push_back({code, length, 0});
    }
    if (codes.empty()) codes.push_back({0, 1, 0}), body[1] = 1;
    for (HuffmanCode& code : codes) {
        const uint8_t byte = bytes.next();
        code.symbol = dc && byte < 250 ? byte % 12 : byte;
        body.push_back(code.symbol);
    }
    put_segment(file, 0xc4, body);
    return codes;
}

// Writes the bits of a scan.
struct BitWriter {
    std::vector<uint8_t>& out;
    unsigned bits = 0, n_bits = 0;

    void put(unsigned value, unsigned length) {
        while (length) {
            bits = bits << 1 | (value >> --length & 1);
            if (++n_bits < 8) continue;
            out.push_back(static_cast<uint8_t>(bits));
            if ((bits & 255) == 255) out.push_back(0);
            bits = n_bits = 0;
        }
    }
    void pad() { put(127, (8 - n_bits) % 8); }
};

// Write a block: codes that the bytes choose, with values from the bytes.
void put_block(BitWriter& scan, Bytes& bytes, const std::vector<HuffmanCode>& dc, const std::vector<HuffmanCode>& ac) {
    const auto put = [&](const HuffmanCode& code, unsigned value_bits) {
        scan.put(code.code, code.length);
        const unsigned value = bytes.next();
        scan.put(value << 8 | bytes.next(), value_bits);
    };
    const HuffmanCode& first = dc[bytes.next() % dc.size()];
    put(first, first.symbol & 15);
    for (unsigned k = 1; k < 64; ++k) {
        size_t chosen = bytes.next(), n_refused = 0;
        while (k + (ac[chosen % ac.size()].symbol >> 4) > 63 && n_refused++ < ac.size()) ++chosen;
        const HuffmanCode& code = ac[chosen % ac.size()];
        put(code, code.symbol & 15);
        if (!(code.symbol & 15) && code.symbol >> 4 != 15) return;
        k += code.symbol >> 4;
    }
}

// Make a baseline JPEG whose sampling, size, restart interval, codes and coefficients are the bytes.
void huffman(Span input) {
    Bytes bytes{input};
    const uint8_t options = bytes.next(), n_components = options & 1 ? 3 : 1, n_tables = options & 2 ? 2 : 1;
    const uint8_t height = 1 + bytes.next() % 40, width = 1 + bytes.next() % 40, sampling = bytes.next() % 16;
    const unsigned across = 1u + sampling % 4, down = sampling == 15 ? 1 : 1u + sampling / 4, interval = options >> 5;
    std::vector<uint8_t> file{0xff, 0xd8}, quantizers{0};
    for (int n = 0; n < 64; ++n) quantizers.push_back(static_cast<uint8_t>(1 + (options >> 3 & 3) * n));
    put_segment(file, 0xdb, quantizers);
    std::vector<uint8_t> frame{8, 0, height, 0, width, n_components}, scan{n_components};
    for (uint8_t n = 0; n < n_components; ++n) {
        frame.insert(frame.end(), {n, static_cast<uint8_t>(n ? 0x11 : across << 4 | down), 0});
        scan.insert(scan.end(), {n, static_cast<uint8_t>(n && n_tables == 2 ? 0x11 : 0)});
    }
    put_segment(file, 0xc0, frame);
    std::vector<HuffmanCode> dc[2], ac[2];
    for (uint8_t n = 0; n < n_tables; ++n) {
        dc[n] = put_huffman_table(file, bytes, true, n);
        ac[n] = put_huffman_table(file, bytes, false, n);
    }
    if (interval) put_segment(file, 0xdd, {0, static_cast<uint8_t>(interval)});
    scan.insert(scan.end(), {0, 63, 0});
    put_segment(file, 0xda, scan);
    BitWriter writer{file};
    const unsigned side_x = n_components == 1 ? 8 : 8 * across, side_y = n_components == 1 ? 8 : 8 * down;
    const unsigned n_mcus = (width + side_x - 1) / side_x * ((height + side_y - 1) / side_y);
    for (unsigned mcu = 0; mcu < n_mcus; ++mcu) {
        if (interval && mcu && mcu % interval == 0) {
            writer.pad();
            file.insert(file.end(), {0xff, static_cast<uint8_t>(0xd0 + (mcu / interval - 1) % 8)});
        }
        for (unsigned n = 0; n < (n_components == 1 ? 1 : across * down); ++n) put_block(writer, bytes, dc[0], ac[0]);
        for (int n = 1; n < n_components; ++n) put_block(writer, bytes, dc[n_tables - 1], ac[n_tables - 1]);
    }
    writer.pad();
    file.insert(file.end(), {0xff, 0xd9});
    if (options & 4 && bytes.rest.size) file[file.size() - 3 - bytes.next() % 8] ^= bytes.next();  // damage
    jpeg({file.data(), file.size()});
}

// Transcode an image as packing does. The first bytes are the recipe.
void pack(Span bytes) {
    if (bytes.size < 3) return;
    Recipe recipe;
    recipe.channels = bytes.data[0] % 4 == 2 ? 0 : bytes.data[0] % 4;
    recipe.crop = bytes.data[0] & 64;
    recipe.planes = bytes.data[0] & 32;
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

// Find everything that looks like a head, in one range and in two, as a look at each byte does. A first byte above 250
// moves the input to where the search reads its next block.
void heads(Span input) {
    constexpr size_t kBlockBytes = 1 << 20;
    std::vector<uint8_t> content(input.size && input.data[0] > 250 ? kBlockBytes - input.size / 2 : 0);
    content.insert(content.end(), input.data, input.data + input.size);
    const MemoryFile memory({content.data(), content.size()});
    const File file(memory.path);
    Heads expected;
    for (size_t at = content.size() - input.size; at + kHeadSize <= content.size(); ++at) {
        uint32_t magic, word;
        std::memcpy(&magic, &content[at], 4);
        std::memcpy(&word, &content[at + 4], 4);
        if (magic != kMagic || word >> 29 > 3) continue;
        expected.offsets.push_back(at);
        expected.words.push_back(word);
    }
    const uint64_t middle = content.size() - input.size / 2;
    const Heads all = find_heads(file, 0, content.size());
    Heads parts = find_heads(file, 0, middle);
    const Heads rest = find_heads(file, middle, content.size());
    parts.offsets.insert(parts.offsets.end(), rest.offsets.begin(), rest.offsets.end());
    parts.words.insert(parts.words.end(), rest.words.begin(), rest.words.end());
    for (const Heads* const found : {&all, &static_cast<const Heads&>(parts)})
        check(found->offsets == expected.offsets && found->words == expected.words);
}

// Check the records at all heads, also those inside others, and compare the facts with the records.
void check_all(Span bytes) {
    const MemoryFile memory(bytes);
    const File file(memory.path);
    const std::vector<uint64_t> offsets = find_heads(file, 0, bytes.size).offsets;
    const auto decodes = [](Span payload) {
        try {
            check_image(payload);
            return true;
        } catch (const Unsupported&) {
            return false;
        }
    };
    const CheckedRecords checked = check_records(file, offsets.data(), offsets.size(), decodes, [] { return false; });
    check(checked.bounds.size() == offsets.size() + 1 && checked.bounds.back() == checked.labels.size());
    Scratch scratch;
    RecordReader reader(file, scratch);
    for (size_t n = 0; n < offsets.size(); ++n) {
        try {
            const Span record = reader.read(offsets[n]).bytes;
            const uint64_t end = header_end(record.data, record.size, offsets[n]);
            check(checked.states[n] != RecordState::unreadable && checked.checksums[n] == crc32_of(record));
            check(checked.bounds[n + 1] - checked.bounds[n] == std::max<uint64_t>(1, (end - kImageHeaderSize) / 4));
        } catch (const FormatFault&) {
            check(checked.states[n] == RecordState::unreadable && checked.bounds[n + 1] == checked.bounds[n]);
        }
    }
}

// Copy the records at all heads, also those inside others, with other keys and labels, and read the copies again. The
// first byte chooses what changes, and the order.
void copy(Span input) {
    Bytes bytes{input};
    const uint8_t options = bytes.next(), width = 1 + options % 3;
    const MemoryFile memory(bytes.rest);
    const File file(memory.path);
    std::vector<uint64_t> rows, payload_begins;
    Scratch scratch;
    RecordReader reader(file, scratch);
    for (const uint64_t offset : find_heads(file, 0, bytes.rest.size).offsets) {
        try {
            const Span record = reader.read(offset).bytes;
            payload_begins.push_back(header_end(record.data, record.size, offset));
            rows.push_back(offset);
        } catch (const FormatFault&) {
        }
    }
    if (options & 4) std::reverse(rows.begin(), rows.end()), std::reverse(payload_begins.begin(), payload_begins.end());
    const size_t n_rows = rows.size();
    const std::vector<int64_t> numbers(n_rows, 0), checksums(n_rows, -1);
    const std::vector<uint64_t> ends(n_rows, options & 8 ? 0 : bytes.rest.size),
        keys(n_rows, options & 16 ? kMagic : 7);
    std::vector<float> labels(width * n_rows, static_cast<float>(options));
    if (options & 32 && !labels.empty()) std::memcpy(labels.data(), &kMagic, sizeof kMagic);
    std::vector<uint64_t> bounds(n_rows + 1);
    for (size_t n = 0; n <= n_rows; ++n) bounds[n] = width * n;
    CopyRequest request;
    request.n = n_rows;
    request.files = {&file};
    request.file_numbers = numbers.data();
    request.offsets = rows.data();
    request.ends = ends.data();
    request.checksums = checksums.data();
    if (options & 64) request.new_keys = keys.data();
    if (options & 128) request.new_labels = labels.data(), request.new_bounds = bounds.data();
    size_t row = 0, begin = 0;
    const CopiedRecords copied = copy_records(request, &row);
    for (size_t n = 0; n < n_rows; ++n) {
        const std::vector<uint8_t> got = only_record({copied.frames.data() + begin, copied.sizes[n]});
        begin += copied.sizes[n];
        const Span old = reader.read(rows[n]).bytes;
        const uint64_t end = header_end(got.data(), got.size(), 0);
        check(copied.checksums[n] == crc32_of({got.data(), got.size()}));
        check(got.size() - end == old.size - payload_begins[n]);
        check(std::equal(got.begin() + static_cast<ptrdiff_t>(end), got.end(), old.data + payload_begins[n]));
        check(!std::memcmp(&got[8], request.new_keys ? reinterpret_cast<const uint8_t*>(&keys[n]) : old.data + 8, 8));
        if (!request.new_labels) continue;
        check(copied.widths[n] == width);
        check(!std::memcmp(&got[end > kImageHeaderSize ? kImageHeaderSize : 4], &labels[width * n], size_t(4) * width));
    }
    check(begin == copied.frames.size());
}

void exif(Span bytes) {
    const int orientation = exif_orientation(bytes);
    check(orientation >= 1 && orientation <= 8);
}

}  // namespace

const Target kTargets[] = {
    {"check", check_all},
    {"colors", colors},
    {"copy", copy},
    {"exif", exif},
    {"frame", frame},
    {"heads", heads},
    {"idx", idx},
    {"huffman", huffman},
    {"jpeg", jpeg},
    {"load", load},
    {"pack", pack},
    {"part", jpeg_part},
    {"png", decode<decode_png, check_png>},
    {"png-rows", png_rows},
    {"raw", raw},
    {"resize", resize},
    {"write", write},
};
const size_t kNTargets = sizeof kTargets / sizeof *kTargets;

const Target* find(const char* name) {
    for (const Target& target : kTargets)
        if (!std::strcmp(target.name, name)) return &target;
    return nullptr;
}

}  // namespace targets
