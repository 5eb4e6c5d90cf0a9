#include "convert.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#define RECORDKIT_X86 1
#endif

namespace recordkit {
namespace {

// To the nearest, ties to even, as NumPy does.
uint16_t half_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x47800000)  // 65,536 and more: infinity, or not a number
        return static_cast<uint16_t>(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
    if (magnitude < 0x38800000) {  // below the smallest normal number: whole multiples of 2**-24
        float part;
        std::memcpy(&part, &magnitude, 4);
        part += 0.5f;  // adding a number whose last bit is 2**-24 rounds there
        uint32_t rounded;
        std::memcpy(&rounded, &part, 4);
        return static_cast<uint16_t>(sign | (rounded - 0x3f000000));
    }
    return static_cast<uint16_t>(sign | ((magnitude + 0xfff + (magnitude >> 13 & 1)) - 0x38000000) >> 13);
}

struct Line {
    const uint8_t* from;
    uint32_t n;
    float mean, factor;
};

void put(const Line& line, uint8_t* to) { std::memcpy(to, line.from, line.n); }

void put(const Line& line, float* to) {
    for (uint32_t i = 0; i < line.n; ++i) to[i] = (static_cast<float>(line.from[i]) - line.mean) * line.factor;
}

void put(const Line& line, uint16_t* to) {
    for (uint32_t i = 0; i < line.n; ++i) to[i] = half_of((static_cast<float>(line.from[i]) - line.mean) * line.factor);
}

// One row, its channels apart.
void take_apart(const uint8_t* row, uint32_t n, uint32_t channels, uint8_t* const out[4]) {
    for (uint32_t c = 0; c < channels; ++c)
        for (uint32_t x = 0; x < n; ++x) out[c][x] = row[x * channels + c];
}

#if RECORDKIT_X86
#define TARGET __attribute__((target("avx2")))

TARGET void put_avx2(const Line& line, float* to) {
    const __m256 mean = _mm256_set1_ps(line.mean), factor = _mm256_set1_ps(line.factor);
    uint32_t i = 0;
    for (; i + 8 <= line.n; i += 8) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(line.from + i));
        const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
        _mm256_storeu_ps(to + i, _mm256_mul_ps(_mm256_sub_ps(values, mean), factor));
    }
    for (; i < line.n; ++i) to[i] = (static_cast<float>(line.from[i]) - line.mean) * line.factor;
}

// Five pixels of three bytes at a time, in the opposite order. A vector has one byte more, which is not touched at the
// row's end.
TARGET uint32_t mirror_rgb(const uint8_t* row, uint32_t n, uint8_t* out) {
    const __m128i opposite = _mm_setr_epi8(13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3, 0);
    uint32_t x = 0;
    for (; x + 5 < n; x += 5) {
        const __m128i pixels = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + size_t(n - 5 - x) * 3 - 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + size_t(x) * 3), _mm_shuffle_epi8(pixels, opposite));
    }
    return x;
}

TARGET uint32_t mirror_gray(const uint8_t* row, uint32_t n, uint8_t* out) {
    const __m128i opposite = _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    uint32_t x = 0;
    for (; x + 16 <= n; x += 16) {
        const __m128i pixels = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + (n - 16 - x)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + x), _mm_shuffle_epi8(pixels, opposite));
    }
    return x;
}

TARGET void take_rgb_apart(const uint8_t* row, uint32_t n, uint8_t* const out[4]) {
    // Sixteen pixels are in three vectors; each channel has bytes in all of them.
    alignas(16) static const int8_t kPick[3][3][16] = {// [channel][vector][byte of the result]
                                                       {{0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13}},
                                                       {{1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14}},
                                                       {{2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1},
                                                        {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15}}};
    uint32_t x = 0;
    for (; x + 16 <= n; x += 16) {
        const auto* at = reinterpret_cast<const __m128i*>(row + x * 3);
        const __m128i pieces[3] = {_mm_loadu_si128(at), _mm_loadu_si128(at + 1), _mm_loadu_si128(at + 2)};
        for (int c = 0; c < 3; ++c) {
            __m128i channel = _mm_setzero_si128();
            for (int p = 0; p < 3; ++p)
                channel = _mm_or_si128(
                    channel,
                    _mm_shuffle_epi8(pieces[p], _mm_load_si128(reinterpret_cast<const __m128i*>(kPick[c][p]))));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out[c] + x), channel);
        }
    }
    for (; x < n; ++x)
        for (int c = 0; c < 3; ++c) out[c][x] = row[x * 3 + c];
}

