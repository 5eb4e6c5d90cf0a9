// The text of an .idx file as numbers. The format, and what counts as an error, is in recordkit/formats/idx.py.
#pragma once

#include <string>

#include "file.hpp"

namespace recordkit {

// A line that is none; becomes FormatError with its number.
struct LineFault : std::runtime_error {
    LineFault(const std::string& begins, uint64_t number)
        : std::runtime_error("no line of an index"), shown(begins), line(number) {}
    std::string shown;  // what the line begins with; what() would end at its first NUL
    uint64_t line;
};

struct Columns {
    uint64_t* keys;  // null where they are not wanted
    uint64_t* offsets;
};

// Lines of a file, read in pieces so that its text is never in memory as a whole.
class IdxFile {
  public:
    // Opens the file and counts the lines that hold numbers.
    IdxFile(const std::string& path, unsigned n_threads);

    size_t size() const { return n_; }

    // Read all lines into columns of `size()` numbers; false, and not all of them, if keys were not wanted and are not
    // 0, 1, 2 ... Throws LineFault at the first line that is not two numbers, FormatFault if lines have gone since.
    bool read(Columns columns) const;

  private:
    struct Stretch {  // of whole lines, or up to where a line is too long
        uint64_t begin, end, first_line, first_row;
    };

    uint64_t line_end(uint64_t place, std::vector<uint8_t>& window) const;

    Handle handle_;
    unsigned n_threads_;
    uint64_t file_size_;
    std::vector<Stretch> stretches_;
    size_t n_ = 0;
};

}  // namespace recordkit
