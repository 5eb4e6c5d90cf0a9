// Huffman decoding of baseline JPEGs in place of libjpeg-turbo's own decoder; see huffman.hpp. It uses private
// structures of libjpeg-turbo:
//
//     jpegint.h  jpeg_input_controller  start_input_pass (replaced), finish_input_pass, has_multiple_scans
//                jpeg_entropy_decoder   start_pass, decode_mcu (replaced), insufficient_data
//     jpeglib.h  jpeg_decompress_struct the fields that it calls internal to the decompressor: inputctl, entropy,
//                                       comps_in_scan, cur_comp_info, MCUs_per_row, MCU_rows_in_scan, blocks_in_MCU,
//                                       MCU_membership, Ss, Se, Ah, Al
//                jpeg_component_info    DCT_scaled_size (set for chroma that is halved)
//
// and relies on jdinput.c: start_input_pass calls entropy->start_pass, and finish_input_pass lets the next call read the
// markers behind the scan. It was run and tested with libjpeg-turbo 2.1.5.
// By its sources, the structures and that function are the same from 1.5.90 to 2.1.5.1; from 2.1.90 to 3.2.0, the
// latest checked, jpeg_entropy_decoder has two more pointers after decode_mcu and start_input_pass one more condition,
// for lossless files. recordkit.native refuses a library of another version than the headers that this file was compiled
// with.
#include "huffman.hpp"

#include <algorithm>
#include <cstring>

#include <jerror.h>
#ifdef RECORDKIT_FAST_HUFFMAN
extern "C" {
#include <jpegint.h>
}
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

