#include "canvas.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace recordkit {
namespace {

constexpr double kRadians = 3.14159265358979323846 / 180;

// From a canvas's pixel to the point of the image that it comes from: x' = xx * x + xy * y + x0, y' alike; pixels lie at
// halves.
struct Inverse {
    double xx, xy, x0, yx, yy, y0;

    Inverse(const Warp& warp, double width, double height) {
        const double scale = warp.scale, shear = warp.shear;
        const double cos = std::cos(warp.angle * kRadians), sin = std::sin(warp.angle * kRadians);
        const double hs = 2 * scale / (1 + warp.aspect), ws = warp.aspect * hs;
        const double m00 = hs * cos - shear * sin * ws, m01 = hs * sin + shear * cos * ws, m10 = -sin * ws,
                     m11 = cos * ws;
        const double tx = (scale * width - (m00 * width + m01 * height)) / 2;
        const double ty = (scale * height - (m10 * width + m11 * height)) / 2;
        const double determinant = hs * ws;
        xx = m11 / determinant, xy = -m01 / determinant, yx = -m10 / determinant, yy = m00 / determinant;
        x0 = 0.5 - xx * (0.5 + tx) - xy * (0.5 + ty);
        y0 = 0.5 - yx * (0.5 + tx) - yy * (0.5 + ty);
    }
};

struct Pixel {
    uint8_t of[4];

    explicit Pixel(uint8_t fill) : of{fill, fill, fill, 0} {}
};

void repeat(uint8_t* at, const Pixel& pixel, uint32_t n, uint32_t channels) {
    if (channels < 4) std::memset(at, pixel.of[0], size_t(n) * channels);
    else
        for (uint32_t i = 0; i < n; ++i) std::memcpy(at + size_t(i) * 4, pixel.of, 4);
}

double between(double a, double b, double share) { return a + (b - a) * share; }

// The bilinear mean around a point inside the image, rounded down; beyond the outermost centres the nearest ones count.
template <uint32_t channels>
void sample(const ImageView& image, double x, double y, uint8_t* into) {
    x -= 0.5, y -= 0.5;
    const double left = std::floor(x), top = std::floor(y), dx = x - left, dy = y - top;
    const auto clip = [](double at, uint32_t side) {
        return at < 0 ? 0u : std::min(static_cast<uint32_t>(at), side - 1);
    };
    const size_t from = size_t(clip(left, image.width)) * channels, to = size_t(clip(left + 1, image.width)) * channels;
    const uint8_t *upper = image.row(clip(top, image.height)), *lower = image.row(clip(top + 1, image.height));
    for (uint32_t c = 0; c < channels; ++c) {
        const double above = between(upper[from + c], upper[to + c], dx),
                     below = between(lower[from + c], lower[to + c], dx);
        into[c] = static_cast<uint8_t>(between(above, below, dy));
    }
}

template <uint32_t channels>
void warp_rows(const ImageView& image, const Inverse& inverse, const Pixel& fill, const Rect& window, Image& made) {
    for (uint32_t row = 0; row < window.height; ++row) {
        const double y = window.top + row + 0.5;
        uint8_t* into = made.row(row);
        for (uint32_t column = 0; column < window.width; ++column, into += channels) {
            const double x = window.left + column + 0.5;
            const double from_x = inverse.xx * x + inverse.xy * y + inverse.x0;
            const double from_y = inverse.yx * x + inverse.yy * y + inverse.y0;
            const bool inside = from_x >= 0 && from_x < image.width && from_y >= 0 && from_y < image.height;
            if (inside) sample<channels>(image, from_x, from_y, into);
            else std::memcpy(into, fill.of, channels);
        }
    }
}

}  // namespace

uint32_t Warp::side(uint32_t of) const {
    const double wanted = scale * of;
    if (!(wanted >= 0 && wanted < double(kMaxPixels))) throw Unsupported("too many pixels");
    return std::max(static_cast<uint32_t>(wanted), 1u);
}

Image warp(const ImageView& image, const Warp& warp, uint8_t fill, const Rect& window) {
    Image made(window.width, window.height, image.channels);
    const Inverse inverse(warp, image.width, image.height);
    switch (image.channels) {
        case 1: warp_rows<1>(image, inverse, Pixel(fill), window, made); break;
        case 3: warp_rows<3>(image, inverse, Pixel(fill), window, made); break;
        default: warp_rows<4>(image, inverse, Pixel(fill), window, made);
    }
    return made;
}

Image pad(const ImageView& image, uint32_t left, uint32_t top, uint8_t fill, const Rect& window) {
    Image made(window.width, window.height, image.channels);
    const uint32_t channels = image.channels;
    // The image's columns within the window.
    const auto within = [&window](uint32_t column) {
        return std::clamp(column, window.left, window.right()) - window.left;
    };
    const uint32_t begin = within(left), end = within(left + image.width);
    const Pixel pixel(fill);
    for (uint32_t row = 0; row < window.height; ++row) {
        uint8_t* const into = made.row(row);
        const uint32_t y = window.top + row;
        if (y < top || y >= top + image.height || begin == end) {
            repeat(into, pixel, window.width, channels);
            continue;
        }
        repeat(into, pixel, begin, channels);
        const size_t from = size_t(window.left + begin - left) * channels;
        std::memcpy(into + size_t(begin) * channels, image.row(y - top) + from, size_t(end - begin) * channels);
        repeat(into + size_t(end) * channels, pixel, window.width - end, channels);
    }
    return made;
}

}  // namespace recordkit
