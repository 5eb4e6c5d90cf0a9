#include "geometry.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace recordkit {
namespace {

Stage identity_stage(uint32_t width, uint32_t height) {
    const Rect whole{0, 0, width, height};
    Stage stage;
    stage.crop = stage.window = whole;
    stage.width = width;
    stage.height = height;
    return stage;
}

class StagePlanner {
  public:
    StagePlanner(uint32_t width, uint32_t height) : stages_{identity_stage(width, height)} {}

    uint32_t width() const { return stages_.back().window.width; }
    uint32_t height() const { return stages_.back().window.height; }
    std::vector<Stage> take() { return std::move(stages_); }

    // Crop the current result.
    void crop(Rect rect) {
        Stage& last = stages_.back();
        if (last.mirror) rect.left = last.window.width - rect.right();
        rect.left += last.window.left;
        rect.top += last.window.top;
        last.window = rect;
    }

    void crop_middle(uint32_t w, uint32_t h) {
        check_fits(w, h);
        crop({(width() - w) / 2, (height() - h) / 2, w, h});
    }

    void crop_at_random(uint32_t w, uint32_t h, Draws& draws) {
        check_fits(w, h);
        const uint32_t top = draws.below(height() - h + 1), left = draws.below(width() - w + 1);
        crop({left, top, w, h});
    }

    void check_fits(uint32_t w, uint32_t h) const {
        if (w > width() || h > height()) throw Unsupported("an image smaller than its crop");
    }

    void resize(uint32_t w, uint32_t h, Filter filter) {
        if (w == width() && h == height()) return;
        check_size(w, h);
        begin_change(Stage::Change::resize, w, h).filter = filter;
    }

    void resize_short_side(uint64_t side, Filter filter) {
        const bool tall = height() > width();
        const uint64_t w = tall ? side : width() * side / height(), h = tall ? height() * side / width() : side;
        check_size(w, h);
        resize(static_cast<uint32_t>(w), static_cast<uint32_t>(h), filter);
    }

    void pad(const Step& step) {
        const uint64_t both_margins = 2 * uint64_t(step.margin);
        const uint64_t w = both_margins ? width() + both_margins : std::max(width(), step.width);
        const uint64_t h = both_margins ? height() + both_margins : std::max(height(), step.height);
        if (w == width() && h == height()) return;
        check_size(w, h);
        const auto left = static_cast<uint32_t>((w - width()) / 2), top = static_cast<uint32_t>((h - height()) / 2);
        Stage& last = begin_change(Stage::Change::pad, static_cast<uint32_t>(w), static_cast<uint32_t>(h));
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
        const uint32_t w = warp.canvas_side(width()), h = warp.canvas_side(height());
        check_size(w, h);
        Stage& last = begin_change(Stage::Change::warp, w, h);
        last.warp = warp;
        last.fill = step.fill;
    }

    // Change colours. A change after a mirror is made before it, because both orders give the same pixels.
    void color(ColorChange change) {
        if (!stages_.back().changes_colors_last()) {
            const bool mirror = stages_.back().mirror;
            stages_.back().mirror = false;
            begin_change(Stage::Change::color, width(), height()).mirror = mirror;
        }
        Stage& last = stages_.back();
        if (last.mirror) change.rect.left = last.width - change.rect.right();
        last.colors.push_back(change);
    }

    void cutout(const Step& step, Draws& draws) {
        ColorChange change;
        change.kind = ColorChange::Kind::paint;
        change.fill = step.fill;
        const auto range = [](uint32_t middle, uint32_t size, uint32_t side) {
            const int64_t begin = int64_t(middle) - size / 2, end = begin + size;
            return std::pair(static_cast<uint32_t>(std::max<int64_t>(begin, 0)),
                             static_cast<uint32_t>(std::min<int64_t>(end, side)));
        };
        for (uint32_t n = 0; n < step.n; ++n) {
            const auto [top, bottom] = range(draws.below(height()), step.height, height());
            const auto [left, right] = range(draws.below(width()), step.width, width());
            change.rect = {left, top, right - left, bottom - top};
            color(change);
        }
    }

