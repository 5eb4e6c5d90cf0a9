// Huffman decoding of baseline JPEGs, faster than libjpeg-turbo's own; libjpeg-turbo does the rest of the decoding.
//
// One table lookup decodes a code with the value after it, or two of them, from a 64-bit reservoir. The bytes of a scan
// are copied without their byte stuffing, some KiB at a time, so that a refill of the reservoir is one load without a
// branch. Damaged
// data raise libjpeg's error "bad Huffman code", so that decode_jpeg leaves the file to the reference engine.
//
// This class relies on private structures of libjpeg-turbo; huffman.cpp lists them. recordkit.native refuses to run with
// a library of another version than the headers that this module was compiled with.
//
// Source: ITU-T T.81, F.2.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <jpeglib.h>

#include "huffman_table.hpp"

// Private structures: some packages of libjpeg-turbo lack this header, and without ELF objects jpeg_version.cpp cannot
// tell which library runs. libjpeg-turbo's own decoder then decodes the same pixels, more slowly.
#if __has_include(<jpegint.h>) && __has_include(<link.h>) && !defined(RECORDKIT_NO_JPEGINT)
#define RECORDKIT_FAST_HUFFMAN 1
#endif

namespace recordkit {

#ifdef RECORDKIT_FAST_HUFFMAN
constexpr bool kHasFastHuffman = true;
#else
constexpr bool kHasFastHuffman = false;
#endif

// Decodes the one scan of an image. libjpeg-turbo keeps a pointer to it while it decodes, so that it must not move.
class HuffmanScan {
  public:
    // Let jpeg_start_decompress replace libjpeg-turbo's Huffman decoder by this one, if the image is of a kind that it
    // decodes and kHasFastHuffman.
    void install(jpeg_decompress_struct& info);

    // Read the whole image past its coefficients, in place of jpeg_read_scanlines. Return false, before anything is read,
    // if this decoder does not decode the image. Damage is an error of libjpeg, as above.
    bool skip(jpeg_decompress_struct& info);

    // Decode chroma by the 4x4 inverse DCT, to half of its columns and rows. Set before jpeg_start_decompress, and only
    // if kHasFastHuffman and the planes are read as they are (raw_data_out).
    bool halve_chroma = false;

  private:
    struct Block {          // one block of an MCU
        const DcTable* dc;  // both are this thread's tables, which live as long as the thread
        AcTable* ac;
        int component;
    };

    static void start_input_pass(j_decompress_ptr info);
    static bool make_tables(const jpeg_decompress_struct& info);
    void begin(const jpeg_decompress_struct& info);
    static boolean decode_mcu(j_decompress_ptr info, JBLOCKROW* blocks);
    void begin_interval();
    void fill();
    int64_t n_bits_left() const { return 8 * (end_ - next_) + n_bits_; }
    bool restart();
    bool end_scan(jpeg_decompress_struct& info);

    // Most bytes that an MCU can read: of damaged data, before decode_mcu sees that they are beyond the end.
    static constexpr int kBlockBits = DCTSIZE2 * (kMaxCodeBits + kMaxDcValueBits);
    static constexpr int kMcuBytes = D_MAX_BLOCKS_IN_MCU * kBlockBits / 8 + int{sizeof(uint64_t)};
    static constexpr int kPlainBytes = 1 << 14;  // a copy that stays in the first cache
    static_assert(kMcuBytes < kPlainBytes, "there is room for more bytes when an MCU might need them");

    // The bytes that are not copied yet. They are those of the payload that was given to jpeg_mem_src, which the caller of
    // the decoder owns and keeps until the image is decoded.
    const uint8_t* payload_next_ = nullptr;
    const uint8_t* payload_end_ = nullptr;
    // Bytes of the scan without byte stuffing. After the last ones of a restart interval, or of a scan without these,
    // zeros follow.
    uint8_t plain_[kPlainBytes + kMcuBytes];
    const uint8_t* next_ = nullptr;  // in plain_: the first byte that is not in the reservoir yet
    const uint8_t* end_ = nullptr;   // in plain_: behind the last byte of the scan
    bool interval_ended_ = false;    // a marker follows, or the end of the payload
    uint64_t reservoir_ = 0;         // the next bit of the scan is the most significant bit
    int n_bits_ = 0;                 // valid bits in the reservoir

    void (*libjpeg_start_input_pass_)(j_decompress_ptr) = nullptr;
    Block blocks_[D_MAX_BLOCKS_IN_MCU] = {};
    int n_blocks_ = 0;
    int last_dc_[MAX_COMPS_IN_SCAN] = {};  // DC value of the previous block of each component
    uint64_t n_mcus_left_ = 0;
    JBLOCK unused_block_;  // coefficients of skipped blocks, while a table has no entries for them
    unsigned restart_interval_ = 0, n_mcus_to_restart_ = 0;
    int next_restart_number_ = 0;  // 0 to 7
};

}  // namespace recordkit
