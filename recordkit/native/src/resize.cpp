// Two passes: rows are combined first, for sixteen result rows at a time, and then columns. A lane of a vector holds
// one result row, so that the pass over columns needs no shuffling. All arithmetic is in 16-bit fixed point, so that
// results are equal on every CPU:
//
//     value    bit 15: 0, bits 14-7: level 0 to 255, bits 6-0: fraction
//     weight   bit 15: 0, bits 14-0: fraction (taps.hpp)
//     product  value * weight, rounded to a value; sums saturate
#include "resize.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>

#include "cpu.hpp"
#define RECORDKIT_X86 1
#endif

namespace recordkit {
namespace {

constexpr size_t kLanes = 16;
constexpr int kFractionBits = 7;
static_assert(255 << kFractionBits <= INT16_MAX, "a value fits int16");
// The rounding errors of this many products add up to at most a quarter of a level. Larger reductions, by more than 30,
// are left to the reference engine.
constexpr int kMaxTaps = 64;
static_assert(4 * kMaxTaps / 2 <= 1 << kFractionBits, "rounding by half of the last bit each");
// Added before the fraction is cut off. Pillow's bilinear transform truncates, but whole numbers may be slightly too
// small here.
constexpr int16_t kRoundingBias = 1 << (kFractionBits - 1), kTruncationBias = 2;

size_t round_up_to_lanes(size_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// An input row and its weight in one result row.
struct RowTap {
    const int16_t* row;      // a slot of Scratch::ring, valid until fill_ring overwrites it
    int16_t weight[kLanes];  // the same weight in all lanes
};

// Scratch memory of a thread, kept from image to image because an allocation costs as much as a row.
struct Scratch {
    std::vector<int16_t> ring;  // rows of the image; row y is in slot y % n_slots
    size_t n_slots = 0, stride = 0;
    int next = 0;                  // the first row that is not in the ring yet
    std::vector<RowTap> taps;      // of sixteen result rows, concatenated
    std::vector<int16_t> columns;  // sixteen result rows after the first pass: [column and channel][lane]
    std::vector<uint8_t> bytes;    // sixteen result rows after the second pass: [column and channel][lane]

    // The ring's memory for row y.
    int16_t* slot(int y) { return &ring[y % n_slots * stride]; }
};

// The arguments of a resize, which the caller owns until it is done.
struct ResizeJob {
    Scratch& scratch;
    const ImageView& image;
    const Taps& rows;
    const Taps& columns;
    int16_t bias;
    Image& result;
};

// Collect the taps of the sixteen result rows from y on: ends[lane] is the end of a row's taps, targets[lane] the row
// in the result. Lanes after the last row repeat it.
void gather_taps(const ResizeJob& job, size_t y, size_t ends[kLanes], uint8_t* targets[kLanes]) {
    Scratch& scratch = job.scratch;
    const size_t bottom = job.result.height - 1;
    scratch.taps.clear();
    for (size_t lane = 0; lane < kLanes; ++lane) {
        const size_t line = std::min(y + lane, bottom);
        for (int n = 0; n < job.rows.count[line]; ++n) {
            scratch.taps.emplace_back();
            RowTap& tap = scratch.taps.back();
            tap.row = scratch.slot(job.rows.first[line] + n);
            std::fill_n(tap.weight, kLanes, job.rows.line_weights(line)[n]);
        }
        ends[lane] = scratch.taps.size();
        targets[lane] = job.result.row(line);
    }
}

namespace portable {
#define TARGET
struct Lanes {
    int16_t lane[kLanes];
};

inline Lanes load(const int16_t* values) {
    Lanes lanes;
    std::memcpy(&lanes, values, sizeof lanes);
    return lanes;
}

inline void put(int16_t* to, const Lanes& lanes) { std::memcpy(to, &lanes, sizeof lanes); }

inline Lanes broadcast(int16_t value) {
    Lanes lanes;
    std::fill_n(lanes.lane, kLanes, value);
    return lanes;
}

inline Lanes add_product(Lanes sum, const Lanes& value, const Lanes& weight) {
    for (size_t n = 0; n < kLanes; ++n) {
        const int product = (value.lane[n] * weight.lane[n] + (1 << (kWeightBits - 1))) >> kWeightBits;
        sum.lane[n] = static_cast<int16_t>(std::min(sum.lane[n] + product, 32767));
    }
    return sum;
}

inline void narrow(const Lanes& sum, int16_t bias, uint8_t* out) {
    for (size_t n = 0; n < kLanes; ++n)
        out[n] = static_cast<uint8_t>(std::min(sum.lane[n] + bias, 32767) >> kFractionBits);
}

inline void widen(const uint8_t* levels, int16_t* to) {
    for (size_t n = 0; n < kLanes; ++n) to[n] = static_cast<int16_t>(levels[n] << kFractionBits);
}

inline void transpose(const int16_t* tile, int16_t* out) {
    for (size_t y = 0; y < kLanes; ++y)
        for (size_t x = 0; x < kLanes; ++x) out[x * kLanes + y] = tile[y * kLanes + x];
}

inline void transpose(const uint8_t* tile, uint8_t* const rows[kLanes], size_t begin) {
    for (size_t y = 0; y < kLanes; ++y)
        for (size_t x = 0; x < kLanes; ++x) rows[y][begin + x] = tile[x * kLanes + y];
}

#include "resize_run.hpp"
#undef TARGET
}  // namespace portable

#if RECORDKIT_X86
namespace avx2 {
#define TARGET __attribute__((target("avx2")))
using Lanes = __m256i;

TARGET inline Lanes load(const int16_t* values) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)); }

TARGET inline void put(int16_t* to, Lanes lanes) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), lanes); }