    void mirror() { stages_.back().mirror = !stages_.back().mirror; }

  private:
    // Begin a change of the current result to this size. A second change needs a new stage, because two resamplings
    // cannot be merged. A mirrored image needs one too, because changing it does not give the exact mirror image.
    Stage& begin_change(Stage::Change change, uint32_t w, uint32_t h) {
        if (stages_.back().changes() || stages_.back().mirror) stages_.push_back(identity_stage(width(), height()));
        Stage& last = stages_.back();
        last.crop = last.window;
        last.width = w;
        last.height = h;
        last.change = change;
        last.window = {0, 0, w, h};
        return last;
    }

    std::vector<Stage> stages_;
};

// torchvision's algorithm: ten attempts, then the largest central crop whose ratio is allowed.
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

constexpr double kPi = 3.14159265358979323846;

// RandomHue's matrix, as recordkit/transforms/hue.py computes it.
void rotate_hue(double alpha, float matrix[3][3]) {
    constexpr double kToYiq[3][3] = {{0.299, 0.587, 0.114}, {0.596, -0.274, -0.321}, {0.211, -0.523, 0.311}};
    constexpr double kFromYiq[3][3] = {{1.0, 0.956, 0.621}, {1.0, -0.272, -0.647}, {1.0, -1.107, 1.705}};
    const double u = std::cos(alpha * kPi), w = std::sin(alpha * kPi);
    for (int row = 0; row < 3; ++row) {
        for (int n = 0; n < 3; ++n) {
            const double turned_i = u * kToYiq[1][n] - w * kToYiq[2][n], turned_q = w * kToYiq[1][n] + u * kToYiq[2][n];
            matrix[row][n] =
                static_cast<float>(kToYiq[0][n] + kFromYiq[row][1] * turned_i + kFromYiq[row][2] * turned_q);
        }
    }
}

// The colour that RandomLighting adds, as recordkit/transforms/lighting.py computes it.
void draw_light(double std, Draws& draws, float shift[3]) {
    constexpr double kSizes[3] = {55.46, 4.794, 1.148};
    constexpr double kShares[3][3] = {
        {-0.5675, 0.7192, 0.4009}, {-0.5808, -0.0045, -0.8140}, {-0.5836, -0.6948, 0.4203}};
    double amounts[3];
    for (int n = 0; n < 3; ++n) {
        const double length = std::sqrt(-2 * std::log(1 - draws.uniform(0, 1)));
        amounts[n] = kSizes[n] * (std * length * std::cos(2 * kPi * draws.uniform(0, 1)));
    }
    for (int c = 0; c < 3; ++c)
        shift[c] =
            static_cast<float>(kShares[c][0] * amounts[0] + kShares[c][1] * amounts[1] + kShares[c][2] * amounts[2]);
}

// Draw the random numbers of a change of colour.
ColorChange draw_color(const Step& step, Draws& draws) {
    using Kind = ColorChange::Kind;
    const auto draw = [&](int n) { return draws.uniform(-step.limits[n], step.limits[n]); };
    ColorChange change;
    switch (step.kind) {
        case Step::Kind::brightness: change.kind = Kind::scale; break;
        case Step::Kind::contrast: change.kind = Kind::contrast; break;
        case Step::Kind::saturation: change.kind = Kind::saturate; break;
        case Step::Kind::hue:
            change.kind = Kind::mix;
            rotate_hue(draw(0), change.matrix);
            return change;
        case Step::Kind::hsl:
            change.kind = Kind::hsl;
            for (int n = 0; n < 3; ++n) change.shift[n] = static_cast<float>(draw(n));
            return change;
        default:
            change.kind = Kind::add;
            draw_light(step.limits[0], draws, change.shift);
            return change;
    }
    change.factor = 1 + draw(0);
    return change;
}

}  // namespace

