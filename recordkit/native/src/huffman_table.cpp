#include "huffman_table.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace recordkit {
namespace {

constexpr int kTableMask = (1 << kTableBits) - 1, kSkipMask = (1 << kSkipBits) - 1;

}  // namespace

bool HuffmanCodes::is_made_from(const JHUFF_TBL& source) const {
    return !std::memcmp(n_codes_, source.bits, sizeof n_codes_) &&
           !std::memcmp(symbols_, source.huffval, sizeof symbols_);
}

LongCode HuffmanCodes::find_long_code(uint64_t bits) const {
    const auto code = static_cast<int32_t>(bits >> (64 - kMaxCodeBits));
    for (int length = kTableBits + 1; length <= kMaxCodeBits; ++length)
        if (code < code_limit_[length])
            return {symbols_[(code >> (kMaxCodeBits - length)) + symbol_offset_[length]], length};
    return {};
}

template <typename Set>
void HuffmanCodes::read(const JHUFF_TBL& source, int value_mask, int max_value_bits, const Set& set) {
    std::memcpy(n_codes_, source.bits, sizeof n_codes_);
    std::memcpy(symbols_, source.huffval, sizeof symbols_);
    int n_symbols = 0;
    for (int length = 1; length <= kMaxCodeBits; ++length) n_symbols += n_codes_[length];
    valid_ = n_symbols <= 256;
    int32_t code = 0, index = 0;
    for (int length = 1; length <= kMaxCodeBits; ++length, code <<= 1) {
        symbol_offset_[length] = index - code;
        for (int n = 0; n < n_codes_[length] && index < 256; ++n, ++code, ++index) {
            if ((symbols_[index] & value_mask) > max_value_bits) valid_ = false;
            if (length > kTableBits) continue;
            const int free_bits = kTableBits - length;
            set((code << free_bits) & kTableMask, 1 << free_bits, symbols_[index], length);
        }
        if (n_codes_[length] && code >= 1 << length) valid_ = false;  // a code of all ones is not allowed
        code_limit_[length] = code << (kMaxCodeBits - length);
    }
}

void DcTable::make(const JHUFF_TBL& source) {
    std::memset(entries, 0, sizeof entries);
    read(source, 0xff, kMaxDcValueBits, [this](int begin, int n, int value_bits, int code_bits) {
        std::fill_n(entries + begin, n, dc_entry(value_bits, code_bits));
    });
}

void AcTable::make(const JHUFF_TBL& source) {
    std::memset(entries, 0, sizeof entries);
    read(source, 0x0f, kMaxAcValueBits, [this](int begin, int n, int symbol, int code_bits) {
        std::fill_n(entries + begin, n, ac_entry(symbol, code_bits));
    });
    pair();
    has_skips_ = false;
    n_skipped_ = 0;
}

void AcTable::pair() {
    AcEntry single[1 << kTableBits];
    std::copy(entries, entries + kTableMask + 1, single);
    for (int bits = 0; bits <= kTableMask; ++bits) {
        AcEntry& entry = entries[bits];
        if (!entry.total_bits || entry.first_advance == kEndOfBlock || entry.first_bits >= kTableBits) continue;
        const int rest = (bits << entry.first_bits) & kTableMask;  // the bits after the first value, then zeros
        const AcEntry& second = single[rest];
        if (!second.total_bits || entry.first_bits + second.first_bits > kTableBits) continue;
        const uint64_t at_top = uint64_t(rest) << (64 - kTableBits);
        entry.second_value = static_cast<int16_t>(value_after(at_top, second.code_bits, second.value_bits));
        entry.second_advance = second.first_advance;
        entry.total_bits = static_cast<uint8_t>(entry.first_bits + second.first_bits);
    }
}

void AcTable::make_skips() {
    if (std::exchange(has_skips_, true)) return;
    for (int bits = 0; bits <= kSkipMask; ++bits) {
        int n_bits = 0, advance = 0;
        while (advance < kEndOfBlock) {
            const int rest = (bits << n_bits) & kSkipMask;  // the bits after the last value, then zeros
            const AcEntry& entry = entries[rest >> (kSkipBits - kTableBits)];
            if (!entry.total_bits || n_bits + entry.first_bits > kSkipBits) break;
            if (entry.first_advance != kEndOfBlock && advance + entry.first_advance > kLastCoefficient) break;
            n_bits += entry.first_bits;
            advance += entry.first_advance;
        }
        skip_entries[bits] = {static_cast<uint8_t>(n_bits), n_bits ? static_cast<uint8_t>(advance) : kNoSkip};
    }
}

}  // namespace recordkit
