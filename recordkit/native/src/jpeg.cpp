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
constexpr uint8_t kApp2 = JPEG_APP0 + 2;

// libjpeg reports errors by a callback that may not return. It is C, so an exception may not pass through it: each
// step that calls libjpeg sets a place to jump to, and has nothing on its stack that would need a destructor.
struct Errors {
    jpeg_error_mgr base;
    std::jmp_buf place;
    char message[JMSG_LENGTH_MAX];
};

void leave(j_common_ptr info) {
    auto* errors = reinterpret_cast<Errors*>(info->err);  // base is its first member
    (*info->err->format_message)(info, errors->message);
    std::longjmp(errors->place, 1);
}

// A warning (level -1) is damage that libjpeg papers over; the reference engine decides what that means.
void leave_if_damaged(j_common_ptr info, int level) {
    if (level < 0) leave(info);
}

void set_up(Errors& errors) {
    jpeg_std_error(&errors.base);
    errors.base.error_exit = leave;
    errors.base.emit_message = leave_if_damaged;
}

// One per thread, owned by it; `jpeg_set_defaults` sets all that an image before may have left. `buffer` is malloc'd,
// because libjpeg replaces it with a larger one of its own when it is too small.
struct Encoder {
    jpeg_compress_struct info{};
    Errors errors{};
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
        if (setjmp(errors.place)) {
            jpeg_destroy_compress(&info);
            return false;
        }
        jpeg_create_compress(&info);
        return true;
    }
};

[[noreturn]] void give_up(const char* reason) { throw Unsupported(reason); }

J_COLOR_SPACE output_space(const jpeg_decompress_struct& info, int channels) {
    if (info.num_components == 4) return JCS_CMYK;
    return channels == 1 || info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
}

uint8_t scaled(unsigned a, unsigned b) {  // a * b / 255, rounded
    const unsigned product = a * b + 128;
    return static_cast<uint8_t>(((product >> 8) + product) >> 8);
}

// CMYK files hold what Adobe wrote: inverted. Pillow's conversion.
Image rgb_of_cmyk(const Image& cmyk) {
    Image rgb(cmyk.width, cmyk.height, 3);
    const uint8_t* in = cmyk.pixels.data();
    uint8_t* out = rgb.pixels.data();
    for (size_t n = size_t(cmyk.width) * cmyk.height; n; --n, in += 4, out += 3) {
        const unsigned light = in[3];  // 255 - K
        for (int c = 0; c < 3; ++c) {
            const unsigned ink = 255u - in[c];
            out[c] = static_cast<uint8_t>(light - scaled(ink, light));
        }
    }
    return rgb;
}

}  // namespace

// A fresh one for each image: what is left of one image, its tables above all, would stand in for what is missing in
// the next.
struct Jpeg::Decoder {
    jpeg_decompress_struct info{};
    Errors errors{};
    HuffmanScan huffman;
    int channels;
    int orientation = 1;

    Decoder(Span payload, int wanted_channels) : channels(wanted_channels) {
        info.err = &errors.base;
        set_up(errors);
        if (!read_header(payload)) {
            jpeg_destroy_decompress(&info);
            give_up(errors.message);
        }
    }
    ~Decoder() { jpeg_destroy_decompress(&info); }
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    bool read_header(Span payload) {
        if (setjmp(errors.place)) return false;
        jpeg_create_decompress(&info);
        jpeg_save_markers(&info, kApp1, 0xffff);
        jpeg_save_markers(&info, kApp2, 16);
        jpeg_mem_src(&info, payload.data, static_cast<unsigned long>(payload.size));
        return jpeg_read_header(&info, TRUE) == JPEG_HEADER_OK;
    }

    bool start() {
        if (setjmp(errors.place)) return false;
        huffman.offer(info);
        return jpeg_start_decompress(&info);
    }

    // Leave columns out but for these and a few more; they are set to what will be there.
    bool narrow(JDIMENSION* left, JDIMENSION* width) {
        if (setjmp(errors.place)) return false;
        jpeg_crop_scanline(&info, left, width);
        return true;
    }

    bool skip_rows(JDIMENSION n) {
        if (setjmp(errors.place)) return false;
        return jpeg_skip_scanlines(&info, n) == n;
    }

    bool read_rows(uint8_t* pixels, size_t stride, JDIMENSION n) {
        if (setjmp(errors.place)) return false;
        constexpr JDIMENSION kRows = 16;
        JSAMPROW rows[kRows];
        for (JDIMENSION done = 0; done < n;) {
            const JDIMENSION some = std::min(kRows, n - done);
            for (JDIMENSION y = 0; y < some; ++y) rows[y] = pixels + (done + y) * stride;
            done += jpeg_read_scanlines(&info, rows, some);
        }
        return true;
    }

    bool finish() {
        if (setjmp(errors.place)) return false;
        return jpeg_finish_decompress(&info) == TRUE;
    }

    void check(bool good) const {
        if (!good) give_up(errors.message);
    }

    int read_orientation() const {
        Span exif;
        for (auto* marker = info.marker_list; marker; marker = marker->next) {
            if (marker->marker == kApp2 && marker->data_length >= 4 && !std::memcmp(marker->data, "MPF", 4))
                give_up("several pictures in one file");
            if (marker->marker != kApp1 || marker->data_length < 6 || std::memcmp(marker->data, "Exif\0", 6)) continue;
            if (exif.data) give_up("EXIF in several pieces");
            exif = {marker->data + 6, marker->data_length - 6};
        }
        return exif_orientation(exif);
    }

