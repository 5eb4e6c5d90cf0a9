// The text of an .idx file as numbers. The format, and what counts as an error, is in recordkit/formats/idx.py.
#pragma once

#include <string>

#include "file.hpp"

namespace recordkit {

// A line that is none; becomes FormatError with its number.
struct LineFault : std::runtime_error {
    LineFault(const std::string& message, uint64_t number) : std::runtime_error(message), line(number) {}
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

    // Read all lines into columns of `size()` numbers; false if keys were not wanted and are not 0, 1, 2 ...
    // Throws LineFault at the first line that is not two numbers.
    bool read(Columns columns) const;

  private:
    struct Stretch {  // of whole lines
        uint64_t begin, end, first_line, first_row;
    };

    std::string path_;
    Handle handle_;
    unsigned n_threads_;
    std::vector<Stretch> stretches_;
    size_t n_ = 0;
};

}  // namespace recordkit
