#include "taps.hpp"

#include <algorithm>
#include <cmath>

namespace recordkit {
namespace {

constexpr double kOne = 1 << 15;

// Rounds what the weights so far add up to, so that all of them add up to 1.
struct Rounded {
    int16_t* next;
    double sum = 0;
    int given = 0;

    void add(double weight) {
        sum += weight;
        const int all = static_cast<int>(sum * kOne + 0.5), own = std::min(all - given, (1 << 15) - 1);
        given = all;
        *next++ = static_cast<int16_t>(own);
    }
};

// Pillow's resize(BILINEAR): a triangle that is as wide as what a result line covers.
void antialias(Taps& taps, size_t line, double center, double support, int in) {
    const int begin = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), in);
    taps.first[line] = begin;
    taps.count[line] = end - begin;
    const auto height = [&](int n) { return std::max(1.0 - std::abs((n - center + 0.5) / support), 0.0); };
    double sum = 0;
    for (int n = begin; n < end; ++n) sum += height(n);
    Rounded weights{&taps.weights[line * taps.width]};
    for (int n = begin; n < end; ++n) weights.add(height(n) / sum);
}

// Pillow's transform(BILINEAR), and OpenCV's: the two nearest lines; beyond the border the last one counts twice.
void bilinear(Taps& taps, size_t line, double center, int in) {
    const double low = std::floor(center - 0.5);
    const int begin = std::clamp(static_cast<int>(low), 0, in - 1),
              end = std::clamp(static_cast<int>(low) + 1, 0, in - 1);
    const double part = end == begin ? 0 : center - 0.5 - low;
    taps.first[line] = begin;
    taps.count[line] = end - begin + 1;
    Rounded weights{&taps.weights[line * taps.width]};
    weights.add(1 - part);
    weights.add(part);
}

}  // namespace

Taps taps_for(Filter filter, uint32_t in, const Stretch& stretch, uint32_t out, uint32_t first, uint32_t n) {
    const double scale = stretch.size / out;
    const double support = std::max(scale, 1.0);  // the triangle reaches so far to each side
    Taps taps;
    taps.width = filter == Filter::bilinear ? 2 : static_cast<int>(std::ceil(support)) * 2 + 1;
    taps.first.resize(n);
    taps.count.resize(n);
    taps.weights.assign(size_t(n) * taps.width, 0);
    for (uint32_t line = 0; line < n; ++line) {
        const double center = stretch.from + (first + line + 0.5) * scale;
        if (filter == Filter::bilinear) bilinear(taps, line, center, static_cast<int>(in));
        else antialias(taps, line, center, support, static_cast<int>(in));
    }
    return taps;
}

void Taps::mirror() {
    std::reverse(first.begin(), first.end());
    std::reverse(count.begin(), count.end());
    std::reverse(weights.begin(), weights.end());  // now each line's own are the wrong way around, too
    for (size_t line = 0; line < size(); ++line) {
        int16_t* own = &weights[line * width];
        std::reverse(own, own + width);
    }
}

}  // namespace recordkit
