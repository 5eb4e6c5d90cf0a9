// The Huffman codes of a baseline JPEG, read more quickly than libjpeg reads them; libjpeg does the rest.
//
// Most codes and the number behind them are read by one look into a table, from a reservoir of 64 bits that is filled
// eight bytes at a time. Damage is libjpeg's error "bad Huffman code", so decode_jpeg leaves it to the reference engine.
//
// Source: ITU-T T.81, F.2.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <jpeglib.h>

namespace recordkit {

struct HuffmanTable;

// Reads the one scan of an image. It stays where it is while libjpeg decodes.
class HuffmanScan {
  public:
    // Let jpeg_start_decompress take this in the place of libjpeg's own decoder, if the image is of the kind.
    void offer(jpeg_decompress_struct& info);

  private:
    struct Block {  // of those of an MCU
        const HuffmanTable* dc;
        const HuffmanTable* ac;
        int component;
    };

    static void start_input_pass(j_decompress_ptr info);
    bool find_tables(const jpeg_decompress_struct& info);
    void begin(const jpeg_decompress_struct& info);
    static boolean decode_mcu(j_decompress_ptr info, JBLOCKROW* blocks);
    bool restart();
    bool at_end(jpeg_decompress_struct& info) const;

    const uint8_t* next_ = nullptr;  // the first byte that is not in the reservoir; libjpeg's source owns it
    const uint8_t* end_ = nullptr;
    uint64_t reservoir_ = 0;  // the next bit is the highest
    int n_bits_ = 0;          // below 0 if more was read than there is

    void (*start_input_pass_)(j_decompress_ptr) = nullptr;  // libjpeg's
    Block blocks_[D_MAX_BLOCKS_IN_MCU] = {};
    int n_blocks_ = 0;
    int dc_[MAX_COMPS_IN_SCAN] = {};  // of the block before, by component
    uint64_t n_left_ = 0;             // MCUs
    unsigned interval_ = 0, n_to_restart_ = 0;
    int restarts_ = 0;
};

}  // namespace recordkit
