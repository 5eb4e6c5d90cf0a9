// Records of a .rec file: finding, reading and framing them. The format, what counts as damage, and the texts
// of errors are defined in recordkit/formats/frame.py.
#pragma once

#include <functional>
#include <vector>

#include "file.hpp"

namespace recordkit {

constexpr uint32_t kMagic = 0xced7230a;
constexpr uint64_t kHeadSize = 8;  // magic and length word, see records.cpp
constexpr uint64_t kMaxRecordBytes = (uint64_t(1) << 29) - 1;
constexpr uint32_t kMaxLabels = uint32_t(1) << 20;  // recordkit.formats.irheader.MAX_LABELS

// Append `record` with its frame (heads, escaped magics, padding) to `out`. `record` is at most kMaxRecordBytes long.
void frame_record(Span record, std::vector<uint8_t>& out);

// Position of a record in a file.
struct Extent {
    uint64_t offset = 0;      // of its head
    uint64_t end = 0;         // offset of the next head
    uint64_t length = 0;      // bytes of the record, with its parts joined
    bool single_part = true;  // the record is the file's bytes from offset + kHeadSize on
};

// The error that the record at `offset` was found again with another length, because another process wrote to the file.
FormatFault record_changed(uint64_t offset);

// The bytes of a record, with its parts joined; valid until the reader reads again or ends.
struct Record {
    Span bytes;
    uint64_t end;  // offset of the next head
};

// Parse the record whose head is at the beginning of some bytes in memory. Its `end` is then relative to them, and its
// bytes are among them or, if it has several parts, in `joined`. False if it is damaged, or longer than `bytes`.
bool parse_record(Span bytes, std::vector<uint8_t>& joined, Record* record);

// Memory for bytes of a file.
using Scratch = std::vector<uint8_t, DefaultInitAllocator<uint8_t>>;

// The scratch memory of a thread, which keeps it from scope to scope unless a huge record made it too large. A scope
// takes it, because Python code that runs inside may read other records in the same thread.
class ThreadScratch {
  public:
    ThreadScratch() { scratch_.swap(kept()); }
    ~ThreadScratch() {
        if (scratch_.capacity() <= kMaxScratchBytes) kept().swap(scratch_);
    }
    ThreadScratch(const ThreadScratch&) = delete;
    ThreadScratch& operator=(const ThreadScratch&) = delete;

    operator Scratch&() { return scratch_; }

  private:
    static Scratch& kept() {
        static thread_local Scratch kept;
        return kept;
    }

    Scratch scratch_;
};

// Reads records through a window, a part of the file in memory of this process. They are parsed there, so that another
// process which writes to the file cannot change them between a check and a use. All functions throw FormatFault, also
// if the file has shrunk, and SystemFault.
class RecordReader {
  public:
    // The caller keeps both, and uses the scratch for nothing else. At least `block_bytes` are read at once, more if
    // records are read in file order.
    RecordReader(const File& file, Scratch& scratch, size_t block_bytes = kRandomBlockBytes);

    // Go on with another file, or with the same.
    void use(const File& file);

    // Find a record whose head is at this offset. Of a record in one part only the head is read.
    Extent find(uint64_t offset);
    // Read a record. `probable_end` is the offset of the next head, if the caller knows it; it need not be right.
    Record read(uint64_t offset, uint64_t probable_end = 0);
    // Read the first `size` bytes of a record, or all if it has fewer; `length` becomes the number of all.
    Span read_start(uint64_t offset, size_t size, uint64_t* length);

    // For records in any order: a small record then costs one system call.
    static constexpr size_t kRandomBlockBytes = 4096;
    // For heads in file order, between long records.
    static constexpr size_t kHeadBlockBytes = 512;

  private:
    struct Part {
        uint32_t flag;
        uint64_t begin;  // offset of the data in the file
        uint64_t length;
    };

    Span bytes(uint64_t offset, size_t size);
    void move_window(uint64_t offset, size_t size);
    Part part_at(uint64_t offset);
    template <typename Take>
    Extent each_part(uint64_t offset, const Take& take);

    const File* file_;  // not owned
    Scratch& scratch_;  // holds the window
    size_t block_bytes_;
    size_t ahead_bytes_;   // read at once if the next bytes follow the window
    uint64_t begin_ = 0;   // of the window
    size_t size_ = 0;      // of the window
    uint64_t record_ = 0;  // offset of the record that is read, for errors
    std::vector<uint8_t> joined_;
};

// Called after every kRecordsPerCheck records of long work; an exception of it ends the work.
using InterruptCheck = std::function<void()>;
constexpr size_t kRecordsPerCheck = size_t(1) << 14;

// Called during a scan, with the offset that it has reached; an exception of it ends the scan.
using ScanProgress = std::function<void(uint64_t)>;

// Offsets of all records from `begin` on, in file order. Throws FormatFault at the first damage.
std::vector<uint64_t> scan(const File& file, uint64_t begin = 0, const ScanProgress& reached = [](uint64_t) {});

}  // namespace recordkit
