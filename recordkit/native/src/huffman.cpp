#include "huffman.hpp"

#include <algorithm>
#include <cstring>

#include <jerror.h>
#if __has_include(<jpegint.h>)
extern "C" {
#include <jpegint.h>
}
#define RECORDKIT_CAN_TAKE_OVER 1
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

namespace recordkit {

constexpr int kLookBits = 10;

// What a look at the next bits tells: how many bits the code has and with it the number behind it, how many zeros
// come before that and how many bits it has. All 0 if the code is longer than a look.
struct Look {
    uint8_t code_bits;
    uint8_t bits;
    uint8_t zeros;
    uint8_t size;
};

struct HuffmanTable {
    UINT8 counts[17] = {};  // codes of each length; with `symbols` what it was made of
    UINT8 symbols[256] = {};
    Look looks[1 << kLookBits] = {};
    int32_t end[17] = {};    // one more than the last code of each length, as if it had 16 bits
    int32_t first[17] = {};  // what to add to a code to get the place of its symbol
    bool valid = false;      // as libjpeg sees it

    bool made_of(const JHUFF_TBL& from) const {
        return !std::memcmp(counts, from.bits, sizeof counts) && !std::memcmp(symbols, from.huffval, sizeof symbols);
    }
    void make(const JHUFF_TBL& from, bool dc);
};

namespace {

// The place of coefficient k of a scan in a block.
constexpr uint8_t kZigzag[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
                                 41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
                                 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// Bits of a scan, kept in registers while an MCU is read.
struct Bits {
    const uint8_t* next;
    const uint8_t* end;
    uint64_t reservoir;
    int n;

    // At least 56 bits, unless a marker or the end comes before; then zeros.
    ALWAYS_INLINE void fill() {
        uint64_t word;
        if (end - next >= 8 && n >= 0) {
            std::memcpy(&word, next, 8);
            const uint64_t inverse = ~word;  // a byte of 0xff is zero here
            if (!((inverse - 0x0101010101010101) & ~inverse & 0x8080808080808080)) {
                const int n_bytes = (63 - n) >> 3;
                reservoir |= __builtin_bswap64(word) >> n;
                next += n_bytes;
                n += 8 * n_bytes;
                return;
            }
        }
        while (n >= 0 && n <= 56 && next < end) {
            if (*next == 0xff && (end - next < 2 || next[1])) return;
            reservoir |= uint64_t(*next) << (56 - n);
            next += *next == 0xff ? 2 : 1;
            n += 8;
        }
    }
    unsigned peek(int count) const { return static_cast<unsigned>(reservoir >> (64 - count)); }
    void drop(int count) {
        reservoir <<= count;
        n -= count;
    }
    // Read past a code, the number behind it with it. Numbers that begin with 0 are negative.
    ALWAYS_INLINE int number(Look look) {
        const uint64_t behind = reservoir << look.code_bits;
        const int64_t negative = ~static_cast<int64_t>(behind) >> 63;
        const auto magnitude =
            static_cast<int64_t>((behind ^ static_cast<uint64_t>(negative)) >> 1 >> (63 - look.size));
        drop(look.bits);
        return static_cast<int>((magnitude ^ negative) - negative);
    }
};

Look look_of(int symbol, int code_bits, bool dc) {
    const int zeros = dc ? 0 : symbol >> 4, size = dc ? symbol : symbol & 15;
    return {static_cast<uint8_t>(code_bits), static_cast<uint8_t>(code_bits + size), static_cast<uint8_t>(zeros),
            static_cast<uint8_t>(size)};
}

// The same for a code that is too long for a look; all 0 if there is none.
__attribute__((noinline)) Look long_look(const HuffmanTable& table, uint64_t reservoir, bool dc) {
    const auto code = static_cast<int32_t>(reservoir >> 48);
    for (int length = kLookBits + 1; length <= 16; ++length)
        if (code < table.end[length])
            return look_of(table.symbols[(code >> (16 - length)) + table.first[length]], length, dc);
    return {};
}

// Reads a block; what it holds is not kept if `block` is null.
ALWAYS_INLINE bool read_block(const HuffmanTable& dc, const HuffmanTable& ac, Bits& bits, int& last_dc, JCOEF* block) {
    bits.fill();
    Look look = dc.looks[bits.peek(kLookBits)];
    if (!look.bits) look = long_look(dc, bits.reservoir, true);
    if (!look.bits) return false;
    last_dc += bits.number(look);
    if (last_dc < INT16_MIN || last_dc > INT16_MAX) return false;
    if (block) block[0] = static_cast<JCOEF>(last_dc);
    int k = 1;
    for (;;) {
        bits.fill();
        // Enough for two numbers of 8-bit images, 26 bits each with their codes; longer ones run out of bits, as damage.
        for (int turn = 0; turn < 2; ++turn) {
            look = ac.looks[bits.peek(kLookBits)];
            if (__builtin_expect(!look.bits, 0)) {
                look = long_look(ac, bits.reservoir, false);
                if (!look.bits) return false;
            }
            k += look.zeros;
            if (look.size) {
                const int value = bits.number(look);
                if (k > 63) return false;
                if (block) block[kZigzag[k]] = static_cast<JCOEF>(value);
            } else {
                bits.drop(look.bits);
                if (look.zeros != 15) return true;  // no more in this block
            }
            if (++k > 63) return true;
        }
    }
}

}  // namespace

void HuffmanTable::make(const JHUFF_TBL& from, bool dc) {
    std::memcpy(counts, from.bits, sizeof counts);
    std::memcpy(symbols, from.huffval, sizeof symbols);
    std::memset(looks, 0, sizeof looks);
    int n_symbols = 0;
    for (int length = 1; length <= 16; ++length) n_symbols += counts[length];
    valid = n_symbols <= 256;
    int32_t code = 0, place = 0;
    for (int length = 1; length <= 16; ++length, code <<= 1) {
        first[length] = place - code;
        for (int n = 0; n < counts[length] && place < 256; ++n, ++code, ++place) {
            if (dc && symbols[place] > 15) valid = false;
            if (length > kLookBits) continue;
            const int room = kLookBits - length;
            std::fill_n(looks + ((code << room) & ((1 << kLookBits) - 1)), 1 << room,
                        look_of(symbols[place], length, dc));
        }
        if (counts[length] && code >= 1 << length) valid = false;  // no code is all ones
        end[length] = code << (16 - length);
    }
}

#ifdef RECORDKIT_CAN_TAKE_OVER
void HuffmanScan::offer(jpeg_decompress_struct& info) {
    info.client_data = this;
    start_input_pass_ = info.inputctl->start_input_pass;
    info.inputctl->start_input_pass = start_input_pass;
}

// Called by jpeg_start_decompress. That libjpeg makes tables of its own, which takes longer than decoding a digit, is
// left out where this decoder has its own.
void HuffmanScan::start_input_pass(j_decompress_ptr info) {
    auto& scan = *static_cast<HuffmanScan*>(info->client_data);
    const bool plain = !info->progressive_mode && !info->arith_code && !info->inputctl->has_multiple_scans;
    const bool ours = plain && !info->Ss && info->Se == 63 && !info->Ah && !info->Al && scan.find_tables(*info);
    if (ours) info->entropy->start_pass = [](j_decompress_ptr) {};
    scan.start_input_pass_(info);
    if (!ours) return;
    scan.begin(*info);
    info->entropy->decode_mcu = decode_mcu;
}

// Files of one data set mostly have the same tables; made once a thread, they need not be made again.
static HuffmanTable& table_of(int kind, int number) {
    thread_local HuffmanTable tables[2][NUM_HUFF_TBLS];
    return tables[kind][number];
}

bool HuffmanScan::find_tables(const jpeg_decompress_struct& info) {
    for (int n = 0; n < info.comps_in_scan; ++n) {
        const jpeg_component_info& component = *info.cur_comp_info[n];
        const int numbers[2] = {component.dc_tbl_no, component.ac_tbl_no};
        for (int kind = 0; kind < 2; ++kind) {
            const int number = numbers[kind];
            if (number < 0 || number >= NUM_HUFF_TBLS) return false;
            const JHUFF_TBL* from = (kind ? info.ac_huff_tbl_ptrs : info.dc_huff_tbl_ptrs)[number];
            if (!from) return false;
            HuffmanTable& table = table_of(kind, number);
            if (!table.made_of(*from)) table.make(*from, kind == 0);
            if (!table.valid) return false;
        }
    }
    return true;
}

void HuffmanScan::begin(const jpeg_decompress_struct& info) {
    n_blocks_ = info.blocks_in_MCU;
    for (int n = 0; n < n_blocks_; ++n) {
        const int component = info.MCU_membership[n];
        const jpeg_component_info& own = *info.cur_comp_info[component];
        blocks_[n] = {&table_of(0, own.dc_tbl_no), &table_of(1, own.ac_tbl_no), component};
    }
    next_ = info.src->next_input_byte;
    end_ = next_ + info.src->bytes_in_buffer;
    n_left_ = uint64_t(info.MCUs_per_row) * info.MCU_rows_in_scan;
    interval_ = n_to_restart_ = info.restart_interval;
}
#else
void HuffmanScan::offer(jpeg_decompress_struct&) {}
#endif

// Called by libjpeg for one MCU after the other; with null for those whose pixels nobody wants.
boolean HuffmanScan::decode_mcu(j_decompress_ptr info, JBLOCKROW* blocks) {
    auto& scan = *static_cast<HuffmanScan*>(info->client_data);
    if (scan.interval_ && !scan.n_to_restart_-- && !scan.restart()) ERREXIT(info, JWRN_HUFF_BAD_CODE);
    Bits bits{scan.next_, scan.end_, scan.reservoir_, scan.n_bits_};
    bool good = true;
    for (int n = 0; n < scan.n_blocks_ && good; ++n) {
        const Block& block = scan.blocks_[n];
        good = read_block(*block.dc, *block.ac, bits, scan.dc_[block.component], blocks ? blocks[n][0] : nullptr);
    }
    if (!good || bits.n < 0) ERREXIT(info, JWRN_HUFF_BAD_CODE);
    scan.next_ = bits.next;
    scan.reservoir_ = bits.reservoir;
    scan.n_bits_ = bits.n;
    if (!--scan.n_left_ && !scan.at_end(*info)) ERREXIT(info, JWRN_HUFF_BAD_CODE);
    return TRUE;
}

// Read the marker between two intervals. The bits before it fill up a byte.
bool HuffmanScan::restart() {
    if (n_bits_ >= 8 || end_ - next_ < 2 || next_[0] != 0xff || next_[1] != JPEG_RST0 + restarts_) return false;
    next_ += 2;
    reservoir_ = 0;
    n_bits_ = 0;
    restarts_ = (restarts_ + 1) % 8;
    n_to_restart_ = interval_ - 1;
    std::memset(dc_, 0, sizeof dc_);
    return true;
}

// Tell libjpeg where the scan ends.
bool HuffmanScan::at_end(jpeg_decompress_struct& info) const {
    if (n_bits_ >= 8) return false;
    info.src->next_input_byte = next_;
    info.src->bytes_in_buffer = static_cast<size_t>(end_ - next_);
    return true;
}

}  // namespace recordkit
