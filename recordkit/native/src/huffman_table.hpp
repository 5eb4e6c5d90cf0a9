// Tables that decode the Huffman codes of a baseline JPEG (ITU-T T.81, F.2.2.3), made from those of libjpeg.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <jpeglib.h>

namespace recordkit {

constexpr int kMaxCodeBits = 16;     // T.81, B.2.4.2
constexpr int kMaxDcValueBits = 15;  // as libjpeg allows; those of 8-bit images have up to 11 (T.81, F.1.2.1)
constexpr int kMaxAcValueBits = 10;  // of 8-bit images (T.81, F.1.2.2)
constexpr int kTableBits = 10;       // bits of the scan that one lookup sees
static_assert(kTableBits <= kMaxCodeBits, "no code is longer than kMaxCodeBits");
static_assert(kMaxCodeBits + kMaxDcValueBits <= UINT8_MAX, "lengths have 8 bits");

// Entry of a DC table for the next kTableBits bits of a scan.
struct DcEntry {
    uint8_t code_bits;   // length of the Huffman code: 1 to kTableBits; 0 if there is no such code
    uint8_t total_bits;  // length of the code and the value after it: 1 to 31; 0 if no code fits
    uint8_t value_bits;  // length of the value after the code: 0 to 15
};

// Entry of an AC table: one symbol with its value, or two if both and their values fit into kTableBits. Decoding is bound
// by the time from one lookup to the next, so two symbols cost hardly more than one.
struct AcEntry {
    uint8_t code_bits;       // of the first symbol, as above
    uint8_t value_bits;      // of the first symbol
    uint8_t first_bits;      // length of the first code and its value: 1 to 31; 0 if no code of up to kTableBits fits
    uint8_t total_bits;      // length of all codes and values of the entry
    uint8_t first_advance;   // coefficients from the last one to that of the first symbol: 1 to 16, or kEndOfBlock
    uint8_t second_advance;  // the same from the first symbol to the second; 0 if there is no second one
    int16_t second_value;
};
static_assert(sizeof(AcEntry) == 8, "a lookup is one 64-bit load, and a table of 1,024 entries takes 8 KiB");
constexpr uint8_t kEndOfBlock = 128;
constexpr int kLastCoefficient = 63;

// Entry of an AC table for the next kSkipBits bits of a block whose coefficients are not needed: all codes that fit into
// these bits with their values, up to the end of the block.
struct SkipEntry {
    uint8_t total_bits;  // length of these codes and values: 1 to kSkipBits; 0 if none fits
    uint8_t advance;     // coefficients of the values, 1 to 63, plus kEndOfBlock if a code ends the block; or kNoSkip
};
constexpr int kSkipBits = 12;
constexpr uint8_t kNoSkip = 255;  // no code fits
constexpr uint64_t kSkipsThatPay = 2000;
static_assert(kTableBits <= kSkipBits, "an entry is made from those of kTableBits");
static_assert(kEndOfBlock + kLastCoefficient < kNoSkip, "an advance has 8 bits");

// The value after a code, 0 if it has no bits. `bits` are the next ones of the scan, the first at the top. A value whose
// first bit is 0 is negative (T.81, F.2.2.1).
inline int value_after(uint64_t bits, int code_bits, int value_bits) {
    const uint64_t after_code = bits << code_bits;
    const int64_t negative = ~static_cast<int64_t>(after_code) >> 63;
    const auto magnitude =
        static_cast<int64_t>((after_code ^ static_cast<uint64_t>(negative)) >> 1 >> (63 - value_bits));
    return static_cast<int>((magnitude ^ negative) - negative);
}

inline DcEntry dc_entry(int value_bits, int code_bits) {
    return {static_cast<uint8_t>(code_bits), static_cast<uint8_t>(code_bits + value_bits),
            static_cast<uint8_t>(value_bits)};
}

// A symbol of an AC table is the number of zeros before its value << 4 | value_bits. Without a value it ends the block,
// except 15 << 4, which is 16 zeros.
inline AcEntry ac_entry(int symbol, int code_bits) {
    const int n_zeros = symbol >> 4, value_bits = symbol & 15;
    const auto bits = static_cast<uint8_t>(code_bits + value_bits);
    const auto advance = static_cast<uint8_t>(value_bits || n_zeros == 15 ? n_zeros + 1 : kEndOfBlock);
    return {static_cast<uint8_t>(code_bits), static_cast<uint8_t>(value_bits), bits, bits, advance, 0, 0};
}

// A code that is longer than kTableBits; its length is 0 if there is no such code.
struct LongCode {
    int symbol = 0, code_bits = 0;
};

// HuffmanCodes holds what DC and AC tables share: the codes of a table of libjpeg.
class HuffmanCodes {
  public:
    bool is_made_from(const JHUFF_TBL& source) const;
    // True if the table follows libjpeg's rules and has values of 8-bit images only.
    bool valid() const { return valid_; }
    // Find a long code at the top of these bits.
    LongCode find_long_code(uint64_t bits) const;

  protected:
    // Take the codes, and call set(first entry, number of entries, symbol, length) for each that fits into kTableBits.
    template <typename Set>
    void read(const JHUFF_TBL& source, int value_mask, int max_value_bits, const Set& set);

  private:
    // The two fields of a JHUFF_TBL from which the table was made.
    UINT8 n_codes_[kMaxCodeBits + 1] = {};  // [length]
    UINT8 symbols_[256] = {};

    int32_t code_limit_[kMaxCodeBits + 1] = {};     // [length]: the code after the last one, shifted to 16 bits
    int32_t symbol_offset_[kMaxCodeBits + 1] = {};  // [length]: a code plus this is the index of its symbol
    bool valid_ = false;
};

struct DcTable : HuffmanCodes {
    DcEntry entries[1 << kTableBits] = {};

    void make(const JHUFF_TBL& source);
};

struct AcTable : HuffmanCodes {
    AcEntry entries[1 << kTableBits] = {};
    SkipEntry skip_entries[1 << kSkipBits] = {};  // only if can_skip() or after make_skips()

    void make(const JHUFF_TBL& source);
    // Make the entries for blocks that are skipped, unless the table has them.
    void make_skips();
    // True if the next block can be skipped by these entries. They are made when that pays: their making takes as long as
    // they save in kSkipsThatPay blocks, and a table lasts for one image or for all images of a dataset.
    bool can_skip() {
        if (!has_skips_ && ++n_skipped_ >= kSkipsThatPay) make_skips();
        return has_skips_;
    }

  private:
    // Add second symbols to the entries.
    void pair();

    bool has_skips_ = false;
    uint64_t n_skipped_ = 0;  // blocks without these entries
};

}  // namespace recordkit
