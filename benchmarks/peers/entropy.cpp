// The time of Huffman decoding alone, inside of the decoding of whole JPEGs: by libjpeg-turbo or, if it is compiled with
// RECORDKIT, by recordkit's decoder. It wraps the function that decodes an MCU between two reads of the clock of the
// processor (rdtsc). Prints JSON: the number of Huffman symbols, the seconds, and the ticks of that clock in a second.
//
// Build: g++ -O3 entropy.cpp -ljpeg
//    or: g++ -O3 -DRECORDKIT -I recordkit/native/src entropy.cpp recordkit/native/src/huffman*.cpp -ljpeg
// Usage: entropy EPOCHS FILE.jpg...
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <x86intrin.h>

#include <jpeglib.h>
extern "C" {
#include <jpegint.h>
}
#ifdef RECORDKIT
#include "huffman.hpp"
#endif

namespace {

using Bytes = std::vector<unsigned char>;

uint64_t ticks = 0;  // in the decoder of MCUs
boolean (*decode_mcu)(j_decompress_ptr, JBLOCKROW*) = nullptr;

boolean timed_decode_mcu(j_decompress_ptr info, JBLOCKROW* blocks) {
    const uint64_t begin = __rdtsc();
    const boolean decoded = decode_mcu(info, blocks);
    ticks += __rdtsc() - begin;
    return decoded;
}

// Symbols of a block (ITU-T T.81, F.1.2): one for DC, one for each value, one for each 16 zeros before a value, and the
// end of the block unless the last coefficient has a value.
uint64_t count_symbols(const JCOEF* block) {
    constexpr int kZigzag[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
                                 41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
                                 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};
    uint64_t n_symbols = 1;
    int n_zeros = 0;
    for (int k = 1; k < 64; ++k) {
        if (!block[kZigzag[k]]) {
            ++n_zeros;
            continue;
        }
        n_symbols += 1 + static_cast<uint64_t>(n_zeros / 16);
        n_zeros = 0;
    }
    return n_symbols + (n_zeros > 0);
}

// The decoder of one image, because recordkit's stays installed.
class Decoder {
  public:
    Decoder() {
        info_.err = jpeg_std_error(&errors_);
        jpeg_create_decompress(&info_);
    }
    ~Decoder() { jpeg_destroy_decompress(&info_); }
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    uint64_t count(const Bytes& file) {
        read_header(file);
        jvirt_barray_ptr* const planes = jpeg_read_coefficients(&info_);
        uint64_t n_symbols = 0;
        for (int n = 0; n < info_.num_components; ++n) {
            // Files of one component have no blocks beyond the image; the blocks that fill an MCU are symbols, too.
            const jpeg_component_info& component = info_.comp_info[n];
            const JDIMENSION rows = info_.num_components == 1 ? component.height_in_blocks
                                                              : info_.total_iMCU_rows * component.v_samp_factor;
            const JDIMENSION columns = info_.num_components == 1
                                           ? component.width_in_blocks
                                           : (component.width_in_blocks + component.h_samp_factor - 1) /
                                                 component.h_samp_factor * component.h_samp_factor;
            for (JDIMENSION y = 0; y < rows; ++y) {
                JBLOCKARRAY row =
                    (*info_.mem->access_virt_barray)(reinterpret_cast<j_common_ptr>(&info_), planes[n], y, 1, FALSE);
                for (JDIMENSION x = 0; x < columns; ++x) n_symbols += count_symbols(row[0][x]);
            }
        }
        jpeg_abort_decompress(&info_);
        return n_symbols;
    }

    void decode(const Bytes& file) {
        read_header(file);
#ifdef RECORDKIT
        recordkit::HuffmanScan scan;
        scan.install(info_);
#endif
        jpeg_start_decompress(&info_);
        decode_mcu = info_.entropy->decode_mcu;
        info_.entropy->decode_mcu = timed_decode_mcu;
        pixels_.resize(size_t(info_.output_width) * static_cast<size_t>(info_.output_components));
        JSAMPROW row = pixels_.data();
        while (info_.output_scanline < info_.output_height) jpeg_read_scanlines(&info_, &row, 1);
        jpeg_finish_decompress(&info_);
    }

    bool is_baseline(const Bytes& file) {
        read_header(file);
        const bool baseline = !info_.progressive_mode && !info_.arith_code;
        jpeg_abort_decompress(&info_);
        return baseline;
    }

  private:
    void read_header(const Bytes& file) {
        jpeg_mem_src(&info_, file.data(), file.size());
        jpeg_read_header(&info_, TRUE);
        info_.out_color_space = info_.jpeg_color_space;
    }

    jpeg_decompress_struct info_{};
    jpeg_error_mgr errors_{};
    Bytes pixels_;
};

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): a wrong argument ends the program with the exception's text
int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const int n_epochs = std::stoi(argv[1]);
    std::vector<Bytes> files;
    uint64_t n_symbols = 0;
    for (int n = 2; n < argc; ++n) {
        std::ifstream stream(argv[n], std::ios::binary);
        Bytes file((std::istreambuf_iterator<char>(stream)), {});
        if (!Decoder().is_baseline(file)) continue;
        n_symbols += Decoder().count(file);
        files.push_back(std::move(file));
    }
    for (const Bytes& file : files) Decoder().decode(file);  // warm-up
    ticks = 0;
    const auto begin = std::chrono::steady_clock::now();
    const uint64_t begin_ticks = __rdtsc();
    for (int epoch = 0; epoch < n_epochs; ++epoch)
        for (const Bytes& file : files) Decoder().decode(file);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double ticks_per_s = static_cast<double>(__rdtsc() - begin_ticks) / seconds;
    std::printf("{\"n\": %" PRIu64 ", \"seconds\": %f, \"ticks_per_s\": %.0f}\n",
                n_symbols * static_cast<uint64_t>(n_epochs), static_cast<double>(ticks) / ticks_per_s, ticks_per_s);
}