TARGET inline Lanes broadcast(int16_t value) { return _mm256_set1_epi16(value); }

TARGET inline Lanes add_product(Lanes sum, Lanes value, Lanes weight) {
    return _mm256_adds_epi16(sum, _mm256_mulhrs_epi16(value, weight));
}

TARGET inline void narrow(Lanes sum, int16_t bias, uint8_t* out) {
    const Lanes whole = _mm256_srli_epi16(_mm256_adds_epi16(sum, broadcast(bias)), kFractionBits);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
}

TARGET inline void widen(const uint8_t* levels, int16_t* to) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels));
    put(to, _mm256_slli_epi16(_mm256_cvtepu8_epi16(bytes), kFractionBits));
}

// Interleaving the first half of the rows with the second half, four times, transposes the tile.
TARGET inline void transpose(const int16_t* tile, int16_t* out) {
    Lanes rows[kLanes], mixed[kLanes];
    // The instructions interleave within 128-bit halves, so the two halves of each vector come from rows n and n + 8.
    // This replaces the first of the four rounds.
    for (size_t n = 0; n < 8; ++n)
        for (size_t side = 0; side < 2; ++side)
            rows[n + 8 * side] =
                _mm256_loadu2_m128i(reinterpret_cast<const __m128i*>(tile + (n + 8) * kLanes + 8 * side),
                                    reinterpret_cast<const __m128i*>(tile + n * kLanes + 8 * side));
    for (int round = 0; round < 3; ++round) {
        for (size_t side = 0; side < kLanes; side += 8)
            for (size_t n = 0; n < 4; ++n) {
                mixed[side + 2 * n] = _mm256_unpacklo_epi16(rows[side + n], rows[side + n + 4]);
                mixed[side + 2 * n + 1] = _mm256_unpackhi_epi16(rows[side + n], rows[side + n + 4]);
            }
        std::copy(mixed, mixed + kLanes, rows);
    }
    for (size_t n = 0; n < kLanes; ++n) put(out + n * kLanes, rows[n]);
}

TARGET inline void transpose(const uint8_t* tile, uint8_t* const rows_out[kLanes], size_t begin) {
    __m128i rows[kLanes], mixed[kLanes];
    for (size_t n = 0; n < kLanes; ++n) rows[n] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(tile + n * kLanes));
    for (int round = 0; round < 4; ++round) {
        for (size_t n = 0; n < 8; ++n) {
            mixed[2 * n] = _mm_unpacklo_epi8(rows[n], rows[n + 8]);
            mixed[2 * n + 1] = _mm_unpackhi_epi8(rows[n], rows[n + 8]);
        }
        std::copy(mixed, mixed + kLanes, rows);
    }
    for (size_t n = 0; n < kLanes; ++n) _mm_storeu_si128(reinterpret_cast<__m128i*>(rows_out[n] + begin), rows[n]);
}

#include "resize_run.hpp"
#undef TARGET
}  // namespace avx2
#endif

using RunFunction = void (*)(const ResizeJob&);

RunFunction fastest_run() {
#if RECORDKIT_X86
    if (has_avx2()) return avx2::run;
#endif
    return portable::run;
}

Image resize_with(RunFunction run, const ImageView& image, const Taps& columns, const Taps& rows, Filter filter) {
    if (std::max(columns.weights_per_line, rows.weights_per_line) > kMaxTaps)
        throw Unsupported("a reduction by more than 30");
    Image result(static_cast<uint32_t>(columns.size()), static_cast<uint32_t>(rows.size()), image.channels);
    thread_local Scratch scratch;
    scratch.next = rows.begin();
    const ScratchTrimmer<int16_t> ring_trimmer{scratch.ring}, columns_trimmer{scratch.columns};
    // The ring holds all input rows of sixteen result rows: from the first tap of the first lane to the last tap of the
    // last.
    scratch.n_slots = 0;
    for (size_t y = 0; y < rows.size(); y += kLanes) {
        const int last = rows.last(std::min(y + kLanes, rows.size()) - 1);
        scratch.n_slots = std::max(scratch.n_slots, static_cast<size_t>(last - rows.first[y] + 1));
    }
    scratch.stride = round_up_to_lanes(size_t(image.width) * image.channels);
    if (scratch.ring.size() < scratch.n_slots * scratch.stride) scratch.ring.resize(scratch.n_slots * scratch.stride);
    if (scratch.columns.size() < scratch.stride * kLanes) scratch.columns.resize(scratch.stride * kLanes);
    const size_t n_bytes = size_t(result.width) * image.channels * kLanes;
    if (scratch.bytes.size() < n_bytes) scratch.bytes.resize(n_bytes);
    run({scratch, image, rows, columns, filter == Filter::bilinear ? kTruncationBias : kRoundingBias, result});
    return result;
}

}  // namespace

Image resize(const ImageView& image, const Taps& columns, const Taps& rows, Filter filter) {
    return resize_with(fastest_run(), image, columns, rows, filter);
}

Image resize_portable(const ImageView& image, const Taps& columns, const Taps& rows, Filter filter) {
    return resize_with(portable::run, image, columns, rows, filter);
}

const char* resize_instructions() {
#if RECORDKIT_X86
    if (fastest_run() == avx2::run) return "AVX2";
#endif
    return "portable";
}

}  // namespace recordkit