void check_step(const Step& step) {
    using Kind = Step::Kind;
    const auto require = [](bool correct, const char* expected) {
        if (!correct) throw std::invalid_argument(std::string("expected ") + expected);
    };
    const auto is_range = [](const Range& range) {
        return std::isfinite(range.low) && std::isfinite(range.high) && range.low <= range.high;
    };
    require(step.number < 1u << 16, "a step number below 65,536");
    require(step.height <= kMaxPixels && step.width <= kMaxPixels && step.margin <= kMaxPixels, "sides of an image");
    switch (step.kind) {
        case Kind::center_crop:
        case Kind::pad: break;  // a side of 0 has a meaning
        case Kind::resize: require(step.height, "a short side of at least 1"); break;
        case Kind::size_crop:
        case Kind::center_size_crop:
            require(step.side_low && step.side_low <= step.side_high && step.side_high <= kMaxPixels,
                    "sides of a square of at least 1, the smallest first");
            [[fallthrough]];
        case Kind::random_crop: require(step.height && step.width, "a height and a width of at least 1"); break;
        case Kind::resized_crop:
            require(step.height && step.width, "a height and a width of at least 1");
            require(step.low > 0 && step.ratio_low > 0 && is_range({step.low, step.high}) &&
                        is_range({step.ratio_low, step.ratio_high}),
                    "ranges of area and ratio above 0");
            break;
        case Kind::flip: require(step.high >= 0 && step.high <= 1, "a probability of 0 to 1"); break;
        case Kind::warp:
            for (const Range& range : {step.shear, step.angle, step.scale, step.aspect})
                require(is_range(range), "finite ranges of a warp");
            break;
        case Kind::gray: require(step.high >= 0 && step.high <= 1, "a probability of 0 to 1"); break;
        case Kind::cutout: require(step.height && step.width && step.n, "a rectangle"); break;
        case Kind::brightness:
        case Kind::contrast:
        case Kind::saturation:
        case Kind::hue:
        case Kind::hsl:
        case Kind::lighting:
            for (const double limit : step.limits) require(limit >= 0 && limit <= 255, "limits of 0 to 255");
            require(step.kind != Kind::hsl || step.limits[0] <= 180, "a shift of the hue of at most 180");
    }
}

std::vector<Stage> plan_stages(const std::vector<Step>& steps, uint32_t width, uint32_t height, const DrawKey& key) {
    StagePlanner planner(width, height);
    for (const Step& step : steps) {
        Draws draws(key.seed, key.epoch, key.position, step.number);
        switch (step.kind) {
            case Step::Kind::resize: planner.resize_short_side(step.height, step.filter); break;
            case Step::Kind::center_crop: {
                const uint32_t side = std::min(planner.width(), planner.height());
                planner.crop_middle(step.width ? step.width : side, step.height ? step.height : side);
                break;
            }
            case Step::Kind::random_crop: planner.crop_at_random(step.width, step.height, draws); break;
            case Step::Kind::resized_crop:
                planner.crop(resized_crop(step, planner.width(), planner.height(), draws));
                planner.resize(step.width, step.height, step.filter);
                break;
            case Step::Kind::size_crop:
            case Step::Kind::center_size_crop: {
                planner.check_fits(step.side_high, step.side_high);
                const uint32_t side = step.side_low + draws.below(step.side_high - step.side_low + 1);
                if (step.kind == Step::Kind::center_size_crop) planner.crop_middle(side, side);
                else planner.crop_at_random(side, side, draws);
                planner.resize(step.width, step.height, step.filter);
                break;
            }
            case Step::Kind::pad: planner.pad(step); break;
            case Step::Kind::warp: planner.warp(step, draws); break;
            case Step::Kind::flip:
                if (draws.uniform(0, 1) < step.high) planner.mirror();
                break;
            case Step::Kind::gray:
                if (draws.uniform(0, 1) < step.high) planner.color(ColorChange{ColorChange::Kind::gray});
                break;
            case Step::Kind::cutout: planner.cutout(step, draws); break;
            default: planner.color(draw_color(step, draws));
        }
    }
    return planner.take();
}

}  // namespace recordkit