namespace recordkit {

namespace {

// Index in a block, row by row, of coefficient k of a scan.
constexpr uint8_t kZigzag[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
                                 41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
                                 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// Least number of valid bits in the reservoir after a refill.
constexpr int kRefilledBits = 56;
constexpr int kLookupsPerRefill = 2, kSkipsPerRefill = 4;
static_assert(kLookupsPerRefill * (kMaxCodeBits + kMaxAcValueBits) <= kRefilledBits, "one refill serves two lookups");
static_assert(kSkipsPerRefill * kSkipBits <= kRefilledBits, "one refill serves the lookups of a skipped block");
static_assert(kMaxCodeBits + kMaxDcValueBits <= kRefilledBits, "one refill serves any DC difference");

// The position in a scan, copied from HuffmanScan so that it stays in registers while an MCU is decoded.
//
//     reservoir   63                    64 - n_bits                                   0
//                 | n_bits bits of the scan        | further bits of the scan, or zeros |
//
// The further bits are not counted yet: the next refill reads their bytes again and sets the same bits.
struct BitReader {
    const uint8_t* next;  // not owned: HuffmanScan's next_
    uint64_t reservoir;
    int n_bits;  // 0 to 63

    // Refill the reservoir to at least kRefilledBits bits.
    ALWAYS_INLINE void refill() {
        uint64_t word;
        std::memcpy(&word, next, 8);
        reservoir |= __builtin_bswap64(word) >> n_bits;
        next += (63 - n_bits) >> 3;
        n_bits |= kRefilledBits;  // the same as adding the bits of these bytes, because kRefilledBits is 7 << 3
    }
    unsigned peek(int count) const { return static_cast<unsigned>(reservoir >> (64 - count)); }
    void drop(int count) {
        reservoir <<= count;
        n_bits -= count;
    }
};

// Decode the DC difference of a block, and add it to `last_dc`. Return false if the data are damaged.
ALWAYS_INLINE bool read_dc(const DcTable& dc, BitReader& bits, int& last_dc) {
    bits.refill();
    DcEntry dc_code = dc.entries[bits.peek(kTableBits)];
    if (__builtin_expect(!dc_code.total_bits, 0)) {
        const LongCode code = dc.find_long_code(bits.reservoir);
        if (!code.code_bits) return false;
        dc_code = dc_entry(code.symbol, code.code_bits);
    }
    last_dc += value_after(bits.reservoir, dc_code.code_bits, dc_code.value_bits);
    bits.drop(dc_code.total_bits);
    return last_dc >= INT16_MIN && last_dc <= INT16_MAX;
}

// Set `entry` to that of an AC table for the next bits. Return false if there is no such code.
ALWAYS_INLINE bool find_ac(const AcTable& ac, const BitReader& bits, AcEntry& entry) {
    entry = ac.entries[bits.peek(kTableBits)];
    if (__builtin_expect(!entry.total_bits, 0)) {
        const LongCode code = ac.find_long_code(bits.reservoir);
        if (!code.code_bits) return false;
        entry = ac_entry(code.symbol, code.code_bits);
    }
    return true;
}

// Decode a block. Return false if the data are damaged.
ALWAYS_INLINE bool read_block(const DcTable& dc, const AcTable& ac, BitReader& bits, int& last_dc, JCOEF* block) {
    if (!read_dc(dc, bits, last_dc)) return false;
    const auto store = [block](int k, int value) { block[kZigzag[k]] = static_cast<JCOEF>(value); };
    store(0, last_dc);
    int k = 0;  // the last coefficient that was decoded
    for (;;) {
        bits.refill();
        for (int n = 0; n < kLookupsPerRefill; ++n) {
            AcEntry entry;
            if (!find_ac(ac, bits, entry)) return false;
            const int value = value_after(bits.reservoir, entry.code_bits, entry.value_bits);
            const int first = k + entry.first_advance;
            k = first + entry.second_advance;
            // The last coefficient, the end of the block, or damage. There is no branch for the symbol that it is, because
            // no processor can predict that. A symbol without a value stores 0, where no value is yet.
            if (k >= kLastCoefficient) {
                // Then the second symbol, if there is one, belongs to the next block.
                const bool alone = first >= kLastCoefficient;
                bits.drop(alone ? entry.first_bits : entry.total_bits);
                store(kLastCoefficient, entry.second_value);
                store(std::min(first, kLastCoefficient), value);
                const int last = alone ? first : k, last_value = alone ? entry.value_bits : entry.second_value;
                return (last == kLastCoefficient) | !last_value;
            }
            bits.drop(entry.total_bits);
            store(k, entry.second_value);  // overwritten if there is no second symbol
            store(first, value);
        }
    }
}

// Read past a block, by the same rules as read_block. Return false if the data are damaged.
ALWAYS_INLINE bool skip_block(const DcTable& dc, const AcTable& ac, BitReader& bits, int& last_dc) {
    if (!read_dc(dc, bits, last_dc)) return false;
    for (int k = 0;;) {  // the last coefficient that was passed
        bits.refill();
        for (int n = 0; n < kSkipsPerRefill; ++n) {
            const SkipEntry entry = ac.skip_entries[bits.peek(kSkipBits)];
            const int next = k + entry.advance;
            if (next >= kLastCoefficient) {
                // If the codes reach the last coefficient, those behind it may belong to the next block.
                if (next < kEndOfBlock || next >= kEndOfBlock + kLastCoefficient) break;
                bits.drop(entry.total_bits);
                return true;
            }
            bits.drop(entry.total_bits);
            k = next;
        }
        // One symbol, which may be long, be the last coefficient, or be damaged.
        bits.refill();
        AcEntry entry;
        if (!find_ac(ac, bits, entry)) return false;
        bits.drop(entry.first_bits);
        k += entry.first_advance;
        if (k >= kLastCoefficient) return k == kLastCoefficient || !entry.value_bits;
    }
}

}  // namespace

#ifdef RECORDKIT_FAST_HUFFMAN
void HuffmanScan::install(jpeg_decompress_struct& info) {
    info.client_data = this;
    libjpeg_start_input_pass_ = info.inputctl->start_input_pass;
    info.inputctl->start_input_pass = start_input_pass;
}

// Called by jpeg_start_decompress. If this decoder takes the image, libjpeg-turbo does not build its own tables, which
// takes longer than decoding a small digit.
void HuffmanScan::start_input_pass(j_decompress_ptr info) {
    auto& scan = *static_cast<HuffmanScan*>(info->client_data);
    if (scan.halve_chroma)
        for (int n = 1; n < info->num_components; ++n) {
#if JPEG_LIB_VERSION >= 70
            info->comp_info[n].DCT_h_scaled_size = info->comp_info[n].DCT_v_scaled_size = DCTSIZE / 2;
#else
            info->comp_info[n].DCT_scaled_size = DCTSIZE / 2;
#endif
        }
    const bool baseline = !info->progressive_mode && !info->arith_code && !info->inputctl->has_multiple_scans;
    const bool supported = baseline && !info->Ss && info->Se == 63 && !info->Ah && !info->Al && make_tables(*info);
    if (supported)
        info->entropy->start_pass = [](j_decompress_ptr started) { started->entropy->insufficient_data = FALSE; };
    scan.libjpeg_start_input_pass_(info);
    if (!supported) return;
    scan.begin(*info);
    info->entropy->decode_mcu = decode_mcu;
}

namespace {

// Tables of this thread. They are kept from image to image, because most files of a dataset have the same tables.
struct Tables {
    DcTable dc[NUM_HUFF_TBLS];
    AcTable ac[NUM_HUFF_TBLS];
};

Tables& thread_tables() {
    thread_local Tables tables;
    return tables;
}

// Make one of these tables from that of libjpeg with the same number; return false if the image has to be left to libjpeg.
template <typename Table>
bool make_table(Table* tables, JHUFF_TBL* const* sources, int number) {
    if (number < 0 || number >= NUM_HUFF_TBLS || !sources[number]) return false;
    Table& table = tables[number];
    if (!table.is_made_from(*sources[number])) table.make(*sources[number]);
    return table.valid();
}

}  // namespace

bool HuffmanScan::make_tables(const jpeg_decompress_struct& info) {
    Tables& tables = thread_tables();
    for (int n = 0; n < info.comps_in_scan; ++n) {
        const jpeg_component_info& component = *info.cur_comp_info[n];
        if (!make_table(tables.dc, info.dc_huff_tbl_ptrs, component.dc_tbl_no) ||
            !make_table(tables.ac, info.ac_huff_tbl_ptrs, component.ac_tbl_no))
            return false;
    }
    return true;
}

void HuffmanScan::begin(const jpeg_decompress_struct& info) {
    Tables& tables = thread_tables();
    n_blocks_ = info.blocks_in_MCU;
    for (int n = 0; n < n_blocks_; ++n) {
        const int number = info.MCU_membership[n];
        const jpeg_component_info& component = *info.cur_comp_info[number];
        blocks_[n] = {&tables.dc[component.dc_tbl_no], &tables.ac[component.ac_tbl_no], number};
    }
    payload_next_ = info.src->next_input_byte;
    payload_end_ = payload_next_ + info.src->bytes_in_buffer;
    begin_interval();
    n_mcus_left_ = uint64_t(info.MCUs_per_row) * info.MCU_rows_in_scan;
    restart_interval_ = n_mcus_to_restart_ = info.restart_interval;
}

bool HuffmanScan::skip(jpeg_decompress_struct& info) {
    if (!n_blocks_) return false;
    if (n_mcus_left_ * static_cast<uint64_t>(n_blocks_) >= kSkipsThatPay)
        for (int n = 0; n < n_blocks_; ++n) blocks_[n].ac->make_skips();
    while (n_mcus_left_) decode_mcu(&info, nullptr);
    info.inputctl->finish_input_pass(&info);
    info.output_scanline = info.output_height;
    return true;
}
#else
void HuffmanScan::install(jpeg_decompress_struct&) {}

bool HuffmanScan::skip(jpeg_decompress_struct&) { return false; }
#endif

// Called by libjpeg-turbo for each MCU in order; `blocks` is null for MCUs that it skips.
boolean HuffmanScan::decode_mcu(j_decompress_ptr info, JBLOCKROW* blocks) {
    auto& scan = *static_cast<HuffmanScan*>(info->client_data);
    if (scan.end_ - scan.next_ < kMcuBytes && !scan.interval_ended_) scan.fill();
    if (scan.restart_interval_ && !scan.n_mcus_to_restart_-- && !scan.restart()) ERREXIT(info, JWRN_HUFF_BAD_CODE);
    BitReader bits{scan.next_, scan.reservoir_, scan.n_bits_};
    bool good = true;
    for (int n = 0; n < scan.n_blocks_ && good; ++n) {
        const Block& block = scan.blocks_[n];
        int& last_dc = scan.last_dc_[block.component];
        if (!blocks && block.ac->can_skip()) good = skip_block(*block.dc, *block.ac, bits, last_dc);
        else good = read_block(*block.dc, *block.ac, bits, last_dc, blocks ? blocks[n][0] : scan.unused_block_);
    }
    scan.next_ = bits.next;
    scan.reservoir_ = bits.reservoir;
    scan.n_bits_ = bits.n_bits;
    if (!good || scan.n_bits_left() < 0) ERREXIT(info, JWRN_HUFF_BAD_CODE);
    if (!--scan.n_mcus_left_ && !scan.end_scan(*info)) ERREXIT(info, JWRN_HUFF_BAD_CODE);
    return TRUE;
}

void HuffmanScan::begin_interval() {
    next_ = end_ = plain_;
    interval_ended_ = false;
    reservoir_ = 0;
    n_bits_ = 0;
    fill();
}

// Copy the next bytes up to a marker, as far as there is room. A byte of 0xff is followed by a stuffed zero, which is left
// out (T.81, F.1.2.3).
void HuffmanScan::fill() {
    uint8_t* out = std::copy(next_, end_, plain_);
    uint8_t* const out_end = plain_ + kPlainBytes;
    const uint8_t* in = payload_next_;
    while (out < out_end) {
        const auto n = static_cast<size_t>(std::min(payload_end_ - in, out_end - out));
        const auto* stop = static_cast<const uint8_t*>(std::memchr(in, 0xff, n));
        if (!stop) stop = in + n;
        out = std::copy(in, stop, out);
        in = stop;
        if (out == out_end) break;
        if (payload_end_ - in < 2 || in[1]) {
            interval_ended_ = true;
            std::memset(out, 0, kMcuBytes);
            break;
        }
        *out++ = 0xff;
        in += 2;
    }
    payload_next_ = in;
    next_ = plain_;
    end_ = out;
}

// Read the restart marker between two intervals. Fewer than 8 bits, the padding of a byte, may precede it.
bool HuffmanScan::restart() {
    if (n_bits_left() >= 8 || payload_end_ - payload_next_ < 2 || payload_next_[0] != 0xff ||
        payload_next_[1] != JPEG_RST0 + next_restart_number_)
        return false;
    payload_next_ += 2;
    begin_interval();
    next_restart_number_ = (next_restart_number_ + 1) % 8;
    n_mcus_to_restart_ = restart_interval_ - 1;
    std::memset(last_dc_, 0, sizeof last_dc_);
    return true;
}

// Tell libjpeg-turbo where the scan ends, so that it goes on to read markers there.
bool HuffmanScan::end_scan(jpeg_decompress_struct& info) {
    if (!interval_ended_) fill();
    if (n_bits_left() >= 8) return false;
    info.src->next_input_byte = payload_next_;
    info.src->bytes_in_buffer = static_cast<size_t>(payload_end_ - payload_next_);
    return true;
}

}  // namespace recordkit
