// Rows are weighed first, sixteen result rows at a time, one in each lane of a vector; so weighing columns needs no
// shuffling. A value has 7 bits behind the point, a weight 15, a product is rounded: the same on every CPU.
#include "resize.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#define RECORDKIT_X86 1
#endif

namespace recordkit {
namespace {

constexpr size_t kLanes = 16;
constexpr int kValueBits = 7;
// Roundings add up. So many change a value by a quarter of a level at most; of larger reductions, by more than 30, the
// reference engine takes care.
constexpr int kMostTaps = 64;
// Pillow's bilinear transform cuts off what is behind the point. Whole numbers may come out a little smaller here.
constexpr int16_t kHalf = 1 << (kValueBits - 1), kNearlyNothing = 2;

size_t up_to_lanes(size_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// A row of the ring and its weight.
struct Weighed {
    const int16_t* row;
    int16_t weight[kLanes];
};

// What a resize works with: one thread's, kept from image to image because asking for it costs as much as a row.
struct Scratch {
    std::vector<int16_t> ring;  // rows of the image; row y is in slot y % n_slots
    size_t n_slots = 0, stride = 0;
    int next = 0;                  // the first row that is not in the ring yet
    std::vector<Weighed> taps;     // of sixteen result rows, one after the other
    std::vector<int16_t> weighed;  // sixteen result rows, not yet narrowed: a value of each, then the next
    std::vector<uint8_t> bytes;    // the same narrowed and rounded

    int16_t* slot(int y) { return &ring[y % n_slots * stride]; }
};

struct Work {
    Scratch& scratch;
    const ImageView& image;
    const Taps& rows;
    const Taps& columns;
    int16_t bias;  // added before a value is cut off at the point
    Image& result;
};

// What makes result rows y and on; `ends` says where each one's taps end. Lanes beyond the last row repeat it.
void gather_taps(const Work& work, size_t y, size_t ends[kLanes], uint8_t* targets[kLanes]) {
    Scratch& scratch = work.scratch;
    const size_t bottom = work.result.height - 1;
    scratch.taps.clear();
    for (size_t lane = 0; lane < kLanes; ++lane) {
        const size_t line = std::min(y + lane, bottom);
        for (int n = 0; n < work.rows.count[line]; ++n) {
            scratch.taps.emplace_back();
            Weighed& tap = scratch.taps.back();
            tap.row = scratch.slot(work.rows.first[line] + n);
            std::fill_n(tap.weight, kLanes, work.rows.of(line)[n]);
        }
        ends[lane] = scratch.taps.size();
        targets[lane] = work.result.row(line);
    }
}

namespace anywhere {
#define TARGET
struct Lanes {
    int16_t lane[kLanes];
};

inline Lanes load(const int16_t* from) {
    Lanes lanes;
    std::memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

inline void put(int16_t* to, const Lanes& lanes) { std::memcpy(to, &lanes, sizeof lanes); }

inline Lanes all(int16_t value) {
    Lanes lanes;
    std::fill_n(lanes.lane, kLanes, value);
    return lanes;
}

inline Lanes add_weighed(Lanes sum, const Lanes& value, const Lanes& weight) {
    for (size_t n = 0; n < kLanes; ++n) {
        const int product = (value.lane[n] * weight.lane[n] + (1 << 14)) >> 15;
        sum.lane[n] = static_cast<int16_t>(std::min(sum.lane[n] + product, 32767));
    }
    return sum;
}

inline void narrow(const Lanes& sum, int16_t bias, uint8_t* out) {
    for (size_t n = 0; n < kLanes; ++n)
        out[n] = static_cast<uint8_t>(std::min(sum.lane[n] + bias, 32767) >> kValueBits);
}

inline void widen(const uint8_t* from, int16_t* to) {
    for (size_t n = 0; n < kLanes; ++n) to[n] = static_cast<int16_t>(from[n] << kValueBits);
}

inline void transpose(const int16_t* tile, int16_t* out) {
    for (size_t y = 0; y < kLanes; ++y)
        for (size_t x = 0; x < kLanes; ++x) out[x * kLanes + y] = tile[y * kLanes + x];
}

inline void transpose(const uint8_t* tile, uint8_t* const rows[kLanes], size_t at) {
    for (size_t y = 0; y < kLanes; ++y)
        for (size_t x = 0; x < kLanes; ++x) rows[y][at + x] = tile[x * kLanes + y];
}

#include "resize_run.hpp"
#undef TARGET
}  // namespace anywhere

#if RECORDKIT_X86
namespace avx2 {
#define TARGET __attribute__((target("avx2")))
using Lanes = __m256i;

TARGET inline Lanes load(const int16_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }

TARGET inline void put(int16_t* to, Lanes lanes) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), lanes); }

TARGET inline Lanes all(int16_t value) { return _mm256_set1_epi16(value); }

TARGET inline Lanes add_weighed(Lanes sum, Lanes value, Lanes weight) {
    return _mm256_adds_epi16(sum, _mm256_mulhrs_epi16(value, weight));
}

TARGET inline void narrow(Lanes sum, int16_t bias, uint8_t* out) {
    const Lanes whole = _mm256_srli_epi16(_mm256_adds_epi16(sum, all(bias)), kValueBits);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
}

TARGET inline void widen(const uint8_t* from, int16_t* to) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    put(to, _mm256_slli_epi16(_mm256_cvtepu8_epi16(bytes), kValueBits));
}

// Interleaving the first half of the rows with the second, over and over, turns rows into columns.
TARGET inline void transpose(const int16_t* tile, int16_t* out) {
    Lanes rows[kLanes], mixed[kLanes];
    // Two halves that a row apart lie in one vector, because the instructions interleave within halves.
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

TARGET inline void transpose(const uint8_t* tile, uint8_t* const rows_out[kLanes], size_t at) {
    __m128i rows[kLanes], mixed[kLanes];
    for (size_t n = 0; n < kLanes; ++n) rows[n] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(tile + n * kLanes));
    for (int round = 0; round < 4; ++round) {
        for (size_t n = 0; n < 8; ++n) {
            mixed[2 * n] = _mm_unpacklo_epi8(rows[n], rows[n + 8]);
            mixed[2 * n + 1] = _mm_unpackhi_epi8(rows[n], rows[n + 8]);
        }
        std::copy(mixed, mixed + kLanes, rows);
    }
    for (size_t n = 0; n < kLanes; ++n) _mm_storeu_si128(reinterpret_cast<__m128i*>(rows_out[n] + at), rows[n]);
}

#include "resize_run.hpp"
#undef TARGET
}  // namespace avx2
#endif

