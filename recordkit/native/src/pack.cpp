#include "pack.hpp"

#include <algorithm>
#include <cstring>

#include "jpeg.hpp"
#include "orient.hpp"
#include "png.hpp"
#include "raw.hpp"
#include "resize.hpp"

namespace recordkit {
namespace {

bool begins(Span payload, const char* magic, size_t size) {
    return payload.size >= size && !std::memcmp(payload.data, magic, size);
}

// An image to be cropped and resized, which the JPEG decoder may have scaled down already.
struct Source {
    ImageView image;
    uint32_t width;  // as if it had not
    uint32_t height;
    double scale;  // of `image` against that
};

void encode(const ImageView& image, const Recipe& recipe, std::vector<uint8_t>& out) {
    switch (recipe.encoding) {
        case Encoding::jpg: return encode_jpeg(image, recipe.quality, out);
        case Encoding::png: return encode_png(image, recipe.quality, out);
        case Encoding::raw: return encode_raw(image, out);
    }
}

// The part that is kept, in pixels of the unscaled image.
struct Part {
    uint32_t left, top, width, height;
};

Part part_of(const Source& source, bool crop) {
    if (!crop) return {0, 0, source.width, source.height};
    const uint32_t side = std::min(source.width, source.height);
    return {(source.width - side) / 2, (source.height - side) / 2, side, side};
}

ImageView cut(const ImageView& image, const Part& part) {
    ImageView view = image;
    view.data = image.row(part.top) + size_t(part.left) * image.channels;
    view.width = part.width;
    view.height = part.height;
    return view;
}

void finish(const Source& source, const Recipe& recipe, std::vector<uint8_t>& out) {
    const Part part = part_of(source, recipe.crop);
    if (recipe.filter == Filter::none || std::min(part.width, part.height) == recipe.side)
        return encode(cut(source.image, part), recipe, out);
    const uint64_t side = recipe.side;
    const bool tall = part.height > part.width;
    const uint64_t width = tall ? side : part.width * side / part.height;
    const uint64_t height = tall ? part.height * side / part.width : side;
    check_size(width, height);
    const auto w = static_cast<uint32_t>(width), h = static_cast<uint32_t>(height);
    if (source.scale == 1) {  // cut first, so that pixels outside do not count, as in the reference engine
        const Box whole{0, 0, double(part.width), double(part.height)};
        return encode(resize(cut(source.image, part), whole, w, h, recipe.filter).view(), recipe, out);
    }
    const double scale = source.scale;
    const Box box{part.left * scale, part.top * scale, part.width * scale, part.height * scale};
    encode(resize(source.image, box, w, h, recipe.filter).view(), recipe, out);
}

void finish(const ImageView& image, const Recipe& recipe, std::vector<uint8_t>& out) {
    finish(Source{image, image.width, image.height, 1}, recipe, out);
}

}  // namespace

void transcode(Span payload, const Recipe& recipe, std::vector<uint8_t>& out) {
    if (begins(payload, "\xff\xd8\xff", 3)) {
        const bool may_scale = recipe.scale_in_dct && recipe.filter == Filter::antialias;
        const Scaled scaled = decode_jpeg_scaled(payload, recipe.channels, may_scale ? recipe.side : 0);
        return finish({scaled.image.view(), scaled.full_width, scaled.full_height, scaled.eighths / 8.0}, recipe, out);
    }
    if (begins(payload, "\x89PNG\r\n\x1a\n", 8)) {
        const Image image = decode_png(payload, recipe.channels);
        return finish(image.view(), recipe, out);
    }
    if (begins(payload, "P5", 2) || begins(payload, "P6", 2) || begins(payload, "P7", 2)) {
        const Image image = decode_raw(payload);
        return encode_pixels(image.view(), recipe, out);
    }
    throw Unsupported("a format that the reference engine decodes");
}

void encode_pixels(const ImageView& image, const Recipe& recipe, std::vector<uint8_t>& out) {
    const auto channels = static_cast<uint32_t>(recipe.channels);
    if (!channels || image.channels == channels) return finish(image, recipe, out);
    const Image converted = to_channels(image, channels);
    finish(converted.view(), recipe, out);
}

}  // namespace recordkit
