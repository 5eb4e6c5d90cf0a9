#include "geometry.hpp"

#include <algorithm>
#include <cmath>

namespace recordkit {
namespace {

Geometry untouched(uint32_t width, uint32_t height) {
    const Rect whole{0, 0, width, height};
    Geometry geometry;
    geometry.cut = geometry.window = whole;
    geometry.width = width;
    geometry.height = height;
    return geometry;
}

class Drawing {
  public:
    Drawing(uint32_t width, uint32_t height) : stages_{untouched(width, height)} {}

    uint32_t width() const { return stages_.back().window.width; }
    uint32_t height() const { return stages_.back().window.height; }
    std::vector<Geometry> take() { return std::move(stages_); }

    void crop(Rect rect) {  // in what there is by now
        Geometry& last = stages_.back();
        if (last.mirror) rect.left = last.window.width - rect.right();
        rect.left += last.window.left;
        rect.top += last.window.top;
        last.window = rect;
    }

    void crop_middle(uint32_t w, uint32_t h) {
        check(w, h);
        crop({(width() - w) / 2, (height() - h) / 2, w, h});
    }

    void crop_anywhere(uint32_t w, uint32_t h, Draws& draws) {
        check(w, h);
        const uint32_t top = draws.below(height() - h + 1), left = draws.below(width() - w + 1);
        crop({left, top, w, h});
    }

    void check(uint32_t w, uint32_t h) const {
        if (w > width() || h > height()) throw Unsupported("an image smaller than its crop");
    }

    void resize(uint32_t w, uint32_t h, Filter filter) {
        if (w == width() && h == height()) return;
        check_size(w, h);
        change(Geometry::Change::resize, w, h).filter = filter;
    }

    void resize_short_side(uint64_t side, Filter filter) {
        const bool tall = height() > width();
        const uint64_t w = tall ? side : width() * side / height(), h = tall ? height() * side / width() : side;
        check_size(w, h);
        resize(static_cast<uint32_t>(w), static_cast<uint32_t>(h), filter);
    }

    void pad(const Step& step) {
        const uint64_t around = 2 * uint64_t(step.margin);
        const uint64_t w = around ? width() + around : std::max(width(), step.width);
        const uint64_t h = around ? height() + around : std::max(height(), step.height);
        if (w == width() && h == height()) return;
        check_size(w, h);
        const auto left = static_cast<uint32_t>((w - width()) / 2), top = static_cast<uint32_t>((h - height()) / 2);
        Geometry& last = change(Geometry::Change::pad, static_cast<uint32_t>(w), static_cast<uint32_t>(h));
        last.left = left;
        last.top = top;
        last.fill = step.fill;
    }

    void warp(const Step& step, Draws& draws) {
        Warp warp;
        warp.shear = step.shear.draw(draws);
        warp.angle = step.angles.empty() ? step.angle.draw(draws)
                                         : step.angles[draws.below(static_cast<uint32_t>(step.angles.size()))];
        warp.scale = step.scale.draw(draws);
        warp.aspect = step.aspect.draw(draws);
        const uint32_t w = warp.side(width()), h = warp.side(height());
        check_size(w, h);
        Geometry& last = change(Geometry::Change::warp, w, h);
        last.warp = warp;
        last.fill = step.fill;
    }

    void mirror() { stages_.back().mirror = !stages_.back().mirror; }

  private:
    // Change what there is by now, to that size. Two changes are not one; and a mirrored image is not changed to the very
    // mirror image.
    Geometry& change(Geometry::Change kind, uint32_t w, uint32_t h) {
        if (stages_.back().changes() || stages_.back().mirror) stages_.push_back(untouched(width(), height()));
        Geometry& last = stages_.back();
        last.cut = last.window;
        last.width = w;
        last.height = h;
        last.change = kind;
        last.window = {0, 0, w, h};
        return last;
    }

    std::vector<Geometry> stages_;
};

// torchvision's: ten tries, then the largest central part whose ratio is allowed.
Rect resized_crop(const Step& step, uint32_t width, uint32_t height, Draws& draws) {
    const double area = double(width) * height;
    const double log_low = std::log(step.ratio_low), log_high = std::log(step.ratio_high);
    for (int attempt = 0; attempt < 10; ++attempt) {
        const double target = area * draws.uniform(step.low, step.high);
        const double ratio = std::exp(draws.uniform(log_low, log_high));
        const double w = std::floor(std::sqrt(target * ratio) + 0.5), h = std::floor(std::sqrt(target / ratio) + 0.5);
        if (!(w >= 1 && w <= width && h >= 1 && h <= height)) continue;
        const auto wide = static_cast<uint32_t>(w), high = static_cast<uint32_t>(h);
        const uint32_t top = draws.below(height - high + 1), left = draws.below(width - wide + 1);
        return {left, top, wide, high};
    }
    uint32_t w = width, h = height;
    const double ratio = double(width) / height;
    if (ratio < step.ratio_low)
        h = std::min(height, std::max(1u, static_cast<uint32_t>(std::floor(w / step.ratio_low + 0.5))));
    else if (ratio > step.ratio_high)
        w = std::min(width, std::max(1u, static_cast<uint32_t>(std::floor(h * step.ratio_high + 0.5))));
    return {(width - w) / 2, (height - h) / 2, w, h};
}

}  // namespace

std::vector<Geometry> draw_geometry(const std::vector<Step>& steps, uint32_t width, uint32_t height,
                                    const Place& place) {
    Drawing drawing(width, height);
    for (const Step& step : steps) {
        Draws draws(place.seed, place.epoch, place.position, step.number);
        switch (step.kind) {
            case Step::Kind::resize: drawing.resize_short_side(step.height, step.filter); break;
            case Step::Kind::center_crop: {
                const uint32_t side = std::min(drawing.width(), drawing.height());
                drawing.crop_middle(step.width ? step.width : side, step.height ? step.height : side);
                break;
            }
            case Step::Kind::random_crop: drawing.crop_anywhere(step.width, step.height, draws); break;
            case Step::Kind::resized_crop:
                drawing.crop(resized_crop(step, drawing.width(), drawing.height(), draws));
                drawing.resize(step.width, step.height, step.filter);
                break;
            case Step::Kind::size_crop:
            case Step::Kind::center_size_crop: {
                drawing.check(step.side_high, step.side_high);
                const uint32_t side = step.side_low + draws.below(step.side_high - step.side_low + 1);
                if (step.kind == Step::Kind::center_size_crop) drawing.crop_middle(side, side);
                else drawing.crop_anywhere(side, side, draws);
                drawing.resize(step.width, step.height, step.filter);
                break;
            }
            case Step::Kind::pad: drawing.pad(step); break;
            case Step::Kind::warp: drawing.warp(step, draws); break;
            case Step::Kind::flip:
                if (draws.uniform(0, 1) < step.high) drawing.mirror();
                break;
        }
    }
    return drawing.take();
}

}  // namespace recordkit
