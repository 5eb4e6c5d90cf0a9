#include "jpeg.hpp"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <jpeglib.h>

#include "huffman.hpp"
#include "orient.hpp"

namespace recordkit {
namespace {

constexpr uint32_t kLongestSide = 65500;  // libjpeg's JPEG_MAX_DIMENSION
constexpr uint8_t kApp1 = JPEG_APP0 + 1;

// libjpeg reports errors through a callback that must not return. libjpeg is C, so that an exception must not pass
// through it. Each function below that calls libjpeg therefore sets a target for longjmp, and has no local object with
// a destructor.
struct Errors {
    jpeg_error_mgr base;
    std::jmp_buf jump_target;
    char message[JMSG_LENGTH_MAX];
};

void jump_out(j_common_ptr info) {
    auto* errors = reinterpret_cast<Errors*>(info->err);  // base is the first member
    (*info->err->format_message)(info, errors->message);
    std::longjmp(errors->jump_target, 1);
}

// A warning (level -1) is damage that libjpeg conceals; such a file is left to the reference engine.
void jump_out_if_damaged(j_common_ptr info, int level) {
    if (level < 0) jump_out(info);
}

// libjpeg calls it for each row of blocks that it reads or writes, so that the number of scans bounds the time.
void jump_out_after_many_scans(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
    auto* errors = reinterpret_cast<Errors*>(info->err);
    std::strcpy(errors->message, "too many scans");
    std::longjmp(errors->jump_target, 1);
}

void set_up(Errors& errors) {
    jpeg_std_error(&errors.base);
    errors.base.error_exit = jump_out;
    errors.base.emit_message = jump_out_if_damaged;
}

// A thread's encoder, kept from image to image: `jpeg_set_defaults` resets all parameters of the previous image.
struct Encoder {
    jpeg_compress_struct info{};
    Errors errors{};
    // Owned by this object, and allocated by malloc, because libjpeg replaces a buffer that is too small by a larger
    // one.
    unsigned char* buffer = nullptr;
    unsigned long capacity = 0;

    Encoder() {
        info.err = &errors.base;
        set_up(errors);
        if (!create()) throw std::bad_alloc();
    }
    ~Encoder() {
        jpeg_destroy_compress(&info);
        std::free(buffer);
    }
    Encoder(const Encoder&) = delete;
    Encoder& operator=(const Encoder&) = delete;

