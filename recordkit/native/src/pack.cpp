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
Rect central_square(uint32_t width, uint32_t height) {
    const uint32_t side = std::min(width, height);
    return {(width - side) / 2, (height - side) / 2, side, side};
}

struct Size {
    uint32_t width, height;
};

// The size of an image after the resize: the short side has the length of the recipe.
Size resized_size(const Recipe& recipe, uint32_t width, uint32_t height) {
    const uint64_t side = recipe.side;
    const bool tall = height > width;
    const uint64_t new_width = tall ? side : width * side / height, new_height = tall ? height * side / width : side;
    check_size(new_width, new_height);
    return {static_cast<uint32_t>(new_width), static_cast<uint32_t>(new_height)};
}

constexpr uint32_t kBlock = 8;

uint32_t whole_blocks(uint32_t n) { return (n + kBlock - 1) / kBlock * kBlock; }

// The decoder may halve chroma of full size if at least a third of the columns and rows are to go, because the resize then
// takes means of it again. Its mean of four samples is not quite theirs: with less to go, single samples of photographs
// differ from the reference engine by more than 8 levels (benchmarks/compare_planes.py).
bool may_halve_chroma(const Rect& part, const Size& size) {
    return uint64_t(part.width) * 2 >= uint64_t(size.width) * 3 &&
           uint64_t(part.height) * 2 >= uint64_t(size.height) * 3;
}

// Resize each plane of a JPEG straight to its size in the result.
void resize_planes(Jpeg& jpeg, const Recipe& recipe, std::vector<uint8_t>& out) {
    Rect part = {0, 0, jpeg.width(), jpeg.height()};
    if (recipe.crop) part = central_square(part.width, part.height);
    const Size size = resized_size(recipe, part.width, part.height);
    const auto planes = jpeg.decode_planes(may_halve_chroma(part, size));
    Taps columns = taps_for(recipe.filter, part.width, size.width),
         rows = taps_for(recipe.filter, part.height, size.height);
    columns.move(static_cast<int>(part.left));
    rows.move(static_cast<int>(part.top));
    std::array<Image, 3> resized;
    for (size_t n = 1; n < 3; ++n)
        resized[n] =
            resize(planes[n].view(),
                   halved_taps(columns, planes[n].columns, planes[n].width, whole_blocks((size.width + 1) / 2)),
                   halved_taps(rows, planes[n].rows, planes[n].height, (size.height + 1) / 2), recipe.filter);
    columns.repeat_last(whole_blocks(size.width));
    resized[0] = resize(planes[0].view(), columns, rows, recipe.filter);
    encode_jpeg_planes(resized, size.width, size.height, recipe.quality, out);
}

void crop_resize_encode(const ImageView& image, const Recipe& recipe, std::vector<uint8_t>& out) {
    const ImageView part = recipe.crop ? image.part(central_square(image.width, image.height)) : image;
    if (recipe.filter == Filter::none || std::min(part.width, part.height) == recipe.side)
        return encode(part, recipe, out);
    const Size size = resized_size(recipe, part.width, part.height);
    const Image resized = resize(part, size.width, size.height, recipe.filter);
    encode(resized.view(), recipe, out);
}

}  // namespace

void transcode(Span payload, const Recipe& recipe, std::vector<uint8_t>& out) {
    if (format_of(payload) == ImageFormat::jpeg) {
        Jpeg jpeg(payload, recipe.channels);
        if (recipe.planes && jpeg.has_planes()) return resize_planes(jpeg, recipe, out);
        const Image image = jpeg.decode();
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
