#include "pack.hpp"

#include <algorithm>

#include "image_format.hpp"
#include "jpeg.hpp"
#include "orient.hpp"
#include "png.hpp"
#include "raw.hpp"
#include "resize.hpp"

namespace recordkit {
namespace {

void encode(const ImageView& image, const Recipe& recipe, std::vector<uint8_t>& out) {
    switch (recipe.encoding) {
        case Encoding::jpg: return encode_jpeg(image, recipe.quality, out);
        case Encoding::png: return encode_png(image, recipe.quality, out);
        case Encoding::raw: return encode_raw(image, out);
    }
}

// The largest central square.
ImageView central_square(const ImageView& image) {
    const uint32_t side = std::min(image.width, image.height);
    ImageView view = image;
    view.data = image.row((image.height - side) / 2) + size_t((image.width - side) / 2) * image.channels;
    view.width = view.height = side;
    return view;
}

void crop_resize_encode(const ImageView& image, const Recipe& recipe, std::vector<uint8_t>& out) {
    const ImageView part = recipe.crop ? central_square(image) : image;
    if (recipe.filter == Filter::none || std::min(part.width, part.height) == recipe.side)
        return encode(part, recipe, out);
    const uint64_t side = recipe.side;
    const bool tall = part.height > part.width;
    const uint64_t width = tall ? side : part.width * side / part.height;
    const uint64_t height = tall ? part.height * side / part.width : side;
    check_size(width, height);
    const Image resized = resize(part, static_cast<uint32_t>(width), static_cast<uint32_t>(height), recipe.filter);
    encode(resized.view(), recipe, out);
}

}  // namespace

void transcode(Span payload, const Recipe& recipe, std::vector<uint8_t>& out) {
    if (format_of(payload) == ImageFormat::jpeg) {
        const Image image = decode_jpeg(payload, recipe.channels);
        return crop_resize_encode(image.view(), recipe, out);
    }
    if (format_of(payload) == ImageFormat::png) {
        const Image image = decode_png(payload, recipe.channels);
        return crop_resize_encode(image.view(), recipe, out);
    }
    if (format_of(payload) == ImageFormat::raw) return encode_pixels(view_raw(payload), recipe, out);
    throw Unsupported("a format that the reference engine decodes");
}

void encode_pixels(const ImageView& image, const Recipe& recipe, std::vector<uint8_t>& out) {
    const auto channels = static_cast<uint32_t>(recipe.channels);
    if (!channels || image.channels == channels) return crop_resize_encode(image, recipe, out);
    const Image converted = to_channels(image, channels);
    crop_resize_encode(converted.view(), recipe, out);
}

}  // namespace recordkit