const bool kAvx2 = __builtin_cpu_supports("avx2");
#endif

void put_quickly(const Line& line, float* to) {
#if RECORDKIT_X86
    if (kAvx2) return put_avx2(line, to);
#endif
    put(line, to);
}
void put_quickly(const Line& line, uint8_t* to) { put(line, to); }
void put_quickly(const Line& line, uint16_t* to) { put(line, to); }

void take_apart_quickly(const uint8_t* row, uint32_t n, uint32_t channels, uint8_t* const out[4]) {
#if RECORDKIT_X86
    if (kAvx2 && channels == 3) return take_rgb_apart(row, n, out);
#endif
    take_apart(row, n, channels, out);
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
void planar(const ImageView& image, bool mirror, const Target& target, T* place) {
    const uint32_t n = image.width;
    const size_t plane = size_t(n) * image.height;
    thread_local std::vector<uint8_t> apart, mirrored;
    for (auto* scratch : {&apart, &mirrored})  // the second may lack what the first got, if memory ran out in between
        if (scratch->size() < size_t(n) * 4) scratch->resize(size_t(n) * 4);
    uint8_t* const lines[4] = {&apart[0], &apart[n], &apart[2 * size_t(n)], &apart[3 * size_t(n)]};
    for (uint32_t y = 0; y < image.height; ++y) {
        const uint8_t* row = image.row(y);
        if (mirror) {
            mirror_row(row, n, image.channels, mirrored.data());
            row = mirrored.data();
        }
        if (image.channels > 1) take_apart_quickly(row, n, image.channels, lines);
        for (uint32_t c = 0; c < image.channels; ++c)
            put_quickly({image.channels > 1 ? lines[c] : row, n, target.mean[c], target.factor[c]},
                        place + c * plane + size_t(y) * n);
    }
}

template <typename T>
void together(const ImageView& image, bool mirror, const Target& target, T* place) {
    const uint32_t n = image.width * image.channels;
    thread_local std::vector<uint8_t> mirrored;
    if (mirrored.size() < n) mirrored.resize(n);
    for (uint32_t y = 0; y < image.height; ++y, place += n) {
        const uint8_t* row = image.row(y);
        if (mirror) {
            mirror_row(row, image.width, image.channels, mirrored.data());
            row = mirrored.data();
        }
        if constexpr (sizeof(T) == 1) std::memcpy(place, row, n);
        else
            for (uint32_t x = 0; x < image.width; ++x)
                for (uint32_t c = 0; c < image.channels; ++c)
                    put({row + x * image.channels + c, 1, target.mean[c], target.factor[c]},
                        place + x * image.channels + c);
    }
}

template <typename T>
void convert_to(const ImageView& image, bool mirror, const Target& target, T* place) {
    if (image.channels == 1 && !mirror && image.stride == image.width)  // all rows are one
        return put_quickly({image.data, image.width * image.height, target.mean[0], target.factor[0]}, place);
    if (target.planar) planar(image, mirror, target, place);
    else together(image, mirror, target, place);
}

}  // namespace

void convert(const ImageView& image, bool mirror, const Target& target, void* place) {
    switch (target.type) {
        case Type::uint8: return convert_to(image, mirror, target, static_cast<uint8_t*>(place));
        case Type::float16: return convert_to(image, mirror, target, static_cast<uint16_t*>(place));
        case Type::float32: return convert_to(image, mirror, target, static_cast<float*>(place));
    }
}

}  // namespace recordkit
