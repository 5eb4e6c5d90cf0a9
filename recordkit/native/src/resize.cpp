// Rows are weighed first, eight result rows at a time, one in each lane of a vector; so weighing columns needs no
// shuffling. All in float without fused operations: the result is the same on every CPU.
#include "resize.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#define RECORDKIT_TWO_PATHS 1
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

namespace recordkit {
namespace {

constexpr size_t kLanes = 8;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

// A value of eight rows. Plain floats, so that vectors of any alignment can hold it.
struct Eight {
    float lane[kLanes];
};

size_t up_to_lanes(size_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// A row of the ring and its weight.
struct Weighed {
    const float* row;
    float weight;
};

// What a resize works with: one thread's, kept from image to image because asking for it costs as much as a row.
struct Scratch {
    std::vector<float> ring;  // rows of the image as float; row y is in slot y % n_slots
    size_t n_slots = 0, stride = 0;
    int next = 0;                // the first row that is not in the ring yet
    std::vector<Weighed> taps;   // of eight result rows, one after the other
    std::vector<Eight> weighed;  // eight result rows, not yet narrowed
    std::vector<uint8_t> bytes;  // the same narrowed and rounded, eight bytes a value

    float* slot(int y) { return &ring[y % n_slots * stride]; }
};

ALWAYS_INLINE void fill_ring(Scratch& scratch, const ImageView& image, int last) {
    for (; scratch.next <= last; ++scratch.next) {
        const uint8_t* from = image.row(scratch.next);
        float* to = scratch.slot(scratch.next);
        const size_t n = size_t(image.width) * image.channels;
        for (size_t i = 0; i < n; ++i) to[i] = from[i];
    }
}

// Eight rows of eight values: turn rows into lanes.
ALWAYS_INLINE void transpose(Lanes v[kLanes]) {
    Lanes a[kLanes], b[kLanes];
    for (size_t n = 0; n < 4; ++n) {
        a[2 * n] = __builtin_shufflevector(v[2 * n], v[2 * n + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        a[2 * n + 1] = __builtin_shufflevector(v[2 * n], v[2 * n + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (size_t n = 0; n < 8; n += 4) {
        b[n] = __builtin_shufflevector(a[n], a[n + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        b[n + 1] = __builtin_shufflevector(a[n], a[n + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        b[n + 2] = __builtin_shufflevector(a[n + 1], a[n + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        b[n + 3] = __builtin_shufflevector(a[n + 1], a[n + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (size_t n = 0; n < 4; ++n) {
        v[n] = __builtin_shufflevector(b[n], b[n + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        v[n + 4] = __builtin_shufflevector(b[n], b[n + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

ALWAYS_INLINE void weigh_rows(Scratch& scratch, const ImageView& image, const Taps& taps, const size_t lines[kLanes]) {
    fill_ring(scratch, image, taps.last(lines[kLanes - 1]));
    scratch.taps.clear();
    size_t ends[kLanes];
    for (size_t lane = 0; lane < kLanes; ++lane) {
        for (int n = 0; n < taps.count[lines[lane]]; ++n)
            scratch.taps.push_back({scratch.slot(taps.first[lines[lane]] + n), taps.of(lines[lane])[n]});
        ends[lane] = scratch.taps.size();
    }
    for (size_t i = 0; i < scratch.stride; i += kLanes) {
        Lanes sums[kLanes];
        const Weighed* tap = scratch.taps.data();
        for (size_t lane = 0; lane < kLanes; ++lane) {
            Lanes sum = {};
            for (const Weighed* end = scratch.taps.data() + ends[lane]; tap != end; ++tap) {
                Lanes row;
                std::memcpy(&row, tap->row + i, sizeof row);
                sum += row * tap->weight;
            }
            sums[lane] = sum;
        }
        transpose(sums);
        std::memcpy(&scratch.weighed[i], sums, sizeof sums);
    }
}

// Turn eight values into bytes: what is behind the point goes, after `bias` was added.
ALWAYS_INLINE void put_bytes(const Lanes& sum, float bias, uint8_t* out) {
    const Lanes rounded = sum + bias;
#if RECORDKIT_TWO_PATHS
    __m128 half[2];
    std::memcpy(half, &rounded, sizeof half);
    const __m128i words = _mm_packs_epi32(_mm_cvttps_epi32(half[0]), _mm_cvttps_epi32(half[1]));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(words, words));
#else
    for (size_t lane = 0; lane < kLanes; ++lane)
        out[lane] = static_cast<uint8_t>(std::min(static_cast<int>(rounded[lane]), 255));
#endif
}

template <int C>
ALWAYS_INLINE void weigh_columns(Scratch& scratch, const Taps& taps, uint32_t width, float bias) {
    for (uint32_t x = 0; x < width; ++x) {
        const float* weights = taps.of(x);
        const Eight* from = &scratch.weighed[size_t(taps.first[x]) * C];
        Lanes sums[C] = {};
        for (int n = 0; n < taps.count[x]; ++n, from += C)
            for (int c = 0; c < C; ++c) {
                Lanes value;
                std::memcpy(&value, from + c, sizeof value);
                sums[c] += value * weights[n];
            }
        for (int c = 0; c < C; ++c) put_bytes(sums[c], bias, &scratch.bytes[(size_t(x) * C + c) * kLanes]);
    }
}

// Give each lane its row back: 8 x 8 bytes at a time.
ALWAYS_INLINE void store(const Scratch& scratch, size_t n, uint8_t* const rows[kLanes]) {
    size_t i = 0;
#if RECORDKIT_TWO_PATHS
    for (; i + kLanes <= n; i += kLanes) {
        const auto* from = reinterpret_cast<const __m128i*>(&scratch.bytes[i * kLanes]);
        const __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1), c = _mm_loadu_si128(from + 2),
                      d = _mm_loadu_si128(from + 3);
        const __m128i ab_low = _mm_unpacklo_epi8(a, _mm_srli_si128(a, 8)), cd = _mm_unpacklo_epi8(b, _mm_srli_si128(b, 8)),
                      ef = _mm_unpacklo_epi8(c, _mm_srli_si128(c, 8)), gh = _mm_unpacklo_epi8(d, _mm_srli_si128(d, 8));
        const __m128i low4 = _mm_unpacklo_epi16(ab_low, cd), high4 = _mm_unpackhi_epi16(ab_low, cd),
                      low4b = _mm_unpacklo_epi16(ef, gh), high4b = _mm_unpackhi_epi16(ef, gh);
        const __m128i out[4] = {_mm_unpacklo_epi32(low4, low4b), _mm_unpackhi_epi32(low4, low4b),
                                _mm_unpacklo_epi32(high4, high4b), _mm_unpackhi_epi32(high4, high4b)};
        for (size_t pair = 0; pair < 4; ++pair) {
            _mm_storel_epi64(reinterpret_cast<__m128i*>(rows[2 * pair] + i), out[pair]);
            _mm_storel_epi64(reinterpret_cast<__m128i*>(rows[2 * pair + 1] + i), _mm_srli_si128(out[pair], 8));
        }
    }
#endif
    for (; i < n; ++i)
        for (size_t lane = 0; lane < kLanes; ++lane) rows[lane][i] = scratch.bytes[i * kLanes + lane];
}

struct Work {
    Scratch& scratch;
    const ImageView& image;
    const Taps& rows;
    const Taps& columns;
    float bias;
    Image& result;
};

// Pillow's bilinear transform cuts off what is behind the point. Whole numbers may come out a little smaller here.
constexpr float kHalf = 0.5f, kNearlyNothing = 1.0f / 1024;

ALWAYS_INLINE void run(const Work& work) {
    Image& result = work.result;
    for (size_t y = 0; y < result.height; y += kLanes) {
        size_t lines[kLanes];
        uint8_t* targets[kLanes];
        for (size_t lane = 0; lane < kLanes; ++lane) {
            lines[lane] = std::min(y + lane, size_t(result.height) - 1);
            targets[lane] = result.row(lines[lane]);
        }
        weigh_rows(work.scratch, work.image, work.rows, lines);
        if (result.channels == 1) weigh_columns<1>(work.scratch, work.columns, result.width, work.bias);
        else if (result.channels == 3) weigh_columns<3>(work.scratch, work.columns, result.width, work.bias);
        else weigh_columns<4>(work.scratch, work.columns, result.width, work.bias);
        store(work.scratch, size_t(result.width) * result.channels, targets);
    }
}

void run_anywhere(const Work& work) { run(work); }

#if RECORDKIT_TWO_PATHS
__attribute__((target("avx2"))) void run_avx2(const Work& work) { run(work); }
#endif

using Run = void (*)(const Work&);

Run fastest() {
#if RECORDKIT_TWO_PATHS
    if (__builtin_cpu_supports("avx2")) return run_avx2;
#endif
    return run_anywhere;
}

Image resize_by(Run run, const ImageView& image, const Box& box, uint32_t width, uint32_t height, Filter filter) {
    const Taps columns = taps_for(filter, image.width, box.left, box.width, width);
    const Taps rows = taps_for(filter, image.height, box.top, box.height, height);
    Image result(width, height, image.channels);
    thread_local Scratch scratch;
    scratch.next = rows.first[0];
    const Trimmed<float> trimmed{scratch.ring};
    // From the first row of the first lane to the last of the last.
    scratch.n_slots = std::min(static_cast<size_t>(box.height / height * kLanes) + rows.width + 2, size_t(image.height));
    scratch.stride = up_to_lanes(size_t(image.width) * image.channels);
    if (scratch.ring.size() < scratch.n_slots * scratch.stride) scratch.ring.resize(scratch.n_slots * scratch.stride);
    if (scratch.weighed.size() < scratch.stride) scratch.weighed.resize(scratch.stride);
    const size_t n_bytes = size_t(width) * image.channels * kLanes;
    if (scratch.bytes.size() < n_bytes) scratch.bytes.resize(n_bytes);
    run({scratch, image, rows, columns, filter == Filter::bilinear ? kNearlyNothing : kHalf, result});
    return result;
}

}  // namespace

Image resize(const ImageView& image, const Box& box, uint32_t width, uint32_t height, Filter filter) {
    return resize_by(fastest(), image, box, width, height, filter);
}

Image resize_anywhere(const ImageView& image, const Box& box, uint32_t width, uint32_t height, Filter filter) {
    return resize_by(run_anywhere, image, box, width, height, filter);
}

const char* resize_path() {
#if RECORDKIT_TWO_PATHS
    return fastest() == run_anywhere ? "SSE2" : "AVX2";
#else
    return "portable";
#endif
}

}  // namespace recordkit
