#include "convert.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>

#include "cpu.hpp"
#define RECORDKIT_X86 1
#endif

namespace recordkit {
namespace {

// Convert to float16, rounding to the nearest and ties to even, as NumPy does.
uint16_t to_float16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x47800000)  // 65,536 and above: infinity or NaN
        return static_cast<uint16_t>(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
    if (magnitude < 0x38800000) {  // subnormal: a multiple of 2**-24
        float shifted;
        std::memcpy(&shifted, &magnitude, 4);
        shifted += 0.5f;  // the sum is rounded to 2**-24, its last bit
        uint32_t rounded;
        std::memcpy(&rounded, &shifted, 4);
        return static_cast<uint16_t>(sign | (rounded - 0x3f000000));
    }
    return static_cast<uint16_t>(sign | ((magnitude + 0xfff + (magnitude >> 13 & 1)) - 0x38000000) >> 13);
}

// Consecutive values of a row, which are normalised alike.
struct RowValues {
    const uint8_t* values;  // not owned: the image's, or scratch memory of the conversion
    uint32_t n;
    float mean, factor;
};

void normalize(const RowValues& source, uint8_t* to) { std::memcpy(to, source.values, source.n); }

void normalize(const RowValues& source, float* to) {
    for (uint32_t i = 0; i < source.n; ++i)
        to[i] = (static_cast<float>(source.values[i]) - source.mean) * source.factor;
}

void normalize(const RowValues& source, uint16_t* to) {
    for (uint32_t i = 0; i < source.n; ++i)
        to[i] = to_float16((static_cast<float>(source.values[i]) - source.mean) * source.factor);
}

// The values of a row after which the constants of its channels begin anew together with a vector, for 1 to 4 channels.
constexpr uint32_t kPattern = 24;
static_assert(kPattern % 8 == 0 && kPattern % 3 == 0 && kPattern % 4 == 0, "vectors and pixels fill it");

// The constants of rows whose channels are interleaved, repeated for kPattern values. They are made once for an image.
struct InterleavedConstants {
    alignas(32) float mean[kPattern];
    alignas(32) float factor[kPattern];

    explicit InterleavedConstants(const Target& target) {
        for (uint32_t k = 0; k < kPattern; ++k) {
            mean[k] = target.mean[k % target.channels];
            factor[k] = target.factor[k % target.channels];
        }
    }
};

template <typename T>
void normalize_interleaved(const uint8_t* values, uint32_t n, const InterleavedConstants& constants, T* to) {
    for (uint32_t i = 0, k = 0; i < n; ++i, k = k + 1 < kPattern ? k + 1 : 0)
        normalize({values + i, 1, constants.mean[k], constants.factor[k]}, to + i);
}

// Split a row into one array for each channel.
void deinterleave(const uint8_t* row, uint32_t n, uint32_t channels, uint8_t* const out[4]) {
    for (uint32_t c = 0; c < channels; ++c)
        for (uint32_t x = 0; x < n; ++x) out[c][x] = row[x * channels + c];
}

#if RECORDKIT_X86
#define TARGET __attribute__((target("avx2")))

TARGET void normalize_avx2(const RowValues& source, float* to) {
    const __m256 mean = _mm256_set1_ps(source.mean), factor = _mm256_set1_ps(source.factor);
    uint32_t i = 0;
    for (; i + 8 <= source.n; i += 8) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(source.values + i));
        const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
        _mm256_storeu_ps(to + i, _mm256_mul_ps(_mm256_sub_ps(values, mean), factor));
    }
    for (; i < source.n; ++i) to[i] = (static_cast<float>(source.values[i]) - source.mean) * source.factor;
}

TARGET void normalize_interleaved_avx2(const uint8_t* values, uint32_t n, const InterleavedConstants& constants,
                                       float* to) {
    uint32_t i = 0;
    for (; i + kPattern <= n; i += kPattern)
        for (uint32_t k = 0; k < kPattern; k += 8) {
            const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(values + i + k));
            const __m256 pixels = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
            const __m256 centred = _mm256_sub_ps(pixels, _mm256_load_ps(constants.mean + k));
            _mm256_storeu_ps(to + i + k, _mm256_mul_ps(centred, _mm256_load_ps(constants.factor + k)));
        }
    normalize_interleaved(values + i, n - i, constants, to + i);
}

// Mirror five RGB pixels at a time and return the number of pixels done. A vector holds one byte more than five pixels;
// the loop ends before that byte would lie outside the row.
TARGET uint32_t mirror_rgb(const uint8_t* row, uint32_t n, uint8_t* out) {
    const __m128i reverse_order = _mm_setr_epi8(13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3, 0);
    uint32_t x = 0;
    for (; x + 5 < n; x += 5) {
        const __m128i pixels = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + size_t(n - 5 - x) * 3 - 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + size_t(x) * 3), _mm_shuffle_epi8(pixels, reverse_order));
    }
    return x;
}

TARGET uint32_t mirror_gray(const uint8_t* row, uint32_t n, uint8_t* out) {
    const __m128i reverse_order = _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    uint32_t x = 0;
    for (; x + 16 <= n; x += 16) {
        const __m128i pixels = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + (n - 16 - x)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + x), _mm_shuffle_epi8(pixels, reverse_order));
    }
    return x;
}

