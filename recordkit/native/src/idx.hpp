// Parses .idx files into columns of numbers. The format, and which text is an error, is defined in
// recordkit/formats/idx.py.
#pragma once

#include <string>
#include <utility>

#include "file.hpp"

namespace recordkit {

// A line does not hold a key and an offset; becomes FormatError.
struct IdxLineFault : std::runtime_error {
    IdxLineFault(std::string line_excerpt, uint64_t line_number)
        : std::runtime_error("expected KEY and OFFSET"), excerpt(std::move(line_excerpt)), line(line_number) {}
    std::string excerpt;  // the beginning of the line, which may contain zero bytes
    uint64_t line;        // counted from 1
};

// Append lines of keys and offsets to `out`.
void append_idx_lines(const uint64_t* keys, const uint64_t* offsets, size_t n, std::vector<uint8_t>& out);

// Arrays of IdxFile::size() numbers to be filled. The caller of IdxFile::read owns both for the time of the call.
struct IdxColumns {
    uint64_t* keys;  // null if keys are not wanted
    uint64_t* offsets;
};

// The lines of a file, read block by block, so that the text is never in memory as a whole.
class IdxFile {
  public:
    // Open the file and count its rows, which are the lines that are not blank.
    IdxFile(const std::string& path, unsigned n_threads);

    size_t size() const { return n_rows_; }

    // Read all rows into the columns. Return false, with the columns incomplete, if keys are not wanted and are not
    // 0, 1, 2 ... Throws IdxLineFault at the first line that is not two numbers, FormatFault if the file has lost lines
    // since it was opened.
    bool read(IdxColumns columns) const;

  private:
    struct TextBlock {  // whole lines, unless a line is too long
        uint64_t begin, end, first_line, first_row;
    };

    uint64_t line_end(uint64_t offset, std::vector<uint8_t>& text) const;

    FileDescriptor file_;
    unsigned n_threads_;
    uint64_t file_size_;
    std::vector<TextBlock> blocks_;
    size_t n_rows_ = 0;
};

}  // namespace recordkit
