// Resizes, crops, flips, borders, warps and changes of colour of an image, planned from its size before a pixel is decoded. The formulas,
// the order of random draws and the roundings are those of recordkit/transforms.
#pragma once

#include "canvas.hpp"
#include "color.hpp"
#include "common.hpp"
#include "draws.hpp"
#include "taps.hpp"

namespace recordkit {

// A fixed number, or a range from which one is drawn.
struct Range {
    double low = 0, high = 0;
    bool drawn = false;

    double draw(Draws& draws) const { return drawn ? draws.uniform(low, high) : low; }
};

// One transform, as recordkit.loading.native describes it.
struct Step {
    enum class Kind : uint8_t {
        resize,
        center_crop,
        random_crop,
        resized_crop,
        size_crop,
        center_size_crop,
        flip,
        pad,
        warp,
        brightness,
        contrast,
        saturation,
        hue,
        hsl,
        lighting,
        gray,
        cutout
    };

    Kind kind = Kind::resize;
    uint32_t number = 0;             // index among all transforms, which keys its random draws
    uint32_t height = 0, width = 0;  // size of the result; a resize has its short side in `height`;
                                     // 0 in a center crop: the largest central square
    Filter filter = Filter::none;
    double low = 0, high = 0;              // range of the area's share; a flip has its probability in `high`, and so
                                           // has gray
    double ratio_low = 0, ratio_high = 0;  // range of width / height
    uint32_t side_low = 0, side_high = 0;  // range of the side of the square that a size crop cuts out
    uint32_t margin = 0;                   // width of a border; 0: the border extends to `height` and `width`
    uint8_t fill = 0;
    Range shear, angle, scale, aspect;  // parameters of a warp
    std::vector<int> angles;            // whole degrees from which a warp draws; empty: `angle` is used
    double limits[3] = {};              // of a change of colour; the standard deviation of a lighting
    uint32_t n = 1;                     // number of rectangles of a cutout
};

// Throws std::invalid_argument if the kind of the step does not allow one of its parameters. `plan_stages` relies on
// it.
void check_step(const Step& step);

// Consecutive steps merged into one: crop the input, change it (resize, pad, warp or colours), crop the result, mirror
// it.
struct Stage {
    enum class Change : uint8_t { none, resize, pad, warp, color };

    Rect crop;                       // in the stage's input
    uint32_t width = 0, height = 0;  // size after the change
    Change change = Change::none;
    Rect window;  // part of the changed image that is the stage's result
    bool mirror = false;
    Filter filter = Filter::none;  // used by a resize
    uint32_t left = 0, top = 0;    // position of the crop on the canvas of a pad
    Warp warp;
    uint8_t fill = 0;
    std::vector<ColorChange> colors;  // used by a change of colours

    bool changes() const { return change != Change::none; }
    bool resizes() const { return change == Change::resize; }
    // A further change of colours can join those of this stage.
    bool changes_colors_last() const {
        return change == Change::color && window.width == width && window.height == height;
    }
};

// Key of a sample's random draws; each step adds its own number.
struct DrawKey {
    uint64_t seed;
    uint32_t epoch;
    uint64_t position;  // in the order of the epoch
};

// Plan the stages for an image of this size, by steps that `check_step` allows; the result of the last stage goes into
// the batch. There are several stages if steps change an image more than once. Throws Unsupported if the image is smaller than a crop, so that the
// reference engine words the error.
std::vector<Stage> plan_stages(const std::vector<Step>& steps, uint32_t width, uint32_t height, const DrawKey& key);

}  // namespace recordkit
