#include "taps.hpp"

#include <algorithm>
#include <cmath>

namespace recordkit {
namespace {

constexpr double kOne = 1 << kWeightBits;

// Rounds the running sum of weights instead of each weight, so that the rounded weights add up to 1.
struct WeightRounder {
    int16_t* next;  // not owned: the next element of Taps::weights
    double sum = 0;
    int rounded_sum = 0;

    void add(double weight) {
        sum += weight;
        const int new_sum = static_cast<int>(sum * kOne + 0.5);
        *next++ = static_cast<int16_t>(std::min(new_sum - rounded_sum, (1 << kWeightBits) - 1));
        rounded_sum = new_sum;
    }
};

// Pillow's resize(BILINEAR): a triangle filter, scaled to the lines that a result line covers.
void antialias(Taps& taps, size_t line, double center, double support, int in) {
    const int begin = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), in);
    taps.first[line] = begin;
    taps.count[line] = end - begin;
    const auto height = [&](int n) { return std::max(1.0 - std::abs((n - center + 0.5) / support), 0.0); };
    double sum = 0;
    for (int n = begin; n < end; ++n) sum += height(n);
    WeightRounder rounder{&taps.weights[line * taps.weights_per_line]};
    for (int n = begin; n < end; ++n) rounder.add(height(n) / sum);
}

// Pillow's transform(BILINEAR), and OpenCV's: the two nearest lines. Outside the border the last line counts twice.
void bilinear(Taps& taps, size_t line, double center, int in) {
    const double low = std::floor(center - 0.5);
    const int begin = std::clamp(static_cast<int>(low), 0, in - 1),
              end = std::clamp(static_cast<int>(low) + 1, 0, in - 1);
    const double fraction = end == begin ? 0 : center - 0.5 - low;
    taps.first[line] = begin;
    taps.count[line] = end - begin + 1;
    WeightRounder rounder{&taps.weights[line * taps.weights_per_line]};
    rounder.add(1 - fraction);
    rounder.add(fraction);
}

}  // namespace

Taps taps_for(Filter filter, uint32_t in, const LineRange& range, uint32_t out, uint32_t first, uint32_t n) {
    const double scale = range.size / out;
    const double support = std::max(scale, 1.0);  // half the base of the triangle
    Taps taps;
    taps.weights_per_line = filter == Filter::bilinear ? 2 : static_cast<int>(std::ceil(support)) * 2 + 1;
    taps.first.resize(n);
    taps.count.resize(n);
    taps.weights.assign(size_t(n) * taps.weights_per_line, 0);
    for (uint32_t line = 0; line < n; ++line) {
        const double center = range.begin + (first + line + 0.5) * scale;
        if (filter == Filter::bilinear) bilinear(taps, line, center, static_cast<int>(in));
        else antialias(taps, line, center, support, static_cast<int>(in));
    }
    return taps;
}

void Taps::mirror() {
    std::reverse(first.begin(), first.end());
    std::reverse(count.begin(), count.end());
    std::reverse(weights.begin(), weights.end());  // this also reverses the weights of each line
    for (size_t line = 0; line < size(); ++line) {
        int16_t* line_begin = &weights[line * weights_per_line];
        std::reverse(line_begin, line_begin + weights_per_line);
    }
}

}  // namespace recordkit
