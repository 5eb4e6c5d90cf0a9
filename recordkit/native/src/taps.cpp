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

Taps halved_taps(const Taps& lines, Upsampling upsampling, uint32_t n_samples, uint32_t n) {
    const int per_sample = static_cast<int>(upsampling.lines_per_sample), last_sample = static_cast<int>(n_samples) - 1;
    const auto line_of = [&](size_t sample, size_t side) { return std::min(2 * sample + side, lines.size() - 1); };
    const auto sample_of = [&](int line) { return (line + static_cast<int>(upsampling.lines_before)) / per_sample; };
    // The samples around those of two lines, which a smooth enlargement uses too.
    const auto begin_of = [&](size_t sample) {
        const int first = std::min(lines.first[line_of(sample, 0)], lines.first[line_of(sample, 1)]);
        return std::max(sample_of(first) - 1, 0);
    };
    const auto end_of = [&](size_t sample) {
        const int last = std::max(lines.last(line_of(sample, 0)), lines.last(line_of(sample, 1)));
        return std::min(sample_of(last) + 1, last_sample) + 1;
    };
    Taps taps;
    for (size_t sample = 0; sample < n; ++sample)
        taps.weights_per_line = std::max(taps.weights_per_line, end_of(sample) - begin_of(sample));
    taps.first.resize(n);
    taps.count.resize(n);
    taps.weights.assign(size_t(n) * taps.weights_per_line, 0);
    std::vector<double> sums(taps.weights_per_line);
    for (size_t sample = 0; sample < n; ++sample) {
        const int begin = begin_of(sample), count = end_of(sample) - begin;
        std::fill(sums.begin(), sums.end(), 0.0);
        for (const size_t line : {line_of(sample, 0), line_of(sample, 1)}) {
            for (int k = 0; k < lines.count[line]; ++k) {
                const int input = lines.first[line] + k, nearest = sample_of(input);
                const double weight = lines.line_weights(line)[k] / (2 * kOne);
                const bool is_second = (input + static_cast<int>(upsampling.lines_before)) % 2;
                const int next = std::clamp(is_second ? nearest + 1 : nearest - 1, 0, last_sample);
                sums[nearest - begin] += upsampling.smooth ? 0.75 * weight : weight;
                if (upsampling.smooth) sums[next - begin] += 0.25 * weight;
            }
        }
        taps.first[sample] = begin;
        taps.count[sample] = count;
        WeightRounder rounder{&taps.weights[sample * taps.weights_per_line]};
        for (int k = 0; k < count; ++k) rounder.add(sums[k]);
    }
    return taps;
}

void Taps::repeat_last(size_t n) {
    const std::vector<int16_t> last_weights(weights.end() - weights_per_line, weights.end());
    while (size() < n) {
        first.push_back(first.back());
        count.push_back(count.back());
        weights.insert(weights.end(), last_weights.begin(), last_weights.end());
    }
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