TARGET void deinterleave_rgb(const uint8_t* row, uint32_t n, uint8_t* const out[4]) {
    // Three vectors hold sixteen pixels, and each channel has bytes in all three.
    // clang-format off
    alignas(16) static constexpr int8_t kPick[3][3][16] = {  // [channel][vector][byte of the result]
                                                       {{0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13}},
                                                       {{1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14}},
                                                       {{2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15}}};
    // clang-format on
    uint32_t x = 0;
    for (; x + 16 <= n; x += 16) {
        const auto* vectors = reinterpret_cast<const __m128i*>(row + size_t(x) * 3);
        const __m128i bytes[3] = {_mm_loadu_si128(vectors), _mm_loadu_si128(vectors + 1), _mm_loadu_si128(vectors + 2)};
        for (int c = 0; c < 3; ++c) {
            __m128i channel = _mm_setzero_si128();
            for (int p = 0; p < 3; ++p)
                channel = _mm_or_si128(
                    channel, _mm_shuffle_epi8(bytes[p], _mm_load_si128(reinterpret_cast<const __m128i*>(kPick[c][p]))));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out[c] + x), channel);
        }
    }
    for (; x < n; ++x)
        for (int c = 0; c < 3; ++c) out[c][x] = row[x * 3 + c];
}

const bool kAvx2 = has_avx2();
#endif

void normalize_fast(const RowValues& source, float* to) {
#if RECORDKIT_X86
    if (kAvx2) return normalize_avx2(source, to);
#endif
    normalize(source, to);
}
void normalize_fast(const RowValues& source, uint8_t* to) { normalize(source, to); }
void normalize_fast(const RowValues& source, uint16_t* to) { normalize(source, to); }

void deinterleave_fast(const uint8_t* row, uint32_t n, uint32_t channels, uint8_t* const out[4]) {
#if RECORDKIT_X86
    if (kAvx2 && channels == 3) return deinterleave_rgb(row, n, out);
#endif
    deinterleave(row, n, channels, out);
}

void mirror_row(const uint8_t* row, uint32_t n, uint32_t channels, uint8_t* out) {
    uint32_t x = 0;
#if RECORDKIT_X86
    if (kAvx2 && channels == 3) x = mirror_rgb(row, n, out);
    if (kAvx2 && channels == 1) x = mirror_gray(row, n, out);
#endif
    for (; x < n; ++x)
        for (uint32_t c = 0; c < channels; ++c) out[x * channels + c] = row[(n - 1 - x) * channels + c];
}

template <typename T>
void normalize_interleaved_fast(const uint8_t* row, uint32_t n, const InterleavedConstants& constants, T* to) {
#if RECORDKIT_X86
    if constexpr (std::is_same_v<T, float>)
        if (kAvx2) return normalize_interleaved_avx2(row, n, constants, to);
#endif
    normalize_interleaved(row, n, constants, to);
}

template <typename T>
void write_planar(const ImageView& image, bool mirror, const Target& target, T* out) {
    const uint32_t n = image.width;
    const size_t plane = size_t(n) * image.height;
    thread_local std::vector<uint8_t> planar_scratch, mirror_scratch;
    // Each is checked, because memory may have run out after the first was resized.
    for (auto* scratch : {&planar_scratch, &mirror_scratch})
        if (scratch->size() < size_t(n) * 4) scratch->resize(size_t(n) * 4);
    uint8_t* const planes[4] = {&planar_scratch[0], &planar_scratch[n], &planar_scratch[2 * size_t(n)],
                                &planar_scratch[3 * size_t(n)]};
    for (uint32_t y = 0; y < image.height; ++y) {
        const uint8_t* row = image.row(y);
        if (mirror) {
            mirror_row(row, n, image.channels, mirror_scratch.data());
            row = mirror_scratch.data();
        }
        if (image.channels > 1) deinterleave_fast(row, n, image.channels, planes);
        for (uint32_t c = 0; c < image.channels; ++c)
            normalize_fast({image.channels > 1 ? planes[c] : row, n, target.mean[c], target.factor[c]},
                           out + c * plane + size_t(y) * n);
    }
}

template <typename T>
void write_interleaved(const ImageView& image, bool mirror, const Target& target, T* out) {
    const uint32_t n = image.width * image.channels;
    thread_local std::vector<uint8_t> mirror_scratch;
    if (mirror_scratch.size() < n) mirror_scratch.resize(n);
    const auto each_row = [&](const auto& write) {
        for (uint32_t y = 0; y < image.height; ++y, out += n) {
            const uint8_t* row = image.row(y);
            if (mirror) {
                mirror_row(row, image.width, image.channels, mirror_scratch.data());
                row = mirror_scratch.data();
            }
            write(row);
        }
    };
    if constexpr (sizeof(T) == 1) {
        each_row([&](const uint8_t* row) { std::memcpy(out, row, n); });
    } else {
        const InterleavedConstants constants(target);
        each_row([&](const uint8_t* row) { normalize_interleaved_fast(row, n, constants, out); });
    }
}

template <typename T>
void convert_to(const ImageView& image, bool mirror, const Target& target, T* out) {
    if (image.channels == 1 && !mirror && image.stride == image.width)  // the rows are contiguous
        return normalize_fast({image.data, image.width * image.height, target.mean[0], target.factor[0]}, out);
    if (target.planar) write_planar(image, mirror, target, out);
    else write_interleaved(image, mirror, target, out);
}

}  // namespace

void convert(const ImageView& image, bool mirror, const Target& target, MutableSpan sample) {
    switch (target.type) {
        case ElementType::uint8: return convert_to(image, mirror, target, sample.data);
        case ElementType::float16: return convert_to(image, mirror, target, reinterpret_cast<uint16_t*>(sample.data));
        case ElementType::float32: return convert_to(image, mirror, target, reinterpret_cast<float*>(sample.data));
    }
}

}  // namespace recordkit