    bool turned() const { return orientation >= 5; }
};

Jpeg::Jpeg(Span payload, int channels) : decoder_(std::make_unique<Decoder>(payload, channels)) {
    auto& info = decoder_->info;
    const int components = info.num_components;
    const bool known = components == 1 || components == 3 || components == 4;
    if (!known || info.data_precision != 8) give_up("a rare kind of JPEG");
    if (uint64_t(info.image_width) * info.image_height > kMaxPixels) give_up("too many pixels");
    const int orientation = decoder_->read_orientation();
    if (channels) decoder_->orientation = orientation;
    info.out_color_space = output_space(info, channels);
}

Jpeg::~Jpeg() = default;

uint32_t Jpeg::width() const { return decoder_->turned() ? decoder_->info.image_height : decoder_->info.image_width; }

uint32_t Jpeg::height() const { return decoder_->turned() ? decoder_->info.image_width : decoder_->info.image_height; }

Image Jpeg::decode() {
    Decoder& decoder = *decoder_;
    auto& info = decoder.info;
    decoder.check(decoder.start());
    Image image(info.output_width, info.output_height, static_cast<uint32_t>(info.output_components));
    decoder.check(decoder.read_rows(image.pixels.data(), size_t(image.width) * image.channels, image.height));
    decoder.check(decoder.finish());
    if (image.channels == 4) image = rgb_of_cmyk(image);
    image = upright(std::move(image), decoder.orientation);
    if (decoder.channels && image.channels != static_cast<uint32_t>(decoder.channels))
        return to_channels(image.view(), static_cast<uint32_t>(decoder.channels));
    return image;
}

Decoded Jpeg::decode(const Rect& wanted, unsigned eighths) {
    Decoder& decoder = *decoder_;
    auto& info = decoder.info;
    if (decoder.orientation != 1 || info.num_components == 4) return {decode(), 0, 0, 8};
    // Chroma with an eighth of luma's samples is enlarged in two steps, by the DCT and by a filter; jpeg_crop_scanline
    // forgets the first, and the filter leaves columns out.
    if (info.max_h_samp_factor * info.max_v_samp_factor > 4) eighths = 8;
    info.scale_num = eighths;
    info.scale_denom = 8;
    decoder.check(decoder.start());
    const auto down = [&](uint64_t side) { return static_cast<uint32_t>(side * eighths / 8); };
    const auto up = [&](uint64_t side, uint32_t most) {
        return std::min(static_cast<uint32_t>((side * eighths + 7) / 8), most);
    };
    const uint32_t top = down(wanted.top), bottom = up(wanted.bottom(), info.output_height);
    // Chroma between two samples needs both, so more than what is wanted is decoded on both sides.
    const JDIMENSION margin = static_cast<JDIMENSION>(info.max_h_samp_factor) * DCTSIZE;
    const uint32_t wanted_left = down(wanted.left), wanted_right = up(wanted.right(), info.output_width);
    JDIMENSION left = wanted_left > margin ? wanted_left - margin : 0;
    JDIMENSION width = std::min(wanted_right + margin, info.output_width) - left;
    if (width < info.output_width) decoder.check(decoder.narrow(&left, &width));
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

// `size` is what the buffer can hold, then what was written.
bool compress(Encoder& encoder, const ImageView& image, int quality, unsigned long* size) {
    if (setjmp(encoder.errors.place)) return false;
    auto& info = encoder.info;
    jpeg_mem_dest(&info, &encoder.buffer, size);
    info.image_width = image.width;
    info.image_height = image.height;
    info.input_components = static_cast<int>(image.channels);
    info.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : image.channels == 3 ? JCS_RGB : JCS_EXT_RGBX;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        auto* row = const_cast<JSAMPLE*>(image.row(info.next_scanline));  // libjpeg only reads it
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    return true;
}

}  // namespace

void encode_jpeg(const ImageView& image, int quality, std::vector<uint8_t>& out) {
    thread_local Encoder encoder;
    if (!image.width || !image.height || image.width > kLongestSide || image.height > kLongestSide)
        throw Unsupported("JPEG sides end at 65,500 pixels");
    if (!encoder.buffer) {
        encoder.capacity = 1 << 16;
        encoder.buffer = static_cast<unsigned char*>(std::malloc(encoder.capacity));
        if (!encoder.buffer) throw std::bad_alloc();
    }
    unsigned char* const before = encoder.buffer;
    unsigned long size = encoder.capacity;
    const bool done = compress(encoder, image, quality, &size);
    if (!done) {
        jpeg_abort_compress(&encoder.info);
        throw Unsupported(encoder.errors.message);
    }
    if (encoder.buffer != before) {  // it outgrew ours: keep the larger one
        std::free(before);
        encoder.capacity = size;
    }
    out.insert(out.end(), encoder.buffer, encoder.buffer + size);
    if (encoder.capacity > kKeptBytes) {
        std::free(encoder.buffer);
        encoder.buffer = nullptr;
    }
}

}  // namespace recordkit
