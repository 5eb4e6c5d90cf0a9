// The records that a call works on, as Python names them; recordkit.dataset.dataset.RecordLocations has the same columns.
#pragma once

#include "module.hpp"

#include "deflate.hpp"

namespace recordkit {

// The records of a batch in columns: index of the file in `files`, begin and end in it, position in the epoch, and
// the expected CRC-32 of the whole record; `checksums` is empty if records are not checked.
struct Records {
    std::vector<std::shared_ptr<const File>> files;
    py::list objects;  // the RecordFiles: Python collects nothing that their files use
    Column<uint32_t> file_numbers;
    Column<uint64_t> offsets, ends, positions;
    Column<uint32_t> checksums;
    uint32_t epoch;

    Records(const py::list& record_files, Column<uint32_t> file_column, Column<uint64_t> offset_column,
            Column<uint64_t> end_column, Column<uint32_t> checksum_column, Column<uint64_t> position_column,
            uint32_t epoch_number)
        : objects(record_files), file_numbers(std::move(file_column)), offsets(std::move(offset_column)),
          ends(std::move(end_column)), positions(std::move(position_column)), checksums(std::move(checksum_column)),
          epoch(epoch_number) {
        for (const auto column_size : {positions.size(), file_numbers.size(), ends.size()})
            if (column_size != offsets.size())
                throw py::value_error("expected a file number, an end and a position for each offset");
        if (checksums.size() && checksums.size() != offsets.size())
            throw py::value_error("expected a checksum for each offset, or none");
        for (const auto& file : record_files) files.push_back(file_of(file));
        for (size_t i = 0; i < size(); ++i)
            if (file_numbers.data()[i] >= files.size())
                throw py::value_error("expected file numbers below the number of files");
    }
    size_t size() const { return static_cast<size_t>(offsets.size()); }

    // Refuse a record whose CRC-32 is not the expected one, so that the reference engine words the error.
    void check(size_t i, Span record) const {
        if (checksums.size() && crc32_of(record) != checksums.data()[i]) throw Unsupported("another CRC-32");
    }
};

}  // namespace recordkit