  private:
    bool create() {
        if (setjmp(errors.jump_target)) {
            jpeg_destroy_compress(&info);
            return false;
        }
        jpeg_create_compress(&info);
        return true;
    }
};

[[noreturn]] void reject(const char* reason) { throw Unsupported(reason); }

// Refuse a file with bytes between its segments, of which libjpeg and Pillow skip different ones, and a file of too many
// segments.
void check_segments(Span file) {
    if (file.size < 2) reject("cut short");
    size_t n_segments = 0;
    for (size_t offset = 2; file.size - offset >= 4; ++n_segments) {
        const uint8_t* const segment = file.data + offset;
        const bool has_length = segment[1] >= 0xc0 && segment[1] != 0xff && (segment[1] < 0xd0 || segment[1] > 0xd9);
        if (segment[0] != 0xff || !has_length) reject("bytes between the segments");
        if (segment[1] == 0xda) {
            if (n_segments >= max_parts(file.size)) break;
            return;
        }
        const size_t size = size_t(segment[2]) << 8 | segment[3];
        if (size > file.size - offset - 2) break;
        offset += 2 + std::max<size_t>(size, 2);
    }
    reject("too many segments, or no scan");
}

J_COLOR_SPACE output_space(const jpeg_decompress_struct& info, int channels) {
    if (info.num_components == 4) return JCS_CMYK;
    return channels == 1 || info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
}

// a * b / 255, rounded.
uint8_t multiply(unsigned a, unsigned b) {
    const unsigned product = a * b + 128;
    return static_cast<uint8_t>(((product >> 8) + product) >> 8);
}

// Convert as Pillow does. CMYK files hold inverted values, as Adobe writes them.
Image cmyk_to_rgb(const Image& cmyk) {
    Image rgb(cmyk.width, cmyk.height, 3);
    const uint8_t* in = cmyk.pixels.data();
    uint8_t* out = rgb.pixels.data();
    for (size_t n = size_t(cmyk.width) * cmyk.height; n; --n, in += 4, out += 3) {
        const unsigned light = in[3];  // 255 - K
        for (int c = 0; c < 3; ++c) {
            const unsigned ink = 255u - in[c];
            out[c] = static_cast<uint8_t>(light - multiply(ink, light));
        }
    }
    return rgb;
}

// The format of a plane whose samples cover this many columns and rows. Which planes are smooth, unless none is, is the
// rule of libjpeg-turbo's jdsample.c.
Plane plane_of(const jpeg_decompress_struct& info, uint32_t columns, uint32_t rows, bool smooth) {
    Plane plane;
    plane.width = (info.image_width + columns - 1) / columns;
    plane.height = (info.image_height + rows - 1) / rows;
    smooth = smooth && columns <= 2 && rows <= 2 && (columns == 1 || plane.width > 2);
    plane.columns = {columns, 0, smooth && columns == 2};
    plane.rows = {rows, 0, smooth && rows == 2};
    return plane;
}

// Turn a plane of the image upright.
void turn(Plane& plane, uint32_t image_width, uint32_t image_height, int orientation) {
    Image samples(plane.width, plane.height, 1);
    for (uint32_t y = 0; y < plane.height; ++y) std::memcpy(samples.row(y), plane.blocks.row(y), plane.width);
    plane.blocks = upright(std::move(samples), orientation);
    const auto flip = [](Upsampling& lines, uint32_t n_samples, uint32_t n_lines) {
        lines.lines_before = n_samples * lines.lines_per_sample - n_lines;
    };
    if (flips_columns(orientation)) flip(plane.columns, plane.width, image_width);
    if (flips_rows(orientation)) flip(plane.rows, plane.height, image_height);
    if (!swaps_sides(orientation)) return;
    std::swap(plane.columns, plane.rows);
    std::swap(plane.width, plane.height);
}

// This says where libjpeg writes the samples of a plane. In one call it gives a row of MCUs.
struct PlaneRows {
    uint8_t* samples;  // not owned: those of a Plane
    size_t stride;
    JDIMENSION per_call;
};

}  // namespace

// libjpeg's state for one image. It is not kept for the next image, because libjpeg would use this image's tables for a
// file that lacks its own.
struct Jpeg::Decoder {
    jpeg_decompress_struct info{};
    Errors errors{};
    jpeg_progress_mgr progress{};
    HuffmanScan huffman;
    int channels;
    int orientation = 1;

    Decoder(Span payload, int output_channels) : channels(output_channels) {
        check_segments(payload);
        info.err = &errors.base;
        set_up(errors);
        if (!read_header(payload)) {
            jpeg_destroy_decompress(&info);
            reject(errors.message);
        }
    }
    ~Decoder() { jpeg_destroy_decompress(&info); }
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    bool read_header(Span payload) {
        if (setjmp(errors.jump_target)) return false;
        jpeg_create_decompress(&info);
        jpeg_save_markers(&info, kApp1, 0xffff);
        jpeg_mem_src(&info, payload.data, static_cast<unsigned long>(payload.size));
        return jpeg_read_header(&info, TRUE) == JPEG_HEADER_OK;
    }

    bool start() {
        if (setjmp(errors.jump_target)) return false;
        progress.progress_monitor = jump_out_after_many_scans;
        info.progress = &progress;
        huffman.install(info);
        return jpeg_start_decompress(&info);
    }

    // Decode only these columns and a few more around them; both arguments are set to the columns that are decoded.
    bool crop_columns(JDIMENSION* left, JDIMENSION* width) {
        if (setjmp(errors.jump_target)) return false;
        jpeg_crop_scanline(&info, left, width);
        return true;
    }

    bool skip_rows(JDIMENSION n) {
        if (setjmp(errors.jump_target)) return false;
        return jpeg_skip_scanlines(&info, n) == n;
    }

    bool read_rows(uint8_t* pixels, size_t stride, JDIMENSION n) {
        if (setjmp(errors.jump_target)) return false;
        constexpr JDIMENSION kRows = 16;
        JSAMPROW rows[kRows];
        for (JDIMENSION y = 0; y < n;) {
            const JDIMENSION n_rows = std::min(kRows, n - y);
            for (JDIMENSION row = 0; row < n_rows; ++row) rows[row] = pixels + (y + row) * stride;
            y += jpeg_read_scanlines(&info, rows, n_rows);
        }
        return true;
    }