using Run = void (*)(const Work&);

Run fastest() {
#if RECORDKIT_X86
    if (__builtin_cpu_supports("avx2")) return avx2::run;
#endif
    return anywhere::run;
}

Image resize_by(Run run, const ImageView& image, const Taps& columns, const Taps& rows, Filter filter) {
    if (std::max(columns.width, rows.width) > kMostTaps) throw Unsupported("a reduction by more than 30");
    Image result(static_cast<uint32_t>(columns.size()), static_cast<uint32_t>(rows.size()), image.channels);
    thread_local Scratch scratch;
    scratch.next = rows.begin();
    const Trimmed<int16_t> trimmed{scratch.ring}, trimmed_weighed{scratch.weighed};
    // From the first row of the first lane to the last of the last.
    scratch.n_slots = 0;
    for (size_t y = 0; y < rows.size(); y += kLanes) {
        const int last = rows.last(std::min(y + kLanes, rows.size()) - 1);
        scratch.n_slots = std::max(scratch.n_slots, static_cast<size_t>(last - rows.first[y] + 1));
    }
    scratch.stride = up_to_lanes(size_t(image.width) * image.channels);
    if (scratch.ring.size() < scratch.n_slots * scratch.stride) scratch.ring.resize(scratch.n_slots * scratch.stride);
    if (scratch.weighed.size() < scratch.stride * kLanes) scratch.weighed.resize(scratch.stride * kLanes);
    const size_t n_bytes = size_t(result.width) * image.channels * kLanes;
    if (scratch.bytes.size() < n_bytes) scratch.bytes.resize(n_bytes);
    run({scratch, image, rows, columns, filter == Filter::bilinear ? kNearlyNothing : kHalf, result});
    return result;
}

}  // namespace

Image resize(const ImageView& image, const Taps& columns, const Taps& rows, Filter filter) {
    return resize_by(fastest(), image, columns, rows, filter);
}

Image resize_anywhere(const ImageView& image, const Taps& columns, const Taps& rows, Filter filter) {
    return resize_by(anywhere::run, image, columns, rows, filter);
}

const char* resize_path() {
#if RECORDKIT_X86
    if (fastest() == avx2::run) return "AVX2";
#endif
    return "portable";
}

}  // namespace recordkit
