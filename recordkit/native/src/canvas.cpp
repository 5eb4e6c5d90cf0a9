#include "canvas.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace recordkit {
namespace {

constexpr double kRadians = 3.14159265358979323846 / 180;

// Maps the centre of a canvas pixel to the point of the image that it shows: x' = xx * x + xy * y + x0, y' likewise.
// Centres of pixels have coordinates of n + 0.5.
struct CanvasToImage {
    double xx, xy, x0, yx, yy, y0;

    CanvasToImage(const Warp& warp, double width, double height) {
        const double scale = warp.scale, shear = warp.shear;
        const double cos = std::cos(warp.angle * kRadians), sin = std::sin(warp.angle * kRadians);
        const double hs = 2 * scale / (1 + warp.aspect), ws = warp.aspect * hs;
        const double m00 = hs * cos - shear * sin * ws, m01 = hs * sin + shear * cos * ws;
        const double m10 = -sin * ws, m11 = cos * ws;
        const double tx = (scale * width - (m00 * width + m01 * height)) / 2;
        const double ty = (scale * height - (m10 * width + m11 * height)) / 2;
        const double determinant = hs * ws;
        xx = m11 / determinant, xy = -m01 / determinant, yx = -m10 / determinant, yy = m00 / determinant;
        x0 = 0.5 - xx * (0.5 + tx) - xy * (0.5 + ty);
        y0 = 0.5 - yx * (0.5 + tx) - yy * (0.5 + ty);
    }
};

// One pixel of the canvas outside the image.
struct Pixel {
    uint8_t values[4] = {};  // RGBA or gray; alpha is 0

    explicit Pixel(uint8_t fill) { std::memset(values, fill, 3); }
};

void fill_pixels(uint8_t* out, const Pixel& pixel, uint32_t n, uint32_t channels) {
    if (channels < 4) std::memset(out, pixel.values[0], size_t(n) * channels);
    else
        for (uint32_t i = 0; i < n; ++i) std::memcpy(out + size_t(i) * 4, pixel.values, 4);
}

double interpolate(double a, double b, double fraction) { return a + (b - a) * fraction; }

// Interpolate bilinearly at a point inside the image, rounded down. Outside the centres of the outermost pixels, the
// nearest pixels are used.
template <uint32_t channels>
void sample(const ImageView& image, double x, double y, uint8_t* out) {
    x -= 0.5, y -= 0.5;
    const double left = std::floor(x), top = std::floor(y), dx = x - left, dy = y - top;
    const auto clip = [](double coordinate, uint32_t side) {
        return coordinate < 0 ? 0u : std::min(static_cast<uint32_t>(coordinate), side - 1);
    };
    const size_t from = size_t(clip(left, image.width)) * channels, to = size_t(clip(left + 1, image.width)) * channels;
    const uint8_t *upper = image.row(clip(top, image.height)), *lower = image.row(clip(top + 1, image.height));
    for (uint32_t c = 0; c < channels; ++c) {
        const double above = interpolate(upper[from + c], upper[to + c], dx);
        const double below = interpolate(lower[from + c], lower[to + c], dx);
        out[c] = static_cast<uint8_t>(interpolate(above, below, dy));
    }
}

template <uint32_t channels>
void warp_rows(const ImageView& image, const CanvasToImage& canvas_to_image, const Pixel& fill, const Rect& window,
               Image& result) {
    for (uint32_t row = 0; row < window.height; ++row) {
        const double y = window.top + row + 0.5;
        uint8_t* out = result.row(row);
        for (uint32_t column = 0; column < window.width; ++column, out += channels) {
            const double x = window.left + column + 0.5;
            const double from_x = canvas_to_image.xx * x + canvas_to_image.xy * y + canvas_to_image.x0;
            const double from_y = canvas_to_image.yx * x + canvas_to_image.yy * y + canvas_to_image.y0;
            const bool inside = from_x >= 0 && from_x < image.width && from_y >= 0 && from_y < image.height;
            if (inside) sample<channels>(image, from_x, from_y, out);
            else std::memcpy(out, fill.values, channels);
        }
    }
}

}  // namespace

uint32_t Warp::canvas_side(uint32_t image_side) const {
    const double side = scale * image_side;
    if (!(side >= 0 && side < double(kMaxPixels))) throw Unsupported("too many pixels");
    return std::max(static_cast<uint32_t>(side), 1u);
}

Image warp(const ImageView& image, const Warp& warp, uint8_t fill, const Rect& window) {
    Image result(window.width, window.height, image.channels);
    const CanvasToImage canvas_to_image(warp, image.width, image.height);
    switch (image.channels) {
        case 1: warp_rows<1>(image, canvas_to_image, Pixel(fill), window, result); break;
        case 3: warp_rows<3>(image, canvas_to_image, Pixel(fill), window, result); break;
        default: warp_rows<4>(image, canvas_to_image, Pixel(fill), window, result);
    }
    return result;
}

Image pad(const ImageView& image, uint32_t left, uint32_t top, uint8_t fill, const Rect& window) {
    Image result(window.width, window.height, image.channels);
    const uint32_t channels = image.channels;
    // Columns of the window that show the image.
    const auto window_column = [&window](uint32_t column) {
        return std::clamp(column, window.left, window.right()) - window.left;
    };
    const uint32_t begin = window_column(left), end = window_column(left + image.width);
    const Pixel pixel(fill);
    for (uint32_t row = 0; row < window.height; ++row) {
        uint8_t* const out = result.row(row);
        const uint32_t y = window.top + row;
        if (y < top || y >= top + image.height || begin == end) {
            fill_pixels(out, pixel, window.width, channels);
            continue;
        }
        fill_pixels(out, pixel, begin, channels);
        const size_t from = size_t(window.left + begin - left) * channels;
        std::memcpy(out + size_t(begin) * channels, image.row(y - top) + from, size_t(end - begin) * channels);
        fill_pixels(out + size_t(end) * channels, pixel, window.width - end, channels);
    }
    return result;
}

}  // namespace recordkit
