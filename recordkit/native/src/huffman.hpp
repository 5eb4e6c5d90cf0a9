// Huffman decoding of baseline JPEGs, faster than libjpeg-turbo's own; libjpeg-turbo does the rest of the decoding.
//
// Most codes are decoded together with the value after them by one table lookup, from a 64-bit reservoir that is
// refilled eight bytes at a time. Damaged data raise libjpeg's error "bad Huffman code", so that decode_jpeg leaves the
// file to the reference engine.
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

// Private structures: some packages of libjpeg-turbo lack this header, and without ELF objects jpeg_version.cpp cannot
// tell which library runs. libjpeg-turbo's own decoder then decodes the same pixels, more slowly.
#if __has_include(<jpegint.h>) && __has_include(<link.h>) && !defined(RECORDKIT_NO_JPEGINT)
#define RECORDKIT_FAST_HUFFMAN 1
#endif

namespace recordkit {

struct HuffmanTable;

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

    // Decode chroma by the 4x4 inverse DCT, to half of its columns and rows. Set before jpeg_start_decompress, and only
    // if kHasFastHuffman and the planes are read as they are (raw_data_out).
    bool halve_chroma = false;

  private:
    struct Block {               // one block of an MCU
        const HuffmanTable* dc;  // both are this thread's tables, which live as long as the thread
        const HuffmanTable* ac;
        int component;
    };

    static void start_input_pass(j_decompress_ptr info);
    static bool make_tables(const jpeg_decompress_struct& info);
    void begin(const jpeg_decompress_struct& info);
    static boolean decode_mcu(j_decompress_ptr info, JBLOCKROW* blocks);
    bool restart();
    bool end_scan(jpeg_decompress_struct& info) const;

    // The encoded bytes that are not in the reservoir yet. They are the payload that was given to jpeg_mem_src, which
    // the caller of the decoder owns and keeps until the image is decoded.
    const uint8_t* next_ = nullptr;
    const uint8_t* end_ = nullptr;
    uint64_t reservoir_ = 0;  // the next bit of the scan is the most significant bit
    int n_bits_ = 0;          // valid bits in the reservoir; negative if more bits were read than the scan has

    void (*libjpeg_start_input_pass_)(j_decompress_ptr) = nullptr;
    Block blocks_[D_MAX_BLOCKS_IN_MCU] = {};
    int n_blocks_ = 0;
    int last_dc_[MAX_COMPS_IN_SCAN] = {};  // DC value of the previous block of each component
    uint64_t n_mcus_left_ = 0;
    unsigned restart_interval_ = 0, n_mcus_to_restart_ = 0;
    int next_restart_number_ = 0;  // 0 to 7
};

}  // namespace recordkit