    bool read_planes(const PlaneRows planes[3]) {
        if (setjmp(errors.jump_target)) return false;
        constexpr JDIMENSION kRows = MAX_SAMP_FACTOR * DCTSIZE;
        JSAMPROW rows[3][kRows];
        JSAMPARRAY arrays[3] = {rows[0], rows[1], rows[2]};
        for (JDIMENSION call = 0; call < info.total_iMCU_rows; ++call) {
            for (int n = 0; n < 3; ++n)
                for (JDIMENSION row = 0; row < planes[n].per_call; ++row)
                    rows[n][row] = planes[n].samples + (size_t(call) * planes[n].per_call + row) * planes[n].stride;
            jpeg_read_raw_data(&info, arrays, planes[0].per_call);
        }
        return true;
    }

    // Set `skipped` to false if this image has to be decoded.
    bool skip(bool* skipped) {
        if (setjmp(errors.jump_target)) return false;
        *skipped = huffman.skip(info);
        return true;
    }

    bool finish() {
        if (setjmp(errors.jump_target)) return false;
        return jpeg_finish_decompress(&info) == TRUE;
    }

    void check(bool good) const {
        if (!good) reject(errors.message);
    }

    int read_orientation() const {
        Span exif;
        for (auto* marker = info.marker_list; marker; marker = marker->next) {
            if (marker->data_length < 6 || std::memcmp(marker->data, "Exif\0", 6)) continue;
            if (exif.data) reject("EXIF in several pieces");
            exif = {marker->data + 6, marker->data_length - 6};
        }
        return exif_orientation(exif);
    }
};

Jpeg::Jpeg(Span payload, int channels) : decoder_(std::make_unique<Decoder>(payload, channels)) {
    auto& info = decoder_->info;
    const int components = info.num_components;
    const bool supported = components == 1 || components == 3 || components == 4;
    if (!supported || info.data_precision != 8) reject("a rare kind of JPEG");
    if (uint64_t(info.image_width) * info.image_height > kMaxPixels) reject("too many pixels");
    const int orientation = decoder_->read_orientation();
    if (channels) decoder_->orientation = orientation;
    info.out_color_space = output_space(info, channels);
}

Jpeg::~Jpeg() = default;

bool Jpeg::is_gray() const { return decoder_->info.num_components == 1; }

bool Jpeg::has_planes() const { return decoder_->info.jpeg_color_space == JCS_YCbCr; }

uint32_t Jpeg::width() const {
    return swaps_sides(decoder_->orientation) ? decoder_->info.image_height : decoder_->info.image_width;
}

uint32_t Jpeg::height() const {
    return swaps_sides(decoder_->orientation) ? decoder_->info.image_width : decoder_->info.image_height;
}

Image Jpeg::decode() {
    Decoder& decoder = *decoder_;
    auto& info = decoder.info;
    decoder.check(decoder.start());
    Image image(info.output_width, info.output_height, static_cast<uint32_t>(info.output_components));
    decoder.check(decoder.read_rows(image.pixels.data(), size_t(image.width) * image.channels, image.height));
    decoder.check(decoder.finish());
    if (image.channels == 4) image = cmyk_to_rgb(image);
    image = upright(std::move(image), decoder.orientation);
    if (decoder.channels && image.channels != static_cast<uint32_t>(decoder.channels))
        return to_channels(image.view(), static_cast<uint32_t>(decoder.channels));
    return image;
}

// A decoder notices damage in entropy-coded data alone: the inverse DCT and what follows accept all coefficients.
void Jpeg::check() {
    Decoder& decoder = *decoder_;
    auto& info = decoder.info;
    decoder.check(decoder.start());
    if (jpeg_has_multiple_scans(&info))
        return;  // libjpeg has read the file to its end before it makes the first pixels
    bool is_skipped = false;
    decoder.check(decoder.skip(&is_skipped));
    if (!is_skipped) {
        std::vector<uint8_t> row(size_t(info.output_width) * static_cast<uint32_t>(info.output_components));
        decoder.check(decoder.read_rows(row.data(), 0, info.output_height));
    }
    decoder.check(decoder.finish());
}

std::array<Plane, 3> Jpeg::decode_planes(bool halve_chroma) {
    Decoder& decoder = *decoder_;
    auto& info = decoder.info;
    const auto &luma = info.comp_info[0], &chroma = info.comp_info[1], &other = info.comp_info[2];
    const int h = luma.h_samp_factor / chroma.h_samp_factor, v = luma.v_samp_factor / chroma.v_samp_factor;
    if (luma.h_samp_factor != info.max_h_samp_factor || luma.v_samp_factor != info.max_v_samp_factor ||
        chroma.h_samp_factor * h != luma.h_samp_factor || chroma.v_samp_factor * v != luma.v_samp_factor ||
        other.h_samp_factor != chroma.h_samp_factor || other.v_samp_factor != chroma.v_samp_factor)
        reject("a rare sampling of chroma");
    halve_chroma = halve_chroma && kHasFastHuffman && h == 1 && v == 1;
    decoder.huffman.halve_chroma = halve_chroma;
    info.out_color_space = JCS_YCbCr;
    info.raw_data_out = TRUE;
    decoder.check(decoder.start());
    const uint32_t scale = halve_chroma ? 2 : 1;
    std::array<Plane, 3> planes;
    PlaneRows rows[3];
    for (size_t n = 0; n < 3; ++n) {
        const auto& component = info.comp_info[n];
        const uint32_t block = n ? DCTSIZE / scale : DCTSIZE;
        rows[n].per_call = static_cast<JDIMENSION>(component.v_samp_factor) * block;
        // Repeated samples are nearer to the pixels than smooth ones if the DCT has made the mean of these pixels.
        planes[n] =
            n ? plane_of(info, static_cast<uint32_t>(h) * scale, static_cast<uint32_t>(v) * scale, !halve_chroma)
              : plane_of(info, 1, 1, false);
        planes[n].blocks = Image(component.width_in_blocks * block, info.total_iMCU_rows * rows[n].per_call, 1);
        rows[n].stride = planes[n].blocks.width;
        rows[n].samples = planes[n].blocks.pixels.data();
    }
    decoder.check(decoder.read_planes(rows));
    decoder.check(decoder.finish());
    if (decoder.orientation != 1)
        for (Plane& plane : planes) turn(plane, info.image_width, info.image_height, decoder.orientation);
    return planes;
}

DecodedPart Jpeg::decode_part(const Rect& part, unsigned eighths) {
    Decoder& decoder = *decoder_;
    auto& info = decoder.info;
    if (decoder.orientation != 1 || info.num_components == 4) return {decode(), 0, 0, 8};
    // Chroma with an eighth of luma's samples is enlarged in two steps, by the DCT and by a filter. jpeg_crop_scanline
    // does not account for the first step, so that the filter misses columns.
    if (info.max_h_samp_factor * info.max_v_samp_factor > 4) eighths = 8;
    info.scale_num = eighths;
    info.scale_denom = 8;
    decoder.check(decoder.start());
    const auto down = [&](uint64_t side) { return static_cast<uint32_t>(side * eighths / 8); };
    const auto up = [&](uint64_t side, uint32_t limit) {
        return std::min(static_cast<uint32_t>((side * eighths + 7) / 8), limit);
    };
    const uint32_t top = down(part.top), bottom = up(part.bottom(), info.output_height);
    // A chroma value between two samples is interpolated from both, so a margin on both sides is decoded, too.
    const JDIMENSION margin = static_cast<JDIMENSION>(info.max_h_samp_factor) * DCTSIZE;
    const uint32_t wanted_left = down(part.left), wanted_right = up(part.right(), info.output_width);
    JDIMENSION left = wanted_left > margin ? wanted_left - margin : 0;
    JDIMENSION width = std::min(wanted_right + margin, info.output_width) - left;
    if (width < info.output_width) decoder.check(decoder.crop_columns(&left, &width));
    if (top) decoder.check(decoder.skip_rows(top));
    Image image(width, bottom - top, static_cast<uint32_t>(info.output_components));
    decoder.check(decoder.read_rows(image.pixels.data(), size_t(width) * image.channels, image.height));
    if (bottom == info.output_height) decoder.check(decoder.finish());
    if (decoder.channels && image.channels != static_cast<uint32_t>(decoder.channels))
        image = to_channels(image.view(), static_cast<uint32_t>(decoder.channels));
    return {std::move(image), left, top, eighths};
}

Image decode_jpeg(Span payload, int channels) { return Jpeg(payload, channels).decode(); }

namespace {

constexpr uint32_t kMcuRows = 2 * DCTSIZE;  // luma rows of an MCU with 4:2:0

// The size, the number of channels and the colours of an image that is to be encoded, and the quality.
struct EncodedFormat {
    uint32_t width, height, channels;
    J_COLOR_SPACE colors;
    int quality;
};

// Begin an image. The caller has set the encoder's target for longjmp. On entry `size` is the capacity of the buffer; it
// becomes the number of bytes written when the image is finished.
void start_compress(Encoder& encoder, const EncodedFormat& format, bool planes, unsigned long* size) {
    auto& info = encoder.info;
    jpeg_mem_dest(&info, &encoder.buffer, size);
    info.image_width = format.width;
    info.image_height = format.height;
    info.input_components = static_cast<int>(format.channels);
    info.in_color_space = format.colors;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, format.quality, TRUE);
    info.raw_data_in = planes ? TRUE : FALSE;
    jpeg_start_compress(&info, TRUE);
}

// `size` is that of `start_compress`.
bool compress(Encoder& encoder, const ImageView& image, int quality, unsigned long* size) {
    if (setjmp(encoder.errors.jump_target)) return false;
    auto& info = encoder.info;
    const J_COLOR_SPACE colors = image.channels == 1 ? JCS_GRAYSCALE : image.channels == 3 ? JCS_RGB : JCS_EXT_RGBX;
    start_compress(encoder, {image.width, image.height, image.channels, colors, quality}, false, size);
    while (info.next_scanline < info.image_height) {
        auto* row = const_cast<JSAMPLE*>(image.row(info.next_scanline));  // libjpeg does not write to it
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    return true;
}

// `size` is that of `start_compress`. Rows below the image repeat the last one, as in libjpeg's own preprocessing.
bool compress_planes(Encoder& encoder, const ImageView planes[3], uint32_t width, uint32_t height, int quality,
                     unsigned long* size) {
    if (setjmp(encoder.errors.jump_target)) return false;
    auto& info = encoder.info;
    start_compress(encoder, {width, height, 3, JCS_YCbCr, quality}, true, size);
    JSAMPROW rows[3][kMcuRows];
    JSAMPARRAY arrays[3] = {rows[0], rows[1], rows[2]};
    for (uint32_t top = 0; top < height; top += kMcuRows) {
        for (int n = 0; n < 3; ++n)
            for (uint32_t row = 0; row < kMcuRows; ++row)
                rows[n][row] = const_cast<JSAMPLE*>(  // libjpeg does not write to it
                    planes[n].row(std::min((n ? top / 2 : top) + row, planes[n].height - 1)));
        jpeg_write_raw_data(&info, arrays, kMcuRows);
    }
    jpeg_finish_compress(&info);
    return true;
}

// Append to `out` what compress(encoder, &size) writes.
template <typename Compress>
void append_jpeg(uint32_t width, uint32_t height, std::vector<uint8_t>& out, const Compress& compress) {
    thread_local Encoder encoder;
    if (!width || !height || width > kLongestSide || height > kLongestSide)
        throw Unsupported("a side longer than JPEG's 65,500 pixels");
    if (!encoder.buffer) {
        encoder.capacity = 1 << 16;
        encoder.buffer = static_cast<unsigned char*>(std::malloc(encoder.capacity));
        if (!encoder.buffer) throw std::bad_alloc();
    }
    unsigned char* const old_buffer = encoder.buffer;
    unsigned long size = encoder.capacity;
    const bool compressed = compress(encoder, &size);
    if (!compressed) {
        jpeg_abort_compress(&encoder.info);
        throw Unsupported(encoder.errors.message);
    }
    if (encoder.buffer != old_buffer) {  // libjpeg allocated a larger one
        std::free(old_buffer);
        encoder.capacity = size;
    }
    out.insert(out.end(), encoder.buffer, encoder.buffer + size);
    if (encoder.capacity > kMaxScratchBytes) {
        std::free(encoder.buffer);
        encoder.buffer = nullptr;
    }
}

}  // namespace

void encode_jpeg(const ImageView& image, int quality, std::vector<uint8_t>& out) {
    append_jpeg(image.width, image.height, out,
                [&](Encoder& encoder, unsigned long* size) { return compress(encoder, image, quality, size); });
}

void encode_jpeg_planes(const std::array<Image, 3>& planes, uint32_t width, uint32_t height, int quality,
                        std::vector<uint8_t>& out) {
    const ImageView views[3] = {planes[0].view(), planes[1].view(), planes[2].view()};
    append_jpeg(width, height, out, [&](Encoder& encoder, unsigned long* size) {
        return compress_planes(encoder, views, width, height, quality, size);
    });
}

}  // namespace recordkit
